"""
One slot's book becomes positions: INTRA in each microgrid, the rest INTER between all of them,
what is left GRID at the operator's tariff.

Nothing here is locked or signed; the same book, coin and caps give the same bytes everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from operator import attrgetter
from types import MappingProxyType

from tieline.market import direct_sale
from tieline.market.allocation import (
    Bounds,
    Fill,
    Piece,
    Terms,
    firm_first,
    pieces,
    positions_of,
    take,
)
from tieline.market.mechanisms.k_double_auction import HALF, Quote, UniformPrice, clear
from tieline.market.mechanisms.posted_price import serve
from tieline.market.order import BookOrder, merit
from tieline.market.pairing import crowded, pair
from tieline.market.position import Position
from tieline.swap.records import Level, Side

NO_CAPS: Mapping[bytes, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ClearingRules:
    """How a slot is cleared; the same on every cell."""

    grid: bytes | None = None
    """Chain tag of the grid operator's ledger; its orders are the tariff. None: no GRID level."""
    inter_fee: int = 0
    """What the connector keeps between microgrids, micro-EUR per kWh, >= 0."""
    grid_fee: int = 0
    """What the connector keeps between a microgrid and the operator, micro-EUR per kWh, >= 0."""
    kappa: Fraction = HALF
    """0..1: how much of the price interval goes to the sellers."""
    bounds: Bounds = field(default_factory=Bounds)

    def __post_init__(self) -> None:
        """Refuse fees that would pay the trade."""
        if self.inter_fee < 0 or self.grid_fee < 0:
            raise ValueError("a fee is never negative")

    def fee(self, level: Level) -> int:
        """Return price_in - price_out of a level, micro-EUR per kWh."""
        return {Level.INTRA: 0, Level.INTER: self.inter_fee, Level.GRID: self.grid_fee}[level]


@dataclass(frozen=True, slots=True)
class LevelPrice:
    """The price at which one round cleared."""

    level: Level
    microgrid: bytes
    """INTRA: the microgrid; INTER: empty; GRID: the operator's ledger."""
    price_in: int
    price_out: int


@dataclass(frozen=True, slots=True)
class SlotClearing:
    """The provisional result of a slot."""

    positions: tuple[Position, ...]
    """Ascending key."""
    prices: tuple[LevelPrice, ...]
    residual_wh: Mapping[bytes, int]
    """By order id, ascending: what found no partner, of the energy within the cap."""


def clear_slot(
    orders: Iterable[BookOrder],
    rules: ClearingRules,
    seed: bytes,
    caps: Mapping[bytes, int] = NO_CAPS,
) -> SlotClearing:
    """
    Clear one slot's whole book.

    Args:
        orders: All orders valid at gate closure, in any order.
        rules: Fees, kappa, bounds.
        seed: The slot's coin, XOR of all cells' secrets.
        caps: Most Wh an order may trade, by order id, from the cuts of the network; an order
            without one is bounded by its own energy. A direct sale below its energy is out.

    Raises:
        ValueError: An order id stands twice in the book, or a cap is negative.
    """
    book = _Book(orders, rules, seed, caps)
    for microgrid in book.microgrids:
        book.clear_round(Level.INTRA, (microgrid,))
    book.clear_round(Level.INTER, book.microgrids)
    if rules.grid is not None:
        book.clear_import(rules.grid)
        book.clear_export(rules.grid)
    positions = positions_of(book.found)
    return SlotClearing(positions, tuple(book.prices), MappingProxyType(book.left))


