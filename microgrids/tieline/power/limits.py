"""
Every limit of a network by name, judged on proved intervals: voltages |V| +- r, currents through
|Yf Z| and not |Yf| r, powers from both.

The order of the table is part of the flow proof hash: V_LOW of all buses, V_HIGH, LINE, TRAFO, the
power limits, STEP.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tieline.interfaces.limits import LimitKind
from tieline.power.admittance import AdmittanceModel, Complexes, Floats, Places
from tieline.power.batch import BatchSolution, piece_width, solve_batch
from tieline.power.errors import NetworkError
from tieline.power.network import Network
from tieline.power.settings import Limits, Margins

SCREEN_STEP_PU = 1e-8
"""End of the sweeps in a screening of thousands, 1 % of the margin for a second solver."""
LOW_VOLTAGE_MILLIVOLT = 1_000_000
"""Up to 1 kV single-phase customers make the phases differ."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit: what it protects, where, and its bound in the unit of its kind."""

    name: str
    kind: LimitKind
    element: int
    """Index of the bus, line or transformer."""
    bound: float
    is_upper: bool
    """The value must stay below the bound; else above."""
    percent_of: float
    """What 100 % of room is: rated voltage, rating, or the bound of a power."""


class LimitTable:
    """The limits of one network, ready to judge many candidates at once."""

    def __init__(self, network: Network, limits: Limits, margins: Margins) -> None:
        """
        Lay out the limits.

        Raises:
            NetworkError: A power limit names a branch that the network does not have.
        """
        self._network = network
        self._settings = limits
        rated = {bus.index: bus for bus in network.buses}
        buses = [rated[index] for index in network.load_buses]
        self.v_min = np.array([bus.v_min * 1e-9 for bus in buses])
        self.v_max = np.array([bus.v_max * 1e-9 for bus in buses])
        branches = network.branches
        self.rated = np.array(
            [
                place
                for place, branch in enumerate(branches)
                if getattr(branch, "i_max", 0) or getattr(branch, "sn", 0)
            ],
            dtype=np.intp,
        )
        self.loading_max = limits.loading_ppm * 1e-6
        self.step_max = None if limits.step_max is None else limits.step_max * 1e-9
        self._power_rows = _power_rows(network, limits)
        low = [bus.vn <= LOW_VOLTAGE_MILLIVOLT for bus in buses]
        self.unbalance = np.where(low, margins.unbalance_pu, 0.0) if buses else np.zeros(0)
        self.peak_excess = np.array(
            [margins.peak_factors.get(index, 1.0) - 1.0 for index in network.load_buses]
        )

    @cached_property
    def limits(self) -> tuple[Limit, ...]:
        """All limits in the order of the table; STEP is last, present even when not judged."""
        network = self._network
        rows = [
            Limit(
                f"V_LOW bus {bus}",
                LimitKind.V_LOW,
                bus,
                float(bound),
                is_upper=False,
                percent_of=1.0,
            )
            for bus, bound in zip(network.load_buses, self.v_min, strict=True)
        ]
        rows += [
            Limit(
                f"V_HIGH bus {bus}",
                LimitKind.V_HIGH,
                bus,
                float(bound),
                is_upper=True,
                percent_of=1.0,
            )
            for bus, bound in zip(network.load_buses, self.v_max, strict=True)
        ]
        lines, full, most = len(network.lines), self.loading_max, self.step_max
        for place in map(int, self.rated):
            branch = network.branches[place]
            kind = LimitKind.LINE if place < lines else LimitKind.TRAFO
            name = f"{kind.name} {branch.index} ({branch.from_bus}-{branch.to_bus})"
            rows.append(Limit(name, kind, branch.index, full, is_upper=True, percent_of=full))
        for name, _, index, bound, is_upper in self._power_rows:
            share = max(abs(bound), 1e-3)
            rows.append(
                Limit(name, LimitKind.PCC, index, bound, is_upper=is_upper, percent_of=share)
            )
        if most is not None:
            rows += [
                Limit(f"STEP bus {bus}", LimitKind.STEP, bus, most, is_upper=True, percent_of=1.0)
                for bus in network.load_buses
            ]
        return tuple(rows)

    @cached_property
    def percent_of(self) -> Floats:
        """(limits,): what 100 % of room is, in each limit's unit."""
        return np.array([limit.percent_of for limit in self.limits])

    @cached_property
    def power_places(self) -> Places:
        """Branch place of each power limit."""
        return np.array([place for _, place, *_ in self._power_rows], dtype=np.intp)

    @cached_property
    def power_bounds(self) -> tuple[Floats, Floats]:
        """Bound in MW and sign (+1 upper, -1 lower) of each power limit."""
        bounds = np.array([row[3] for row in self._power_rows], dtype=np.float64)
        signs = np.array([1.0 if row[4] else -1.0 for row in self._power_rows])
        return bounds, signs

    def room(
        self,
        model: AdmittanceModel,
        solution: BatchSolution,
        previous: Floats | None = None,
        *,
        is_nominal: bool = True,
    ) -> Floats:
        """
        Return how far every limit is from its bound, at the bad end of the proved interval.

        Args:
            model: Matrices the candidates were solved with.
            solution: ``m`` candidates.
            previous: |V| of the slot before, (n,), pu; None: steps are not judged.
            is_nominal: Steps are judged at the table's slack voltage only: a corner is doubt about
                the level, not a movement.

        Returns:
            (limits, m) in the unit of each kind, negative where violated; -inf for candidates
            that are not certified. Peak factors and unbalance are subtracted already, forecast
            margins are not.
        """
        before = previous if is_nominal else None
        m = solution.V.shape[1]
        width = piece_width(model)
        room = np.empty((len(self.limits), m))
        # Candidates without a solution are full of NaN and infinities until the last line.
        with np.errstate(all="ignore"):
            for start in range(0, m, width):
                piece = slice(start, start + width)
                row = 0
                for block in self._blocks(model, solution.piece(piece), before):
                    room[row : row + len(block), piece] = block
                    row += len(block)
                room[row:, piece] = np.inf
        room[:, ~solution.certified] = -np.inf
        return room

    def least_room(
        self, model: AdmittanceModel, solution: BatchSolution, previous: Floats | None = None
    ) -> Floats:
        """Return the room of each candidate's tightest limit, (m,); -inf: not certified."""
        least = np.full(solution.V.shape[1], np.inf)
        with np.errstate(all="ignore"):
            for block in self._blocks(model, solution, previous):
                np.minimum(least, block.min(axis=0, initial=np.inf), out=least)
        least[~solution.certified] = -np.inf
        return least

    def _blocks(
        self, model: AdmittanceModel, solution: BatchSolution, previous: Floats | None
    ) -> Iterator[Floats]:
        """Yield room in the order of the table; steps that are not judged are left out."""
        radius = solution.radius
        magnitude = np.abs(solution.V)
        down = self.unbalance[:, None] + radius
        up = down
        if self.peak_excess.any():
            drop = np.abs(model.w)[:, None] * np.abs(solution.slack / model.slack_voltage)
            swing = self.peak_excess[:, None] * (magnitude - drop)
            down = down - np.minimum(swing, 0.0)
            up = up + np.maximum(swing, 0.0)
        yield magnitude - self.v_min[:, None] - down
        yield self.v_max[:, None] - magnitude - up
        yield self.loading_max - self._loading(model, solution)
        if len(self.power_places):
            bounds, signs = self.power_bounds
            power, error = self._power(model, solution)
            yield signs[:, None] * (bounds[:, None] - power) - error
        if self.step_max is not None and previous is not None:
            moved = np.abs(magnitude - previous[:, None])
            free = np.isnan(previous)[:, None]
            yield np.where(free, np.inf, self.step_max - moved - radius)

    def _loading(self, model: AdmittanceModel, solution: BatchSolution) -> Floats:
        """Return the larger end's current over its rating, upper end of the interval: (rows, m)."""
        worst: Floats | None = None
        for end in (0, 1):
            current, error = branch_current(model, solution, end, self.rated)
            loading = np.abs(current)
            loading += error
            loading /= model.ratings[end, self.rated][:, None]
            worst = loading if worst is None else np.maximum(worst, loading, out=worst)
        assert worst is not None
        if self.peak_excess.any():
            worst *= 1 + float(self.peak_excess.max())
        return worst

    def _power(self, model: AdmittanceModel, solution: BatchSolution) -> tuple[Floats, Floats]:
        """Return MW from the from-side into the branch and its error, (rows, m)."""
        current, error_i = branch_current(model, solution, 0, self.power_places)
        voltage = full_voltage(solution)[model.ends[0, self.power_places]]
        error_v = 2 * solution.radius
        error = np.abs(voltage) * error_i + (np.abs(current) + error_i) * error_v
        return np.real(voltage * np.conjugate(current)), error


