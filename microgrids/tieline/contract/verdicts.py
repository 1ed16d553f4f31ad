"""
What the cells decided about received trades: the slot's first valid verdict, applied leaf by leaf
and group by group (B2, B3), and what expires without one (B4).

Sources:
    ``docs/spec/trust.md`` 3; ``docs/spec/bytes.md`` (Verdict, VerdictLeaf).
"""

from __future__ import annotations

from dataclasses import replace

from tieline.contract import trade_events
from tieline.contract.cell_sets import StoredCellSet
from tieline.contract.context import Context, Outcome
from tieline.contract.errors import InvalidMessage, NotYetPosted
from tieline.contract.keys import local_pending_key, pending_key, verdict_key
from tieline.contract.locks import move_lock, require_lock, state_of
from tieline.contract.quorums import require_quorum, signer_bitmap
from tieline.contract.records import (
    LockRecord,
    VerdictRecord,
    decode_pending,
    decode_verdict,
    encode_verdict,
)
from tieline.contract.registry import TICK_S, mark_used, require_cell_set
from tieline.contract.router import write_acknowledgement
from tieline.contract.stock_locks import dest_chain_tag
from tieline.contract.terms import require_members
from tieline.contract.trade_errors import ProofRefused, TooEarly, TooLate, VerdictMismatch
from tieline.protocol.quorum import more_than_two_thirds
from tieline.protocol.transfer import SUCCESS_ACKNOWLEDGEMENT
from tieline.swap.lock import Leg, LockStatus, Transition, advance
from tieline.swap.lock_events import (
    Acknowledge,
    AcknowledgeRefusal,
    LockEvent,
    PendingExpired,
    VerdictAccepted,
    VerdictRefused,
)
from tieline.swap.lock_events import Outcome as Moved
from tieline.swap.messages import MsgApplyVerdict, MsgExpirePending, ProvedVerdictLeaf
from tieline.swap.records import LOCAL_CLIENT, Decision, Reason, TradeAck, Verdict, VerdictLeaf
from tieline.wire.abi import TRADE_ACK_VERSION, encode_trade_ack, encode_verdict_leaf
from tieline.wire.errors import Malformed
from tieline.wire.hashes import tag
from tieline.wire.merkle import verify
from tieline.wire.typed_data import struct_hash

GROUP_SIZE_MAX = 64
PROOF_LENGTH_MAX = 32
_HASH_GAS = 30


def verdict_of(ctx: Context, slot_start: int) -> VerdictRecord | None:
    """Return the verdict stored for a slot."""
    value = ctx.state.get(verdict_key(slot_start))
    return None if value is None else decode_verdict(value)


def handle_apply_verdict(ctx: Context, message: MsgApplyVerdict) -> Outcome:
    """
    Apply one group of accepts (all or none), or refusals one by one.

    A verdict other than the stored one is evidence: it is emitted, nothing is applied.

    Raises:
        NotYetPosted: No verdict is stored and none is brought, or its cell set is missing.
        ProofRefused, VerdictMismatch: A leaf does not fit tree, lock, group or signers.
        TooEarly, TooLate: Before tau, or from the verdict deadline on.
    """
    if message.verdict is not None and not _post_verdict(ctx, message, message.verdict):
        return Outcome.ALREADY_DONE
    stored = verdict_of(ctx, message.slot_start)
    if stored is None:
        raise NotYetPosted("no verdict stored for this slot", slot_start=message.slot_start)
    if stored.decisions_root != message.decisions_root:
        raise VerdictMismatch("leaves of another verdict than the one stored")
    _require_groups(message.leaves)
    found = [_judge(ctx, stored, message.slot_start, proved) for proved in message.leaves]
    _require_all_or_none(found)
    moved = False
    for leaf, lock_id, record in found:
        moved |= _apply(ctx, stored, leaf, lock_id, record)
    return Outcome.DONE if moved or message.verdict is not None else Outcome.ALREADY_DONE


