"""
A Fabric channel in the hand of a test: real blocks of real transactions of our chaincode, with
versions and conflicts, but nobody's signature; and everything that a network does to its clients.
"""

from __future__ import annotations

from collections.abc import Sequence

from fakes.microgrid import echo_installation, key
from tieline.contract.chaincode import Chaincode
from tieline.contract.genesis import Genesis
from tieline.interfaces.errors import Unavailable
from tieline.ledgers.fabric.port import (
    CommitStatus,
    Endorsed,
    EndorsementsDiffer,
    InvocationRefused,
    Validation,
)
from tieline.wire.fabric.blocks import Block, BlockHeader, Metadata, OrdererMetadata, data_hash
from tieline.wire.fabric.envelopes import CONFIG, ChannelHeader, Envelope, Payload, SignatureHeader
from tieline.wire.fabric.identities import SerializedIdentity
from tieline.wire.fabric.invocations import init_args, tick_args
from tieline.wire.fabric.lifecycle import LIFECYCLE, ChaincodeDefinition, sequence_key
from tieline.wire.fabric.proposals import propose
from tieline.wire.fabric.responses import (
    ChaincodeEvent,
    Endorsement,
    Response,
    ResponsePayload,
)
from tieline.wire.fabric.rwsets import NamespaceSet, Read, ReadWriteSet, Version, Write
from tieline.wire.fabric.transactions import (
    decode_transaction,
    endorsed_response,
    transaction_payload,
)

START_S = 1_800_000_000
NAMES = ("cell", "relayer", *(f"household {n}" for n in range(64)))
DEFINED = ReadWriteSet((NamespaceSet(LIFECYCLE),))


def scripted_genesis(channel: str) -> Genesis:
    """A ledger on which the usual names have money."""
    return Genesis(
        chain_id=channel,
        network_id=b"\xee" * 32,
        cell_address=key("cell").address,
        founding_cells=(key("cell").address,),
        kind="fabric",
        balances=tuple(sorted((key(name).cosmos_account, 10**12) for name in NAMES)),
    )


class ScriptedFabric:
    """A channel: orderers, and one state that all peers share."""

    def __init__(self, channel: str = "lab", *, is_begun: bool = True) -> None:
        self.channel = channel
        self.now_s = START_S
        self.chaincode = Chaincode(installation=echo_installation())
        self.state: dict[tuple[str, str], tuple[bytes, Version]] = {}
        self.blocks: list[bytes] = []
        self.waiting: list[bytes] = []
        self.seen: dict[str, CommitStatus] = {}
        self.nonces = 0
        self._make_genesis()
        self._define(1)
        if is_begun:
            self.run(init_args(scripted_genesis(channel).to_bytes(), self.hash_at(0)))
            self.run(tick_args(self.now_s))

    def hash_at(self, number: int) -> bytes:
        return Block.decode(self.blocks[number]).header.hash()

    def run(self, args: Sequence[bytes]) -> None:
        """Endorse, order and commit in a block of its own."""
        self.waiting.append(self.simulate(args).envelope)
        self.cut()

    def tick(self, seconds: int = 15) -> None:
        """Let time pass, and tell the chaincode."""
        self.now_s += seconds
        self.run(tick_args(self.now_s))

    # --- peers ------------------------------------------------------------------------------

    def simulate(self, args: Sequence[bytes], creator: bytes = b"") -> Endorsed:
        reads: list[Read] = []
        fabric = self

        class Shown:
            def get_state(self, key: str, /) -> bytes:
                value, version = fabric.state.get(("tieline", key), (b"", None))
                reads.append(Read(key, version))
                return value

            def get_states(self, keys: Sequence[str], /) -> list[bytes]:
                return [self.get_state(key) for key in keys]

        done = self.chaincode.invoke(args, Shown(), lambda: self.now_s)
        if not done.is_ok:
            raise InvocationRefused(done.status, done.message)
        self.nonces += 1
        who = creator or SerializedIdentity("Org1MSP", b"certificate").encode()
        proposal = propose(self.channel, "tieline", args, who, self.nonces.to_bytes(24, "big"))
        _, version = self.state[LIFECYCLE, sequence_key("tieline")]
        defined = NamespaceSet(LIFECYCLE, reads=(Read(sequence_key("tieline"), version),))
        own = NamespaceSet(
            "tieline",
            tuple(sorted(reads, key=lambda one: one.key)),
            tuple(Write(one, value or b"", value is None) for one, value in done.writes),
        )
        event = None
        if done.event:
            event = ChaincodeEvent("tieline", proposal.tx_id, "tieline", done.event)
        content = ResponsePayload(
            proposal.hash(),
            "tieline",
            "1",
            ReadWriteSet((defined, own)),
            Response(200, "", done.payload),
            event,
        )
        payload = content.encode()
        endorsements = tuple(Endorsement(who, b"signed by %d" % n) for n in range(2))
        endorsed = endorsed_response(proposal, payload, endorsements)
        return Endorsed(
            proposal.tx_id,
            Envelope(transaction_payload(endorsed), b"signature").encode(),
            proposal.channel_header,
            proposal.signature_header,
            proposal.payload,
            payload,
            tuple((one.endorser, one.signature) for one in endorsements),
            content,
        )

    # --- orderers ---------------------------------------------------------------------------

    def cut(self) -> None:
        """Make a block of all that waits."""
        batch, self.waiting = self.waiting, []
        if batch:
            self._append(batch, bytes(self._commit(batch)))

    def _commit(self, batch: Sequence[bytes]) -> list[int]:
        number, codes, stale = len(self.blocks), list[int](), set[str]()
        for index, raw in enumerate(batch):
            transaction = decode_transaction(raw)
            own = transaction.opened.content.sets.of("tieline")
            version = {one: at for (_, one), (_, at) in self.state.items()}
            code = Validation.VALID
            if transaction.tx_id in self.seen:
                code = Validation.DUPLICATE_TXID
            elif any(one.key in stale or version.get(one.key) != one.version for one in own.reads):
                code = Validation.MVCC_READ_CONFLICT
            else:
                stale |= {one.key for one in own.writes}
                for write in own.writes:
                    if write.is_deletion:
                        self.state.pop(("tieline", write.key), None)
                    else:
                        place = Version(number, index)
                        self.state["tieline", write.key] = write.value, place
            codes.append(code)
            self.seen.setdefault(transaction.tx_id, CommitStatus(code, number))
        return codes

    def _append(self, data: Sequence[bytes], codes: bytes) -> None:
        previous = self.hash_at(len(self.blocks) - 1) if self.blocks else b""
        header = BlockHeader(len(self.blocks), previous, data_hash(data))
        signatures = Metadata(OrdererMetadata(0).encode()).encode()
        metadata = (signatures, b"", codes, b"", b"")
        self.blocks.append(Block(header, tuple(data), metadata).encode())

    def _make_genesis(self) -> None:
        header = ChannelHeader(CONFIG, self.channel, "").encode()
        payload = Payload(header, SignatureHeader(b"orderer", b"n").encode(), b"config").encode()
        self._append([Envelope(payload, b"signature").encode()], bytes((0,)))

    def _define(self, sequence: int) -> None:
        """Commit a definition of the chaincode."""
        number = len(self.blocks)
        definition = ChaincodeDefinition("tieline", sequence, "1")
        sets = ReadWriteSet((NamespaceSet(LIFECYCLE, (), definition.writes(None)),))
        self.nonces += 1
        nonce = self.nonces.to_bytes(24, "big")
        who = SerializedIdentity("Org1MSP", b"admin").encode()
        proposal = propose(self.channel, LIFECYCLE, (b"Commit",), who, nonce)
        payload = ResponsePayload(proposal.hash(), LIFECYCLE, "1", sets, Response(200)).encode()
        endorsed = endorsed_response(proposal, payload, (Endorsement(who, b"s"),))
        for write in sets.of(LIFECYCLE).writes:
            self.state[LIFECYCLE, write.key] = write.value, Version(number, 0)
        self._append([Envelope(transaction_payload(endorsed), b"signature").encode()], bytes((0,)))


