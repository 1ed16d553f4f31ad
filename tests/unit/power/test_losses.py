"""Loss shares: exact sums, no order, the published losses."""

import json

import numpy as np
import pytest
from fakes.networks import KILOWATT, VECTORS, buys, published_case, sells

from tieline.interfaces.limits import PPM
from tieline.power.errors import NotConverged
from tieline.power.gate_result import TradeInjection
from tieline.power.losses import loss_shares

TWO = published_case("two_feeders")
VICTIM = published_case("third_party_victim")
CIGRE = published_case("cigre_mv_feeder_1")
ROWS = json.loads((VECTORS / "two_feeders.json").read_text())[
    "rows_trade_kw_vmin_vmaxlv_maxline_trafo_losseskw"
]
PUBLISHED = json.loads((VECTORS / "third_party_victim.json").read_text())["vmin_pu"]


@pytest.mark.parametrize("row", ROWS)
def test_losses_of_two_feeders_are_the_published_ones(row: list[float]) -> None:
    power = int(row[0] * KILOWATT)
    found = loss_shares(
        TWO.network, TWO.baseline, [TradeInjection(b"t", {6: power, 11: -power})], [PPM]
    )
    assert round(found.total / KILOWATT, 3) == row[5]
    assert found.trades == (found.total - found.base,)


def test_losses_of_the_third_party_case_are_the_published_ones() -> None:
    found = loss_shares(
        VICTIM.network, VICTIM.baseline, [buys("a", 4, 150), buys("b", 13, 150)], [PPM, PPM]
    )
    assert round(found.base / KILOWATT, 1) == PUBLISHED["none"]["loss_kw"]
    assert round(found.total / KILOWATT, 2) == PUBLISHED["both"]["loss_kw"]
    assert sum(found.trades) == found.total - found.base


def test_shares_do_not_depend_on_the_order() -> None:
    trades = [buys("a", 6, 700), sells("b", 7, 900), buys("c", 11, 300)]
    forth = loss_shares(CIGRE.network, CIGRE.baseline, trades, [PPM, 500_000, PPM])
    back = loss_shares(CIGRE.network, CIGRE.baseline, trades[::-1], [PPM, 500_000, PPM])
    assert forth.trades == pytest.approx(back.trades[::-1], abs=2)
    assert sum(forth.trades) == forth.total - forth.base


def test_shares_are_the_integral_over_the_way() -> None:
    """Ten short ways in place of one long one give the same shares: two Gauss points suffice."""
    trades = [buys("a", 6, 1500), sells("b", 7, 500), buys("c", 11, 300)]
    whole = loss_shares(CIGRE.network, CIGRE.baseline, trades, [PPM] * 3)
    steps = 10
    summed = np.zeros(3)
    for step in range(steps):
        base = dict(CIGRE.baseline)
        for trade in trades:
            for bus, p in trade.injections_milliwatt.items():
                base[bus] = (base.get(bus, (0, 0))[0] + p * step // steps, base.get(bus, (0, 0))[1])
        summed += loss_shares(CIGRE.network, base, trades, [PPM // steps] * 3).trades
    assert np.abs(summed - whole.trades).max() < 1e-5 * np.abs(whole.trades).max()


def test_two_gauss_points_integrate_losses_to_a_millionth() -> None:
    """Before the remainder is spread, the shares must already sum to the difference."""
    trades = [buys("a", 6, 1500)]
    halves = [buys(f"h{place}", 6, 750) for place in range(2)]
    whole = loss_shares(CIGRE.network, CIGRE.baseline, trades, [PPM])
    split = loss_shares(CIGRE.network, CIGRE.baseline, halves, [PPM, PPM])
    assert split.trades[0] == pytest.approx(whole.trades[0] / 2, rel=1e-6)


def test_a_trade_that_relieves_the_network_is_paid() -> None:
    found = loss_shares(CIGRE.network, CIGRE.baseline, [sells("s", 11, 200)], [PPM])
    assert found.trades[0] < 0


def test_no_trades_share_nothing() -> None:
    found = loss_shares(CIGRE.network, CIGRE.baseline, [], [])
    assert found.trades == ()
    assert found.base == found.total > 0


def test_losses_beyond_collapse_are_not_made_up() -> None:
    with pytest.raises(NotConverged):
        loss_shares(CIGRE.network, CIGRE.baseline, [buys("x", 6, 10**6)], [PPM])
