"""When rounds are used up, the order that gains least for the room it takes goes first."""

from __future__ import annotations

from tieline.interfaces.limits import LimitKind, LinearCut
from tieline.market.clearing import ClearingRules, clear_slot
from tieline.market.dropping import drop_sequence
from tieline.market.order import BookOrder
from tieline.swap.records import DeliveryKind, Levels, Side

A = b"\x01" * 32
DISPATCHABLE, FIRM = DeliveryKind.DISPATCHABLE, DeliveryKind.FIRM


def order(number: int, side: Side, price: int, wh: int, bus: int, kind: DeliveryKind) -> BookOrder:
    return BookOrder(
        order_id=bytes([number]) * 32,
        account=bytes([number]) * 20,
        microgrid=A,
        bus=bus,
        side=side,
        levels=Levels.ALL,
        delivery=kind,
        energy_wh=wh,
        price_min=price if side is Side.SELL else 0,
        price_max=price if side is Side.BUY else 10**6,
        time=number,
    )


def cut(*buses: tuple[int, int]) -> LinearCut:
    return LinearCut("V_LOW bus 2", LimitKind.V_LOW, 0, (), buses)


BOOK = [
    order(1, Side.BUY, 300, 500, 1, DISPATCHABLE),
    order(2, Side.BUY, 210, 500, 1, DISPATCHABLE),
    order(3, Side.BUY, 400, 500, 2, DISPATCHABLE),
    order(4, Side.BUY, 200, 500, 1, FIRM),
    order(5, Side.SELL, 200, 2_000, 3, DISPATCHABLE),
    order(6, Side.BUY, 100, 500, 1, DISPATCHABLE),
]
POSITIONS = clear_slot(BOOK, ClearingRules(), b"coin").positions


def numbers(*cuts: LinearCut) -> list[int]:
    return [order_id[0] for order_id in drop_sequence(BOOK, POSITIONS, cuts)]


def test_the_least_surplus_per_relief_goes_first() -> None:
    """Firm orders, sellers that relieve and orders without a fill are not named."""
    assert numbers(cut((1, -10), (2, -10), (3, -10))) == [2, 1, 3]


def test_who_takes_much_room_goes_before_who_takes_little() -> None:
    """Bus 2 weighs a hundred times as much: its 200 of surplus buy less than bus 1's 10."""
    assert numbers(cut((1, -1), (2, -100)))[0] == 3


def test_the_heaviest_of_several_cuts_counts() -> None:
    assert numbers(cut((2, -1))) == [3]
    assert {1, 2, 3} == set(numbers(cut((2, -1)), cut((1, -1))))
    assert numbers(cut((1, 1))) == []
    assert numbers() == []