class ScriptedPort:
    """One process's way in, and what happens to it on that way."""

    def __init__(self, fabric: ScriptedFabric, name: str = "peer0") -> None:
        self.fabric = fabric
        self.name = name
        self.differs = 0
        """So many endorsements still come out differently."""
        self.loses: list[bool] = []
        """For each envelope to come: whether it is ordered although nobody says so, or is not."""
        self.is_down = False
        self.lag = 0
        """So many blocks it is behind."""
        self.version = b""
        """What its chaincode says it is; empty: the truth."""
        self.asked: list[tuple[bytes, ...]] = []
        self.ordered: list[bytes] = []

    @property
    def fabric_channel(self) -> str:
        return self.fabric.channel

    def _require_up(self) -> None:
        if self.is_down:
            raise Unavailable(f"no answer: {self.name}")

    async def evaluate(self, args: Sequence[bytes]) -> bytes:
        self._require_up()
        if self.version and args[0] == b"Version":
            return self.version
        return self.fabric.simulate(args).content.response.payload

    async def endorse(self, args: Sequence[bytes]) -> Endorsed:
        self._require_up()
        self.asked.append(tuple(args))
        if self.differs:
            self.differs -= 1
            raise EndorsementsDiffer(("Org1MSP@peer0", "Org2MSP@peer1"), "payloads do not match")
        return self.fabric.simulate(args)

    async def order(self, envelope: bytes) -> None:
        self._require_up()
        self.ordered.append(envelope)
        if self.loses:
            if self.loses.pop(0):
                self.fabric.waiting.append(envelope)
            raise Unavailable("deadline exceeded")
        self.fabric.waiting.append(envelope)

    async def commit_status(self, tx_id: str) -> CommitStatus | None:
        self._require_up()
        return self.fabric.seen.get(tx_id)

    async def blocks_after(self, number: int, limit: int) -> Sequence[bytes]:
        self._require_up()
        end = min(number + 1 + limit, len(self.fabric.blocks) - self.lag)
        return self.fabric.blocks[number + 1 : end]

    async def height(self) -> int:
        self._require_up()
        return len(self.fabric.blocks) - 1 - self.lag

    def close(self) -> None:
        """Nothing is open."""
