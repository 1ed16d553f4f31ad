"""
What makes an order fit for a clearing: signed by its account, metered by its own meter.

Asked of each cell's book before it is cleared, and of a proposal's orders before it is signed.
"""

from __future__ import annotations

from collections.abc import Sequence

from tieline.market.order import BookOrder, InvalidOrder, book_order
from tieline.swap.records import SignedOrder
from tieline.swap.topology import MeterEntry
from tieline.utility.cell import UtilityCell
from tieline.utility.slot_work import SlotWork
from tieline.wire.accounts import account_of
from tieline.wire.errors import Malformed
from tieline.wire.typed_data import order_id, recover_signer


def objection_to_orders(
    cell: UtilityCell, work: SlotWork, orders: Sequence[SignedOrder]
) -> str | None:
    """Return None if all *orders* may be cleared in a slot, else the first that may not and why."""
    topology = cell.topology
    meters = {row.meter_id: row for row in (*topology.meters, *topology.boundary_meters)}
    previous = b""
    for signed in orders:
        key = order_id(signed.order)
        if key <= previous:
            return f"not ascending at {key.hex()}"
        previous = key
        wrong = _objection(cell, work, signed, meters.get(signed.order.meter_id))
        if wrong is not None:
            return f"{wrong} of {key.hex()}"
    return None


def book_orders(cell: UtilityCell, orders: Sequence[SignedOrder]) -> list[BookOrder]:
    """Return signed orders as the market sees them; the meter's bus comes from the topology."""
    return [_book_order(cell, signed) for signed in orders]


def _book_order(cell: UtilityCell, signed: SignedOrder) -> BookOrder:
    bus = cell.check.bus_of(signed.order.meter_id)
    return book_order(signed.order, order_id(signed.order), bus, 0)


def _objection(
    cell: UtilityCell, work: SlotWork, signed: SignedOrder, meter: MeterEntry | None
) -> str | None:
    """Return what is wrong with one order, in one or two words."""
    order = signed.order
    if (order.slot_start, order.slot_length) != (work.slot_start, work.slot_length):
        return "slot"
    # Somebody else's meter would give this order what another household fed in.
    owner = None if meter is None else (meter.chain_tag, meter.account)
    if owner != (order.chain_tag, order.account):
        return "meter"
    try:
        signer = recover_signer(cell.domain, order, signed.signature)
        kind = cell.indexes[order.chain_tag].ledger.capabilities.kind
        if account_of(kind, signer) != order.account:
            return "signature"
        _book_order(cell, signed)
    except Malformed as error:
        return f"signature ({error})"
    except InvalidOrder as error:
        return f"terms ({error})"
    return None
