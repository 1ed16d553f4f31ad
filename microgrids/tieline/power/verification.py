"""
What a cell does before it signs another cell's verdict, and an auditor afterwards. Numpy only.

Proofs are checked as they were posted; decisions are compared with one's own, within a tolerance,
because two machines round differently and nobody hashes floats.

Sources:
    ``docs/spec/trust.md`` 3; ``docs/spec/physics.md`` 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tieline.interfaces.limits import PPM
from tieline.power import flow_proof
from tieline.power.admission import Bar, columns_over, evaluate, raise_bar
from tieline.power.corners import Corner, SlotQuestion, safety_margins
from tieline.power.flow_proof import check_flow_proof, proved_solution
from tieline.power.gate_result import (
    Baseline,
    GateKind,
    GateResult,
    ProvedScenario,
    TradeInjection,
)
from tieline.power.judgement import Judge
from tieline.power.network import Network
from tieline.power.settings import Limits, Margins

ROOM_TOLERANCE = 1e-7
"""Room that two machines may see differently, in a limit's unit; far below any margin."""
CAP_TOLERANCE_PPM = 1_000
"""A cap that differs by more was not found by the rule."""


def verify_result(
    network: Network,
    limits: Limits,
    margins: Margins,
    baseline_milliwatt: Baseline,
    trades: Sequence[TradeInjection],
    result: GateResult,
    previous_voltages: Mapping[int, int] | None = None,
    sigma_milliwatt: Mapping[int, int] | None = None,
) -> tuple[str, ...]:
    """
    Check a proposer's result against the network's integers, the signed data and one's own.

    Args:
        network: The epoch's network, from its canonical bytes.
        limits: As agreed.
        margins: As agreed.
        baseline_milliwatt: The forecast that the cells committed to.
        trades: The received set, in merit order.
        result: What the proposer posted; decisions, scenarios, hash and epoch are checked.
        previous_voltages: As given to the proposer.
        sigma_milliwatt: As given to the proposer.

    Returns:
        What does not hold, the first difference first; empty: sign.

    Raises:
        UnknownBus: Baseline or trades name a bus that the network does not have.
        NetworkError: Powers that are not integers, repeated trade keys.
    """
    judge = Judge(network, limits, margins)
    findings = list(_form(judge, trades, result))
    if findings or result.kind is GateKind.NOT_CERTIFIED:
        # Nothing was accepted, so nothing needs a proof.
        return tuple(findings)
    caps = {decision.key: decision.cap_ppm for decision in result.decisions}
    findings += verify_scenarios(
        judge,
        baseline_milliwatt,
        trades,
        caps,
        result.scenarios,
        result.flow_proof_hash,
        previous_voltages,
        sigma_milliwatt,
    )
    own = judge.judge(baseline_milliwatt, trades, previous_voltages, sigma_milliwatt)
    if own.kind is not result.kind:
        findings.append(f"kind: posted={result.kind.value} own={own.kind.value}")
    for theirs, ours in zip(result.decisions, own.decisions, strict=True):
        if abs(theirs.cap_ppm - ours.cap_ppm) > CAP_TOLERANCE_PPM:
            findings.append(
                f"trade {theirs.key.hex()[:8]}: cap posted={theirs.cap_ppm} own={ours.cap_ppm} ppm"
            )
        if theirs.cap_ppm and not set(ours.owners) <= set(theirs.owners):
            findings.append(f"trade {theirs.key.hex()[:8]}: an owner it touches is not named")
    return tuple(findings)


def verify_scenarios(
    judge: Judge,
    baseline_milliwatt: Baseline,
    trades: Sequence[TradeInjection],
    caps_ppm: Mapping[bytes, int],
    scenarios: Sequence[ProvedScenario],
    flow_proof_hash: bytes,
    previous_voltages: Mapping[int, int] | None = None,
    sigma_milliwatt: Mapping[int, int] | None = None,
    power_tolerance_milliwatt: int = 0,
) -> list[str]:
    """
    Check what stands behind a verdict: the posted proofs, their limits, every other subset.

    Args:
        judge: Of the network, limits and margins.
        baseline_milliwatt: The forecast that the cells committed to.
        trades: The received set, in merit order.
        caps_ppm: trade key -> accepted millionths; 0 or missing: refused.
        scenarios: As posted.
        flow_proof_hash: As signed.
        previous_voltages: As given to the proposer.
        sigma_milliwatt: As given to the proposer.
        power_tolerance_milliwatt: By how much a bus's injection may differ where a capped trade
            takes place and its cap is known in whole Wh only.

    Returns:
        What does not hold, the first difference first.
    """
    question = judge.question(baseline_milliwatt, trades, previous_voltages)
    findings = list(_numbering(judge, scenarios, flow_proof_hash))
    nominal = question.corners[0]
    slopes = question.slopes(nominal, np.ones(len(question.groups)))
    slopes = slopes or question.slopes(nominal, np.zeros(len(question.groups)))
    if slopes is None:
        return [*findings, "the forecast alone has no certified solution"]
    if findings:
        return findings
    safety = safety_margins(question, slopes, judge.margins, sigma_milliwatt)
    bar = raise_bar(question, safety)
    caps = {key: cap for key, cap in caps_ppm.items() if cap}
    for scenario in scenarios:
        findings.extend(_scenario(question, bar, caps, scenario, power_tolerance_milliwatt))
    if findings:
        return findings
    shares = np.array(
        [
            max(caps.get(question.trades[place].key, 0) for place in group.trades) / PPM
            for group in question.groups
        ]
    )
    columns = columns_over(question, question.per_group(slopes), shares, exhaustive=True)
    accepted = evaluate(question, bar, columns)
    row = int(accepted.excess.min(axis=1).argmin())
    if accepted.excess[row].min() < -ROOM_TOLERANCE:
        name = question.table.limits[row].name
        findings.append(f"a subset of the accepted set breaks {name}")
    return findings


