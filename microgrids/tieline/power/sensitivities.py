"""
How voltages and the room of every limit move with injections, at a solved AC point.

The Jacobian of the fixed point, not a linearised network: exact to first order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tieline.power.admittance import AdmittanceModel, Complexes, Floats, Places
from tieline.power.batch import BatchSolution
from tieline.power.limits import LimitTable, branch_current, full_voltage


@dataclass(frozen=True)
class Sensitivities:
    """Per MW and per Mvar of injection into the network at each bus."""

    magnitude: Floats
    """(n, 2n): |V| in pu; columns first P of all buses, then Q."""
    loading: Floats
    """(branches, 2n): larger end's current as a share of its rating; 0 where unlimited."""
    room: Floats
    """(limits, 2n): room of each limit of the table, in its unit."""


def sensitivities(
    model: AdmittanceModel,
    table: LimitTable,
    solution: BatchSolution,
    S: Complexes,
    previous: Floats | None = None,
) -> Sensitivities:
    """
    Differentiate at the first candidate of *solution*, which must be certified.

    Args:
        model: Matrices it was solved with.
        table: Limits.
        solution: Its first column is used.
        S: (n,) injections of that candidate, MW + j Mvar.
        previous: |V| of the slot before, for STEP; None: those rows are 0.
    """
    n = model.n
    V = solution.V[:, 0]
    dV = voltage_jacobian(model, V, S)
    magnitude = np.real((np.conjugate(V) / np.abs(V))[:, None] * dV)
    dV_full = np.concatenate([dV, np.zeros((1, 2 * n), dtype=np.complex128)], axis=0)
    loading = _loading_jacobian(model, solution, dV_full)
    blocks = [magnitude, -magnitude, -loading[table.rated]]
    if len(table.power_places):
        blocks.append(_power_jacobian(model, table, solution, dV_full))
    if table.step_max is not None:
        sign = np.zeros(n) if previous is None else np.nan_to_num(np.sign(np.abs(V) - previous))
        blocks.append(-sign[:, None] * magnitude)
    return Sensitivities(magnitude, loading, np.concatenate(blocks, axis=0))


def voltage_jacobian(model: AdmittanceModel, V: Complexes, S: Complexes) -> Complexes:
    """
    Return dV per MW and per Mvar, (n, 2n).

    From V = w + Z conj(S/V): dV + A conj(dV) = Z conj(dS/V), A = Z diag(conj(S)/conj(V)^2).
    """
    n = model.n
    conjugate_V = np.conjugate(V)
    A = model.Z * (np.conjugate(S) / conjugate_V**2)
    right = model.Z / conjugate_V
    right = np.concatenate([right, -1j * right], axis=1)
    identity = np.eye(n)
    matrix = np.block([[identity + A.real, A.imag], [A.imag, identity - A.real]])
    solved = np.linalg.solve(matrix, np.concatenate([right.real, right.imag], axis=0))
    return np.asarray(solved[:n] + 1j * solved[n:])


def _loading_jacobian(model: AdmittanceModel, solution: BatchSolution, dV: Complexes) -> Floats:
    one = solution.piece(slice(1))
    places: Places = np.arange(model.ends.shape[1], dtype=np.intp)
    loadings: list[Floats] = []
    slopes: list[Floats] = []
    for end in (0, 1):
        current = branch_current(model, one, end, places)[0][:, 0]
        dI = (
            model.Y_ends[end, end][:, None] * dV[model.ends[end]]
            + model.Y_ends[end, 1 - end][:, None] * dV[model.ends[1 - end]]
        )
        size = np.abs(current)
        direction = np.divide(
            np.conjugate(current), size, out=np.zeros_like(current), where=size > 0
        )
        loadings.append(size / model.ratings[end])
        slope = np.real(direction[:, None] * dI) / model.ratings[end][:, None]
        slopes.append(np.asarray(slope, dtype=np.float64))
    is_from = np.asarray(loadings[0] >= loadings[1])
    return np.asarray(np.where(is_from[:, None], slopes[0], slopes[1]), dtype=np.float64)


def _power_jacobian(
    model: AdmittanceModel, table: LimitTable, solution: BatchSolution, dV: Complexes
) -> Floats:
    one = solution.piece(slice(1))
    places = table.power_places
    near, far = model.ends[0, places], model.ends[1, places]
    current = branch_current(model, one, 0, places)[0][:, 0]
    voltage = full_voltage(one)[near, 0]
    dI = model.Y_ends[0, 0][places, None] * dV[near] + model.Y_ends[0, 1][places, None] * dV[far]
    slope = np.real(dV[near] * np.conjugate(current)[:, None] + voltage[:, None] * np.conjugate(dI))
    return np.asarray(-table.power_bounds[1][:, None] * slope)


def forecast_margin(
    room: Floats,
    S: Complexes,
    z: float,
    own_share: float,
    common_share: float,
    own_mw: Floats | None = None,
) -> Floats:
    """
    Return z sqrt(sum (a sigma)^2 + (sum a c)^2) for every limit, in its unit.

    Args:
        room: (limits, 2n) sensitivities.
        S: (n,) forecast injections, MW + j Mvar.
        z: Quantile.
        own_share: Each bus's own error as a share of |P| and |Q|.
        common_share: The common error as a share of P and Q of all buses together.
        own_mw: (n,) own standard deviation of P in MW, in place of the share.
    """
    power = np.concatenate([S.real, S.imag])
    own = own_share * np.abs(power)
    if own_mw is not None:
        own[: len(S)] = own_mw
    common = room @ (common_share * power)
    return np.asarray(z * np.sqrt(((room * own) ** 2).sum(axis=1) + common**2))
