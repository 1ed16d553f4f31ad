"""
What flows when everybody injects this: voltages, loadings, the slack's power, losses.

For reports and settlement; the gate judges with proofs (``gate``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tieline.power.admittance import build_admittance_model
from tieline.power.batch import solve_batch
from tieline.power.errors import NotConverged
from tieline.power.limits import branch_current, full_voltage
from tieline.power.network import Network

MILLI_PER_MEGA = 1e9


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """One solved case, slot mean."""

    vm_pu: Mapping[int, float]
    """By bus, the slack's too."""
    loading: Mapping[tuple[str, int], float]
    """("line" | "transformer", index) -> share of the rating, 1.0 full; unlimited branches 0."""
    slack_p_mw: float
    """Into the network: import positive."""
    losses_mw: float


def operating_point(
    network: Network, injections: Mapping[int, tuple[int, int]], slack_scale: float = 1.0
) -> OperatingPoint:
    """
    Solve one case.

    Args:
        network: All joined feeders.
        injections: bus -> (milliwatt, millivar) into the network; buses left out inject 0.
        slack_scale: Slack voltage over the network table's.

    Raises:
        NotConverged: No solution could be proved; trying again gives the same answer.
    """
    model = build_admittance_model(network)
    S = np.zeros((model.n, 1), dtype=np.complex128)
    at_slack = 0.0
    for bus, (p, q) in injections.items():
        place = network.position(bus, "injection")
        if place < 0:
            at_slack += p / MILLI_PER_MEGA
        else:
            S[place, 0] += complex(p, q) / MILLI_PER_MEGA
    solution = solve_batch(model, S, slack_scale)
    if not solution.certified[0]:
        raise NotConverged("the operating point has no certified solution")
    voltage = full_voltage(solution)[:, 0]
    places = np.arange(len(network.branches))
    sides = [branch_current(model, solution, end, places)[0][:, 0] for end in (0, 1)]
    with np.errstate(divide="ignore", invalid="ignore"):
        loading = np.max([np.abs(sides[end]) / model.ratings[end] for end in (0, 1)], axis=0)
    loading = np.where(np.isfinite(loading), loading, 0.0)
    flow = [voltage[model.ends[end]] * np.conjugate(sides[end]) for end in (0, 1)]
    branch_losses = float(np.sum(flow[0].real + flow[1].real))
    shunts = sum(
        bus.shunt_g * 1e-9 * (bus.vn * 1e-6) ** 2 * abs(voltage[network.positions[bus.index]]) ** 2
        for bus in network.buses
    )
    losses = branch_losses + float(shunts)
    kinds = ["line"] * len(network.lines) + ["transformer"] * len(network.transformers)
    return OperatingPoint(
        vm_pu={
            bus.index: float(abs(voltage[network.positions[bus.index]])) for bus in network.buses
        },
        loading={
            (kind, branch.index): float(share)
            for kind, branch, share in zip(kinds, network.branches, loading, strict=True)
        },
        slack_p_mw=losses - float(S.real.sum()) - at_slack,
        losses_mw=losses,
    )
