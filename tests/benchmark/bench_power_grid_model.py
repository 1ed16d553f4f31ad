"""
The same network for power-grid-model: generic branches from our own two-ports, an ideal source.

Its pandapower converter needs three corrections to agree (source.sk, the T model, loading by
power); built from the same admittances there is nothing to correct but sk.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from power_grid_model import (
    CalculationMethod,
    ComponentType,
    DatasetType,
    LoadGenType,
    PowerGridModel,
    initialize_array,
)

from tieline.power.network import Network, Transformer

IDEAL_SK_VA = 1e20


def build(network: Network, S: np.ndarray) -> tuple[Any, dict[Any, Any]]:
    """Return the model and the batch update of all candidates."""
    place = {bus.index: number for number, bus in enumerate(network.buses)}
    count = len(network.buses)
    nodes = initialize_array(DatasetType.input, ComponentType.node, count)
    nodes["id"] = np.arange(count)
    nodes["u_rated"] = [bus.vn * 1e-3 for bus in network.buses]

    branches = initialize_array(
        DatasetType.input, ComponentType.generic_branch, len(network.branches)
    )
    branches["id"] = np.arange(len(network.branches)) + 10_000
    branches["from_node"] = [place[branch.from_bus] for branch in network.branches]
    branches["to_node"] = [place[branch.to_bus] for branch in network.branches]
    branches["from_status"] = [branch.from_closed for branch in network.branches]
    branches["to_status"] = [branch.to_closed for branch in network.branches]
    for number, branch in enumerate(network.branches):
        for name, value in _pi(network, branch).items():
            branches[name][number] = value

    source = initialize_array(DatasetType.input, ComponentType.source, 1)
    source["id"], source["node"], source["status"] = 20_000, place[network.slack.bus], 1
    source["u_ref"], source["sk"] = network.slack.vm * 1e-9, IDEAL_SK_VA
    source["u_ref_angle"] = np.deg2rad(network.slack.va * 1e-6)

    loads = initialize_array(DatasetType.input, ComponentType.sym_load, len(network.load_buses))
    loads["id"] = np.arange(len(network.load_buses)) + 30_000
    loads["node"] = [place[bus] for bus in network.load_buses]
    loads["status"], loads["type"] = 1, LoadGenType.const_power
    loads["p_specified"], loads["q_specified"] = 0.0, 0.0

    update = initialize_array(
        DatasetType.update, ComponentType.sym_load, (S.shape[1], len(network.load_buses))
    )
    update["id"] = loads["id"]
    update["p_specified"], update["q_specified"] = -S.real.T * 1e6, -S.imag.T * 1e6
    model = PowerGridModel(
        {
            ComponentType.node: nodes,
            ComponentType.generic_branch: branches,
            ComponentType.source: source,
            ComponentType.sym_load: loads,
        }
    )
    return model, {ComponentType.sym_load: update}


def solve(model: Any, update: dict[Any, Any], method: str, threads: int) -> dict[Any, Any]:
    """Solve the batch; voltages and branch loadings only, as limits need."""
    return model.calculate_power_flow(
        calculation_method=CalculationMethod[method],
        update_data=update,
        threading=threads,
        error_tolerance=1e-8,
        output_component_types={
            ComponentType.node: ["u_pu"],
            ComponentType.generic_branch: ["loading"],
        },
    )


def _pi(network: Network, branch: Any) -> dict[str, float]:
    """Return the generic branch's fields: a pi on the to-side, ratio k, angle theta, rating sn."""
    rated = {bus.index: bus.vn * 1e-3 for bus in network.buses}
    z, y = complex(branch.r, branch.x) * 1e-6, complex(branch.g, branch.b) * 1e-9
    volts = rated[branch.to_bus]
    if not isinstance(branch, Transformer):
        sn = 3**0.5 * branch.i_max * 1e-3 * volts or 1e12
        return {
            "r1": z.real,
            "x1": z.imag,
            "g1": y.real,
            "b1": y.imag,
            "k": 1.0,
            "theta": 0.0,
            "sn": sn,
        }
    step = 1 + (branch.tap_pos - branch.tap_neutral) * branch.tap_step * 1e-9
    tapped_from = branch.vn_from * 1e-3 * (step if branch.tap_side == 1 else 1.0)
    tapped_to = branch.vn_to * 1e-3 * (step if branch.tap_side == 2 else 1.0)
    squared = (tapped_to / (branch.vn_from * 1e-3)) ** 2
    z, y = z * squared, y / squared
    series = z * (1 + z * y / 4)
    shunt = y / (1 + z * y / 4)
    return {
        "r1": series.real,
        "x1": series.imag,
        "g1": shunt.real,
        "b1": shunt.imag,
        "k": (tapped_from / tapped_to) * volts / rated[branch.from_bus],
        "theta": np.deg2rad(branch.shift * 1e-6),
        "sn": branch.sn or 1e12,
    }
