"""
Clearing and the network's word on it, in turn: cuts and clearing again, then dropping trades.

The proposer runs the rounds; every other cell follows them with its own gate before it signs, so
that nobody is cut whom the network does not cut.

Sources:
    ``docs/spec/physics.md`` 5; ``docs/spec/market.md`` 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tieline.interfaces.limits import PPM, LinearCut
from tieline.market.clearing import SlotClearing, clear_slot
from tieline.market.constrained import NoSolution, caps_under_cuts, refused_caps
from tieline.market.order import BookOrder
from tieline.power.evidence import gate_evidence
from tieline.power.gate_result import DecisionKind, GateResult
from tieline.power.verification import CAP_TOLERANCE_PPM
from tieline.swap.evidence import GateEvidence, Zone
from tieline.utility.cell import UtilityCell
from tieline.utility.slot_work import CheckRound

Caps = Mapping[bytes, int]
"""Most Wh by order id; orders left out have no cap."""
DROP_ROUNDS_MAX = 4
"""So many rounds leave capped trades what fits; later ones drop them whole, so that it ends."""


@dataclass(frozen=True, slots=True)
class CheckedClearing:
    """A clearing that the network holds."""

    clearing: SlotClearing
    caps: tuple[Caps, ...]
    """After each round but the last, which needed none."""
    gate: GateEvidence
    """Of the last round."""
    rounds: tuple[CheckRound, ...]


def clear_and_check(
    cell: UtilityCell, book: Sequence[BookOrder], baseline: tuple[Zone, ...], coin: bytes
) -> CheckedClearing:
    """
    Clear, ask the network, cut and clear again: at most ``rounds_max`` times; then leave out what
    the gate refuses: least welfare per unit of relief goes first.
    """
    caps: Caps = {}
    every: list[Caps] = []
    cuts: list[LinearCut] = []
    rounds: list[CheckRound] = []
    while True:
        clearing = clear_slot(book, cell.terms.rules, coin, caps)
        trades = cell.check.order_trades(book, clearing.positions)
        result = cell.check.judge(baseline, trades)
        rounds.append(_round(clearing, result, caps, book))
        if is_accepted_in_full(result):
            evidence = gate_evidence(result, trades, PPM)
            return CheckedClearing(clearing, tuple(every), evidence, tuple(rounds))
        if _is_cutting(cell, len(every), result):
            cuts.extend(result.cuts)
            under = caps_under_cuts(book, cell.terms.rules, cuts, cell.slot_length)
            caps = dict(under.caps_wh)
        else:
            caps = _caps_of_refusals(cell, len(every), result, clearing, caps)
        every.append(caps)


def refused_rounds(
    cell: UtilityCell,
    book: Sequence[BookOrder],
    baseline: tuple[Zone, ...],
    coin: bytes,
    rounds: Sequence[Caps],
) -> str | None:
    """
    Follow a proposer's caps round by round; return None to agree, else what is wrong first.

    The cuts of each round are this cell's own, of its own gate; the proposer's caps must hold them
    and lose no welfare against them (``market.constrained.refused_caps``).
    """
    caps: Caps = {}
    cuts: list[LinearCut] = []
    for place, theirs in enumerate(rounds):
        clearing = clear_slot(book, cell.terms.rules, coin, caps)
        trades = cell.check.order_trades(book, clearing.positions)
        result = cell.check.own_judgement(baseline, trades)
        if is_accepted_in_full(result):
            return f"round {place + 1}: caps although the network holds all"
        if _is_cutting(cell, place, result):
            cuts.extend(result.cuts)
            try:
                wrong = refused_caps(book, cell.terms.rules, cuts, cell.slot_length, theirs)
            except NoSolution as error:
                wrong = str(error)
        else:
            mine = _caps_of_refusals(cell, place, result, clearing, caps)
            wrong = _differing_caps(book, mine, theirs)
        if wrong is not None:
            return f"round {place + 1}: {wrong}"
        caps = theirs
    return None


def is_accepted_in_full(result: GateResult) -> bool:
    """Tell whether the gate lets every trade through, be the forecast itself as it may."""
    return all(decision.cap_ppm == PPM for decision in result.decisions)


def _is_cutting(cell: UtilityCell, round_index: int, result: GateResult) -> bool:
    return round_index < cell.terms.rounds_max and bool(result.cuts)


def _caps_of_refusals(
    cell: UtilityCell, round_index: int, result: GateResult, clearing: SlotClearing, caps: Caps
) -> dict[bytes, int]:
    """
    Return caps that leave out what the gate refused, and no more than it accepted of the rest.
    """
    traded: dict[bytes, int] = {}
    for position in clearing.positions:
        for leaf in position.buys + position.sells:
            traded[leaf.order_id] = traded.get(leaf.order_id, 0) + leaf.energy_wh
    is_late = round_index >= cell.terms.rounds_max + DROP_ROUNDS_MAX
    fresh = dict(caps)
    for decision in result.decisions:
        if decision.kind is DecisionKind.REFUSE:
            fresh[decision.key] = 0
        elif decision.kind is DecisionKind.CAP:
            share = 0 if is_late else decision.cap_ppm
            fresh[decision.key] = traded[decision.key] * share // PPM
    return fresh


def _differing_caps(book: Sequence[BookOrder], mine: Caps, theirs: Caps) -> str | None:
    """Compare caps that come from the gate's refusals; shares may differ by its tolerance."""
    energy = {order.order_id: order.energy_wh for order in book}
    for key in sorted(mine.keys() | theirs.keys()):
        expected, found = mine.get(key), theirs.get(key)
        if expected is None or found is None:
            return f"cap of {key.hex()}: {found} instead of {expected}"
        tolerance = energy.get(key, 0) * CAP_TOLERANCE_PPM // PPM + 1 if expected else 0
        if not found >= 0 or abs(found - expected) > tolerance:
            return f"cap of {key.hex()}: {found} instead of {expected}"
    return None


def _round(
    clearing: SlotClearing, result: GateResult, caps: Caps, book: Sequence[BookOrder]
) -> CheckRound:
    energy = {order.order_id: order.energy_wh for order in book}
    return CheckRound(
        sum(position.energy_wh for position in clearing.positions),
        result.kind.value,
        tuple(violation.limit for violation in result.violations),
        sum(energy[key] - cap for key, cap in caps.items()),
    )
