"""
Is a block with a Tick to be believed, and what does a proof show of what was written?

Pure functions of bytes, so their answers may be remembered (``remembering``) where many clients in
one process see the same; what depends on this ledger's clock is the client's.

Sources:
    ``docs/spec/trust.md`` 4; ``docs/adr/0044-what-is-proved-of-fabric.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tieline.light_clients.fabric.blocks import (
    HASH_BYTES,
    OrderedBlock,
    Span,
    verify_any_block,
    verify_block,
)
from tieline.light_clients.fabric.knowledge import EvidenceRefused, Knowledge
from tieline.light_clients.fabric.messages import (
    AbsenceProof,
    Header,
    MembershipProof,
    ReadBack,
    RecordedAbsence,
    SignedBlock,
)
from tieline.light_clients.fabric.states import ConsensusState
from tieline.light_clients.fabric.steps import follow
from tieline.light_clients.fabric.transactions import (
    Written,
    check_valid,
    sole_read,
    verify_read_back,
    verify_written,
)
from tieline.protocol.commitment import packet_receipt_key
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.wire.fabric.blocks import BlockHeader
from tieline.wire.fabric.invocations import (
    CLOCK_KEY,
    Function,
    absence_key,
    decode_number,
    decode_read_back,
    ibc_key,
    prove_absence_args,
    read_back_args,
    tick_args,
)
from tieline.wire.fabric.transactions import decode_transaction

TIME_S_MAX = (1 << 63) // NANOSECONDS_PER_SECOND
"""The year 2262: nanoseconds are held in 63 bits."""
BLOCKS_BEHIND_MAX = 8_192
"""256 KiB of data hashes: between a packet and its proof lie fewer than a day's blocks."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """What a client trusts, as far as headers and proofs are judged by it."""

    knowledge: Knowledge
    newest_s: int
    """Time of its newest block."""


@dataclass(frozen=True, slots=True)
class VerifiedHeader:
    """A block with a valid Tick, and what is known of the channel with it."""

    number: int
    previous_hash: bytes
    consensus_state: ConsensusState
    knowledge: Knowledge


@dataclass(frozen=True, slots=True)
class HeldBlock:
    """The block that a proof is for, as the client holds it."""

    number: int
    block_hash: bytes
    time_s: int
    endorsed_from_s: int | None = None
    """
    From when on an endorser of what lies at or below it must have been valid, not yet expired that
    is: a time before the block in question was ordered. None: at the held block's own time.
    """


HeaderVerifier = Callable[[bytes, Anchor], VerifiedHeader]
WriteFinder = Callable[[bytes, bytes, HeldBlock, Anchor], bytes]


def verify_header(raw: bytes, anchor: Anchor) -> VerifiedHeader:
    """
    Check all that depends neither on this ledger's time nor on what else the client holds.

    Raises:
        EvidenceRefused: A rule is broken.
        Malformed: The bytes are no header.
    """
    return _verify(Header.decode(raw), anchor)


def _verify(header: Header, anchor: Anchor) -> VerifiedHeader:
    time_s = _claimed_time_s(header)
    from_s, to_s = sorted((time_s, anchor.newest_s))
    since = Span(from_s, to_s)
    knowledge = follow(anchor.knowledge, header.config_steps, header.definition_steps, since)
    now = Span(time_s, time_s)
    block = verify_block(header.block, knowledge, now)
    tick = verify_written(block, header.tick_index, knowledge, now)
    if tick.args != tick_args(time_s) or decode_number(tick.value_of(CLOCK_KEY)) != time_s:
        raise EvidenceRefused("transaction is no Tick of its time")
    is_of_definition = bool(header.definition_steps)
    opened = verify_read_back(
        header.read_back, knowledge, Span(to_s, to_s), is_of_definition=is_of_definition
    )
    check_valid(tick, opened, knowledge)
    state = ConsensusState(time_s * NANOSECONDS_PER_SECOND, block.header.hash())
    return VerifiedHeader(block.header.number, block.header.previous_hash, state, knowledge)


def _claimed_time_s(header: Header) -> int:
    """Return the time that a Tick says it sets; nothing is checked but that it is a time."""
    envelopes, index = header.block.envelopes, header.tick_index
    if index >= len(envelopes):
        raise EvidenceRefused(f"no transaction of this index: {index}")
    args = decode_transaction(envelopes[index]).opened.args
    if args[:1] != (Function.TICK.encode(),) or len(args) != len(tick_args(0)):
        raise EvidenceRefused("transaction is no Tick")
    time_s = decode_number(args[-1])
    if not 1 <= time_s <= TIME_S_MAX:
        raise EvidenceRefused(f"time out of range: {time_s}")
    return time_s


def verify_conflicting(header: Header, anchor: Anchor) -> VerifiedHeader:
    """
    Check one header of a misbehaviour by what is known already.

    Raises:
        EvidenceRefused, Malformed: As ``verify_header``; also if it brings steps.
    """
    if header.config_steps or header.definition_steps:
        raise EvidenceRefused("misbehaviour that changes what is known")
    _check_in_force(header.block, anchor)
    return _verify(header, anchor)


def verify_fork(claimed: SignedBlock, anchor: Anchor) -> BlockHeader:
    """
    Check one block of a fork. Orderers of an older configuration than the newest show none: who
    is no orderer any more can sign what he likes.

    Raises:
        EvidenceRefused, Malformed: A rule is broken.
    """
    _check_in_force(claimed, anchor)
    return verify_any_block(claimed, anchor.knowledge, Span(anchor.newest_s, anchor.newest_s))


