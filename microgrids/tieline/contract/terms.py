"""
Whether the fields of a trade agree with one another and with this ledger: what both ends check
before anything is reserved.
"""

from __future__ import annotations

from tieline.contract.cell_sets import StoredCellSet
from tieline.contract.context import Context
from tieline.contract.errors import NotYetPosted
from tieline.contract.registry import cell_set
from tieline.contract.slots import is_slot, leads_of
from tieline.swap.ladder import TradeTimes, failed_trade_time
from tieline.swap.records import Clearing, EnergyTrade, LocalTrade
from tieline.wire.ids import lock_id, trade_id


def lock_id_in(trade: EnergyTrade) -> bytes:
    """Return the id of the source's lock."""
    return lock_id(
        trade.source_chain_tag,
        trade.trade_id,
        trade.hashlock,
        trade.buyer,
        trade.connector_in,
        trade.energy_wh,
        trade.price_in,
        trade.expiry_in,
    )


def lock_id_out(trade: EnergyTrade) -> bytes:
    """Return the id of the destination's lock."""
    return lock_id(
        trade.dest_chain_tag,
        trade.trade_id,
        trade.hashlock,
        trade.connector_out,
        trade.seller,
        trade.energy_wh,
        trade.price_out,
        trade.expiry_out,
    )


def lock_id_local(chain_tag: bytes, trade: LocalTrade) -> bytes:
    """Return the id of an INTRA lock."""
    return lock_id(
        chain_tag,
        trade.trade_id,
        trade.hashlock,
        trade.buyer,
        trade.seller,
        trade.energy_wh,
        trade.price,
        trade.expiry,
    )


def lock_id_abroad(chain_tag: bytes, trade: EnergyTrade, expiry: int) -> bytes:
    """Return the id of a trade's only lock, when a party is on a stock chain."""
    return lock_id(
        chain_tag,
        trade.trade_id,
        trade.hashlock,
        trade.buyer,
        trade.seller,
        trade.energy_wh,
        trade.price_out,
        expiry,
    )


def payload_refusal(trade: EnergyTrade) -> str | None:
    """Say which field contradicts the others (reason PAYLOAD), or None. Length is the decoder's."""
    if trade.source_chain_tag == trade.dest_chain_tag:
        return "source and destination are one ledger"
    if not is_slot(trade.slot_start, trade.slot_length):
        return "not a slot"
    if trade.energy_wh < 1:
        return "no energy"
    if trade.price_out > trade.price_in:
        return "price out above price in"
    recomputed = trade_id(
        trade.source_chain_tag,
        trade.dest_chain_tag,
        trade.slot_start,
        trade.slot_length,
        trade.level,
        trade.allocations_root,
        trade.hashlock,
    )
    if recomputed != trade.trade_id:
        return "trade id does not recompute"
    if lock_id_in(trade) != trade.lock_id_in:
        return "lock id does not recompute"
    return None


def ladder_refusal(ctx: Context, trade: EnergyTrade, timeout_s: int) -> str | None:
    """Say which deadline breaks this ledger's governed leads (reason LADDER), or None."""
    failed = failed_trade_time(
        leads_of(ctx.parameters),
        TradeTimes(
            slot_start=trade.slot_start,
            slot_length=trade.slot_length,
            tau=timeout_s,
            verdict_deadline=trade.verdict_deadline,
            expiry_out=trade.expiry_out,
            expiry_in=trade.expiry_in,
        ),
    )
    return None if failed is None else str(failed)


def clearing_refusal(stored: Clearing, trade: EnergyTrade) -> str | None:
    """Say how a trade differs from the clearing it names (reason CELL_SET), or None."""
    named = (trade.cell_set_id, trade.cell_set_epoch, trade.slot_start, trade.slot_length)
    sealed = (stored.cell_set_id, stored.epoch, stored.slot_start, stored.slot_length)
    if named != sealed:
        return "clearing is of another cell set or slot"
    if trade.level != stored.level:
        return "clearing is of another level"
    return None


def members_refusal(members: StoredCellSet, trade: EnergyTrade) -> str | None:
    """Say which ledger has no cell in the trade's cell set (reason CELL_SET), or None."""
    if not members.owners_required(trade.source_chain_tag, trade.dest_chain_tag):
        return "a ledger of the trade has no cell in its cell set"
    return None


def require_members(ctx: Context, cell_set_id: bytes) -> StoredCellSet:
    """Return the cell set of a stored clearing or lock."""
    members = cell_set(ctx.state, cell_set_id)
    if members is None:
        raise NotYetPosted("cell set not posted here", cell_set_id=cell_set_id.hex())
    return members
