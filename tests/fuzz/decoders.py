"""
Everything that reads bytes of strangers: transactions, messages, packets, acknowledgements, proofs,
headers. Each target says by what it may refuse, and what must hold of what it takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache, partial
from typing import Any

from cosmpy.protos.tendermint.abci import types_pb2 as abci
from fakes.microgrid import Ledger, key, pay
from fakes.microgrid import Ledger as FakeLedger

from tieline.contract.fees import GasPrice
from tieline.contract.genesis import Genesis
from tieline.contract.multistore import MultiStore
from tieline.contract.results import BlockInput
from tieline.contract.store import STORES
from tieline.ledgers.tendermint.embedded import EmbeddedTendermint
from tieline.ledgers.tendermint.queries.door import QueryDoor
from tieline.light_clients import ics23
from tieline.light_clients.attestations import messages as attestations_messages
from tieline.light_clients.tendermint import messages as tendermint_messages
from tieline.protocol.messages import AnyMessage, Transfer
from tieline.protocol.packet import Acknowledgement, Packet, Payload
from tieline.protocol.transfer import TransferData
from tieline.swap.messages import MsgSend
from tieline.swap.records import AttestorKey, EnergyTrade
from tieline.wire import abi, attestation_proofs, attestations, codec, ics23_proofs, records_codec
from tieline.wire.bech32 import account_from_text, account_to_text
from tieline.wire.blocks import StoredBlock
from tieline.wire.errors import Malformed
from tieline.wire.fields import RecordCodec
from tieline.wire.messages_codec import _CODECS, _NESTED
from tieline.wire.transfer_data import (
    ABI_ENCODING,
    JSON_ENCODING,
    PROTOBUF_ENCODING,
    decode_transfer_data,
    encode_transfer_data,
)

START_S = 1_800_000_000


@dataclass(frozen=True)
class Target:
    """One reader of bytes."""

    name: str
    samples: tuple[bytes, ...]
    """What it takes."""
    read: Callable[[bytes], Any]
    refusals: tuple[type[Exception], ...] = (Malformed,)
    write: Callable[[Any], bytes] | None = None
    """If there is one spelling only: what was read, written again, is the same bytes."""

    def feed(self, data: bytes) -> bool:
        """Read *data* and say whether it was taken; any other end is a bug."""
        try:
            value = self.read(data)
        except self.refusals:
            return False
        if self.write is not None:
            assert self.write(value) == data, f"{self.name}: two spellings of one content"
        return True


def _sample(kind: str) -> Any:
    """Return a value of a column; not zero, so that every field is in the bytes."""
    plain: dict[str, Any] = {
        "bytes32": b"\x01" * 32,
        "address": b"\x02" * 20,
        "account": b"\x03" * 20,
        "bytes65": b"\x04" * 65,
        "bytes65?": b"\x05" * 65,
        "bytes": b"some bytes",
        "bytes[]": (b"ibc", b"x"),
        "bytes32[]": (b"\x06" * 32, b"\x07" * 32),
        "bytes65[]": (b"\x08" * 65,),
        "string": "07-tendermint-1",
        "uint8": 1,
        "uint16": 300,
        "uint32": 70_000,
        "uint64": 2**40,
        "uint128": 2**100,
        "EnergyTrade": (TRADE,),
    }
    if kind in plain:
        return plain[kind]
    nested: Mapping[str, RecordCodec[Any]] = {
        **_NESTED,
        "Order": records_codec.ORDER,
        "VerdictLeaf": records_codec.VERDICT_LEAF,
        "DeliveryLeaf": records_codec.DELIVERY_LEAF,
        "OwnLeaf": records_codec.OWN_LEAF,
    }
    of = nested[kind.rstrip("[]?")]
    one = of.record(*map(_sample, of.kinds))
    return (one, one) if kind.endswith("[]") else one


def _trade() -> EnergyTrade:
    kinds: dict[str, Any] = {"int": 7, "bytes": b"\x09" * 32}
    values = [kinds[str(one.type)] for one in fields(EnergyTrade)]
    values[0], values[1] = 1, 2
    for index in (10, 11, 12, 13):
        values[index] = b"\x0a" * 20
    return EnergyTrade(*values)


TRADE = _trade()
PACKET = Packet(
    1, "07-tendermint-0", "07-tendermint-1", START_S, (Payload("a", "b", "v", "e", b"x"),)
)


def messages() -> list[Any]:
    """Return one message of every kind."""
    by_hand: dict[type, Any] = {
        MsgSend: pay("ann", "bob", 7),
        Transfer: Transfer(b"\x03" * 20, "07-tendermint-0", "neur", 7, "x", START_S, "m", "e"),
    }
    return [
        by_hand.get(kind) or entry.record(*map(_sample, entry.kinds))
        for kind, entry in _CODECS.items()
    ]


@cache
def embedded() -> EmbeddedTendermint:
    """Return a ledger with some blocks, for headers and proofs."""
    cell = key("cell")
    genesis = Genesis(
        chain_id="fuzz-1",
        network_id=b"\xee" * 32,
        cell_address=cell.address,
        founding_cells=(cell.address,),
        balances=tuple(sorted((key(name).cosmos_account, 10**12) for name in ("ann", "bob"))),
    )
    ledger = EmbeddedTendermint(genesis, [bytes([n]) * 32 for n in range(1, 5)])
    ledger.add_lane("ann", key("ann"))
    ledger.produce_block(START_S)
    for n in range(1, 5):
        asyncio.run(ledger.submit("ann", [pay("ann", "bob", n)]))
        ledger.produce_block(START_S + 5 * n)
    return ledger


class Contract:
    """A ledger that is asked about transactions, and must not change by being asked."""

    def __init__(self) -> None:
        self.ledger = FakeLedger(tree=MultiStore(STORES))
        self.samples = self._samples()
        self._before = self.ledger.application.app_hash
        self._next = 0

    def _samples(self) -> tuple[bytes, ...]:
        ledger = self.ledger
        raws = [ledger.transaction("ann", one) for one in messages()]
        ledger.sequences.clear()
        raws.append(ledger.transaction("ann", *messages()))
        ledger.sequences.clear()
        raws.append(ledger.transaction("ann", pay("ann", "bob", 1)))
        return tuple(raws)

    def check(self, raw: bytes) -> int:
        """Ask for admission; return the code."""
        return self.ledger.application.check_transaction(raw).code

    def simulate(self, raw: bytes) -> int:
        """Run without a trace; return the code."""
        return self.ledger.application.simulate(raw).code

    def execute(self, raw: bytes) -> int:
        """Run in a block that is not committed; return the code."""
        application = self.ledger.application
        block = BlockInput(
            application.height + 1, application.time_ns + 10**9, b"\x07" * 32, (raw,)
        )
        code = application.finalize_block(block).tx_results[0].code
        assert application.app_hash == self._before
        return code


@dataclass
class _Refused(Exception):
    """A code, as an exception."""

    code: int


def _by_code(ask: Callable[[bytes], int]) -> Callable[[bytes], Any]:
    def read(raw: bytes) -> None:
        code = ask(raw)
        if code:
            raise _Refused(code)

    return read


def _query(door: QueryDoor, path: str) -> Callable[[bytes], Any]:
    def read(data: bytes) -> None:
        answer = door.answer(abci.RequestQuery(path=path, data=data))
        assert answer.codespace in {"", "sdk"}, answer.log
        if answer.code:
            raise _Refused(answer.code)

    return read


def contract_targets() -> list[Target]:
    """Return the doors of the contract: nothing gets out of them but a code."""
    contract = Contract()
    door = QueryDoor(contract.ledger.application, GasPrice())
    queries = [
        Target(
            f"query {path.rsplit('/', 2)[-2]}/{path.rsplit('/', 1)[-1]}",
            (b"\x0a\x2e" + account_to_text(b"\x03" * 20).encode(), b"\x0a\x0f07-tendermint-1", b""),
            _query(door, path),
            (_Refused,),
        )
        for path in sorted(door.methods())
    ]
    return [
        Target("check", contract.samples, _by_code(contract.check), (_Refused,)),
        Target("simulate", contract.samples, _by_code(contract.simulate), (_Refused,)),
        Target("execute", contract.samples, _by_code(contract.execute), (_Refused,)),
        *queries,
    ]


def _message_target(message: Any) -> Target:
    wire = codec.encode_message(message)
    return Target(
        f"message {wire.type_url.rpartition('.')[2]}",
        (wire.value,),
        lambda data: codec.decode_message(AnyMessage(wire.type_url, data)),
        # Wallets write an empty timeout height or none; both mean the same transfer.
        write=None
        if isinstance(message, Transfer)
        else lambda value: codec.encode_message(value).value,
    )


def _read_transaction(data: bytes) -> codec.DecodedTransaction:
    decoded = codec.decode_transaction(data)
    codec.verify_transaction(decoded, "fuzz-1", 0)
    return decoded


def transaction_targets() -> list[Target]:
    """Return readers of transactions, messages, packets and acknowledgements."""
    ledger = Ledger()
    transactions = tuple(ledger.transaction("ann", one) for one in messages())
    transfer = TransferData("neur", 7, "tieline1sender", "cosmos1receiver", '{"a":"b"}')
    order = _sample("SignedOrder")
    acknowledgement = Acknowledgement((b"done", b"\x01"))
    return [
        Target("transaction", transactions, _read_transaction),
        *map(_message_target, messages()),
        Target(
            "packet", (codec.encode_packet(PACKET),), codec.decode_packet, write=codec.encode_packet
        ),
        Target(
            "acknowledgement",
            (codec.encode_acknowledgement(acknowledgement),),
            codec.decode_acknowledgement,
            write=codec.encode_acknowledgement,
        ),
        Target(
            "signed order",
            (codec.encode_signed_order(order),),
            codec.decode_signed_order,
            write=codec.encode_signed_order,
        ),
        Target(
            "energy trade",
            (abi.encode_energy_trade(TRADE),),
            abi.decode_energy_trade,
            write=abi.encode_energy_trade,
        ),
        Target(
            "account",
            (account_to_text(b"\x03" * 20).encode(),),
            _read_account,
            write=_write_account,
        ),
        *(
            Target(
                f"transfer {encoding}",
                (encode_transfer_data(transfer, encoding),),
                partial(decode_transfer_data, encoding=encoding),
                write=partial(encode_transfer_data, encoding=encoding),
            )
            for encoding in (JSON_ENCODING, PROTOBUF_ENCODING, ABI_ENCODING)
        ),
    ]


def _read_account(data: bytes) -> bytes:
    try:
        text = data.decode()
    except UnicodeDecodeError as exc:
        raise Malformed("not text") from exc
    return account_from_text(text)


def _write_account(account: bytes) -> bytes:
    return account_to_text(account).encode()


def proof_targets() -> list[Target]:
    """Return readers of proofs, headers and client states."""
    ledger = embedded()
    present = asyncio.run(ledger.prove(b"nextClientSequence", 4))
    absent = asyncio.run(ledger.prove(b"clients/x", 4))
    client, consensus = ledger.client_states(3)
    header = asyncio.run(ledger.header(5, 3))
    proofs = (present.proof, absent.proof)
    blocks = tuple(one.encode() for one in ledger.blocks)
    root = ledger.blocks[4].block.header.app_hash
    signed = attestation_proofs.AttestationProof(b"\x01" * 64, (b"\x02" * 65,) * 3)
    paired = attestation_proofs.Paired(proofs[0], signed.encode())
    bound = attestation_proofs.SignedAttestorKey(
        AttestorKey(b"\x01" * 32, b"\x02" * 20, b"\x03" * 20, 4), b"\x04" * 65, b"\x05" * 65
    )
    state = attestation_proofs.PairedClientState(client, (bound,), 1, b"\x02" * 20)
    misbehaviour = tendermint_messages.Misbehaviour(header.value, header.value)
    entries = attestations.encode_packet_attestation(7, [(b"\x01" * 32, b"\x02" * 32)] * 3)
    membership = partial(_verify, root, present.key, present.value or b"")
    absence = partial(_verify_absence, root, b"clients/x")
    refused = (ics23.ProofRefused, Malformed)
    return [
        Target("merkle proof", proofs, ics23_proofs.decode_merkle_proof),
        Target("membership", (proofs[0],), membership, refused),
        Target("absence", (proofs[1],), absence, refused),
        Target("client state", (client.value,), tendermint_messages.ClientState.decode),
        Target("consensus state", (consensus.value,), tendermint_messages.ConsensusState.decode),
        Target("header", (header.value,), tendermint_messages.ClientHeader.decode),
        Target(
            "misbehaviour",
            (misbehaviour.encode(),),
            tendermint_messages.Misbehaviour.decode,
        ),
        Target("block", blocks, StoredBlock.decode),
        Target(
            "attestation",
            (signed.encode(),),
            attestation_proofs.AttestationProof.decode,
            write=attestation_proofs.AttestationProof.encode,
        ),
        Target(
            "paired",
            (paired.encode(),),
            attestation_proofs.Paired.decode,
            write=attestation_proofs.Paired.encode,
        ),
        Target(
            "paired client state",
            (state.encode(),),
            attestation_proofs.PairedClientState.decode,
            write=attestation_proofs.PairedClientState.encode,
        ),
        Target(
            "attested packets",
            (entries,),
            attestations.decode_packet_attestation,
            write=lambda read: attestations.encode_packet_attestation(*read),
        ),
        Target(
            "attested state",
            (attestations.encode_state_attestation(7, START_S),),
            attestations.decode_state_attestation,
            write=lambda read: attestations.encode_state_attestation(*read),
        ),
        Target(
            "attestations client state",
            (_attestations_state(),),
            attestations_messages.ClientState.decode,
        ),
    ]


def _attestations_state() -> bytes:
    addresses = ("0x" + "01" * 20, "0x" + "02" * 20)
    return attestations_messages.ClientState(addresses, 2, 7, is_frozen=False).encode()


def _verify(root: bytes, stored_key: bytes, value: bytes, proof: bytes) -> None:
    ics23.verify_membership(root, (b"ibc", stored_key), proof, value)


def _verify_absence(root: bytes, stored_key: bytes, proof: bytes) -> None:
    ics23.verify_non_membership(root, (b"ibc", stored_key), proof)


@cache
def targets() -> tuple[Target, ...]:
    """Return all of them."""
    from fuzz.evm_decoders import evm_targets
    from fuzz.fabric_client_targets import fabric_client_targets
    from fuzz.fabric_decoders import fabric_targets

    return (
        *transaction_targets(),
        *proof_targets(),
        *contract_targets(),
        *evm_targets(),
        *fabric_targets(),
        *fabric_client_targets(),
    )
