"""
Matrices of a network, rebuilt from its integers: admittances, their inverse, and error bounds.

Per unit on 1 MVA, so a power in MW is a power in per unit. Numpy only.

Sources:
    pandapower ``build_branch`` (its T model of the transformer, taps on the low-voltage side act on
    the impedance); held to ``runpp`` by the parity check in ``importers``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tieline.power.elimination import EPSILON, Elimination, eliminate
from tieline.power.network import Branch, Network, Transformer

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]
Places = NDArray[np.intp]

SMALL_BUSES_MAX = 32
"""Up to here one product with the dense Z is as fast as an elimination."""


@dataclass(frozen=True)
class AdmittanceModel:
    """
    ``n`` buses without the slack, in the order of ``network.load_buses``, and ``m`` branches,
    lines first. Row ``n`` of a full voltage vector is the slack.
    """

    network: Network
    Z: Complexes
    """(n, n): inverse of the bus admittance matrix without the slack."""
    Z_abs: Floats
    w: Complexes
    """(n,): voltages without any injection, slack at the table's voltage."""
    slack_voltage: complex
    float_gain: Floats
    """(n,): voltage error by rounding, per unit of the largest current injected anywhere."""
    float_floor: float
    """Voltage error by rounding in ``w``, pu."""
    elimination: Elimination | None
    """For networks of more than ``SMALL_BUSES_MAX`` buses, where it beats the product with Z."""
    elimination_gain: float
    """Voltage error by rounding in one elimination, per unit of the largest voltage."""
    ends: Places
    """(2, m): place of the from- and to-bus; n is the slack."""
    Y_ends: Complexes
    """(2, 2, m): [end, neighbour]: current into the branch at its end per voltage."""
    ratings: Floats
    """(2, m): rated current at each end, pu; infinite where unlimited."""
    current_gain: Floats
    """(2, m, n): |Y_branch Z|: current at a branch end per current injected at a bus."""

    @property
    def n(self) -> int:
        """Count of buses without the slack."""
        return len(self.w)


@lru_cache(maxsize=32)
def build_admittance_model(network: Network) -> AdmittanceModel:
    """Build all matrices of *network*; milliseconds, kept for networks seen lately."""
    n = len(network.load_buses)
    branches = network.branches
    kv = {row.index: row.vn * 1e-6 for row in network.buses}
    ends = np.empty((2, len(branches)), dtype=np.intp)
    Y_ends = np.empty((2, 2, len(branches)), dtype=np.complex128)
    ratings = np.empty((2, len(branches)))
    for place, branch in enumerate(branches):
        kv_from, kv_to = kv[branch.from_bus], kv[branch.to_bus]
        for end, bus in enumerate((branch.from_bus, branch.to_bus)):
            position = network.positions[bus]
            ends[end, place] = n if position < 0 else position
        Y_ends[:, :, place] = _open_ends(branch, _two_port(branch, kv_from, kv_to))
        ratings[:, place] = _ratings(branch, kv_from, kv_to)

    Y = np.zeros((n + 1, n + 1), dtype=np.complex128)
    for end in (0, 1):
        for neighbour in (0, 1):
            np.add.at(Y, (ends[end], ends[neighbour]), Y_ends[end, neighbour])
    for row in network.buses:
        position = network.positions[row.index]
        Y[position, position] += complex(row.shunt_g, row.shunt_b) * 1e-9 * kv[row.index] ** 2
    Y_LL, Y_L0 = Y[:n, :n], Y[:n, n]
    Z: Complexes = np.linalg.inv(Y_LL).astype(np.complex128)
    angle = network.slack.va * 1e-6 * np.pi / 180
    slack_voltage = complex(network.slack.vm * 1e-9 * np.exp(1j * angle))
    w = -(Z @ Y_L0) * slack_voltage
    error_Z = _inverse_error(Y_LL, Z)
    elimination = eliminate(Y_LL) if n > SMALL_BUSES_MAX else None
    gain = 0.0
    if elimination is not None:
        gain = 1.01 * float((np.abs(Z) @ elimination.backward_error).sum(axis=1).max())
    full_gain = np.zeros((2, len(branches), n), dtype=np.complex128)
    Z_full = np.vstack([Z, np.zeros((1, n))])
    for end in (0, 1):
        for neighbour in (0, 1):
            full_gain[end] += Y_ends[end, neighbour][:, None] * Z_full[ends[neighbour]]
    return AdmittanceModel(
        network=network,
        Z=Z,
        Z_abs=np.abs(Z),
        w=w,
        slack_voltage=slack_voltage,
        float_gain=np.asarray((error_Z + 8 * n * EPSILON * np.abs(Z)).sum(axis=1)),
        elimination=elimination,
        elimination_gain=gain,
        float_floor=float(np.max(error_Z @ np.abs(Y_L0)) * abs(slack_voltage)) + 8 * n * EPSILON,
        ends=ends,
        Y_ends=Y_ends,
        ratings=ratings,
        current_gain=np.abs(full_gain) * (1 + 1e-9),
    )


