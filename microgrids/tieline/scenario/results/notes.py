"""The gate's limits as readers see them: value, bound and margin in everyday units."""

from __future__ import annotations

from tieline.interfaces.limits import LimitKind
from tieline.power.gate_result import GateResult, TightestLimit, Violation
from tieline.power.limits import Limit
from tieline.scenario.results.material import Judged
from tieline.scenario.run_records import PhysicsNote

SCALE: dict[LimitKind, tuple[str, float]] = {
    LimitKind.V_LOW: ("pu", 1.0),
    LimitKind.V_HIGH: ("pu", 1.0),
    LimitKind.LINE: ("percent", 100.0),
    LimitKind.TRAFO: ("percent", 100.0),
    LimitKind.PCC: ("kW", 1000.0),
    LimitKind.STEP: ("pu", 1.0),
}
"""Unit of a note by kind of limit, and its factor over ``interfaces.limits.UNITS``."""
DIGITS = 6


def note_of_violation(row: Violation, limit: Limit) -> PhysicsNote:
    """Return a broken limit; the bound is what was left of it after the margins."""
    return _note(limit, row.value, row.margin, row.scenario)


def note_of_tightest(row: TightestLimit, limit: Limit) -> PhysicsNote:
    """Return the limit with the least room."""
    room = row.margin_percent / 100 * limit.percent_of + row.safety_margin
    value = limit.bound - room if limit.is_upper else limit.bound + room
    return _note(limit, value, row.safety_margin, row.scenario)


def tightest_note(judged: Judged | None) -> PhysicsNote | None:
    """Return the limit with the least room left in a slot, None where nothing was judged."""
    if judged is None or judged.result.tightest is None:
        return None
    tightest = judged.result.tightest
    return note_of_tightest(tightest, _limit(judged, tightest.limit))


def trade_note(judged: Judged | None, trade_id: bytes) -> PhysicsNote | None:
    """
    Return what stands behind the decision on a trade: the limit that caps or refuses it, else the
    tightest of the slot.
    """
    if judged is None:
        return None
    name = _deciding(judged.result, trade_id)
    for violation in judged.result.violations:
        if violation.limit == name:
            return note_of_violation(violation, _limit(judged, name))
    return tightest_note(judged)


def _deciding(result: GateResult, trade_id: bytes) -> str:
    return next((row.limit for row in result.decisions if row.key == trade_id), "")


def _limit(judged: Judged, name: str) -> Limit:
    return next(limit for limit in judged.judge.table.limits if limit.name == name)


def _note(limit: Limit, value: float, margin: float, scenario: str) -> PhysicsNote:
    unit, factor = SCALE[limit.kind]
    bound = limit.bound - margin if limit.is_upper else limit.bound + margin
    return PhysicsNote(
        limit=limit.name,
        bound=round(bound * factor, DIGITS),
        value=round(value * factor, DIGITS),
        unit=unit,
        margin_subtracted=round(margin * factor, DIGITS),
        scenario=scenario,
    )
