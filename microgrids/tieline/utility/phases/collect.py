"""The book: members' orders onto the own ledger, and what stands there when the gate closes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tieline.contract.keys import order_key
from tieline.contract.records import decode_order
from tieline.interfaces.errors import Rejected
from tieline.swap.messages import MsgPlaceOrders
from tieline.swap.order_escrow import OrderStatus
from tieline.swap.records import ZERO_HASH, SignedOrder
from tieline.utility.cell import UtilityCell
from tieline.utility.slot_work import SlotWork
from tieline.wire.typed_data import order_id

ORDERS_PER_MESSAGE = 100
"""About 60 kB and 10 ms of signature checks: a transaction's worth on every ledger."""
PLACINGS_MAX = 2
"""Once together, once each alone."""


async def place_orders(cell: UtilityCell, work: SlotWork) -> None:
    """
    Bring the members' orders that are not on the ledger yet, until they are.

    All go together; if that was refused, each goes alone, so that one that cannot stand keeps no
    other away.

    Raises:
        Rejected: A ledger that runs transactions before it takes them refused one; what else it
            takes is there. If it takes none, this is asked for again.
    """
    work.orders = tuple(cell.field_source.orders(work.slot_start))
    missing = [signed for signed in work.orders if not await _is_stored(cell, signed)]
    if not missing or work.placings == PLACINGS_MAX:
        work.has_placed = True
        return
    is_alone = work.placings > 0
    parts = list(_parts(missing, 1 if is_alone else ORDERS_PER_MESSAGE))
    refused: list[Rejected] = []
    for part in parts:
        try:
            await cell.own.ledger.submit(cell.lane, [MsgPlaceOrders(cell.account, part)])
        except Rejected as refusal:
            refused.append(refusal)
    # None alone: it is not the orders; an account without gas may have some before the gate closes.
    if not is_alone or len(refused) < len(parts):
        work.placings += 1
    if refused:
        raise refused[0]


async def close_book(cell: UtilityCell, work: SlotWork) -> tuple[SignedOrder, ...]:
    """
    Return the members' orders that stand open on the ledger, ascending id.

    A direct sale whose seller shows no preimage is left out: this cell could not sign it later, and
    where all cells must sign, its one order would keep everybody from trading.
    """
    if work.book is None:
        offered = work.orders or tuple(cell.field_source.orders(work.slot_start))
        able = [signed for signed in offered if _can_be_opened(cell, signed)]
        standing = [signed for signed in able if await _is_open(cell, signed)]
        work.book = tuple(sorted(standing, key=lambda signed: order_id(signed.order)))
    return work.book


async def _is_stored(cell: UtilityCell, signed: SignedOrder) -> bool:
    key = order_key(order_id(signed.order))
    return await cell.own.ledger.query("tieline", key) is not None


async def _is_open(cell: UtilityCell, signed: SignedOrder) -> bool:
    raw = await cell.own.ledger.query("tieline", order_key(order_id(signed.order)))
    return raw is not None and decode_order(raw).status is OrderStatus.ORDERED


def _can_be_opened(cell: UtilityCell, signed: SignedOrder) -> bool:
    anchor = signed.order.anchor
    return anchor == ZERO_HASH or cell.field_source.preimage(anchor) is not None


def _parts(orders: Sequence[SignedOrder], size: int) -> Iterator[tuple[SignedOrder, ...]]:
    for start in range(0, len(orders), size):
        yield tuple(orders[start : start + size])