def _post_verdict(ctx: Context, message: MsgApplyVerdict, verdict: Verdict) -> bool:
    """Store the slot's first verdict, or add its signers; False if it contradicts the stored."""
    if (verdict.slot_start, verdict.decisions_root) != (
        message.slot_start,
        message.decisions_root,
    ):
        raise VerdictMismatch("verdict is not the one the message names")
    if verdict.slot_length != TICK_S or verdict.slot_start % TICK_S or verdict.slot_start <= 0:
        raise InvalidMessage("a verdict is for one tick", slot_length=verdict.slot_length)
    members = require_cell_set(ctx, verdict.cell_set_id, verdict.epoch, verdict.slot_start)
    if verdict.network_epoch != members.network_epoch:
        raise VerdictMismatch("verdict of another network epoch")
    stored = verdict_of(ctx, verdict.slot_start)
    try:
        verdict_hash = struct_hash(verdict)
    except Malformed as exc:
        raise InvalidMessage(f"verdict is malformed: {exc}") from exc
    if stored is not None and stored.verdict_hash == verdict_hash and not message.signatures:
        return True
    signers = signer_bitmap(ctx, verdict, message.signatures, members.cells)
    require_quorum(signers, len(members.cells), more_than_two_thirds)
    if stored is not None and stored.verdict_hash != verdict_hash:
        ctx.emit(
            trade_events.conflicting_verdict(
                verdict.slot_start, stored.verdict_hash, verdict_hash, signers
            )
        )
        return False
    key = verdict_key(verdict.slot_start)
    if stored is not None:
        if signers | stored.signers != stored.signers:
            merged = replace(stored, signers=signers | stored.signers)
            ctx.state.set(key, encode_verdict(merged))
            ctx.emit(trade_events.verdict_signed(verdict.slot_start, verdict_hash, merged.signers))
        return True
    first = VerdictRecord(verdict_hash, verdict.decisions_root, signers)
    ctx.state.set(key, encode_verdict(first))
    mark_used(ctx, members, verdict.slot_start)
    ctx.emit(
        trade_events.verdict_posted(
            verdict.slot_start, verdict_hash, verdict.decisions_root, signers
        )
    )
    return True


def _require_groups(leaves: tuple[ProvedVerdictLeaf, ...]) -> None:
    """Check that the accepts are one whole group, and that refusals stand alone."""
    accepts = [proved.leaf for proved in leaves if proved.leaf.decision == Decision.ACCEPT]
    for proved in leaves:
        leaf = proved.leaf
        if leaf.decision not in tuple(Decision):
            raise VerdictMismatch("unknown decision", decision=leaf.decision)
        if leaf.decision == Decision.REFUSE and (leaf.group, leaf.group_size) != (0, 0):
            raise VerdictMismatch("a refusal has no group", group=leaf.group)
    if len({proved.leaf.trade_id for proved in leaves}) != len(leaves):
        # Each leaf is judged on the state before the message: two of one trade would both move it.
        raise VerdictMismatch("a trade comes twice")
    if not accepts:
        return
    groups = {(leaf.group, leaf.group_size) for leaf in accepts}
    if len(groups) != 1 or len(accepts) != accepts[0].group_size:
        raise VerdictMismatch("not exactly one whole group", leaves=len(accepts))
    if not 0 < accepts[0].group_size <= GROUP_SIZE_MAX or accepts[0].group == 0:
        raise VerdictMismatch("group or its size out of range", size=accepts[0].group_size)


def _judge(
    ctx: Context, stored: VerdictRecord, slot_start: int, proved: ProvedVerdictLeaf
) -> tuple[VerdictLeaf, bytes, LockRecord]:
    """Return a leaf with its lock, if it lies in the verdict, binds the lock and is owned."""
    leaf = proved.leaf
    _require_proof(ctx, stored, proved)
    lock_id, record = _lock_of_leaf(ctx, leaf)
    if record.slot_start != slot_start:
        raise VerdictMismatch("leaf stands in the verdict of the trade's first tick only")
    members = require_members(ctx, record.cell_set_id)
    _require_owners(members, stored, record, leaf, dest_chain_tag(ctx, lock_id, record))
    return leaf, lock_id, record


def _require_all_or_none(found: list[tuple[VerdictLeaf, bytes, LockRecord]]) -> None:
    statuses = {record.status for leaf, _, record in found if leaf.decision == Decision.ACCEPT}
    if statuses >= {LockStatus.PENDING, LockStatus.REFUSED}:
        raise VerdictMismatch("a trade of the group is refused already")


def _apply(
    ctx: Context, stored: VerdictRecord, leaf: VerdictLeaf, lock_id: bytes, record: LockRecord
) -> bool:
    event = _event_of(leaf)
    _require_time(ctx, record)
    if advance(state_of(record), event, ctx.now_s).outcome is Moved.REFUSED:
        raise VerdictMismatch("cap outside 1..energy", cap_wh=leaf.cap_wh)
    moved = move_lock(ctx, lock_id, record, event)
    if moved.outcome is not Moved.MOVED:
        return False
    ctx.emit(
        trade_events.verdict_applied(
            lock_id, Decision(leaf.decision).name, moved.next_state.cap_wh, Reason(leaf.reason)
        )
    )
    _answer(ctx, lock_id, record, moved, stored.decisions_root)
    return True


def _require_time(ctx: Context, record: LockRecord) -> None:
    if record.status is not LockStatus.PENDING:
        return
    if ctx.now_s < record.tau:
        raise TooEarly("verdict before the batch closed", tau=record.tau)
    if ctx.now_s >= record.verdict_deadline:
        raise TooLate("verdict from its deadline on", verdict_deadline=record.verdict_deadline)


