"""
Which trades fit, and how much of the first one that does not: in merit order, every subset safe.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from tieline.interfaces.limits import PPM
from tieline.power.admittance import Floats
from tieline.power.corners import ROOM_MIN, SlotQuestion
from tieline.power.subsets import subsets_of

WORSENING_MAX = 1e-7
"""A trade worsens a violated limit if its room shrinks by more, in the limit's unit."""
GRID_POINTS = 17
ROUNDS = 5
"""17 to the fifth is more than a million: one millionth of the quantity is resolved."""
CRITICAL_COLUMNS = 12
"""Columns that steer the search; all of them confirm its result."""
CONFIRMATIONS = 4
CAP_PPM_MIN = 1_000
"""A cap below a thousandth is a refusal that costs a lock."""


@dataclass(frozen=True)
class Bar:
    """What every corner demands of every limit: its safety margin, or not to get worse."""

    need: tuple[Floats, ...]
    """(limits,) a corner: room must not be below."""
    is_base_violated: bool


def raise_bar(question: SlotQuestion, safety: Floats) -> Bar:
    """
    Return the bar for a slot.

    Where the forecast alone already lacks room, no trade may take more of it away.
    """
    empty = np.zeros((len(question.groups), 1))
    need: list[Floats] = []
    violated = False
    for corner in question.corners:
        room = question.room(corner, empty)[:, 0]
        demanded = safety + ROOM_MIN
        lacking = room < demanded
        violated = violated or bool(lacking.any())
        need.append(np.where(lacking, room - WORSENING_MAX, demanded))
    return Bar(tuple(need), violated)


@dataclass(frozen=True)
class Evaluation:
    """Candidate sets against the bar."""

    columns: Floats
    """(groups, m): share of every group in every candidate."""
    rooms: tuple[Floats, ...]
    """(limits, m) a corner; -inf: not certified."""
    bar: Bar

    @cached_property
    def excess(self) -> Floats:
        """(limits, m): room beyond what is demanded, in the worst corner."""
        worst = self.rooms[0] - self.bar.need[0][:, None]
        for room, need in zip(self.rooms[1:], self.bar.need[1:], strict=True):
            np.minimum(worst, room - need[:, None], out=worst)
        return worst

    @property
    def fits(self) -> bool:
        """Every candidate holds every limit in every corner."""
        return bool((self.excess >= 0).all())

    @property
    def is_certified(self) -> bool:
        """Every candidate was solved and proved in every corner."""
        return not bool(np.isneginf(self.excess).any())

    @cached_property
    def worst(self) -> tuple[tuple[float, int, int], ...]:
        """(room, column, corner) where each limit has the least, in the order of the table."""
        stacked: Floats = np.array([room.min(axis=1) for room in self.rooms], dtype=np.float64)
        corners = [int(corner) for corner in stacked.argmin(axis=0)]
        found: list[tuple[float, int, int]] = []
        for row, corner in enumerate(corners):
            column = int(self.rooms[corner][row].argmin())
            found.append((float(stacked[corner, row]), column, corner))
        return tuple(found)


def evaluate(question: SlotQuestion, bar: Bar, columns: Floats) -> Evaluation:
    """Judge *columns* of shares (groups, m) in all corners."""
    rooms = tuple(question.room(corner, columns) for corner in question.corners)
    return Evaluation(columns, rooms, bar)


@dataclass
class Admitted:
    """The accepted part of the received set."""

    shares: Floats
    """(groups,): accepted share, whole millionths."""
    stopped_by: dict[int, int] = field(default_factory=dict[int, int])
    """Group that was capped or refused -> row of the limit table, -1 if not certified."""


def columns_over(
    question: SlotQuestion, per_group: Floats, shares: Floats, *, exhaustive: bool
) -> Floats:
    """Return the subsets of the groups with a share above 0 as columns of shares (groups, k)."""
    places = [place for place in question.moving if shares[place] > 0]
    patterns = subsets_of(per_group[:, places], exhaustive=exhaustive)
    columns = np.zeros((len(question.groups), patterns.shape[1]))
    columns[places] = patterns * shares[places][:, None]
    return columns


def admit(question: SlotQuestion, bar: Bar, per_group: Floats, *, exhaustive: bool) -> Admitted:
    """
    Take groups in merit order; cap the first share of one that does not fit, or refuse it.

    A group is capped only if all its trades are divisible and the forecast itself is sound: where
    it is not, exactly those trades are accepted that worsen nothing.
    """
    shares = np.zeros(len(question.groups))
    still = [place for place in range(len(shares)) if place not in question.moving]
    shares[still] = 1.0
    admitted = Admitted(shares)
    for group in question.moving:
        trial = shares.copy()
        trial[group] = 1.0
        columns = columns_over(question, per_group, trial, exhaustive=exhaustive)
        columns[group] = 1.0
        outcome = evaluate(question, bar, columns)
        if outcome.fits:
            shares[group] = 1.0
            continue
        admitted.stopped_by[group] = (
            _binding(outcome.excess.min(axis=1), per_group[:, group])
            if outcome.is_certified
            else -1
        )
        if question.groups[group].is_divisible and not bar.is_base_violated:
            shares[group] = _largest_share(question, bar, columns, group, outcome)
    return admitted


def _binding(excess: Floats, slope: Floats) -> int:
    """Return the limit that leaves the group the smallest share, to first order."""
    lacking = np.maximum(-excess, 0.0)
    share = np.divide(lacking, -slope, out=np.zeros_like(lacking), where=slope < 0)
    return int(share.argmax()) if share.any() else int(excess.argmin())


def _largest_share(
    question: SlotQuestion, bar: Bar, columns: Floats, group: int, outcome: Evaluation
) -> float:
    """Return the largest share of *group*, in whole millionths, with which all columns fit."""
    smallest = columns.copy()
    smallest[group] = CAP_PPM_MIN / PPM
    if not evaluate(question, bar, smallest).fits:
        return 0.0
    lowest = outcome.excess.min(axis=0)
    critical = np.argsort(lowest, kind="stable")[:CRITICAL_COLUMNS]
    for _ in range(CONFIRMATIONS):
        share = _bracket(question, bar, columns[:, critical], group)
        share = int(share * PPM) / PPM
        confirmed = columns.copy()
        confirmed[group] = share
        check = evaluate(question, bar, confirmed)
        if check.fits:
            return share
        failing = np.flatnonzero((check.excess < 0).any(axis=0))
        critical = np.union1d(critical, failing)
    return 0.0


def _bracket(question: SlotQuestion, bar: Bar, columns: Floats, group: int) -> float:
    """Narrow the share down from the safe side; the smallest share is known to fit."""
    low, high = CAP_PPM_MIN / PPM, 1.0
    count = columns.shape[1]
    for _ in range(ROUNDS):
        grid = np.linspace(low, high, GRID_POINTS)
        candidates = np.repeat(columns, GRID_POINTS, axis=1)
        candidates[group] = np.tile(grid, count)
        outcome = evaluate(question, bar, candidates)
        lowest = outcome.excess.min(axis=0).reshape(count, GRID_POINTS).min(axis=0)
        fits = np.asarray(lowest >= 0)
        first = int(fits.argmin())
        if fits[first]:
            return high
        if first == 0:
            return low
        low, high = float(grid[first - 1]), float(grid[first])
    return low