class _Book:
    """The orders of a slot with what is left of each."""

    def __init__(
        self,
        orders: Iterable[BookOrder],
        rules: ClearingRules,
        seed: bytes,
        caps: Mapping[bytes, int],
    ) -> None:
        self.orders = sorted(orders, key=attrgetter("order_id"))
        self.rules, self.seed = rules, seed
        self.found: list[Piece] = []
        self.prices: list[LevelPrice] = []
        self.left: dict[bytes, int] = {}
        for order in self.orders:
            if order.order_id in self.left:
                raise ValueError(f"order stands twice in the book: {order.order_id.hex()}")
            cap = caps.get(order.order_id, order.energy_wh)
            if cap < 0:
                raise ValueError(f"negative cap: {order.order_id.hex()}")
            self.left[order.order_id] = min(cap, order.energy_wh)
        self.direct_sales = tuple(order for order in self.orders if order.is_direct)
        self.pools: dict[tuple[bytes, Side], list[BookOrder]] = {}
        for order in self.orders:
            if not order.is_direct:
                self.pools.setdefault((order.microgrid, order.side), []).append(order)
        tags = {order.microgrid for order in self.orders}
        self.microgrids = tuple(sorted(tags - {rules.grid}))

    def eligible(self, level: Level, tags: Sequence[bytes], side: Side) -> list[Fill]:
        """Return what is left of the pool's orders at a level, ascending order id."""
        pool = [order for tag in tags for order in self.pools.get((tag, side), ())]
        if len(tags) > 1:
            pool.sort(key=attrgetter("order_id"))
        left = self.left
        return [
            Fill(order, left[order.order_id])
            for order in pool
            if left[order.order_id] and order.is_for(level)
        ]

    def clear_round(self, level: Level, tags: Sequence[bytes]) -> None:
        """Clear the direct sales and the pool of one level among some microgrids."""
        fee = self.rules.fee(level)
        pairs: list[tuple[Fill, Fill]] = []
        if self.direct_sales:
            pairs = direct_sale.match(self.orders, self.left, level, tags, fee, self.rules.bounds)
        for buy, sell in pairs:
            self._spend((buy, sell))
        buys, sells = (self.eligible(level, tags, side) for side in Side)
        result, buys, sells = self._auction(level, buys, sells, fee)
        if result.energy_wh:
            microgrid = tags[0] if level is Level.INTRA else b""
            self.prices.append(LevelPrice(level, microgrid, result.price, result.price - fee))
            self._settle_pool(level, buys, sells, result.price)
        reference = result.price - fee if result.energy_wh else None
        for buy, sell in pairs:
            self.found.append(direct_sale.piece(level, buy, sell, fee, self.rules.kappa, reference))

    def _auction(
        self, level: Level, buys: list[Fill], sells: list[Fill], fee: int
    ) -> tuple[UniformPrice, list[Fill], list[Fill]]:
        """
        Run the auction and return it with the fills of both sides.

        A microgrid that would have to trade with itself at INTER (only orders without the INTRA
        bit can bring that about) is left out with its smaller side, and the round runs again.
        """
        while True:
            result = clear(
                [Quote(f.order.order_id, f.order.limit, f.wh) for f in buys],
                [Quote(f.order.order_id, f.order.limit + fee, f.wh) for f in sells],
                self.seed,
                self.rules.kappa,
            )
            bought = _filled(buys, result.bought)
            sold = _filled(sells, result.sold)
            if level is not Level.INTER:
                return result, bought, sold
            buys_by, sells_by = _by_microgrid(bought), _by_microgrid(sold)
            tag = crowded(buys_by, sells_by)
            if tag is None:
                return result, bought, sold
            if buys_by.get(tag, 0) < sells_by.get(tag, 0):
                buys = [fill for fill in buys if fill.order.microgrid != tag]
            else:
                sells = [fill for fill in sells if fill.order.microgrid != tag]

    def _settle_pool(
        self, level: Level, buys: list[Fill], sells: list[Fill], price_in: int
    ) -> None:
        """Pair the microgrids and cut what each pair trades into positions."""
        price_out = price_in - self.rules.fee(level)
        buy_rows, sell_rows = _rows(buys), _rows(sells)
        if level is Level.INTRA:
            tag = next(iter(buy_rows))
            terms = Terms(level, tag, tag, price_in, price_out)
            self._add(pieces(terms, buy_rows[tag], sell_rows[tag], self.rules.bounds))
            return
        for flow in pair(_by_microgrid(buys), _by_microgrid(sells)):
            head_buys, buy_rows[flow.source] = take(buy_rows[flow.source], flow.energy_wh)
            head_sells, rest = take(sell_rows[flow.destination], flow.energy_wh)
            sell_rows[flow.destination] = rest
            terms = Terms(level, flow.source, flow.destination, price_in, price_out)
            self._add(pieces(terms, head_buys, head_sells, self.rules.bounds))

    def clear_import(self, grid: bytes) -> None:
        """Let what is left of the buyers take the operator's offers, cheapest first."""
        fee = self.rules.grid_fee
        for price_out in sorted({f.order.limit for f in self._posted(grid, Side.SELL)}):
            self._at_tariff(grid, Side.SELL, price_out + fee, price_out)

    def clear_export(self, grid: bytes) -> None:
        """Let what is left of the sellers take the operator's bids, dearest first."""
        fee = self.rules.grid_fee
        tariffs = {f.order.limit for f in self._posted(grid, Side.BUY)}
        for price_in in sorted(tariffs, reverse=True):
            # Below the fee no seller is left: asks are never negative.
            self._at_tariff(grid, Side.BUY, price_in, price_in - fee)

    def _posted(self, grid: bytes, side: Side) -> list[Fill]:
        """Return what is left of the operator's orders of one side."""
        return self.eligible(Level.GRID, (grid,), side)

    def _at_tariff(self, grid: bytes, posted_side: Side, price_in: int, price_out: int) -> None:
        """Serve the microgrids at one tariff step."""
        tariff = price_out if posted_side is Side.SELL else price_in
        posted = [f for f in self._posted(grid, posted_side) if f.order.limit == tariff]
        posted.sort(key=lambda fill: merit(fill.order))
        buying = posted_side is Side.SELL
        takers = [
            fill
            for fill in self.eligible(
                Level.GRID, self.microgrids, Side.BUY if buying else Side.SELL
            )
            if (fill.order.limit >= price_in if buying else fill.order.limit <= price_out)
        ]
        quotes = [Quote(f.order.order_id, f.order.limit, f.wh) for f in takers]
        capacity = sum(fill.wh for fill in posted)
        served = serve(capacity, quotes, self.seed, highest_first=buying)
        for tag, row in sorted(_rows(_filled(takers, served)).items()):
            head, posted = take(posted, sum(fill.wh for fill in row))
            source, destination = (tag, grid) if buying else (grid, tag)
            terms = Terms(Level.GRID, source, destination, price_in, price_out)
            sides = (row, head) if buying else (head, row)
            found = pieces(terms, *sides, self.rules.bounds, neutral=grid)
            self._add(found)
            if found:
                price = LevelPrice(Level.GRID, grid, price_in, price_out)
                if price not in self.prices:
                    self.prices.append(price)

    def _add(self, found: Iterable[Piece]) -> None:
        """Take over pieces; what they leave out stays with the orders."""
        for piece in found:
            self.found.append(piece)
            self._spend((*piece.buys, *piece.sells))

    def _spend(self, fills: Iterable[Fill]) -> None:
        """Lower what is left of the orders."""
        for fill in fills:
            self.left[fill.order.order_id] -= fill.wh
            assert self.left[fill.order.order_id] >= 0, "an order traded more than it has"


def _filled(fills: Sequence[Fill], wh: Sequence[int]) -> list[Fill]:
    """Return the fills with their traded Wh, without the empty ones."""
    return [Fill(fill.order, got) for fill, got in zip(fills, wh, strict=True) if got]


def _rows(fills: Iterable[Fill]) -> dict[bytes, list[Fill]]:
    """Return the fills by microgrid, each row firm first."""
    rows: dict[bytes, list[Fill]] = {}
    for fill in firm_first(fills):
        rows.setdefault(fill.order.microgrid, []).append(fill)
    return rows


def _by_microgrid(fills: Iterable[Fill]) -> dict[bytes, int]:
    """Return Wh by microgrid."""
    sums: dict[bytes, int] = {}
    for fill in fills:
        sums[fill.order.microgrid] = sums.get(fill.order.microgrid, 0) + fill.wh
    return sums
