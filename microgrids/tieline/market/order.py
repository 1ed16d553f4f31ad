"""
An order as the market sees it: where it stands, what it wants, at which price.

The signed record is ``tieline.swap.records.Order``; here it has its place (bus) and its time.
"""

from __future__ import annotations

from dataclasses import dataclass

from tieline.swap.records import ZERO_HASH, DeliveryKind, Level, Levels, Order, Side

ENERGY_WH_MAX = 2**40 - 1
"""Locks pack energy into 40 bits; above it no ledger could carry the fill."""
PRICE_MAX = 2**62 - 1
"""Prices are uint64 on ledgers; half of the signed range keeps every comparison inside int64."""


class InvalidOrder(ValueError):
    """An order that no book can hold. Trying again gives the same answer."""


# Looked up, because making an enumeration's member from its number costs a microsecond.
_SIDES = {side.value: side for side in Side}
_DELIVERIES = {kind.value: kind for kind in DeliveryKind}
_LEVELS = {bits: Levels(bits) for bits in range(1, Levels.ALL + 1)}


@dataclass(frozen=True, slots=True)
class BookOrder:
    """
    One order of a slot's book.

    Raises:
        InvalidOrder: A field is outside its range.
    """

    order_id: bytes
    """Struct hash of the signed order, 32 bytes."""
    account: bytes
    """20 bytes, on the ledger of ``microgrid``."""
    microgrid: bytes
    """Chain tag of the ledger the order stands on, 32 bytes."""
    bus: int
    """Bus number in the network, >= 0."""
    side: Side
    levels: Levels
    delivery: DeliveryKind
    energy_wh: int
    """Over the whole slot, 1..2^40-1 Wh."""
    price_min: int
    """Micro-EUR per kWh: the least a seller takes. Not looked at for a buyer."""
    price_max: int
    """Micro-EUR per kWh: the most a buyer pays. Not looked at for a seller."""
    time: int
    """When the cell took it in; any scale, one scale a book. Earlier goes first in a tie."""
    anchor: bytes = ZERO_HASH
    """Hash lock of a direct sale (all or none, to one buyer), else 32 zero bytes."""

    def __post_init__(self) -> None:
        """Refuse what no ledger would carry."""
        if len(self.order_id) != 32 or len(self.microgrid) != 32 or len(self.anchor) != 32:
            raise InvalidOrder("order id, chain tag and anchor are 32 bytes")
        if len(self.account) != 20:
            raise InvalidOrder(f"account is 20 bytes: actual={len(self.account)}")
        if not 1 <= self.energy_wh <= ENERGY_WH_MAX:
            raise InvalidOrder(f"energy out of range: energy_wh={self.energy_wh}")
        if not 0 <= self.price_min <= self.price_max <= PRICE_MAX:
            raise InvalidOrder(f"price range: min={self.price_min} max={self.price_max}")
        if self.is_direct and self.side is not Side.SELL:
            raise InvalidOrder("only a sale can have an anchor")
        if self.bus < 0 or not self.levels:
            raise InvalidOrder(f"bus or levels: bus={self.bus} levels={self.levels}")

    @property
    def limit(self) -> int:
        """The price that binds: the most of a buyer, the least of a seller."""
        return self.price_max if self.side is Side.BUY else self.price_min

    def is_for(self, level: Level) -> bool:
        """Whether it may be matched at *level*."""
        # As plain integers: flags make an object of every answer.
        return int.__and__(self.levels, level) != 0

    @property
    def is_direct(self) -> bool:
        """Whether it is a direct sale."""
        return self.anchor != ZERO_HASH


def book_order(order: Order, order_id: bytes, bus: int, time: int) -> BookOrder:
    """
    Return *order* as the market sees it.

    Args:
        order: The signed record; its signature is not checked here.
        order_id: Struct hash of the record.
        bus: Bus of its meter.
        time: When the cell took it in.

    Raises:
        InvalidOrder: A field is outside its range.
    """
    side, levels = _SIDES.get(order.side), _LEVELS.get(order.levels)
    delivery = _DELIVERIES.get(order.delivery)
    if side is None or levels is None or delivery is None:
        raise InvalidOrder(
            f"side, levels or delivery: {order.side}, {order.levels}, {order.delivery}"
        )
    return BookOrder(
        order_id=order_id,
        account=order.account,
        microgrid=order.chain_tag,
        bus=bus,
        side=side,
        levels=levels,
        delivery=delivery,
        energy_wh=order.energy_wh,
        price_min=order.price_min,
        price_max=order.price_max,
        time=time,
        anchor=order.anchor,
    )


def merit(order: BookOrder) -> tuple[int, int, bytes]:
    """
    Return the place in the merit order as a sort key: (price, time, id), the best first.

    Note:
        One side at a time: a buyer's price counts downwards.
    """
    price = -order.price_max if order.side is Side.BUY else order.price_min
    return (price, order.time, order.order_id)