def _event_of(leaf: VerdictLeaf) -> LockEvent:
    if leaf.decision == Decision.ACCEPT:
        if leaf.reason != Reason.NONE:
            raise VerdictMismatch("an accept has no reason", reason=leaf.reason)
        return VerdictAccepted(leaf.cap_wh)
    try:
        return VerdictRefused(Reason(leaf.reason))
    except ValueError as exc:
        raise VerdictMismatch("unknown reason", reason=leaf.reason) from exc


def _require_proof(ctx: Context, stored: VerdictRecord, proved: ProvedVerdictLeaf) -> None:
    ctx.charge(_HASH_GAS * (len(proved.proof) + 2))
    try:
        encoded = encode_verdict_leaf(proved.leaf)
    except Malformed as exc:
        raise ProofRefused(f"leaf is malformed: {exc}") from exc
    if len(proved.proof) > PROOF_LENGTH_MAX or not verify(
        stored.decisions_root, encoded, proved.proof
    ):
        raise ProofRefused("leaf is not in the verdict by this proof")


def _lock_of_leaf(ctx: Context, leaf: VerdictLeaf) -> tuple[bytes, LockRecord]:
    """Return the lock that a leaf binds: ledger, client, sequence, commitment and trade."""
    if leaf.dest_chain_tag != ctx.chain_tag:
        raise VerdictMismatch("leaf of another ledger", chain_tag=leaf.dest_chain_tag.hex())
    is_local = leaf.dest_client == tag(LOCAL_CLIENT)
    if is_local and leaf.sequence != 0:
        raise VerdictMismatch("a local trade has no sequence", sequence=leaf.sequence)
    key = local_pending_key(leaf.trade_id)
    if not is_local:
        key = pending_key(leaf.dest_client, leaf.sequence)
    value = ctx.state.get(key)
    if value is None:
        raise NotYetPosted("leaf of a trade that was not received", trade_id=leaf.trade_id.hex())
    pending = decode_pending(value)
    record = require_lock(ctx, pending.lock_id)
    bound = (record.packet_commitment, record.trade_id)
    if (leaf.packet_commitment, leaf.trade_id) != bound:
        raise VerdictMismatch("leaf binds another packet", lock_id=pending.lock_id.hex())
    return pending.lock_id, record


def _require_owners(
    members: StoredCellSet,
    stored: VerdictRecord,
    record: LockRecord,
    leaf: VerdictLeaf,
    chain_tag: bytes,
) -> None:
    if leaf.owners & ~stored.signers:
        raise VerdictMismatch("an owner of the leaf did not sign", owners=leaf.owners)
    required = members.owners_required(record.peer_chain_tag, chain_tag)
    if leaf.decision == Decision.ACCEPT and required & ~leaf.owners:
        raise VerdictMismatch("accept lacks source, destination or grid", owners=leaf.owners)


def handle_expire_pending(ctx: Context, message: MsgExpirePending) -> Outcome:
    """
    Refuse a pending lock from its verdict deadline on (B4).

    Raises:
        LockNotFound: No such lock.
        TooEarly: Before the deadline.
    """
    record = require_lock(ctx, message.lock_id)
    if record.leg is Leg.IN:
        raise InvalidMessage("a source lock is never pending", lock_id=message.lock_id.hex())
    if record.status is not LockStatus.PENDING:
        return Outcome.ALREADY_DONE
    if ctx.now_s < record.verdict_deadline:
        raise TooEarly("before the verdict deadline", verdict_deadline=record.verdict_deadline)
    moved = move_lock(ctx, message.lock_id, record, PendingExpired())
    ctx.emit(trade_events.pending_expired(message.lock_id))
    _answer(ctx, message.lock_id, record, moved, b"")
    return Outcome.DONE


def _answer(
    ctx: Context, lock_id: bytes, record: LockRecord, moved: Transition, decisions_root: bytes
) -> None:
    """Write the late acknowledgement of a received packet; a local trade has none."""
    if record.leg is Leg.LOCAL:
        return
    for effect in moved.effects:
        if isinstance(effect, Acknowledge) and record.is_in_vouchers:
            write_acknowledgement(ctx, record.client, record.sequence, SUCCESS_ACKNOWLEDGEMENT)
        elif isinstance(effect, Acknowledge):
            ack = TradeAck(
                version=TRADE_ACK_VERSION,
                trade_id=record.trade_id,
                lock_id_out=lock_id,
                verdict_root=decisions_root,
                cap_wh=effect.cap_wh,
                expiry_out=record.expiry,
            )
            write_acknowledgement(ctx, record.client, record.sequence, encode_trade_ack(ack))
        elif isinstance(effect, AcknowledgeRefusal):
            write_acknowledgement(ctx, record.client, record.sequence, None)
