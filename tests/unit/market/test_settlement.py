"""Settlement by hand, and each identity seen to fail when its numbers are spoiled."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tieline.market.accounts import (
    BALANCING,
    UNACCOUNTED,
    AccountKind,
    NamedAccount,
    Posting,
    Reason,
    balances,
)
from tieline.market.identities import LedgerSupply, check_identities, check_levels, unclaimed
from tieline.market.position import Position
from tieline.market.settlement import (
    BuyShare,
    NetworkEnergy,
    ParticipantEnergy,
    SellShare,
    SettledTrade,
    SlotStatement,
    UnknownParty,
    settle_slot,
)
from tieline.swap.records import Allocation, DeliveryKind, Level

SELLER, OTHER, BUYER = (NamedAccount(AccountKind.PARTICIPANT, n) for n in ("s", "t", "b"))
OPERATOR = NamedAccount(AccountKind.GRID, "grid-1")
CONNECTOR = NamedAccount(AccountKind.CONNECTOR, "c")
IN, OUT = 210, 200
SOLD, GOT = 1_000, 700


def trade(level: Level = Level.INTER, got: int = GOT, **changes) -> SettledTrade:
    price_in = OUT if level is Level.INTRA else IN
    base = SettledTrade(
        key=bytes([level]),
        level=level,
        price_in=price_in,
        price_out=OUT,
        buys=(BuyShare(BUYER, SOLD),),
        sells=(SellShare(SELLER, SOLD, got),),
        claimed_in_wh=got,
        claimed_out_wh=got,
        connector=CONNECTOR,
    )
    return replace(base, **changes)


def statement(
    price: int, got: int = GOT, penalty: int = 0, trades: tuple | None = None, **network
) -> SlotStatement:
    """The buyer takes all it bought; 12 Wh are lost, 5 of them because of the trade."""
    rows = [
        ParticipantEnergy(SELLER, got, got, 2),
        ParticipantEnergy(BUYER, -SOLD, -SOLD, 3),
        ParticipantEnergy(OTHER, -50, -50),
    ]
    import_wh = SOLD - got + 50 + 12
    energy = NetworkEnergy(
        **{
            "import_wh": import_wh,
            "metered_import_wh": import_wh,
            "loss_wh": 12,
            "base_loss_wh": 7,
            **network,
        }
    )
    return settle_slot(
        rows, trades if trades is not None else (trade(got=got),), energy, OPERATOR, price, penalty
    )


@pytest.mark.parametrize("price", [-50, 0, 150, 200, 205, 300])
@pytest.mark.parametrize("got", [0, 1, 700, 1_000])
@pytest.mark.parametrize("level", [Level.INTRA, Level.INTER])
def test_every_identity_holds(price: int, got: int, level: Level) -> None:
    assert check_identities(statement(price, got, 5, (trade(level, got),))) == []


@pytest.mark.parametrize("price", [200, 300])
def test_a_short_seller_nets_its_price_less_the_imbalance(price: int) -> None:
    net = balances(statement(price).postings)
    lost = price * 2
    assert OUT * SOLD - price * (SOLD - GOT) - lost == net[SELLER]


def test_when_imbalance_is_cheaper_the_gain_goes_to_balancing_not_to_the_short_seller() -> None:
    net = balances(statement(150).postings)
    assert net[SELLER] == OUT * GOT - 150 * 2
    assert net[BALANCING] == (IN - 150) * (SOLD - GOT)


@pytest.mark.parametrize("price", [-50, 150, 300])
def test_a_buyer_pays_its_own_price_for_all_it_bought(price: int) -> None:
    net = balances(statement(price).postings)
    assert -IN * SOLD - price * 3 == net[BUYER]


def test_the_connector_earns_its_fee_on_claimed_wh_only() -> None:
    assert balances(statement(300).postings)[CONNECTOR] == (IN - OUT) * GOT


def test_undelivered_wh_pay_the_penalty_once() -> None:
    with_penalty, without = (balances(statement(300, penalty=n).postings) for n in (7, 0))
    assert without[SELLER] - with_penalty[SELLER] == 7 * (SOLD - GOT)
    assert with_penalty[BALANCING] - without[BALANCING] == 7 * (SOLD - GOT)


def test_in_a_pool_the_one_who_delivered_is_paid_in_full() -> None:
    """The ledger pays a pool by position; settlement turns it to what each delivered."""
    pooled = trade(
        sells=(SellShare(SELLER, 500, 500), SellShare(OTHER, 500, 200)),
        claimed_in_wh=700,
        claimed_out_wh=700,
    )
    rows = [
        ParticipantEnergy(SELLER, 500, 500),
        ParticipantEnergy(OTHER, 200, 200),
        ParticipantEnergy(BUYER, -SOLD, -SOLD),
    ]
    found = settle_slot(rows, (pooled,), NetworkEnergy(300, 300, 0, 0), OPERATOR, 300)
    assert check_identities(found) == []
    net = balances(found.postings)
    assert net[SELLER] == OUT * 500
    assert net[OTHER] == OUT * 500 - 300 * 300


def test_a_grid_trade_is_the_operator_s_position() -> None:
    bought = trade(Level.GRID, got=SOLD, sells=(SellShare(OPERATOR, SOLD, SOLD),))
    found = settle_slot(
        [ParticipantEnergy(BUYER, -SOLD, -SOLD)],
        (bought,),
        NetworkEnergy(SOLD + 4, SOLD + 4, 4, 4),
        OPERATOR,
        300,
    )
    assert check_identities(found) == []
    assert (found.grid_position_wh, found.grid_deviation_wh) == (SOLD, 0)
    assert balances(found.postings)[OPERATOR] == OUT * SOLD


def test_what_the_estimate_does_not_close_is_posted_to_unaccounted() -> None:
    found = statement(300, loss_wh=14, base_loss_wh=9)
    assert found.rounding_wh == 2
    assert balances(found.postings)[UNACCOUNTED] == 300 * 2
    assert check_identities(found) == []


def test_meters_that_disagree_with_the_solution_are_reported() -> None:
    found = statement(300, metered_import_wh=SOLD - GOT + 50 + 12 + 33)
    assert found.unaccounted_wh == 33
    assert check_identities(found) == []


def test_a_seller_that_did_not_claim_hurts_only_itself() -> None:
    """The buyer's leg was refunded too: it keeps energy that nobody was paid for."""
    found = statement(300, trades=(trade(claimed_in_wh=100, claimed_out_wh=100),))
    assert check_identities(found) == []
    assert {bytes([Level.INTER]): 600} == unclaimed(found)
    full = balances(statement(300).postings)
    assert full[SELLER] - balances(found.postings)[SELLER] == OUT * 600


