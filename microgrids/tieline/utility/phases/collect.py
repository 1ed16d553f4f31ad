"""The book: members' orders onto the own ledger, and what stands there when the gate closes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tieline.contract.keys import order_key
from tieline.contract.records import decode_order
from tieline.swap.messages import MsgPlaceOrders
from tieline.swap.order_escrow import OrderStatus
from tieline.swap.records import SignedOrder
from tieline.utility.cell import UtilityCell
from tieline.utility.slot_work import SlotWork
from tieline.wire.typed_data import order_id

ORDERS_PER_MESSAGE = 100
"""About 60 kB and 10 ms of signature checks a message."""
PLACINGS_MAX = 2
"""Once together, once each alone."""


async def place_orders(cell: UtilityCell, work: SlotWork) -> None:
    """
    Bring the members' orders that are not on the ledger yet, until they are.

    All go in one transaction; if that was refused, each goes alone, so that one that cannot stand
    keeps no other away.
    """
    work.orders = tuple(cell.field_source.orders(work.slot_start))
    missing = [signed for signed in work.orders if not await _is_stored(cell, signed)]
    if not missing or work.placings == PLACINGS_MAX:
        work.has_placed = True
        return
    parts = _parts(missing, 1 if work.placings else ORDERS_PER_MESSAGE)
    messages = [MsgPlaceOrders(cell.account, part) for part in parts]
    batches = [[message] for message in messages] if work.placings else [messages]
    for batch in batches:
        await cell.own.ledger.submit(cell.lane, batch)
    work.placings += 1


async def close_book(cell: UtilityCell, work: SlotWork) -> tuple[SignedOrder, ...]:
    """Return the members' orders that stand open on the ledger, ascending id."""
    if work.book is None:
        offered = work.orders or tuple(cell.field_source.orders(work.slot_start))
        standing = [signed for signed in offered if await _is_open(cell, signed)]
        work.book = tuple(sorted(standing, key=lambda signed: order_id(signed.order)))
    return work.book


async def _is_stored(cell: UtilityCell, signed: SignedOrder) -> bool:
    key = order_key(order_id(signed.order))
    return await cell.own.ledger.query("tieline", key) is not None


async def _is_open(cell: UtilityCell, signed: SignedOrder) -> bool:
    raw = await cell.own.ledger.query("tieline", order_key(order_id(signed.order)))
    return raw is not None and decode_order(raw).status is OrderStatus.ORDERED


def _parts(orders: Sequence[SignedOrder], size: int) -> Iterator[tuple[SignedOrder, ...]]:
    for start in range(0, len(orders), size):
        yield tuple(orders[start : start + size])