def _check_in_force(claimed: SignedBlock, anchor: Anchor) -> None:
    if claimed.number <= anchor.knowledge.configs[-1].number:
        raise EvidenceRefused(f"fork under a replaced configuration: {claimed.number}")


def find_written(raw: bytes, key: bytes, held: HeldBlock, anchor: Anchor) -> bytes:
    """
    Return what a valid transaction, in the held block or below it, wrote under *key*.

    Raises:
        TooFewEndorsed: An earlier ``endorsed_from_s`` might help.
        EvidenceRefused: A rule is broken.
        Malformed: The bytes are no proof.
    """
    proof = MembershipProof.decode(raw)
    knowledge = anchor.knowledge
    from_s = held.time_s if held.endorsed_from_s is None else held.endorsed_from_s
    # The held block stands on this one, by its hash: whoever signed it may be renewed since.
    block = verify_block(proof.block, knowledge, Span(0, held.time_s))
    _check_below(block, proof.data_hashes, held)
    written = verify_written(block, proof.index, knowledge, Span(from_s, held.time_s))
    value = written.value_of(ibc_key(key))
    _check_valid(written, proof.read_back, held.time_s, anchor)
    return value


def check_not_received(
    raw: bytes, client_id: str, sequence: int, held: HeldBlock, anchor: Anchor
) -> None:
    """
    Check that a packet's receipt was not there at the held block.

    Raises:
        EvidenceRefused: The record says no such thing, or of an earlier time only.
        Malformed: The bytes are no proof.
    """
    proof = AbsenceProof.decode(raw)
    if proof.recorded is None:
        raise EvidenceRefused("absence of a receipt without its record")
    tau_s = _claimed_tau_s(proof.recorded)
    if tau_s < held.time_s:
        raise EvidenceRefused(f"absence was recorded for {tau_s}, before {held.time_s}")
    # It was recorded at tau or later, perhaps by whoever was renewed since.
    knowledge, since = anchor.knowledge, Span(tau_s, max(tau_s, anchor.newest_s))
    block = verify_block(proof.recorded.block, knowledge, since)
    written = verify_written(block, proof.recorded.index, knowledge, since)
    if written.args != prove_absence_args(client_id, sequence, tau_s):
        raise EvidenceRefused("absence of another receipt was recorded")
    if decode_number(written.value_of(absence_key(client_id, sequence))) != tau_s:
        raise EvidenceRefused("absence record of another time")
    if not written.has_seen_absent(ibc_key(packet_receipt_key(client_id, sequence))):
        raise EvidenceRefused("absence was recorded beside a receipt")
    _check_valid(written, proof.read_back, tau_s, anchor)


def check_not_acknowledged(raw: bytes, key: bytes, held: HeldBlock, anchor: Anchor) -> None:
    """
    Check that an acknowledgement was not there at the held block: it is not there even now, and
    none is ever deleted.

    Raises:
        EvidenceRefused: The answer says otherwise, or is of an earlier time.
        Malformed: The bytes are no proof.
    """
    proof = AbsenceProof.decode(raw)
    if proof.recorded is not None:
        raise EvidenceRefused("absence of an acknowledgement with a record")
    knowledge, wanted = anchor.knowledge, ibc_key(key)
    opened = verify_read_back(proof.read_back, knowledge, _now(held.time_s, anchor))
    if opened.args != read_back_args(wanted):
        raise EvidenceRefused("read-back of another key")
    answer = decode_read_back(opened.content.response.payload)
    if answer.clock_s < held.time_s:
        raise EvidenceRefused(f"read-back of {answer.clock_s}, before {held.time_s}")
    reads = opened.content.sets.of(knowledge.chaincode).reads
    if answer.values != (None,) or sole_read(reads, wanted).version is not None:
        raise EvidenceRefused("there is an acknowledgement")


def _claimed_tau_s(recorded: RecordedAbsence) -> int:
    """Return the time that a ProveAbsence names; nothing is checked but that it is a time."""
    envelopes, index = recorded.block.envelopes, recorded.index
    if index >= len(envelopes):
        raise EvidenceRefused(f"no transaction of this index: {index}")
    args = decode_transaction(envelopes[index]).opened.args
    if args[:1] != (Function.PROVE_ABSENCE.encode(),):
        raise EvidenceRefused("transaction records no absence")
    tau_s = decode_number(args[-1])
    if tau_s > TIME_S_MAX:
        raise EvidenceRefused(f"time out of range: {tau_s}")
    return tau_s


def _check_valid(written: Written, answer: ReadBack, time_s: int, anchor: Anchor) -> None:
    opened = verify_read_back(answer, anchor.knowledge, _now(time_s, anchor))
    check_valid(written, opened, anchor.knowledge)


def _now(time_s: int, anchor: Anchor) -> Span:
    """Return when endorsers of a read-back must have been valid: at the newest time known."""
    newest_s = max(time_s, anchor.newest_s)
    return Span(newest_s, newest_s)


def _check_below(block: OrderedBlock, data_hashes: Sequence[bytes], held: HeldBlock) -> None:
    """Check that the held block stands on this one, or is it."""
    if len(data_hashes) != held.number - block.header.number or (
        len(data_hashes) > BLOCKS_BEHIND_MAX
    ):
        raise EvidenceRefused(
            f"block {block.header.number} with {len(data_hashes)} behind it, to {held.number}"
        )
    number, block_hash = block.header.number, block.header.hash()
    for data_hash in data_hashes:
        if len(data_hash) != HASH_BYTES:
            raise EvidenceRefused("a data hash is not 32 bytes")
        number += 1
        block_hash = BlockHeader(number, block_hash, data_hash).hash()
    if block_hash != held.block_hash:
        raise EvidenceRefused("block is not of the held block's chain")
