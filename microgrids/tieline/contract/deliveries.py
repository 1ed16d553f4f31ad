"""
Delivery statements: how much of each trade was delivered, as the cells sign it after a tick.

With three cells one Byzantine cell can sign two, so there is no first-wins: every valid root is
stored, and a claim may use a leaf of any of them.

Sources:
    ``docs/spec/trust.md`` 3; ``docs/spec/bytes.md`` (Delivery); ``docs/spec/trade.md`` 6 (GRID).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tieline.contract import trade_events
from tieline.contract.cell_sets import StoredCellSet
from tieline.contract.context import Context, Outcome
from tieline.contract.errors import InvalidMessage, NotYetPosted
from tieline.contract.keys import delivery_key
from tieline.contract.quorums import require_quorum, signer_bitmap
from tieline.contract.records import (
    DeliveryRecord,
    LockRecord,
    decode_delivery,
    encode_delivery,
)
from tieline.contract.registry import (
    SLOT_LENGTHS_S,
    TICK_S,
    cell_set,
    cell_set_of_slot,
    mark_used,
)
from tieline.contract.slots import last_tick
from tieline.contract.terms import require_members
from tieline.contract.trade_errors import ProofRefused
from tieline.protocol.quorum import byzantine_majority
from tieline.swap.messages import MsgPostDelivery, ProvedDeliveryLeaf
from tieline.swap.records import Delivery, Level
from tieline.wire.abi import encode_delivery_leaf
from tieline.wire.errors import Malformed
from tieline.wire.merkle import verify

PROOF_LENGTH_MAX = 32
_HASH_GAS = 30


def statements_of(ctx: Context, tick_start: int) -> Iterator[tuple[int, DeliveryRecord]]:
    """Yield a tick's statements with their indices, in the order they were posted."""
    index = 0
    while (value := ctx.state.get(delivery_key(tick_start, index))) is not None:
        yield index, decode_delivery(value)
        index += 1


def handle_post_delivery(ctx: Context, message: MsgPostDelivery) -> Outcome:
    """
    Store a statement (A8, B5); the same one again adds its signers.

    Raises:
        NotYetPosted: Its cell set is missing here.
        InvalidMessage: Not one tick, or the set has no part in it.
        QuorumMissing: Too few signatures.
    """
    delivery = message.delivery
    if delivery.slot_length != TICK_S or delivery.slot_start % TICK_S or delivery.slot_start <= 0:
        raise InvalidMessage("a statement is for one tick", slot_length=delivery.slot_length)
    members = _require_set(ctx, delivery)
    try:
        signers = signer_bitmap(ctx, delivery, message.signatures, members.cells)
    except Malformed as exc:
        raise InvalidMessage(f"statement is malformed: {exc}") from exc
    require_quorum(signers, len(members.cells), byzantine_majority)
    is_conflict = False
    index = 0
    for place, stored in statements_of(ctx, delivery.slot_start):
        index = place + 1
        if stored.cell_set_id != delivery.cell_set_id:
            continue
        if stored.deliveries_root == delivery.deliveries_root:
            return _add_signers(ctx, delivery.slot_start, place, stored, signers)
        is_conflict = True
    record = DeliveryRecord(delivery.cell_set_id, delivery.deliveries_root, signers)
    ctx.state.set(delivery_key(delivery.slot_start, index), encode_delivery(record))
    mark_used(ctx, members, delivery.slot_start)
    ctx.emit(
        trade_events.delivery_posted(delivery.slot_start, index, delivery.deliveries_root, signers)
    )
    if is_conflict:
        ctx.emit(trade_events.conflicting_delivery(delivery.slot_start, index, signers))
    return Outcome.DONE


def _require_set(ctx: Context, delivery: Delivery) -> StoredCellSet:
    """
    Return the statement's set: the tick's, or one of a tick in which a trade could have begun
    that ends here (a trade keeps the set of its first tick).
    """
    members = cell_set(ctx.state, delivery.cell_set_id)
    if members is None:
        raise NotYetPosted("cell set not posted here", cell_set_id=delivery.cell_set_id.hex())
    if members.epoch != delivery.epoch:
        raise InvalidMessage("epoch is not the cell set's", epoch=delivery.epoch)
    for first_tick in (last_begin(delivery.slot_start, length) for length in SLOT_LENGTHS_S):
        of_slot = cell_set_of_slot(ctx.state, first_tick)
        if of_slot is not None and of_slot.cell_set_id == delivery.cell_set_id:
            return members
    raise InvalidMessage("cell set has no part in this tick", slot_start=delivery.slot_start)


