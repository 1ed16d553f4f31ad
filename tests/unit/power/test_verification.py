"""What a cell refuses to sign, and with which words."""

from dataclasses import replace

import pytest
from fakes.networks import buys, published_case, sells

from tieline.interfaces.limits import PPM
from tieline.power.flow_proof import flow_proof_hash
from tieline.power.gate_result import DecisionKind, GateKind, GateResult, TradeDecision
from tieline.power.judgement import Judge
from tieline.power.settings import NO_MARGINS, Margins
from tieline.power.verification import verify_result, verify_scenarios
from tieline.swap.records import Reason

CIGRE = published_case("cigre_mv_feeder_1")
TRADES = [buys("a", 6, 1500), buys("b", 7, 1500), sells("s", 9, 200)]
JUDGE = Judge(CIGRE.network, CIGRE.limits, Margins())
HONEST = JUDGE.judge(CIGRE.baseline, TRADES)


def verify(result: GateResult, **change: object) -> tuple[str, ...]:
    given = {
        "network": CIGRE.network,
        "baseline_milliwatt": CIGRE.baseline,
        "trades": TRADES,
        **change,
    }
    return verify_result(limits=CIGRE.limits, margins=Margins(), result=result, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0, 60.0])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_an_honest_result_is_signed(factor: float, count: int) -> None:
    baseline = {
        bus: (round(p * factor), round(q * factor)) for bus, (p, q) in CIGRE.baseline.items()
    }
    result = JUDGE.judge(baseline, TRADES[:count])
    assert verify(result, baseline_milliwatt=baseline, trades=TRADES[:count]) == ()


def decided(place: int, **change: object) -> GateResult:
    rows = list(HONEST.decisions)
    rows[place] = replace(rows[place], **change)
    return replace(HONEST, decisions=tuple(rows))


def with_scenarios(*scenarios: object) -> GateResult:
    root = flow_proof_hash([(row.number, row.proof.hash) for row in scenarios])
    return replace(HONEST, scenarios=tuple(scenarios), flow_proof_hash=root)


def spoiled_scenario(place: int, **change: object) -> GateResult:
    rows = list(HONEST.scenarios)
    rows[place] = replace(rows[place], **change)
    return with_scenarios(*rows)


def greedy() -> GateResult:
    """All three at full, with honest proofs of it: the proposer ignores the limits."""
    blind = Judge(CIGRE.network, CIGRE.limits, replace(Margins(), z=0.0))
    network = replace(
        CIGRE.network,
        buses=tuple(replace(bus, v_min=5 * 10**8) for bus in CIGRE.network.buses),
        lines=tuple(replace(line, i_max=0) for line in CIGRE.network.lines),
    )
    result = Judge(network, CIGRE.limits, blind.margins).judge(CIGRE.baseline, TRADES)
    assert result.kind is GateKind.FEASIBLE
    return replace(result, network_epoch=JUDGE.epoch)


FIRST, *REST = HONEST.scenarios
LIES = [
    ("another network", replace(HONEST, network_epoch=bytes(32)), "network epoch"),
    ("a decision left out", replace(HONEST, decisions=HONEST.decisions[:2]), "do not name"),
    ("decisions swapped", replace(HONEST, decisions=HONEST.decisions[::-1]), "do not name"),
    ("a cap above one", decided(0, cap_ppm=PPM + 1), "cap is not between"),
    ("a cap raised", decided(1, cap_ppm=HONEST.decisions[1].cap_ppm + 5_000), "injections"),
    ("a trade refused for nothing", decided(2, cap_ppm=0), "holds a refused trade"),
    ("everything accepted", greedy(), "breaks V_LOW"),
    ("hash of other proofs", replace(HONEST, flow_proof_hash=bytes(32)), "flow proof hash"),
    ("no corners", with_scenarios(FIRST, REST[0]), "corners are missing"),
    ("scenario 0 left out", with_scenarios(*REST), "not numbered"),
    ("corner swapped", spoiled_scenario(2, slack_ppm=PPM), "corner that its number"),
    ("slack nobody asked for", spoiled_scenario(2, slack_ppm=PPM - 1), "not a corner"),
    ("whole set without a trade", spoiled_scenario(1, trades=()), "set or the corner"),
    (
        "a proof of nothing",
        spoiled_scenario(1, proof=replace(HONEST.scenarios[1].proof, rho=0)),
        "flow proof does not hold: rho",
    ),
    ("another kind", replace(HONEST, kind=GateKind.FEASIBLE), "kind: posted=FEASIBLE"),
    ("nothing certified, one accepted", replace(HONEST, kind=GateKind.NOT_CERTIFIED), "although"),
    ("an owner not asked", decided(0, owners=HONEST.decisions[0].owners[1:]), "owner it touches"),
]


