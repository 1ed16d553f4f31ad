"""
A slot as this ledger sees it: its deadlines, its price band and its bond price.
"""

from __future__ import annotations

from tieline.contract.context import Context, Outcome
from tieline.contract.errors import InvalidMessage, NotYetPosted
from tieline.contract.genesis import Parameters
from tieline.contract.keys import bands_key
from tieline.contract.records import BandsRecord, decode_bands, encode_bands
from tieline.contract.registry import SLOT_LENGTHS_S, TICK_S, require_own_cell, require_slot
from tieline.contract.trade_errors import TooLate
from tieline.swap.ladder import Deadlines, LadderParameters, deadlines
from tieline.swap.messages import MsgSetBands

_UINT64_MAX = (1 << 64) - 1


def leads_of(parameters: Parameters) -> LadderParameters:
    """Return the governed leads. The seal is off-ledger: its lead is taken as the lock's."""
    return LadderParameters(
        gate_lead_s=parameters.gate_lead_s,
        seal_lead_s=parameters.tau_lead_s + parameters.lock_lead_s,
        lock_lead_s=parameters.lock_lead_s,
        tau_lead_s=parameters.tau_lead_s,
        d_lead_s=parameters.d_lead_s,
        statement_lead_s=parameters.statement_lead_s,
        min_claim_window_s=parameters.min_claim_window_s,
        min_margin_s=parameters.min_margin_s,
    )


def deadlines_of(ctx: Context, slot_start: int, slot_length: int) -> Deadlines:
    """Return the points of a slot, unix seconds."""
    return deadlines(leads_of(ctx.parameters), slot_start, slot_length)


def is_slot(slot_start: int, slot_length: int) -> bool:
    """Say whether these are a slot: 15, 30 or 60 minutes from a tick's start."""
    return slot_start > 0 and slot_start % TICK_S == 0 and slot_length in SLOT_LENGTHS_S


def last_tick(slot_start: int, slot_length: int) -> int:
    """Return the start of a trade's last tick, whose statement holds its leaf."""
    return slot_start + slot_length - TICK_S


def bands_of(ctx: Context, slot_start: int, slot_length: int) -> BandsRecord:
    """
    Return a slot's band and bond price.

    Raises:
        NotYetPosted: The cell has not set them.
    """
    value = ctx.state.get(bands_key(slot_start, slot_length))
    if value is None:
        raise NotYetPosted("no price band for this slot", slot_start=slot_start)
    return decode_bands(value)


def handle_set_bands(ctx: Context, message: MsgSetBands) -> Outcome:
    """
    Fix a slot's price band and bond price, once; the book opens with it.

    Raises:
        NotPermitted: The signer is not this ledger's utility cell.
        InvalidMessage: Not a slot, or an empty band, or other bands are fixed.
        TooLate: From gate closure on.
    """
    require_slot(message.slot_start, message.slot_length)
    require_own_cell(ctx)
    if not 0 <= message.price_min <= message.price_max <= _UINT64_MAX:
        raise InvalidMessage("empty price band", low=message.price_min, high=message.price_max)
    if not 0 <= message.bond_price <= _UINT64_MAX:
        raise InvalidMessage("bond price out of range", bond_price=message.bond_price)
    bands = BandsRecord(message.price_min, message.price_max, message.bond_price)
    key = bands_key(message.slot_start, message.slot_length)
    stored = ctx.state.get(key)
    if stored is not None:
        if decode_bands(stored) != bands:
            raise InvalidMessage("other bands are fixed", slot_start=message.slot_start)
        return Outcome.ALREADY_DONE
    points = deadlines_of(ctx, message.slot_start, message.slot_length)
    if ctx.now_s >= points.gate_closure:
        raise TooLate("bands from gate closure on", gate_closure=points.gate_closure)
    ctx.state.set(key, encode_bands(bands))
    return Outcome.DONE