def test_a_refused_trade_moves_nothing() -> None:
    refused = trade(
        got=0, buys=(BuyShare(BUYER, 0),), sells=(SellShare(SELLER, 0, 0),), key=b"\x09"
    )
    found = statement(300, trades=(refused,))
    assert [row for row in found.postings if row.trade] == []


def test_a_trade_of_a_stranger_is_refused() -> None:
    with pytest.raises(UnknownParty, match="participant:x"):
        statement(300, trades=(trade(buys=(BuyShare(replace(BUYER, name="x"), SOLD),)),))


def spoil_row(found: SlotStatement, **changes) -> SlotStatement:
    return replace(
        found, participants=(replace(found.participants[0], **changes), *found.participants[1:])
    )


def spoil_trade(found: SlotStatement, **changes) -> SlotStatement:
    return replace(found, trades=(replace(found.trades[0], **changes),))


def drop(found: SlotStatement, reason: Reason) -> SlotStatement:
    return replace(found, postings=tuple(p for p in found.postings if p.reason is not reason))


SPOILED = [
    ("energy from nowhere", lambda f: spoil_row(f, estimated_wh=5_000), "E1"),
    ("a rounding that is not one", lambda f: replace(f, rounding_wh=1), "E1"),
    ("a hidden meter difference", lambda f: replace(f, unaccounted_wh=1), "E1"),
    ("a cap on one side only", lambda f: spoil_trade(f, buys=(BuyShare(BUYER, 9),)), "E2"),
    ("a position nobody sealed", lambda f: spoil_row(f, position_wh=4), "E2"),
    ("an operator's position nobody sealed", lambda f: replace(f, grid_position_wh=4), "E2"),
    ("a forgotten deviation", lambda f: spoil_row(f, deviation_wh=0), "E4"),
    ("the operator's deviation", lambda f: replace(f, grid_deviation_wh=0), "E4"),
    (
        "losses nobody bears",
        lambda f: replace(f, network=replace(f.network, base_loss_wh=0)),
        "E4",
    ),
    ("deviations for nothing", lambda f: drop(f, Reason.DEVIATION), "E5"),
    ("losses for nothing", lambda f: drop(f, Reason.LOSSES), "E5"),
    ("balancing that pays out", lambda f: drop(f, Reason.REPLACEMENT), "E5"),
    (
        "a loss account that keeps money",
        lambda f: replace(
            f, postings=(*f.postings, Posting(BUYER, NamedAccount(AccountKind.LOSS), 1, Reason.TAX))
        ),
        "E6",
    ),
    (
        "a posting of nothing",
        lambda f: replace(f, postings=(*f.postings, Posting(BUYER, BALANCING, 0, Reason.TAX))),
        "E6",
    ),
    ("a connector out of pocket", lambda f: spoil_trade(f, claimed_in_wh=0), "E7"),
    (
        "more claimed than delivered",
        lambda f: spoil_trade(f, claimed_in_wh=999, claimed_out_wh=999),
        "E7",
    ),
    ("a fee below zero", lambda f: spoil_trade(f, price_in=100), "E7"),
    (
        "an INTRA lock with two amounts",
        lambda f: spoil_trade(f, level=Level.INTRA, claimed_out_wh=1),
        "E7",
    ),
    ("a seller charged twice", lambda f: drop(f, Reason.SHORTFALL), "E10"),
    ("a penalty forgotten", lambda f: drop(f, Reason.PENALTY), "E10"),
]


