"""The gate: what may be acknowledged. Published third-party cases, groups, caps, owners, cuts."""

from dataclasses import replace

import numpy as np
import pytest
from fakes.networks import KILOWATT, PublishedCase, buys, published_case, sells

from tieline.interfaces.limits import PICO, PPM, LimitKind
from tieline.power import subsets
from tieline.power.errors import NetworkError, NotConverged, UnknownBus
from tieline.power.gate import Gate
from tieline.power.gate_result import DecisionKind, GateKind, GateResult, TradeInjection
from tieline.power.judgement import Judge
from tieline.power.network import NANO
from tieline.power.settings import NO_MARGINS, Limits, Margins, PowerLimit
from tieline.swap.records import Reason

CIGRE = published_case("cigre_mv_feeder_1")
VICTIM = published_case("third_party_victim")
TWO = published_case("two_feeders")
A_BUYS, B_BUYS = buys("a", 6, 1500), buys("b", 7, 1500)


def judge(case: PublishedCase, margins: Margins = Margins()) -> Judge:  # noqa: B008
    return Judge(case.network, case.limits, margins)


def caps(result: GateResult) -> list[int]:
    return [decision.cap_ppm for decision in result.decisions]


def times(baseline: dict[int, tuple[int, int]], factor: float) -> dict[int, tuple[int, int]]:
    return {bus: (round(p * factor), round(q * factor)) for bus, (p, q) in baseline.items()}


@pytest.mark.parametrize("trades", [[], [A_BUYS], [B_BUYS]], ids=["none", "A", "B"])
def test_each_big_buyer_alone_is_fine_with_all_margins(trades: list[TradeInjection]) -> None:
    result = judge(CIGRE).judge(CIGRE.baseline, trades)
    assert result.kind is GateKind.FEASIBLE
    assert caps(result) == [PPM] * len(trades)
    assert not result.violations
    assert not result.cuts


def test_both_big_buyers_together_are_not_and_the_marginal_one_is_cut() -> None:
    result = judge(CIGRE).judge(CIGRE.baseline, [A_BUYS, B_BUYS])
    assert result.kind is GateKind.INFEASIBLE
    first, second = result.decisions
    assert first.kind is DecisionKind.ACCEPT
    assert second.kind is DecisionKind.CAP
    assert 0 < second.cap_ppm < 200_000
    assert second.reason is Reason.V_LOW
    assert {violation.kind for violation in result.violations} >= {LimitKind.V_LOW}
    assert result.tightest is not None
    assert result.tightest.marginal_trade == B_BUYS.key
    assert 0 <= result.tightest.margin_percent < 1e-3


@pytest.mark.parametrize("buyer", ["A", "B"])
def test_either_buyer_alone_leaves_the_third_party_whole(buyer: str) -> None:
    bus = {"A": 4, "B": 13}[buyer]
    result = judge(VICTIM, NO_MARGINS).judge(VICTIM.baseline, [buys(buyer, bus, 150)])
    assert result.kind is GateKind.FEASIBLE


def test_a_third_party_who_trades_nothing_is_protected_from_two_who_each_were_fine() -> None:
    trades = [buys("a", 4, 150), buys("b", 13, 150)]
    result = judge(VICTIM, NO_MARGINS).judge(VICTIM.baseline, trades)
    assert result.kind is GateKind.INFEASIBLE
    assert {violation.element for violation in result.violations} <= set(VICTIM.zones["C"])
    worst = min(violation.value for violation in result.violations)
    assert round(worst, 4) == 0.9491
    assert int(result.decisions[1].limit.removeprefix("V_LOW bus ")) in VICTIM.zones["C"]
    assert result.decisions[1].cap_ppm < PPM


def test_zeroing_the_other_cells_data_flips_the_verdict() -> None:
    """B's own view of its feeder says yes; only the joint one says no."""
    own_view = {bus: power for bus, power in VICTIM.baseline.items() if bus in VICTIM.zones["B"]}
    gate = judge(VICTIM, NO_MARGINS)
    alone = gate.judge(own_view, [buys("b", 13, 150)])
    joint = gate.judge(VICTIM.baseline, [buys("a", 4, 150), buys("b", 13, 150)])
    assert alone.kind is GateKind.FEASIBLE
    assert joint.kind is GateKind.INFEASIBLE


