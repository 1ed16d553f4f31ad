"""From a random book over random readings to a statement: every identity, whatever happened."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tieline.interfaces.limits import LimitKind, LinearCut
from tieline.market.accounts import AccountKind, NamedAccount, balances, operator, participant
from tieline.market.allocation import Bounds
from tieline.market.clearing import ClearingRules, clear_slot
from tieline.market.constrained import caps_under_cuts, refused_caps, violated_cuts
from tieline.market.delivery import CappedPosition, delivered
from tieline.market.identities import check_identities, check_levels
from tieline.market.order import BookOrder
from tieline.market.settlement import (
    Claimed,
    NetworkEnergy,
    ParticipantEnergy,
    settle_slot,
    settled_trade,
)
from tieline.swap.records import DeliveryKind, Level, Levels, Side

A, B, GRID = (bytes([n]) * 32 for n in (1, 2, 9))
SEED = b"seed"
RULES = ClearingRules(grid=GRID, inter_fee=2, grid_fee=3, bounds=Bounds(1, 3))
CONNECTOR = NamedAccount(AccountKind.CONNECTOR, "c")
SLOT_S = 900


def order(number: int, tag: bytes, side: Side, price: int, wh: int, kind: int) -> BookOrder:
    return BookOrder(
        order_id=bytes([number]) * 32,
        account=bytes([number % 7]) * 20,
        microgrid=tag,
        bus=number % 4,
        side=side,
        levels=Levels.GRID if tag == GRID else Levels.ALL,
        delivery=DeliveryKind(kind),
        energy_wh=wh,
        price_min=price if side is Side.SELL else 0,
        price_max=price if side is Side.BUY else 10**6,
        time=0,
    )


@st.composite
def books(draw: st.DrawFn) -> list[BookOrder]:
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from([A, B]),
                st.sampled_from(list(Side)),
                st.integers(1, 60),
                st.integers(1, 500),
                st.integers(1, 2),
            ),
            min_size=2,
            max_size=12,
        )
    )
    tariff = [(GRID, Side.SELL, 45, 300, 1), (GRID, Side.BUY, 12, 300, 1)]
    return [order(i + 1, *row) for i, row in enumerate([*rows, *tariff])]


@settings(max_examples=80)
@given(books(), st.data())
def test_every_slot_settles_to_the_wh_and_the_nano_eur(
    book: list[BookOrder], data: st.DataObject
) -> None:
    """Caps, shortfalls, unclaimed Wh, deviations, losses and any price: nothing leaks."""
    cleared = clear_slot(book, RULES, SEED)
    offered = {o.order_id: o.energy_wh for o in book}
    assert check_levels(cleared.positions, offered, cleared.residual_wh) == []
    capped = [CappedPosition(p, data.draw(st.integers(0, p.energy_wh))) for p in cleared.positions]
    readings = {o.order_id: data.draw(st.integers(0, o.energy_wh)) for o in book}
    deliveries = delivered(capped, readings)
    trades = []
    for row in capped:
        wh = deliveries.by_position[row.position.key]
        assert wh <= row.cap_wh
        out = data.draw(st.integers(0, wh))
        local = row.position.level is Level.INTRA
        claims = Claimed(out if local else data.draw(st.integers(out, wh)), out)
        trades.append(settled_trade(row, deliveries, claims, CONNECTOR, GRID))
    accounts = sorted({participant(o.microgrid, o.account) for o in book if o.microgrid != GRID})
    small = st.integers(-600, 600)
    people = [
        ParticipantEnergy(
            account, data.draw(small), data.draw(small), data.draw(st.integers(-3, 3))
        )
        for account in accounts
    ]
    base_loss = data.draw(st.integers(0, 40))
    loss = base_loss + sum(person.loss_wh for person in people)
    import_wh = loss - sum(person.estimated_wh for person in people)
    rounding = data.draw(st.integers(-len(people), len(people)))
    network = NetworkEnergy(import_wh - rounding, data.draw(small), loss, base_loss)
    price, penalty = data.draw(st.integers(-30, 90)), data.draw(st.integers(0, 20))
    statement = settle_slot(people, trades, network, operator(GRID), price, penalty)
    assert check_identities(statement) == []
    assert sum(balances(statement.postings).values()) == 0
    assert rounding == statement.rounding_wh


cuts_of = st.lists(
    st.tuples(st.integers(-200, 900), st.lists(st.integers(-50, 50), min_size=4, max_size=4)),
    max_size=3,
)


@settings(max_examples=50)
@given(books(), cuts_of)
def test_clearing_within_the_caps_holds_every_cut(book: list[BookOrder], rows: list) -> None:
    cuts = [
        LinearCut(
            f"limit {i}",
            LimitKind.LINE,
            bound * 10**7,
            (),
            tuple(enumerate(weight * 10**7 for weight in weights)),
        )
        for i, (bound, weights) in enumerate(rows)
    ]
    found = caps_under_cuts(book, RULES, cuts, SLOT_S)
    assert refused_caps(book, RULES, cuts, SLOT_S, found.caps_wh) is None
    cleared = clear_slot(book, RULES, SEED, found.caps_wh)
    used = {
        o.order_id: min(found.caps_wh[o.order_id], o.energy_wh) - cleared.residual_wh[o.order_id]
        for o in book
    }
    assert violated_cuts(book, used, cuts, SLOT_S) == []
    assert check_levels(cleared.positions, found.caps_wh, cleared.residual_wh) == []


@settings(max_examples=50)
@given(books())
def test_clearing_the_caps_reaches_the_welfare_bound(book: list[BookOrder]) -> None:
    """All orders may trade at all levels: level by level loses nothing but floored Wh."""
    pool = [o for o in book if o.microgrid != GRID]
    rules = ClearingRules(inter_fee=2, bounds=Bounds(minimum_wh=1))
    found = caps_under_cuts(pool, rules, [], SLOT_S)
    cleared = clear_slot(pool, rules, SEED, found.caps_wh)
    limit = {o.order_id: o.limit for o in pool}
    reached = sum(
        sum(limit[leaf.order_id] * leaf.energy_wh for leaf in p.buys)
        - sum((limit[leaf.order_id] + rules.fee(p.level)) * leaf.energy_wh for leaf in p.sells)
        for p in cleared.positions
    )
    assert found.welfare_bound - 60 * len(pool) <= reached <= found.welfare_bound + 1
