"""The feeder of the shipped evening really joins its microgrids: the hub has something to do."""

from collections.abc import Mapping

import pytest

from tieline.power.gate import Gate
from tieline.power.gate_result import DecisionKind, GateKind, GateResult, TradeInjection
from tieline.power.operating_point import operating_point
from tieline.scenario.config import ScenarioConfig
from tieline.scenario.households import Households
from tieline.scenario.network_source import Wires, read_wires
from tieline.scenario.reading import load_scenario, shipped_scenario

MILLIWATT = 1_000_000_000
DEPOT, ELECTROLYSER = b"depot", b"electrolyser"
THIRD_PARTY_SLOT = 8
Baseline = Mapping[int, tuple[int, int]]


@pytest.fixture(scope="module")
def evening() -> ScenarioConfig:
    """The shipped evening."""
    return load_scenario(shipped_scenario("evening"))


@pytest.fixture(scope="module")
def wires(evening: ScenarioConfig) -> Wires:
    """Its network, each zone owned by its cell."""
    names = [microgrid.name for microgrid in evening.microgrids] + [evening.operator.name]
    return read_wires(evening, {name: name.encode().rjust(20, b"\0") for name in names})


@pytest.fixture(scope="module")
def baseline(evening: ScenarioConfig, wires: Wires) -> Baseline:
    """The forecast of the third-party slot: all cells and the loads that take no part."""
    rows = Households(evening, wires.rated_loads).baseline(evening.slot_start_s(THIRD_PARTY_SLOT))
    return {bus: (row.p_milliwatt, row.q_millivar) for bus, row in rows.items()}


def buyers(first_mw: float = 1.5, second_mw: float = 1.5) -> list[TradeInjection]:
    """The bus depot and the electrolyser, in merit order."""
    return [
        TradeInjection(DEPOT, {6: -round(first_mw * MILLIWATT)}),
        TradeInjection(ELECTROLYSER, {7: -round(second_mw * MILLIWATT)}),
    ]


def judged(wires: Wires, baseline: Baseline, trades: list[TradeInjection]) -> GateResult:
    """Ask the gate as a cell does, without the second solver."""
    return Gate(wires.network, with_reference=False).judge(baseline, trades)


def test_moving_a_s_injection_moves_the_voltage_in_b_and_c(
    evening: ScenarioConfig, wires: Wires, baseline: Baseline
) -> None:
    """More than 1e-4 pu at every bus of the others: no microgrid's physics is its own affair."""
    p, q = baseline[6]
    before = operating_point(wires.network, baseline).vm_pu
    after = operating_point(wires.network, {**baseline, 6: (p - MILLIWATT // 2, q)}).vm_pu
    for microgrid in evening.microgrids:
        moved = [before[bus] - after[bus] for bus in microgrid.buses]
        assert min(moved) > 1e-4, microgrid.name


def test_what_one_zone_knows_is_not_enough_for_the_verdict(
    evening: ScenarioConfig, wires: Wires, baseline: Baseline
) -> None:
    """Both buyers are refused or cut; with any cell's own data alone they would pass."""
    assert judged(wires, baseline, buyers()).kind is GateKind.INFEASIBLE
    for microgrid in evening.microgrids:
        own = {bus: row if bus in microgrid.buses else (0, 0) for bus, row in baseline.items()}
        assert judged(wires, own, buyers()).kind is GateKind.FEASIBLE, microgrid.name


@pytest.mark.parametrize(("first", "second"), [(1.5, 0.0), (0.0, 1.5)])
def test_each_buyer_alone_would_pass(
    wires: Wires, baseline: Baseline, first: float, second: float
) -> None:
    """The harm is in the sum."""
    trades = [trade for trade in buyers(first, second) if any(trade.injections_milliwatt.values())]
    assert judged(wires, baseline, trades).kind is GateKind.FEASIBLE


def test_only_the_marginal_buyer_gives_way(wires: Wires, baseline: Baseline) -> None:
    """The first in merit order keeps all; the second gets what the network has left."""
    first, second = judged(wires, baseline, buyers()).decisions
    assert (first.kind, first.cap_ppm) == (DecisionKind.ACCEPT, 1_000_000)
    assert second.kind is not DecisionKind.ACCEPT
    assert second.cap_ppm < 1_000_000


def test_three_times_every_load_violates_the_base_and_nobody_makes_it_worse(
    wires: Wires, baseline: Baseline
) -> None:
    """Devices that draw are refused; one that feeds in is let be."""
    tripled = {bus: (3 * p, 3 * q) for bus, (p, q) in baseline.items()}
    helper = TradeInjection(b"helper", {10: MILLIWATT // 10})
    result = judged(wires, tripled, [*buyers(0.01, 0.01), helper])
    assert result.kind is GateKind.BASE_VIOLATED
    decided = {decision.key: decision for decision in result.decisions}
    assert decided[DEPOT].kind is DecisionKind.REFUSE
    assert decided[ELECTROLYSER].kind is DecisionKind.REFUSE
    assert decided[b"helper"].kind is DecisionKind.ACCEPT