@pytest.mark.parametrize(("what", "spoil", "identity"), SPOILED, ids=[row[0] for row in SPOILED])
def test_a_spoiled_statement_is_found_out(what: str, spoil, identity: str) -> None:
    found = check_identities(spoil(statement(300, penalty=5)))
    assert identity in {violation.identity for violation in found}, what


def test_who_stands_on_both_sides_of_a_pool_is_settled_too() -> None:
    """Only the sum of both sides is known, so E10 has nothing to say; all others still hold."""
    both = trade(
        buys=(BuyShare(SELLER, 400), BuyShare(BUYER, 600)),
        sells=(SellShare(SELLER, SOLD, GOT),),
    )
    rows = [ParticipantEnergy(SELLER, 300, 300), ParticipantEnergy(BUYER, -600, -600)]
    found = settle_slot(rows, (both,), NetworkEnergy(300, 300, 0, 0), OPERATOR, 300)
    assert check_identities(found) == []
    net = balances(found.postings)
    assert net[SELLER] == OUT * SOLD - IN * 400 - 300 * (SOLD - GOT)


def test_a_ledger_that_holds_more_than_was_issued_is_found_out() -> None:
    good = LedgerSupply("a-1", balances=70, open_locks=20, minted=100, burned=10)
    assert check_identities(statement(300), [good]) == []
    found = check_identities(statement(300), [replace(good, open_locks=21)])
    assert [violation.identity for violation in found] == ["E6"]


def test_levels_are_found_out_when_an_order_loses_a_wh() -> None:
    assert [v.identity for v in check_levels((), {b"o": 5}, {b"o": 4})] == ["E2"]


def test_a_position_that_sells_more_than_it_buys_is_found_out() -> None:
    leaf = Allocation(b"o" * 32, bytes(20), 5, 1, 0)
    kind = DeliveryKind.FIRM
    odd = Position(Level.INTRA, b"a" * 32, b"a" * 32, kind, 0, 5, 1, 1, (leaf,), ())
    found = check_levels([odd], {leaf.order_id: 5}, {})
    assert [violation.identity for violation in found] == ["E2"]
    assert "bought=5 sold=0" in found[0].detail