@pytest.mark.parametrize(
    ("result", "words"), [row[1:] for row in LIES], ids=[row[0] for row in LIES]
)
def test_a_lie_is_named(result: GateResult, words: str) -> None:
    findings = verify(result)
    assert any(words in finding for finding in findings), findings


def test_one_non_traders_load_changed_by_a_milliwatt_is_named() -> None:
    moved = {**CIGRE.baseline, 10: (CIGRE.baseline[10][0] - 1, CIGRE.baseline[10][1])}
    assert "first at bus 10" in verify(HONEST, baseline_milliwatt=moved)[0]


def test_one_trade_changed_is_named() -> None:
    trades = [buys("a", 6, 1501), *TRADES[1:]]
    assert "first at bus 6" in verify(HONEST, trades=trades)[0]


def test_refusing_everything_for_no_reason_is_named() -> None:
    """A cell may be silent, but not claim that physics says no."""
    refusals = tuple(
        TradeDecision(trade.key, DecisionKind.REFUSE, 0, Reason.V_LOW) for trade in TRADES
    )
    alone = JUDGE.judge(CIGRE.baseline, [])
    lie = replace(alone, decisions=refusals, kind=GateKind.INFEASIBLE)
    assert any("own=1000000" in finding for finding in verify(lie))


def test_half_a_group_is_named() -> None:
    trades = [buys("p", 7, 100, group=1), buys("q", 9, 100, group=1)]
    honest = JUDGE.judge(CIGRE.baseline, trades)
    rows = (honest.decisions[0], replace(honest.decisions[1], cap_ppm=0))
    findings = verify(replace(honest, decisions=rows), trades=trades)
    assert "a group is all or none, but its trades differ" in findings


def test_a_capped_all_or_none_trade_is_named() -> None:
    trades = [replace(TRADES[0], divisible=False)]
    honest = JUDGE.judge(CIGRE.baseline, trades)
    lie = replace(honest, decisions=(replace(honest.decisions[0], cap_ppm=7),))
    assert "all or none, but capped" in verify(lie, trades=trades)[0]


def test_a_dangerous_subset_is_named_even_if_the_whole_set_is_proved() -> None:
    """A seller hides what two buyers do; the posted scenarios are honest, the subset is not."""
    trades = [buys("a", 6, 1450), sells("h", 7, 1499), buys("b", 7, 1500)]
    together = [replace(trades[0]), *(replace(trade, group=1) for trade in trades[1:])]
    lie = JUDGE.judge(CIGRE.baseline, together)
    assert lie.kind is GateKind.FEASIBLE
    findings = verify(lie, trades=trades)
    assert any("subset of the accepted set breaks V_LOW" in finding for finding in findings)


def test_caps_known_in_whole_wh_only_are_allowed_their_rounding() -> None:
    caps = {decision.key: decision.cap_ppm for decision in HONEST.decisions}
    caps[TRADES[1].key] -= 1
    given = (JUDGE, CIGRE.baseline, TRADES, caps, HONEST.scenarios, HONEST.flow_proof_hash)
    assert verify_scenarios(*given)
    assert verify_scenarios(*given, power_tolerance_milliwatt=4_000_000) == []


def test_a_tap_scenario_is_verified_on_its_own_matrix() -> None:
    two = published_case("two_feeders")
    margins = replace(NO_MARGINS, taps=(((0, -1),),))
    result = Judge(two.network, two.limits, margins).judge(two.baseline, [])
    assert verify_result(two.network, two.limits, margins, two.baseline, [], result) == ()
    frozen = replace(margins, taps=())
    assert verify_result(two.network, two.limits, frozen, two.baseline, [], result)
