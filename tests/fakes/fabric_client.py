"""A client of a hand-made Fabric channel: what it believes of blocks, and why it refuses."""

from __future__ import annotations

from fakes.fabric_chain import RAFT, START_S, FabricChain, Simulated
from fakes.signing_chain import DictStore
from tieline.light_clients.fabric import building
from tieline.light_clients.fabric.client import FabricBlockClient
from tieline.light_clients.fabric.messages import (
    AbsenceProof,
    Header,
    MembershipProof,
    ReadBack,
    RecordedAbsence,
)
from tieline.protocol.client import UpdateResult
from tieline.protocol.commitment import (
    acknowledgement_key,
    packet_commitment_key,
    packet_receipt_key,
)
from tieline.protocol.errors import ClientRefused
from tieline.protocol.height import Height
from tieline.protocol.time import NANOSECONDS_PER_SECOND, TimestampNanoseconds
from tieline.wire.fabric.blocks import Block

CLIENT = "07-tendermint-0"
KEY = packet_commitment_key(CLIENT, 1)
RECEIPT = packet_receipt_key(CLIENT, 1)
ACKNOWLEDGEMENT = acknowledgement_key(CLIENT, 1)
VALUE = b"\x07" * 32
SLOT_S = 20
"""Between the Ticks of a test."""


def at(time_s: int) -> TimestampNanoseconds:
    return TimestampNanoseconds(time_s * NANOSECONDS_PER_SECOND)


class ClientWorld:
    """A channel whose first Tick is in block 2, and a client that begins there."""

    def __init__(self, consensus: str = RAFT, chain: FabricChain | None = None) -> None:
        self.chain = chain or FabricChain(consensus)
        self.rules = FabricBlockClient()
        self.store = DictStore()
        first = self.chain.tick_block(START_S)
        client, consensus_state = self.chain.states(first)
        self.rules.initialise(self.store, client.as_any(), consensus_state.as_any())
        self.first_height = first.header.number

    def tick(self, *before: Simulated) -> Block:
        """Commit a block with a Tick, *before* it in the same block."""
        return self.chain.tick_block(self.chain.clock_s + SLOT_S, *before)

    def update(self, header: Header) -> UpdateResult:
        now = at(self.chain.clock_s + 1)
        return self.rules.update(self.store, header.as_any(), now)

    def follow(self, block: Block | None = None) -> int:
        """Bring the client to a new Tick, and return its height."""
        block = block or self.tick()
        height = block.header.number
        assert self.update(self.chain.header(block)).heights == (Height(0, height),)
        return height

    def refusal_of(self, header: Header) -> str:
        """Return why a header is refused; nothing may have been written."""
        before = dict(self.store)
        try:
            self.update(header)
        except ClientRefused as exc:
            assert dict(self.store) == before, "a refused message was written"
            return str(exc)
        raise AssertionError("header was taken")

    def prove(
        self,
        written: Simulated,
        block: Block,
        height: int,
        index: int = 0,
        answer: ReadBack | None = None,
    ) -> bytes:
        return self.chain.membership_proof(written, block, index, height, answer)

    def shown(
        self, proof: bytes, height: int, key: bytes = KEY, value: bytes = VALUE
    ) -> str | None:
        """Return why membership is refused; None if it is shown."""
        at_height = Height(0, height)
        return self.rules.verify_membership(self.store, at_height, proof, (key,), value).refusal

    def absent(self, proof: bytes, height: int, key: bytes = RECEIPT) -> str | None:
        """Return why an absence is refused; None if it is shown."""
        at_height = Height(0, height)
        return self.rules.verify_non_membership(self.store, at_height, proof, (key,)).refusal

    def record_proof(self, recorded: Simulated, block: Block, index: int = 0) -> bytes:
        answer = self.chain.marker_read_back(recorded)
        place = RecordedAbsence(building.signed_block(block.encode()), index)
        return AbsenceProof(answer, place).encode()


def proof_of(raw: bytes) -> MembershipProof:
    return MembershipProof.decode(raw)
