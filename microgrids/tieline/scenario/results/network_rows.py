"""The network over a whole run, bus by bus and branch by branch; and its tightest slot."""

from __future__ import annotations

from typing import Any

from tieline.power.network import Line
from tieline.power.power_flow import to_pandapower
from tieline.scenario.results.material import Material
from tieline.scenario.run_records import BranchRow, BusRow
from tieline.scenario.truth_of_slot import SlotTruth

PERCENT = 100.0
LOADING_DIGITS = 3


def bus_rows(material: Material) -> list[BusRow]:
    """Return every bus with its lowest and highest realised voltage."""
    world, network = material.world, material.network
    points = [world.truth.slot(start).point for start in world.slots]
    count: dict[int, int] = {}
    for cell in world.households.cells:
        count[cell.bus] = count.get(cell.bus, 0) + 1
    names = [material.names.cell_of_address.get(owner, "") for owner in network.owners]
    return [
        BusRow(
            bus=bus.index,
            name=world.bus_names.get(bus.index, str(bus.index)),
            owner=names[bus.owner],
            vm_pu_min=min(point.vm_pu[bus.index] for point in points),
            vm_pu_max=max(point.vm_pu[bus.index] for point in points),
            cells_count=count.get(bus.index, 0),
        )
        for bus in network.buses
    ]


def branch_rows(material: Material) -> list[BranchRow]:
    """Return every line and transformer with its highest realised load."""
    world = material.world
    points = [world.truth.slot(start).point for start in world.slots]
    rows: list[BranchRow] = []
    for branch in material.network.branches:
        kind = "line" if isinstance(branch, Line) else "transformer"
        loading = max(point.loading[kind, branch.index] for point in points)
        rows.append(
            BranchRow.model_validate(
                {
                    "from_bus": branch.from_bus,
                    "to_bus": branch.to_bus,
                    "name": f"{kind} {branch.index} ({branch.from_bus}-{branch.to_bus})",
                    "kind": kind,
                    "loading_percent_max": round(loading * PERCENT, LOADING_DIGITS),
                    "is_closed": branch.from_closed and branch.to_closed,
                }
            )
        )
    return rows


def tightest_slot(material: Material) -> SlotTruth:
    """Return the slot in which a voltage came nearest to an edge of its band, as it turned out."""
    world = material.world
    return min((world.truth.slot(start) for start in world.slots), key=lambda t: _room(material, t))


def tightest_net(material: Material) -> Any:
    """Return that slot as a pandapower net with what really flowed, slack voltage included."""
    truth = tightest_slot(material)
    network = material.network
    scaled = network.with_slack_vm(round(network.slack.vm * truth.slack_scale))
    return to_pandapower(scaled, truth.injections)


def _room(material: Material, truth: SlotTruth) -> float:
    network = material.network
    return min(
        min(
            truth.point.vm_pu[bus.index] - bus.v_min * 1e-9,
            bus.v_max * 1e-9 - truth.point.vm_pu[bus.index],
        )
        for bus in network.buses
        if bus.index != network.slack.bus
    )
