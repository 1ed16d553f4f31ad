"""What strangers bring of EVM ledgers: RLP, headers, extra data, proofs, client messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fakes.evm_chain import SECOND, START_S, EvmChain
from fakes.recorded_node import ENGINES, RECORDED, octets
from fakes.signing_chain import DictStore

from fuzz.decoders import Target
from tieline.light_clients.evm import messages
from tieline.light_clients.evm.client import EvmSealedClient
from tieline.light_clients.evm.messages import Sealing, StorageProof
from tieline.light_clients.evm.seals import SealsRefused, take_apart
from tieline.light_clients.evm.trie import ProofNodes, ProofRefused, look_up_word
from tieline.protocol.errors import ClientRefused
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.wire.errors import Malformed
from tieline.wire.evm import contract_calls, contract_events, rlp
from tieline.wire.evm.blocks import EvmBlock
from tieline.wire.evm.declarations import Function
from tieline.wire.evm.header import decode_header, header_of_rpc_block
from tieline.wire.evm.logs import Log
from tieline.wire.evm.transactions import EvmTransaction, call_data
from tieline.wire.keys import SecpKey

NOW = (START_S + 60) * SECOND
PATH = b"07-tendermint-0\x01" + bytes(7) + b"\x01"
VALUE = b"\x09" * 32
ABSENT = b"07-tendermint-0\x02" + bytes(7) + b"\x01"


def _updating(chain: EvmChain) -> Callable[[bytes], Any]:
    """A client that takes a header or refuses it; nothing else may come of one."""
    rules = EvmSealedClient()
    begun = DictStore()
    rules.initialise(begun, chain.client_state().as_any(), chain.consensus_state().as_any())

    def read(data: bytes) -> Any:
        store = DictStore(begun)
        return rules.update(store, AnyMessage(messages.HEADER_URL, data), NOW)

    return read


def _proving(chain: EvmChain) -> list[Target]:
    rules, store = EvmSealedClient(), DictStore()
    rules.initialise(store, chain.client_state().as_any(), chain.consensus_state().as_any())
    rules.update(store, chain.header(5).as_any(), NOW)
    at, honest = Height(0, 5), chain.prove(PATH)

    def member(data: bytes) -> None:
        if not rules.verify_membership(store, at, data, (PATH,), VALUE):
            raise Malformed("refused")
        assert data == honest, "two proofs of one value"

    def absence(data: bytes) -> None:
        assert not rules.verify_non_membership(store, at, data, (PATH,)), "a false absence"
        if not rules.verify_non_membership(store, at, data, (ABSENT,)):
            raise Malformed("refused")

    return [
        Target("evm membership", (honest,), member),
        Target("evm absence", (chain.prove(ABSENT),), absence),
    ]


def _look_up(data: bytes) -> bytes | None:
    """Nodes of a recorded proof under its root."""
    nodes = ProofNodes(StorageProof.decode(data).nodes)
    told = RECORDED["geth"]["host"]
    return look_up_word(octets(told["storageHash"]), octets(told["storageProof"][0]["key"]), nodes)


def evm_targets() -> list[Target]:
    """Return every reader."""
    headers = tuple(header_of_rpc_block(RECORDED[one]["block"]).encode() for one in ENGINES)
    chains = {sealing: EvmChain(sealing) for sealing in Sealing}
    for chain in chains.values():
        chain.commit(PATH, VALUE)
    authority = chains[Sealing.AUTHORITY]
    found = [
        Target("rlp", (*headers, rlp.encode([b"a", [b"b" * 60, []], b""])), rlp.decode,
               write=rlp.encode),
        Target("evm header", headers, decode_header, write=lambda one: one.encode()),
        *_proving(authority),
    ]  # fmt: skip
    told = RECORDED["geth"]["host"]["storageProof"][0]["proof"]
    proof = StorageProof(tuple(map(octets, told))).encode()
    found.append(Target("recorded evm proof", (proof,), _look_up, (Malformed, ProofRefused)))
    for sealing, chain in chains.items():
        message = chain.header(5, trusted=0 if sealing is Sealing.AUTHORITY else 1)
        found.append(
            Target(
                f"{sealing.name} update", (message.encode(),), _updating(chain), (ClientRefused,)
            )
        )
        if sealing is not Sealing.AUTHORITY:
            block = decode_header(message.header)
            found.append(
                Target(f"{sealing.name} extra data", (message.header,), _taking_apart(sealing),
                       (SealsRefused, Malformed))
            )  # fmt: skip
            assert take_apart(block, sealing).seals
    header = authority.header(5)
    conflict = messages.Misbehaviour(header.encode(), authority.header(5, START_S).encode())
    for name, one in (
        ("client state", authority.client_state()),
        ("consensus state", chains[Sealing.QBFT].consensus_state()),
        ("header message", header),
        ("misbehaviour", conflict),
        ("storage proof", StorageProof.decode(authority.prove(PATH))),
    ):
        reader = type(one).decode
        found.append(Target(f"evm {name}", (one.encode(),), reader, write=lambda v: v.encode()))
    return [*found, *_of_the_adapter()]


def _of_the_adapter() -> list[Target]:
    """Blocks that are kept, calls and logs of our contracts."""
    block = EvmBlock(b"header", (b"one", b"two"), (b"three", b""))
    call = contract_calls.MULTICALL.encode([contract_calls.DEPOSIT.encode(5), b"\x01" * 40])
    transaction = EvmTransaction(5, 1, 21_000, 7, 0, b"\x02" * 20, call)
    opened = contract_events.APP_EVENT_KINDS
    (kind,) = [one for one in opened.values() if one.name == "CellSetPosted"]
    body = Function(
        "function f(bytes32 p, bytes32 n, uint64 e, uint64 s, (address c, bytes32 t, uint8 r)[] w)"
    ).encode(b"\x03" * 32, b"\x04" * 32, 1, 900, [(b"\x05" * 20, b"\x06" * 32, 1)])[4:]
    return [
        Target("evm block", (block.encode(),), EvmBlock.decode, write=EvmBlock.encode),
        Target("evm call data", (transaction.sign(SecpKey(b"\x07" * 32)),), call_data),
        Target(
            "evm multicall",
            (call,),
            contract_calls.MULTICALL.decode,
            write=lambda values: contract_calls.MULTICALL.encode(values["calls"]),
        ),
        Target(
            "evm log",
            (body,),
            lambda data: kind.decode(Log(bytes(20), (kind.topic, b"\x08" * 32), data)),
        ),
    ]


def _taking_apart(sealing: Sealing) -> Callable[[bytes], Any]:
    def read(data: bytes) -> Any:
        return take_apart(decode_header(data), sealing)

    return read