def screen(
    model: AdmittanceModel,
    table: LimitTable,
    S: Complexes,
    slack_scale: float = 1.0,
    previous: Floats | None = None,
) -> Floats:
    """
    Solve candidates and return the least room of each, without keeping their voltages.

    Sweeps end a decade earlier than in a judgement; the interval is wider by as much, so what
    fits here fits there.

    Args:
        model: Matrices of the network.
        table: Its limits.
        S: (n, m), MW + j Mvar into the network.
        slack_scale: Slack voltage as a factor of the network table's.
        previous: |V| of the slot before, (n,); None: steps are not judged.

    Returns:
        (m,): room of the tightest limit before margins; -inf for what is not certified.
    """
    m = S.shape[1]
    least = np.empty(m)
    width = piece_width(model)
    for start in range(0, m, width):
        piece = slice(start, start + width)
        solution = solve_batch(model, S[:, piece], slack_scale, SCREEN_STEP_PU)
        least[piece] = table.least_room(model, solution, previous)
    return least


def full_voltage(solution: BatchSolution) -> Complexes:
    """Return one more sweep of V with the slack as last row, (n + 1, m)."""
    return np.concatenate([solution.T, solution.slack[None, :]], axis=0)


def branch_current(
    model: AdmittanceModel, solution: BatchSolution, end: int, places: Places
) -> tuple[Complexes, Floats]:
    """
    Return the current into branches at one end and its error, (rows, m), pu.

    With V* = w + Z conj(S/V*), a current is exactly Yf (w + Z c*); only the injected currents c
    are off, by |S| r / (|V| (|V| - r)), so the error goes through |Yf Z|.
    """
    V = full_voltage(solution)
    near, far = model.ends[end, places], model.ends[1 - end, places]
    Y = model.Y_ends[end][:, places]
    current = Y[end][:, None] * V[near] + Y[1 - end][:, None] * V[far]
    gain = model.current_gain[end, places] @ solution.current_error
    rounding = np.abs(Y).sum(axis=0)[:, None] * solution.rounding
    return current, gain[:, None] * solution.radius + rounding


def _power_rows(network: Network, limits: Limits) -> list[tuple[str, int, int, float, bool]]:
    """Return (name, branch place, branch index, bound in MW, is upper) of every power limit."""
    places = {("line", row.index): place for place, row in enumerate(network.lines)}
    offset = len(network.lines)
    for place, unit in enumerate(network.transformers):
        places["transformer", unit.index] = offset + place
    rows: list[tuple[str, int, int, float, bool]] = []
    for limit in limits.power:
        if limit.branch not in places:
            raise NetworkError(f"power limit {limit.name}: no branch {limit.branch}")
        place, index = places[limit.branch], limit.branch[1]
        if limit.p_max_milliwatt is not None:
            rows.append((f"PCC {limit.name} max", place, index, limit.p_max_milliwatt * 1e-9, True))
        if limit.p_min_milliwatt is not None:
            rows.append(
                (f"PCC {limit.name} min", place, index, limit.p_min_milliwatt * 1e-9, False)
            )
    return rows
