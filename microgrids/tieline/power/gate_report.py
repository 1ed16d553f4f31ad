"""What a verdict says besides yes and no: violations, cuts, proofs, owners, the tightest limit."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, floor

import numpy as np

from tieline.interfaces.limits import PICO, PPM, LinearCut
from tieline.power.admission import Evaluation
from tieline.power.admittance import Floats
from tieline.power.batch import solve_batch
from tieline.power.corners import ROOM_MIN, SlotQuestion
from tieline.power.errors import NotConverged
from tieline.power.flow_proof import flow_proof_hash, make_flow_proof
from tieline.power.gate_result import ProvedScenario, TightestLimit, Violation
from tieline.power.sensitivities import Sensitivities

TOUCH_PU = 1e-4
"""A zone is touched by a trade that moves one of its voltages by more."""
TOUCH_LOADING = 0.01
"""Or the loading of one of its branches by more, as a share of the rating."""


def scenario_name(question: SlotQuestion, evaluation: Evaluation, column: int, corner: int) -> str:
    """Name a subset of the groups in one corner."""
    columns = evaluation.columns
    taking = [place for place in question.moving if columns[place, column] > 0]
    possible = [place for place in question.moving if columns[place].any()]
    if not taking:
        who = "forecast alone"
    elif taking == possible:
        who = "whole set"
    else:
        keys = [question.trades[question.groups[place].trades[0]].key for place in taking]
        who = "only " + "+".join(key.hex()[:8] for key in keys)
    return f"{who}, {question.corners[corner].name}"


def violations_of(
    question: SlotQuestion, received: Evaluation, safety: Floats
) -> tuple[Violation, ...]:
    """Return every limit that the received set breaks, in the worst scenario of each."""
    rows: list[Violation] = []
    for row, (room, column, corner) in enumerate(received.worst):
        if room - safety[row] >= ROOM_MIN:
            continue
        limit = question.table.limits[row]
        rows.append(
            Violation(
                limit=limit.name,
                kind=limit.kind,
                element=limit.element,
                value=limit.bound - room if limit.is_upper else limit.bound + room,
                bound=limit.bound,
                margin=float(safety[row]),
                scenario=scenario_name(question, received, column, corner),
            )
        )
    return tuple(rows)


def cuts_of(question: SlotQuestion, received: Evaluation, safety: Floats) -> tuple[LinearCut, ...]:
    """
    Return one cut for each violated limit, with AC sensitivities at its violating point.

    Helpers count as 0 there: every subset must hold, so nobody may rely on a trade that relieves.
    """
    cuts: list[LinearCut] = []
    known: dict[tuple[int, int], Sensitivities | None] = {}
    for row, (room, column, corner) in enumerate(received.worst):
        demanded = float(safety[row]) + ROOM_MIN
        if room >= demanded or not np.isfinite(room):
            continue
        shares = received.columns[:, column]
        if (column, corner) not in known:
            known[column, corner] = question.slopes(question.corners[corner], shares)
        slopes = known[column, corner]
        if slopes is None:
            continue
        takes = np.maximum(-np.array(question.per_trade(slopes)[row]), 0.0)
        taken = sum(
            float(takes[place]) * float(shares[number])
            for number, group in enumerate(question.groups)
            for place in group.trades
        )
        limit = question.table.limits[row]
        per_kw = -slopes.room[row, : len(question.base)] * 1e-3
        cuts.append(
            LinearCut(
                limit=limit.name,
                kind=limit.kind,
                bound=floor((room + taken - demanded) * PICO),
                trades=tuple(
                    (trade.key, ceil(float(take) * PICO))
                    for trade, take in zip(question.trades, takes, strict=True)
                ),
                buses=tuple(
                    (bus, round(float(slope) * PICO))
                    for bus, slope in zip(question.network.load_buses, per_kw, strict=True)
                ),
            )
        )
    return tuple(cuts)


def prove_scenarios(
    question: SlotQuestion, caps: Mapping[int, int], accepted: Evaluation
) -> tuple[tuple[ProvedScenario, ...], bytes]:
    """
    Prove the forecast, the accepted set in every corner, and the worst subset of every limit.

    Args:
        question: The slot.
        caps: place of a trade -> accepted millionths.
        accepted: All subsets of the accepted set.

    Returns:
        Scenarios in their fixed order, numbered from 0, and the root over their proofs.

    Raises:
        NotConverged: A bound does not close.
    """
    everyone = frozenset(place for place in question.moving if accepted.columns[place].any())
    wanted: dict[tuple[frozenset[int], int], str] = {}
    wanted[frozenset(), -1] = f"forecast alone, {question.corners[0].name}"
    for corner, _ in enumerate(question.corners):
        wanted[everyone, corner] = f"whole set, {question.corners[corner].name}"
    for room, column, corner in accepted.worst:
        groups = frozenset(
            place for place in question.moving if accepted.columns[place, column] > 0
        )
        if not np.isfinite(room) or not (groups or corner):
            continue
        if (groups, corner) not in wanted:
            wanted[groups, corner] = scenario_name(question, accepted, column, corner)
    scenarios = tuple(
        _prove(question, caps, number, name, groups, max(corner, 0))
        for number, ((groups, corner), name) in enumerate(wanted.items())
    )
    return scenarios, flow_proof_hash([(row.number, row.proof.hash) for row in scenarios])


def _prove(
    question: SlotQuestion,
    caps: Mapping[int, int],
    number: int,
    name: str,
    groups: frozenset[int],
    corner_place: int,
) -> ProvedScenario:
    corner = question.corners[corner_place]
    places = sorted(
        place for group in groups for place in question.groups[group].trades if place in caps
    )
    rows = question.capped_rows({place: caps[place] for place in places})
    pq = np.array(rows, dtype=np.float64).reshape(-1, 2) * 1e-9
    solution = solve_batch(corner.model, (pq[:, :1] + 1j * pq[:, 1:]), corner.scale)
    if not solution.certified[0]:
        raise NotConverged(f"scenario not certified: {name}")
    return ProvedScenario(
        number=number,
        name=name,
        slack_ppm=corner.slack_ppm,
        taps=corner.taps,
        trades=tuple(question.trades[place].key for place in places),
        proof=make_flow_proof(corner.model, rows, solution.V[:, 0], corner.scale),
    )


def tightest_limit(
    question: SlotQuestion,
    caps: Mapping[int, int],
    accepted: Evaluation,
    safety: Floats,
    slopes: Sensitivities,
) -> TightestLimit | None:
    """Return the limit with the least room after margins, in % of its own measure."""
    judged = [
        ((room - float(safety[row])) / question.table.limits[row].percent_of, row)
        for row, (room, _, _) in enumerate(accepted.worst)
        if np.isfinite(room)
    ]
    if not judged:
        return None
    share, row = min(judged)
    limit = question.table.limits[row]
    room, column, corner = accepted.worst[row]
    per_trade = question.per_trade(slopes)[row]
    marginal, margin_kw = None, None
    for place in sorted(caps, reverse=True):
        if per_trade[place] < 0:
            trade = question.trades[place]
            marginal = trade.key
            powers = trade.injections_milliwatt.values()
            kw = max(sum(p for p in powers if p > 0), -sum(p for p in powers if p < 0)) * 1e-6
            margin_kw = (room - float(safety[row])) / -float(per_trade[place]) * kw
            break
    return TightestLimit(
        limit=limit.name,
        kind=limit.kind,
        element=limit.element,
        scenario=scenario_name(question, accepted, column, corner),
        margin_percent=100 * share,
        safety_margin=float(safety[row]),
        marginal_trade=marginal,
        margin_kw=margin_kw,
    )


def owners_touched(
    question: SlotQuestion, slopes: Sensitivities, place: int, cap_ppm: int
) -> tuple[bytes, ...]:
    """
    Return the cells whose zone a trade touches at its cap, ascending by address.

    Besides the rule, the owners of the buses where it injects. A firm trade touches nobody.
    """
    network = question.network
    moved = question.trade_vectors[place] * (cap_ppm / PPM)
    vector = np.concatenate([moved.real, moved.imag])
    owner_of = {bus.index: bus.owner for bus in network.buses}
    volts = np.abs(slopes.magnitude @ vector)
    loads = np.abs(slopes.loading @ vector)
    touched = {
        owner_of[bus]
        for bus, change, power in zip(network.load_buses, volts, moved, strict=True)
        if change > TOUCH_PU or power != 0
    }
    touched |= {
        branch.owner
        for branch, change in zip(network.branches, loads, strict=True)
        if change > TOUCH_LOADING
    }
    return tuple(sorted(network.owners[owner] for owner in touched))
