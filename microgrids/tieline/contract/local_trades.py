"""
INTRA trades: one lock from the buying to the selling side of the same ledger, pending until the
verdict like a received one. No packet, no connector, no mandate.

Sources:
    ``docs/spec/trade.md`` 6 (INTRA).
"""

from __future__ import annotations

from tieline.contract.context import Context, Outcome
from tieline.contract.evidence import (
    Fills,
    Position,
    order_refusal,
    read_fills,
    require_clearing,
    require_evidence,
    take_fills,
)
from tieline.contract.keys import local_pending_key
from tieline.contract.locks import is_hash_lock_used, lock_of, open_lock
from tieline.contract.records import LockRecord, PendingRecord, encode_pending
from tieline.contract.registry import require_own_cell, require_slot
from tieline.contract.slots import bands_of, deadlines_of
from tieline.contract.terms import lock_id_local, require_members
from tieline.contract.trade_errors import TooLate, TradeRefused
from tieline.swap.ladder import Deadlines, expiry_max
from tieline.swap.lock import Leg, LockStatus
from tieline.swap.messages import MsgOpenLocal
from tieline.swap.records import LOCAL_CLIENT, ZERO_HASH, Level, LocalTrade, Reason, Side
from tieline.wire.errors import Malformed
from tieline.wire.ids import trade_id


def handle_open_local(ctx: Context, message: MsgOpenLocal) -> Outcome:
    """
    Open the pending lock of an INTRA trade; a repeat is a no-op.

    Raises:
        NotPermitted: The signer is not this ledger's utility cell.
        NotYetPosted: Clearing, cell set or evidence is missing, or a proof is false.
        TradeRefused: Fields, expiry, hash lock or orders do not hold.
        TooLate: From tau on: the pending set is closed.
    """
    require_own_cell(ctx)
    trade = message.trade
    lock_id = _check_terms(ctx, trade)
    if lock_of(ctx, lock_id) is not None:
        return Outcome.ALREADY_DONE
    points = deadlines_of(ctx, trade.slot_start, trade.slot_length)
    if ctx.now_s >= points.tau:
        raise TooLate("local lock from tau on", tau=points.tau)
    if trade.expiry < points.expiry_out:
        raise TradeRefused("expiry too early", expiry=trade.expiry, need=points.expiry_out)
    latest = expiry_max(trade.slot_start, trade.slot_length)
    if trade.expiry > latest:
        raise TradeRefused("expiry too late", expiry=trade.expiry, latest=latest)
    if is_hash_lock_used(ctx, trade.hashlock):
        raise TradeRefused("hash lock is used", reason=Reason.H_USED.name)
    _require_clearing_of(ctx, trade)
    evidence = require_evidence(ctx, trade.trade_id, trade.clearing_root)
    buyers = read_fills(ctx, evidence, _position(trade, Side.BUY))
    sellers = read_fills(ctx, evidence, _position(trade, Side.SELL))
    for fills in (buyers, sellers):
        if (text := order_refusal(ctx, fills)) is not None:
            raise TradeRefused(text, reason=Reason.ORDER.name)
    bond_price = bands_of(ctx, trade.slot_start, trade.slot_length).bond_price
    take_fills(ctx, buyers, trade.price)
    take_fills(ctx, sellers, bond_price)
    record = _record(trade, points, buyers, sellers, ctx.chain_tag, bond_price)
    pending = PendingRecord(lock_id, trade.trade_id)
    ctx.state.set(local_pending_key(trade.trade_id), encode_pending(pending))
    open_lock(ctx, lock_id, record)
    return Outcome.DONE


def _check_terms(ctx: Context, trade: LocalTrade) -> bytes:
    """Return the lock's id if the trade's own fields hold."""
    require_slot(trade.slot_start, trade.slot_length)
    if trade.energy_wh < 1:
        raise TradeRefused("no energy")
    try:
        recomputed = trade_id(
            ctx.chain_tag,
            ctx.chain_tag,
            trade.slot_start,
            trade.slot_length,
            Level.INTRA,
            trade.allocations_root,
            trade.hashlock,
        )
        if recomputed != trade.trade_id:
            raise TradeRefused("trade id does not recompute")
        return lock_id_local(ctx.chain_tag, trade)
    except Malformed as exc:
        raise TradeRefused(f"trade is malformed: {exc}") from exc


def _require_clearing_of(ctx: Context, trade: LocalTrade) -> None:
    stored = require_clearing(ctx, trade.clearing_root)
    named = (trade.cell_set_id, trade.cell_set_epoch, trade.slot_start, trade.slot_length)
    sealed = (stored.cell_set_id, stored.epoch, stored.slot_start, stored.slot_length)
    if named != sealed or stored.level != Level.INTRA:
        raise TradeRefused("clearing is of another cell set, slot or level")
    members = require_members(ctx, trade.cell_set_id)
    assert members.bit_of_chain(ctx.chain_tag), "every set names this ledger's cell"


def _position(trade: LocalTrade, side: Side) -> Position:
    return Position(
        trade_id=trade.trade_id,
        side=side,
        level=Level.INTRA,
        slot_start=trade.slot_start,
        slot_length=trade.slot_length,
        allocations_root=trade.allocations_root,
        hash_lock=trade.hashlock,
        energy_wh=trade.energy_wh,
        price=trade.price,
        party=trade.buyer if side is Side.BUY else trade.seller,
    )


def _record(
    trade: LocalTrade,
    points: Deadlines,
    buyers: Fills,
    sellers: Fills,
    chain_tag: bytes,
    bond_price: int,
) -> LockRecord:
    return LockRecord(
        leg=Leg.LOCAL,
        status=LockStatus.PENDING,
        trade_id=trade.trade_id,
        hash_lock=trade.hashlock,
        payer=trade.buyer,
        payee=trade.seller,
        is_buyer_pool=buyers.is_pool,
        is_seller_pool=sellers.is_pool,
        energy_wh=trade.energy_wh,
        price=trade.price,
        bond_price=bond_price,
        cap_wh=trade.energy_wh,
        paid_wh=0,
        slashed_wh=0,
        expiry=trade.expiry,
        late_expiry=trade.expiry,
        tau=points.tau,
        verdict_deadline=points.verdict_deadline,
        slot_start=trade.slot_start,
        slot_length=trade.slot_length,
        level=Level.INTRA,
        cell_set_id=trade.cell_set_id,
        allocations_root=trade.allocations_root,
        peer_chain_tag=chain_tag,
        peer_lock_id=ZERO_HASH,
        client=LOCAL_CLIENT,
        sequence=0,
        packet_commitment=trade.trade_id,
        mandate_id=ZERO_HASH,
    )