def test_the_largest_feasible_quantity_is_the_published_one() -> None:
    trade = TradeInjection(b"t" * 32, {6: 20 * KILOWATT, 11: -20 * KILOWATT})
    result = judge(TWO, NO_MARGINS).judge(TWO.baseline, [trade])
    assert caps(result)[0] * 20 / PPM == pytest.approx(12.387, abs=1e-3)
    assert result.decisions[0].reason is Reason.V_LOW


def test_a_wider_band_admits_the_published_quantity() -> None:
    buses = tuple(
        replace(bus, v_min=9 * NANO // 10, v_max=11 * NANO // 10) for bus in TWO.network.buses
    )
    wide = replace(TWO, network=replace(TWO.network, buses=buses))
    trade = TradeInjection(b"t" * 32, {6: 40 * KILOWATT, 11: -40 * KILOWATT})
    result = judge(wide, NO_MARGINS).judge(TWO.baseline, [trade])
    assert caps(result)[0] * 40 / PPM == pytest.approx(33.615, abs=1e-3)


def test_one_8_kw_trade_fits_two_do_not() -> None:
    trade = TradeInjection(b"1" * 32, {6: 8 * KILOWATT, 11: -8 * KILOWATT})
    second = replace(trade, key=b"2" * 32)
    gate = judge(TWO, NO_MARGINS)
    assert gate.judge(TWO.baseline, [trade]).kind is GateKind.FEASIBLE
    both = gate.judge(TWO.baseline, [trade, second])
    assert both.kind is GateKind.INFEASIBLE
    assert caps(both)[0] == PPM
    assert caps(both)[1] * 8 / PPM == pytest.approx(4.387, abs=1e-3)


def test_tripling_every_load_violates_the_base_and_accepts_no_trade_that_worsens() -> None:
    worse, better, firm = buys("w", 6, 200), sells("s", 6, 200), TradeInjection(b"f" * 32, {})
    gate = judge(CIGRE)
    tripled = times(CIGRE.baseline, 3)
    result = gate.judge(tripled, [worse, better, firm])
    assert result.kind is GateKind.BASE_VIOLATED
    assert caps(result) == [0, PPM, PPM]
    assert result.decisions[0].reason is Reason.BASE_VIOLATED
    for trade in (worse, better):
        alone = gate.judge(tripled, [trade])
        assert caps(alone) == [PPM if trade is better else 0]


def test_no_trade_makes_a_new_violation_where_the_base_is_violated() -> None:
    """A seller who cures the low voltages may not overload the line that leads away."""
    tripled = times(CIGRE.baseline, 3)
    result = judge(CIGRE).judge(tripled, [sells("s", 6, 30_000)])
    assert result.kind is GateKind.BASE_VIOLATED
    assert caps(result) == [0]


def test_nothing_is_feasible_that_is_not_certified() -> None:
    beyond = times(CIGRE.baseline, 60)
    firm = TradeInjection(b"f" * 32, {})
    result = judge(CIGRE).judge(beyond, [A_BUYS, firm])
    assert result.kind is GateKind.NOT_CERTIFIED
    assert caps(result) == [0, 0]
    assert {decision.reason for decision in result.decisions} == {Reason.NOT_CERTIFIED}
    assert result.alarms


def test_a_trade_beyond_collapse_is_refused_as_not_certified() -> None:
    result = judge(CIGRE).judge(CIGRE.baseline, [buys("x", 6, 10**6, divisible=False), A_BUYS])
    assert result.kind is GateKind.INFEASIBLE
    assert caps(result) == [0, PPM]
    assert result.decisions[0].reason is Reason.NOT_CERTIFIED


def test_an_indivisible_trade_is_refused_not_capped() -> None:
    second = replace(B_BUYS, divisible=False)
    result = judge(CIGRE).judge(CIGRE.baseline, [A_BUYS, second])
    assert caps(result) == [PPM, 0]
    assert result.decisions[1].kind is DecisionKind.REFUSE


def test_a_group_is_all_or_none() -> None:
    pair = [buys("p", 7, 1400, group=4, divisible=False), buys("q", 9, 100, group=4)]
    result = judge(CIGRE).judge(CIGRE.baseline, [A_BUYS, *pair])
    assert caps(result) == [PPM, 0, 0]


def test_a_group_is_capped_together() -> None:
    pair = [buys("p", 7, 1400, group=4), buys("q", 9, 100, group=4)]
    result = judge(CIGRE).judge(CIGRE.baseline, [A_BUYS, *pair])
    assert caps(result)[1] == caps(result)[2]
    assert 0 < caps(result)[1] < PPM


def test_a_helper_cannot_be_relied_on_unless_it_comes_in_the_same_transaction() -> None:
    """B fits only beside a seller at its bus; apart the seller may not come."""
    helper = sells("h", 7, 1500)
    gate = judge(CIGRE)
    apart = gate.judge(CIGRE.baseline, [A_BUYS, helper, B_BUYS])
    assert apart.kind is GateKind.INFEASIBLE
    assert caps(apart)[2] < PPM
    together = [replace(helper, group=1), replace(B_BUYS, group=1)]
    assert gate.judge(CIGRE.baseline, [A_BUYS, *together]).kind is GateKind.FEASIBLE


def test_merit_order_decides_who_is_cut() -> None:
    result = judge(CIGRE).judge(CIGRE.baseline, [B_BUYS, A_BUYS])
    assert caps(result)[0] == PPM
    assert caps(result)[1] < PPM


def test_a_refused_trade_does_not_stop_a_later_one_that_fits() -> None:
    late = sells("s", 10, 100)
    result = judge(CIGRE).judge(CIGRE.baseline, [A_BUYS, replace(B_BUYS, divisible=False), late])
    assert caps(result) == [PPM, 0, PPM]


def test_firm_trades_are_accepted_and_touch_nobody() -> None:
    result = judge(CIGRE).judge(CIGRE.baseline, [TradeInjection(b"f" * 32, {})])
    assert result.kind is GateKind.FEASIBLE
    assert result.decisions[0].owners == ()


def test_a_trade_names_every_owner_it_touches() -> None:
    owners = CIGRE.network.owners
    big, small = judge(CIGRE).judge(CIGRE.baseline, [buys("a", 6, 500), buys("c", 10, 2)]).decisions
    assert set(big.owners) == set(owners)
    assert list(big.owners) == sorted(big.owners)
    assert set(small.owners) == {owners[3]}


def test_cuts_bring_the_received_set_inside_its_limits() -> None:
    gate = judge(CIGRE)
    result = gate.judge(CIGRE.baseline, [A_BUYS, B_BUYS])
    assert {cut.limit for cut in result.cuts} == {v.limit for v in result.violations}
    share = min(
        cut.bound / sum(coefficient for _, coefficient in cut.trades) for cut in result.cuts
    )
    assert 0 < share < 1
    # Linear at the violating point, so a hair less than the line is enough.
    scaled = [
        TradeInjection(
            trade.key, {bus: int(p * share * 0.97) for bus, p in trade.injections_milliwatt.items()}
        )
        for trade in (A_BUYS, B_BUYS)
    ]
    assert gate.judge(CIGRE.baseline, scaled).kind is GateKind.FEASIBLE


def test_a_cut_s_bus_coefficients_tell_the_same_story_as_its_trades() -> None:
    cut = judge(CIGRE).judge(CIGRE.baseline, [A_BUYS, B_BUYS]).cuts[0]
    by_bus = dict(cut.buses)
    for (_, coefficient), bus in zip(cut.trades, (6, 7), strict=True):
        assert coefficient == pytest.approx(-1500 * by_bus[bus], rel=1e-6)
    assert 0 < cut.bound < PICO


def test_a_cut_counts_helpers_as_nothing() -> None:
    result = judge(CIGRE).judge(CIGRE.baseline, [A_BUYS, sells("h", 10, 100), B_BUYS])
    low = next(cut for cut in result.cuts if cut.kind is LimitKind.V_LOW)
    assert [coefficient > 0 for _, coefficient in low.trades] == [True, False, True]
    assert low.trades[1][1] == 0


def test_the_step_from_slot_to_slot_is_judged() -> None:
    gate = judge(CIGRE)
    before = gate.judge(CIGRE.baseline, []).scenarios[1].proof
    then = {
        bus: round(np.hypot(e, f))
        for bus, (_, _, e, f) in zip(CIGRE.network.load_buses, before.rows, strict=True)
    }
    calm = gate.judge(CIGRE.baseline, [A_BUYS], previous_voltages=then)
    assert calm.kind is GateKind.FEASIBLE
    then[6] += 10_000_000
    jump = gate.judge(CIGRE.baseline, [A_BUYS], previous_voltages=then)
    assert jump.kind is GateKind.INFEASIBLE
    assert jump.decisions[0].reason is Reason.STEP
    assert 0 < caps(jump)[0] < PPM


def test_the_point_of_common_coupling_is_a_signed_limit() -> None:
    def gate(low: int | None, high: int | None) -> Judge:
        coupling = PowerLimit("feeder", ("line", 0), high, low)
        return Judge(CIGRE.network, Limits(power=(coupling,)), NO_MARGINS)

    tight = gate(None, 2_000 * KILOWATT).judge(CIGRE.baseline, [A_BUYS])
    assert tight.decisions[0].reason is Reason.PCC
    assert tight.decisions[0].limit == "PCC feeder max"
    reverse = gate(0, None).judge(CIGRE.baseline, [sells("s", 6, 4_000)])
    assert reverse.decisions[0].limit == "PCC feeder min"
    assert (
        gate(-(10**10), None).judge(CIGRE.baseline, [sells("s", 6, 2_000)]).kind
        is GateKind.FEASIBLE
    )


def test_a_seller_who_lifts_the_voltage_too_far_is_capped() -> None:
    result = judge(CIGRE).judge(CIGRE.baseline, [sells("s", 11, 6_000)])
    assert result.decisions[0].reason is Reason.V_HIGH
    assert 0 < caps(result)[0] < PPM
    tightest = result.tightest
    assert tightest is not None
    assert tightest.scenario == "whole set, slack high"


def test_a_union_that_the_patterns_miss_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        subsets, "worst_unions", lambda room: np.zeros((room.shape[1], 1), dtype=np.float64)
    )
    result = judge(CIGRE).judge(CIGRE.baseline, [A_BUYS, B_BUYS])
    assert result.kind is GateKind.INFEASIBLE
    assert caps(result)[1] < PPM