def _form(judge: Judge, trades: Sequence[TradeInjection], result: GateResult) -> Iterator[str]:
    """Check what needs no physics."""
    if result.network_epoch != judge.epoch:
        yield f"network epoch: posted={result.network_epoch.hex()} own={judge.epoch.hex()}"
    if [decision.key for decision in result.decisions] != [trade.key for trade in trades]:
        yield "decisions do not name the trades in their order"
        return
    caps = [decision.cap_ppm for decision in result.decisions]
    if any(not 0 <= cap <= PPM for cap in caps):
        yield "a cap is not between 0 and 1000000"
    if result.kind is GateKind.NOT_CERTIFIED:
        if any(caps):
            yield "accepts a trade although nothing is certified"
        return
    yield from _all_or_none(trades, caps)


def _numbering(
    judge: Judge, scenarios: Sequence[ProvedScenario], posted_hash: bytes
) -> Iterator[str]:
    numbers = [scenario.number for scenario in scenarios]
    if numbers != list(range(len(numbers))) or len(numbers) <= len(judge.corners):
        yield "scenarios are not numbered from 0, or the corners are missing"
        return
    root = flow_proof.flow_proof_hash([(row.number, row.proof.hash) for row in scenarios])
    if root != posted_hash:
        yield f"flow proof hash: posted={posted_hash.hex()} own={root.hex()}"


def _all_or_none(trades: Sequence[TradeInjection], caps: Sequence[int]) -> Iterator[str]:
    groups: dict[int, set[int]] = {}
    for trade, cap in zip(trades, caps, strict=True):
        if not trade.divisible and cap not in {0, PPM}:
            yield f"trade {trade.key.hex()[:8]} is all or none, but capped"
        if trade.group:
            groups.setdefault(trade.group, set()).add(cap)
    if any(len(group) > 1 for group in groups.values()):
        yield "a group is all or none, but its trades differ"


def _scenario(
    question: SlotQuestion,
    bar: Bar,
    caps: Mapping[bytes, int],
    scenario: ProvedScenario,
    power_tolerance_milliwatt: int,
) -> Iterator[str]:
    """Check one posted operating point: its data, its proof, its limits."""
    title = f"scenario {scenario.number} ({scenario.name})"
    place = _corner(question, scenario)
    if place is None:
        yield f"{title}: not a corner of the margins"
        return
    places = {trade.key: number for number, trade in enumerate(question.trades)}
    if not set(scenario.trades) <= set(caps) or not _whole_groups(question, scenario):
        yield f"{title}: holds a refused trade or a part of a group"
        return
    if not _is_in_place(question, caps, scenario, place):
        yield f"{title}: not the set or the corner that its number stands for"
    expected = question.capped_rows({places[key]: caps[key] for key in scenario.trades})
    is_capped = any(caps[key] < PPM for key in scenario.trades)
    tolerance = power_tolerance_milliwatt if is_capped else 0
    wrong_bus = _first_difference(question, expected, scenario, tolerance)
    if wrong_bus is not None:
        yield f"{title}: injections are not the signed ones, first at bus {wrong_bus}"
        return
    corner = question.corners[place]
    wrong = check_flow_proof(corner.model, scenario.proof, corner.scale)
    if wrong:
        yield f"{title}: flow proof does not hold: {wrong}"
        return
    yield from _limits(question, bar, corner, place, scenario, title)


def _is_in_place(
    question: SlotQuestion, caps: Mapping[bytes, int], scenario: ProvedScenario, place: int
) -> bool:
    """Scenario 0 is the forecast alone, 1 to k the whole set in the k corners."""
    if scenario.number == 0:
        return not scenario.trades and place == 0
    if scenario.number > len(question.corners):
        return True
    everyone = {
        question.trades[trade].key
        for group in question.moving
        for trade in question.groups[group].trades
    }
    return set(scenario.trades) == everyone & set(caps) and place == scenario.number - 1


def _first_difference(
    question: SlotQuestion,
    expected: Sequence[tuple[int, int]],
    scenario: ProvedScenario,
    tolerance: int,
) -> int | None:
    """Return the first bus whose posted injection is not the expected one."""
    if len(expected) != len(scenario.proof.rows):
        return question.network.slack.bus
    pairs = zip(question.network.load_buses, expected, scenario.proof.rows, strict=True)
    for bus, (p, q), (posted_p, posted_q, _, _) in pairs:
        if abs(p - posted_p) > tolerance or q != posted_q:
            return bus
    return None


def _limits(
    question: SlotQuestion,
    bar: Bar,
    corner: Corner,
    place: int,
    scenario: ProvedScenario,
    title: str,
) -> Iterator[str]:
    solution = proved_solution(corner.model, scenario.proof, corner.scale)
    room = question.table.room(
        corner.model, solution, question.previous, is_nominal=corner.is_nominal
    )[:, 0]
    lacking = room - bar.need[place]
    row = int(lacking.argmin())
    if lacking[row] < -ROOM_TOLERANCE:
        yield f"{title}: breaks {question.table.limits[row].name} by {-lacking[row]:.2e}"


def _corner(question: SlotQuestion, scenario: ProvedScenario) -> int | None:
    for place, corner in enumerate(question.corners):
        if (corner.slack_ppm, corner.taps) == (scenario.slack_ppm, scenario.taps):
            return place
    return None


def _whole_groups(question: SlotQuestion, scenario: ProvedScenario) -> bool:
    taking = set(scenario.trades)
    for group in question.groups:
        members = {question.trades[place].key for place in group.trades}
        if len(taking & members) not in {0, len(members)}:
            return False
    return True