def _two_port(branch: Branch, kv_from: float, kv_to: float) -> Complexes:
    """Return the 2 x 2 admittance of a branch in per unit, both ends closed."""
    z_ohm = complex(branch.r, branch.x) * 1e-6
    y_siemens = complex(branch.g, branch.b) * 1e-9
    if not isinstance(branch, Transformer):
        series = kv_from**2 / z_ohm
        half = y_siemens * kv_from**2 / 2
        return np.array([[series + half, -series], [-series, series + half]])
    rated_from, rated_to = branch.vn_from * 1e-6, branch.vn_to * 1e-6
    step = 1 + (branch.tap_pos - branch.tap_neutral) * branch.tap_step * 1e-9
    tapped_from = rated_from * (step if branch.tap_side == 1 else 1.0)
    tapped_to = rated_to * (step if branch.tap_side == 2 else 1.0)
    to_pu = (tapped_to / kv_to) ** 2
    z = z_ohm / rated_from**2 * to_pu
    y = y_siemens * rated_from**2 / to_pu
    # A T with half the impedance on each side of the magnetising branch, turned into a pi.
    series = 1 / (z * (1 + z * y / 4))
    half = y / 2 / (1 + z * y / 4)
    ratio = (tapped_from / tapped_to) * (kv_to / kv_from)
    tap = ratio * np.exp(1j * branch.shift * 1e-6 * np.pi / 180)
    return np.array(
        [[(series + half) / ratio**2, -series / np.conj(tap)], [-series / tap, series + half]]
    )


def _open_ends(branch: Branch, Y: Complexes) -> Complexes:
    """Fold open switches: a branch open at one end is only its charging, seen from the other."""
    if branch.from_closed and branch.to_closed:
        return Y
    folded = np.zeros((2, 2), dtype=np.complex128)
    if branch.from_closed:
        folded[0, 0] = Y[0, 0] - Y[0, 1] * Y[1, 0] / Y[1, 1]
    elif branch.to_closed:
        folded[1, 1] = Y[1, 1] - Y[1, 0] * Y[0, 1] / Y[0, 0]
    return folded


def _ratings(branch: Branch, kv_from: float, kv_to: float) -> tuple[float, float]:
    """Return the rated current at both ends, per unit of 1 MVA at the bus's rated voltage."""
    if isinstance(branch, Transformer):
        mva = branch.sn * 1e-6 or np.inf
        return mva * kv_from / (branch.vn_from * 1e-6), mva * kv_to / (branch.vn_to * 1e-6)
    rating = branch.i_max * 1e-6 * 3**0.5 * kv_from or np.inf
    return rating, rating


def _inverse_error(Y: Complexes, Z: Complexes) -> Floats:
    """
    Bound |Z_true - Z| for the computed inverse, entry by entry.

    Z_true - Z = Z_true (I - Y Z); the residual is computed and its own rounding added.
    """
    n = len(Y)
    rounding = 8 * max(n, 1) * EPSILON * (np.abs(Y) @ np.abs(Z))
    residual = np.abs(np.eye(n) - Y @ Z) + rounding
    return np.asarray(1.01 * (np.abs(Z) @ residual))