def test_line_ratings_bind_where_voltages_do_not() -> None:
    buses = tuple(replace(bus, v_min=NANO // 2, v_max=2 * NANO) for bus in CIGRE.network.buses)
    network = replace(CIGRE.network, buses=buses)
    result = Judge(network, Limits(), Margins()).judge(CIGRE.baseline, [buys("a", 6, 6_000)])
    assert result.decisions[0].reason is Reason.LINE
    assert 0 < caps(result)[0] < PPM


def test_each_tap_position_a_regulator_could_hold_is_a_scenario() -> None:
    frozen = judge(TWO, NO_MARGINS).judge(TWO.baseline, [])
    assert frozen.kind is GateKind.FEASIBLE
    moving = replace(NO_MARGINS, taps=(((0, -2),), ((0, 2),)))
    result = judge(TWO, moving).judge(TWO.baseline, [])
    assert result.kind is GateKind.BASE_VIOLATED
    assert [row.taps for row in result.scenarios[:4]] == [(), (), ((0, -2),), ((0, 2),)]


def test_margins_take_their_share() -> None:
    free = judge(CIGRE, NO_MARGINS).judge(CIGRE.baseline, [A_BUYS]).tightest
    careful = judge(CIGRE).judge(CIGRE.baseline, [A_BUYS]).tightest
    assert free is not None
    assert careful is not None
    assert free.safety_margin == 0
    assert careful.safety_margin > 1e-4
    assert free.margin_percent - careful.margin_percent > 1.0


def test_unbalance_is_subtracted_at_low_voltage_only() -> None:
    only = replace(NO_MARGINS, unbalance_pu=0.03)
    assert judge(TWO, only).judge(TWO.baseline, []).kind is GateKind.BASE_VIOLATED
    assert judge(CIGRE, only).judge(CIGRE.baseline, []).kind is GateKind.FEASIBLE


def test_a_peak_factor_widens_the_drop_behind_it() -> None:
    peak = replace(NO_MARGINS, peak_factors={11: 2.0})
    assert judge(TWO, NO_MARGINS).judge(TWO.baseline, []).kind is GateKind.FEASIBLE
    low = judge(TWO, replace(peak, peak_factors={11: 2.2})).judge(TWO.baseline, [])
    assert low.kind is GateKind.BASE_VIOLATED
    assert [violation.limit for violation in low.violations] == ["V_LOW bus 11"]


def test_worst_subsets_decide_as_all_unions_do(monkeypatch: pytest.MonkeyPatch) -> None:
    trades = [
        (sells if place % 3 == 2 else buys)(f"t{place}", 4 + place % 8, 420) for place in range(9)
    ]
    by_unions = judge(CIGRE).judge(CIGRE.baseline, trades)
    monkeypatch.setattr(subsets, "GROUPS_EXHAUSTIVE_MAX", 0)
    by_patterns = judge(CIGRE).judge(CIGRE.baseline, trades)
    assert by_unions.kind is by_patterns.kind is GateKind.INFEASIBLE
    assert caps(by_unions) == pytest.approx(caps(by_patterns), abs=2)
    assert by_unions.tightest is not None
    assert by_patterns.tightest is not None
    assert by_unions.tightest.scenario == by_patterns.tightest.scenario


def test_more_groups_than_can_be_enumerated_are_judged() -> None:
    trades = [buys(f"t{place}", 4 + place % 8, 260) for place in range(14)]
    result = judge(CIGRE).judge(CIGRE.baseline, trades)
    assert result.kind is GateKind.INFEASIBLE
    assert 3 < sum(caps(result)) / PPM < 12


@pytest.mark.parametrize(
    ("trades", "error"),
    [
        ([buys("x", 99, 1)], UnknownBus),
        ([A_BUYS, A_BUYS], NetworkError),
        ([TradeInjection(b"x", {6: 1.5})], NetworkError),  # type: ignore[dict-item]
        ([TradeInjection(b"x", {6: 10**18})], NetworkError),
    ],
    ids=["unknown bus", "key twice", "not an integer", "a unit mistaken"],
)
def test_a_question_that_makes_no_sense_is_refused(
    trades: list[TradeInjection], error: type[Exception]
) -> None:
    with pytest.raises(error):
        judge(CIGRE).judge(CIGRE.baseline, trades)


class AnotherSolver:
    """A second solver that answers a given distance away, or not at all."""

    def __init__(self, off_pu: float | None) -> None:
        self.off_pu = off_pu
        self.asked = 0

    def magnitudes(self, points):
        self.asked = len(points)
        if self.off_pu is None:
            raise NotConverged("no")
        gate = judge(CIGRE)
        found = []
        for point in points:
            solution = gate.corners[0].model
            from tieline.power.batch import solve_batch

            V = solve_batch(solution, point.S[:, None], point.slack_scale).V[:, 0]
            found.append(np.abs(V) + self.off_pu)
        return found


def test_the_second_solver_sees_the_set_and_the_tightest_corner() -> None:
    other = AnotherSolver(0.0)
    result = Gate(CIGRE.network, CIGRE.limits, Margins(), other).judge(CIGRE.baseline, [A_BUYS])
    assert result.kind is GateKind.FEASIBLE
    assert other.asked == 2
    assert result.reference_difference_pu is not None
    assert result.reference_difference_pu < 1e-8


@pytest.mark.parametrize("off_pu", [2e-6, None], ids=["disagrees", "finds nothing"])
def test_a_disagreement_of_solvers_refuses_everything_and_alarms(off_pu: float | None) -> None:
    gate = Gate(CIGRE.network, CIGRE.limits, Margins(), AnotherSolver(off_pu))
    result = gate.judge(CIGRE.baseline, [A_BUYS])
    assert result.kind is GateKind.NOT_CERTIFIED
    assert caps(result) == [0]
    assert "reference solver disagrees" in result.alarms[0]
