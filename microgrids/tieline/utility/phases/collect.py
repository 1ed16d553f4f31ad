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


async def place_orders(cell: UtilityCell, work: SlotWork) -> None:
    """Bring the members' orders that are not on the ledger yet; all in one transaction."""
    work.orders = tuple(cell.field_source.orders(work.slot_start))
    missing = [signed for signed in work.orders if not await _is_stored(cell, signed)]
    if missing:
        messages = [MsgPlaceOrders(cell.account, part) for part in _parts(missing)]
        await cell.own.ledger.submit(cell.lane, messages)
    work.has_placed = True


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


def _parts(orders: Sequence[SignedOrder]) -> Iterator[tuple[SignedOrder, ...]]:
    for start in range(0, len(orders), ORDERS_PER_MESSAGE):
        yield tuple(orders[start : start + ORDERS_PER_MESSAGE])
