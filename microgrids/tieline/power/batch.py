"""
Thousands of operating points at once: the implicit Z-bus iteration, each result with its own bound.

V <- w + Z conj(S/V), one matrix product a sweep for all candidates together. Constant-power
injections; constant admittances are part of Z. A candidate without a bound is not a solution.

Sources:
    ``docs/spec/physics.md`` 3; Bazrafshan and Gatsis, arXiv 1605.08511.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tieline.power.admittance import AdmittanceModel, Complexes, Floats
from tieline.power.elimination import EPSILON

SWEEPS_MAX = 60
"""A candidate that contracts by less than half a sweep is near collapse; refuse it."""
STEP_PU = 1e-9
"""Sweeps end when no voltage moves by more; the next would move a tenth, below what is posted."""
RADIUS_MAX_PU = 1e-6
"""A ball larger than this proves nothing useful; the runpp check disagrees at the same size."""
FLOAT_SLACK = 1 + 1e-9
"""Rounding of the sums in L."""
ELIMINATION_ELEMENTS = 65_536
"""
Buses times candidates of one piece: its arrays stay in the cache, its rows are long enough to
outweigh numpy's call of about a microsecond.
"""
SMALL_PRODUCT = 48_000
"""
Up to so many multiplications the matrix product stays on one thread. Above, BLAS wakes its others,
which for a feeder of a dozen buses costs more than it brings, three times more on a busy machine.
"""


@dataclass(frozen=True)
class BatchSolution:
    """``n`` buses in the order of ``network.load_buses``, ``m`` candidates."""

    V: Complexes
    """(n, m): voltages, pu."""
    T: Complexes
    """(n, m): one more sweep of V; currents are judged with it."""
    radius: Floats
    """(m,): exactly one solution lies this near to V; infinite where nothing is proved."""
    certified: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    """(m,): the contraction proof holds with a useful radius."""
    rounding: Floats
    """(m,): what floats may have added to T, pu."""
    slack: Complexes
    """(m,): slack voltage of each candidate, pu."""
    current_error: Floats
    """(n,): per unit of radius, how far the current injected at a bus may be off."""

    def piece(self, columns: slice) -> BatchSolution:
        """Return some of the candidates."""
        return BatchSolution(
            V=self.V[:, columns],
            T=self.T[:, columns],
            radius=self.radius[columns],
            certified=self.certified[columns],
            rounding=self.rounding[columns],
            slack=self.slack[columns],
            current_error=self.current_error,
        )


def solve_batch(
    model: AdmittanceModel,
    S: Complexes,
    slack_scale: Floats | float = 1.0,
    step_pu: float = STEP_PU,
) -> BatchSolution:
    """
    Solve ``m`` candidates.

    Args:
        model: Matrices of the network.
        S: (n, m), MW + j Mvar into the network, in the order of ``network.load_buses``.
        slack_scale: Slack voltage as a factor of the network table's, one or (m,).
        step_pu: End of the sweeps.

    Returns:
        Solutions in the order of the candidates; look at ``certified`` before anything else.
    """
    n, m = S.shape
    scale = np.broadcast_to(np.asarray(slack_scale, dtype=np.float64), (m,))
    V = np.empty((n, m), dtype=np.complex128)
    T = np.empty_like(V)
    radius, rounding = np.empty(m), np.empty(m)
    current_error = np.zeros(n)
    width = piece_width(model)
    with np.errstate(all="ignore"):
        for start in range(0, m, width):
            piece = slice(start, min(start + width, m))
            V[:, piece], T[:, piece] = _sweep(model, S[:, piece], scale[piece], step_pu)
            radius[piece], rounding[piece], worst = _bounds(
                model, S[:, piece], V[:, piece], T[:, piece]
            )
            np.maximum(current_error, worst, out=current_error)
    certified = radius <= RADIUS_MAX_PU
    return BatchSolution(
        V=V,
        T=T,
        radius=np.where(certified, radius, np.inf),
        certified=certified,
        rounding=rounding,
        slack=np.asarray(model.slack_voltage * scale, dtype=np.complex128),
        current_error=current_error,
    )


def piece_width(model: AdmittanceModel) -> int:
    """Return how many candidates to work on at once, so that their arrays stay near the core."""
    n = max(model.n, 1)
    if model.elimination is None:
        return max(64, SMALL_PRODUCT // n**2)
    return max(64, ELIMINATION_ELEMENTS // n)


def _sweep(
    model: AdmittanceModel, S: Complexes, scale: Floats, step_pu: float
) -> tuple[Complexes, Complexes]:
    """Return V and one more sweep of it."""
    w = model.w[:, None] * scale
    conjugate_S = np.conjugate(S)
    voltage = w.copy()
    moved = np.empty_like(voltage)
    current = np.empty_like(voltage)
    spare = np.empty(voltage.shape[1], dtype=np.complex128)
    for _ in range(SWEEPS_MAX):
        # conj(S/V) = conj(S) V / |V|^2: a product is six times faster than a complex division.
        square = np.abs(voltage)
        np.multiply(square, square, out=square)
        np.divide(1.0, square, out=square)
        np.multiply(conjugate_S, voltage, out=current)
        np.multiply(current, square, out=current)
        if model.elimination is None:
            np.matmul(model.Z, current, out=moved)
        else:
            model.elimination.solve(current, spare)
            moved, current = current, moved
        moved += w
        voltage -= moved
        step = np.abs(voltage).max(initial=0.0)
        voltage, moved = moved, voltage
        if step <= step_pu:
            break
    # The older array holds the difference of the two; undone, the pair is (V, T(V)).
    return moved + voltage, voltage


def _bounds(
    model: AdmittanceModel, S: Complexes, V: Complexes, T: Complexes
) -> tuple[Floats, Floats, Floats]:
    """Return every candidate's proved radius and rounding, and the gain of current errors."""
    power = np.abs(S)
    magnitude = np.abs(V)
    rounding = rounding_error(model, power, magnitude)
    rounding = rounding + model.elimination_gain * magnitude.max(axis=0, initial=0.0)
    rho = np.abs(T - V).max(axis=0, initial=0.0) + rounding
    # With L <= 1/2 twice rho is radius enough; one bound for all together is cheap.
    trial = 2 * rho
    worst = _weight(power, magnitude, trial).max(axis=1, initial=0.0)
    contraction = float((model.Z_abs @ worst).max(initial=0.0)) * FLOAT_SLACK
    if contraction <= 0.5:
        return rho / (1 - contraction), rounding, worst
    # Not enough: one for each, at the radius that its own L asks for.
    each = (model.Z_abs @ _weight(power, magnitude, trial)).max(axis=0) * FLOAT_SLACK
    radius = np.where(each < 1, 1.01 * rho / (1 - each), np.inf)
    weight = _weight(power, magnitude, radius)
    each = (model.Z_abs @ weight).max(axis=0) * FLOAT_SLACK
    proved = rho <= (1 - each) * radius
    return np.where(proved, radius, np.inf), rounding, np.where(proved, weight, 0.0).max(axis=1)


def _weight(power: Floats, magnitude: Floats, radius: Floats) -> Floats:
    """Return |S| / (|V| - r)^2, infinite where the ball reaches zero voltage."""
    inner = magnitude - radius
    return np.where(inner > 0, power / (inner * inner), np.inf)


def rounding_error(model: AdmittanceModel, power: Floats, magnitude: Floats) -> Floats:
    """Bound what floats may add to one sweep: (m,) pu, for |S| and |V| of shape (n, m)."""
    largest = (power / magnitude).max(axis=0, initial=0.0)
    gain = float(model.float_gain.max(initial=0.0))
    return np.asarray(gain * largest + model.float_floor + 4 * EPSILON)