def last_begin(tick_start: int, slot_length: int) -> int:
    """Return when a trade of this length began whose last tick starts at *tick_start*."""
    return tick_start + TICK_S - slot_length


def _add_signers(
    ctx: Context, tick_start: int, index: int, stored: DeliveryRecord, signers: int
) -> Outcome:
    if stored.signers | signers == stored.signers:
        return Outcome.ALREADY_DONE
    merged = replace(stored, signers=stored.signers | signers)
    ctx.state.set(delivery_key(tick_start, index), encode_delivery(merged))
    ctx.emit(
        trade_events.delivery_signed(tick_start, index, stored.deliveries_root, merged.signers)
    )
    return Outcome.DONE


def delivered_wh(ctx: Context, record: LockRecord, proved: ProvedDeliveryLeaf) -> int:
    """
    Return what a stored statement says was delivered of a lock's trade.

    Raises:
        NotYetPosted: No statement is stored at that index of the trade's last tick, or it lacks a
            signature that a GRID trade needs.
        ProofRefused: The leaf is another trade's, not in that statement, or of another cell set.
    """
    stored = _statement_of(ctx, record, proved)
    missing = _missing_signers(ctx, record, stored)
    if missing:
        raise NotYetPosted("both cells of a GRID trade sign its statement", missing=bin(missing))
    return proved.leaf.delivered_wh


def delivered_by_all(
    ctx: Context, record: LockRecord, leaves: Sequence[ProvedDeliveryLeaf]
) -> tuple[int, ...] | None:
    """
    Return what the shown statements say was delivered; None if one that counts is not shown.

    Raises:
        NotYetPosted, ProofRefused: A leaf is not in a stored statement, as ``delivered_wh``.
    """
    said = [(_statement_of(ctx, record, proved), proved.leaf.delivered_wh) for proved in leaves]
    shown = {proved.index for proved in leaves}
    tick = last_tick(record.slot_start, record.slot_length)
    for index, stored in statements_of(ctx, tick):
        if index not in shown and _counts(ctx, record, stored):
            return None
    return tuple(wh for stored, wh in said if _counts(ctx, record, stored))


def _counts(ctx: Context, record: LockRecord, stored: DeliveryRecord) -> bool:
    """Say whether a statement speaks of this lock's trade at all."""
    is_of_its_set = stored.cell_set_id == record.cell_set_id
    return is_of_its_set and not _missing_signers(ctx, record, stored)


def _missing_signers(ctx: Context, record: LockRecord, stored: DeliveryRecord) -> int:
    """
    Return the bits of cells that must have signed and have not: of a GRID trade, the microgrid's
    and the grid operator's, because each meters one end of it.
    """
    if record.level != Level.GRID:
        return 0
    members = require_members(ctx, record.cell_set_id)
    return members.owners_required(record.peer_chain_tag, ctx.chain_tag) & ~stored.signers


def _statement_of(ctx: Context, record: LockRecord, proved: ProvedDeliveryLeaf) -> DeliveryRecord:
    """Return the stored statement that a leaf lies in."""
    tick = last_tick(record.slot_start, record.slot_length)
    value = ctx.state.get(delivery_key(tick, proved.index))
    if value is None:
        raise NotYetPosted("no such delivery statement", slot_start=tick, index=proved.index)
    stored = decode_delivery(value)
    if stored.cell_set_id != record.cell_set_id:
        raise ProofRefused("statement of another cell set than the trade's")
    if proved.leaf.trade_id != record.trade_id:
        raise ProofRefused("leaf of another trade", trade_id=proved.leaf.trade_id.hex())
    ctx.charge(_HASH_GAS * (len(proved.proof) + 2))
    try:
        encoded = encode_delivery_leaf(proved.leaf)
    except Malformed as exc:
        raise ProofRefused(f"leaf is malformed: {exc}") from exc
    if len(proved.proof) > PROOF_LENGTH_MAX or not verify(
        stored.deliveries_root, encoded, proved.proof
    ):
        raise ProofRefused("leaf is not in the statement by this proof")
    return stored
