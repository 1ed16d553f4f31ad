"""
Who pays the losses that trades cause: Aumann-Shapley shares, which do not depend on an order.

l_i = q_i times the mean of dL/dq_i on the way from the forecast to forecast plus trades. Losses are
nearly quadratic, so two Gauss points integrate them to 1e-6.

Sources:
    ``docs/spec/market.md`` 3 (E3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tieline.power.admittance import AdmittanceModel, Complexes, Floats, build_admittance_model
from tieline.power.batch import BatchSolution, solve_batch
from tieline.power.corners import capped
from tieline.power.errors import NotConverged
from tieline.power.gate_result import Baseline, TradeInjection
from tieline.power.network import Network
from tieline.power.sensitivities import voltage_jacobian
from tieline.power.vectors import injection_vector

GAUSS_POINTS = (0.5 - 0.5 / 3**0.5, 0.5 + 0.5 / 3**0.5)


@dataclass(frozen=True, slots=True)
class LossShares:
    """Losses of one slot, all in milliwatt."""

    base: int
    """Of the forecast alone: the network tariff's."""
    total: int
    """Of the forecast with all trades."""
    trades: tuple[int, ...]
    """
    Share of each trade, in their order; below zero where it relieves. Sums to total - base exactly.
    """


def loss_shares(
    network: Network,
    baseline_milliwatt: Baseline,
    trades: Sequence[TradeInjection],
    caps_ppm: Sequence[int],
) -> LossShares:
    """
    Split the losses that the accepted trades add.

    Args:
        network: All joined feeders.
        baseline_milliwatt: Forecast, or the estimate after delivery without the trades.
        trades: As judged.
        caps_ppm: Executed share of each trade, millionths.

    Raises:
        NotConverged: No certified solution on the way.
        UnknownBus: A bus that the network does not have.
    """
    model = build_admittance_model(network)
    base = injection_vector(network, baseline_milliwatt, "baseline")
    columns = [
        injection_vector(
            network,
            {bus: (capped(p, cap), 0) for bus, p in trade.injections_milliwatt.items()},
            f"trade {trade.key.hex()[:8]}",
        )
        for trade, cap in zip(trades, caps_ppm, strict=True)
    ]
    moved: Complexes = np.zeros((len(columns), model.n), dtype=np.complex128)
    for place, column in enumerate(columns):
        moved[place] = column
    whole = moved.sum(axis=0)
    levels = (0.0, 1.0, *GAUSS_POINTS)
    S: Complexes = base[:, None] + whole[:, None] * np.array(levels)
    solution = solve_batch(model, S)
    if not solution.certified.all():
        raise NotConverged("losses: an operating point is not certified")
    slack_mw = _slack_power(model, solution)
    losses = [float(slack_mw[place]) + float(np.real(S[:, place]).sum()) for place in range(2)]
    shares = np.zeros(len(columns))
    for place in (2, 3):
        slope = _loss_slope(model, solution, place, S[:, place])
        shares += 0.5 * (moved.real @ slope[: model.n] + moved.imag @ slope[model.n :])
    start, end = (round(loss * 1e9) for loss in losses)
    return LossShares(start, end, _largest_remainder(shares * 1e9, end - start))


def _slack_power(model: AdmittanceModel, solution: BatchSolution) -> Floats:
    """Return MW from the slack into the network, (m,)."""
    voltage = np.concatenate([solution.T, solution.slack[None, :]], axis=0)
    current = np.zeros(solution.T.shape[1], dtype=np.complex128)
    for end, place in _slack_ends(model):
        current += (
            model.Y_ends[end, end, place] * solution.slack
            + model.Y_ends[end, 1 - end, place] * voltage[model.ends[1 - end, place]]
        )
    return np.real(solution.slack * np.conjugate(current))


def _loss_slope(
    model: AdmittanceModel, solution: BatchSolution, column: int, S: Complexes
) -> Floats:
    """Return dL per MW and per Mvar of injection, (2n,): the injection itself plus the slack's."""
    n = model.n
    dV = np.concatenate(
        [voltage_jacobian(model, solution.V[:, column], S), np.zeros((1, 2 * n))], axis=0
    )
    slope = np.concatenate([np.ones(n), np.zeros(n)])
    for end, place in _slack_ends(model):
        dI = model.Y_ends[end, 1 - end, place] * dV[model.ends[1 - end, place]]
        slope += np.real(solution.slack[column] * np.conjugate(dI))
    return slope


def _slack_ends(model: AdmittanceModel) -> list[tuple[int, int]]:
    return [
        (end, int(place)) for end in (0, 1) for place in np.flatnonzero(model.ends[end] == model.n)
    ]


def _largest_remainder(shares: Floats, total: int) -> tuple[int, ...]:
    """Round down, then give the missing units to the largest remainders, first come first."""
    if not len(shares):
        return ()
    scaled = shares + (total - shares.sum()) / len(shares)
    floors = np.floor(scaled).astype(np.int64)
    missing = total - int(floors.sum())
    order = np.argsort(-(scaled - floors), kind="stable")
    floors[order[:missing]] += 1
    return tuple(int(share) for share in floors)
