"""The networks we ship: the demo's feeder and the two published small ones. Built by pandapower."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tieline.power.importers import Ownership, import_network
from tieline.power.network import Network
from tieline.power.power_flow import empty_net, injections_of, quiet
from tieline.power.settings import Limits, PowerLimit

CIGRE_ZONES: Mapping[str, tuple[int, ...]] = {
    "operator": (0, 1, 2, 3, 8),
    "A": (4, 5, 6),
    "B": (7,),
    "C": (9, 10, 11),
}
"""``docs/spec/physics.md`` 1; bus 0 is the operator's 110 kV busbar."""
CIGRE_LOAD_SCALING = 0.4
CIGRE_SLACK_VM_PU = 1.02
CIGRE_TIES = {2: "operator", 5: "operator", 6: "operator", 12: "A", 13: "C"}
"""Lines between zones (3-4, 7-8, 8-9) are the operator's; the open ones belong to the live end."""
CIGRE_TRANSFORMER_MILLIWATT = 25_000_000_000


@dataclass(frozen=True)
class Case:
    """A network with its forecast and the names of its zones."""

    name: str
    network: Network
    baseline: Mapping[int, tuple[int, int]]
    """bus -> (milliwatt, millivar) into the network."""
    zones: Mapping[str, tuple[int, ...]]
    """Cell -> its buses."""
    limits: Limits


def default_owners(names: tuple[str, ...]) -> dict[str, bytes]:
    """Return addresses that stand for cells in studies without ledgers: 00..01, 00..02, ..."""
    return {name: (index + 1).to_bytes(20, "big") for index, name in enumerate(names)}


def cigre_feeder_1(owners: Mapping[str, bytes] | None = None) -> Case:
    """
    Return feeder 1 of the CIGRE medium-voltage network, cut into three microgrids and a backbone.

    Feeder 2 hangs on its own transformer at the same ideal busbar and moves nothing here, so it is
    left out. Generators of the original are left out of the baseline; profiles bring their own.

    Args:
        owners: Zone -> EVM address of its cell, for operator, A, B, C.
    """
    net = cigre_feeder_1_net()
    net.load["scaling"] = CIGRE_LOAD_SCALING
    net.sgen["scaling"] = 0.0
    net.ext_grid["vm_pu"] = CIGRE_SLACK_VM_PU
    addresses = owners or default_owners(tuple(CIGRE_ZONES))
    names = tuple(CIGRE_ZONES)
    network = import_network(
        net,
        Ownership(
            owners=tuple(addresses[name] for name in names),
            bus={bus: names.index(name) for name, buses in CIGRE_ZONES.items() for bus in buses},
            line={line: names.index(name) for line, name in CIGRE_TIES.items()},
        ),
        band_pu=(0.95, 1.05),
    )
    coupling = PowerLimit(
        "operator", ("transformer", 0), CIGRE_TRANSFORMER_MILLIWATT, -CIGRE_TRANSFORMER_MILLIWATT
    )
    return Case(
        "cigre_mv_feeder_1", network, injections_of(net), CIGRE_ZONES, Limits(power=(coupling,))
    )


def cigre_feeder_1_net() -> Any:
    """Return the pandapower net of feeder 1 as published: loads, generators, slack 1.03 pu."""
    return copy.deepcopy(_published_feeder_1())


@cache
def _published_feeder_1() -> Any:
    """Return what is only copied: half a second to build."""
    with quiet():
        from pandapower import toolbox  # noqa: PLC0415 - seconds to import
        from pandapower.networks import create_cigre_network_mv  # noqa: PLC0415

        # pandapower's own hints are narrower than what its functions take.
        create: Any = create_cigre_network_mv
        tools: Any = toolbox
        net = create(with_der="pv_wind")
        tools.drop_buses(net, [12, 13, 14])
    return net


def two_feeders() -> Case:
    """
    Return two 0.4 kV feeders on one 250 kVA transformer: a seller at A5 lifts A, a buyer at B5
    drops B. Buses: 0 slack, 1 busbar, 2-6 feeder A, 7-11 feeder B.
    """
    with quiet():
        import pandapower  # noqa: PLC0415 - seconds to import

        net = empty_net()
        pandapower.create_bus(net, 20.0)
        pandapower.create_bus(net, 0.4)
        pandapower.create_ext_grid(net, 0, vm_pu=1.0)
        pandapower.create_transformer(net, 0, 1, "0.25 MVA 20/0.4 kV")
        _feeders(pandapower, net, 1, (5, 5), 0.1, "NAYY 4x50 SE", (0.003, 0.001))
    zones = {"operator": (0, 1), "A": tuple(range(2, 7)), "B": tuple(range(7, 12))}
    return _case("two_feeders", net, zones, (0.95, 1.05))


def third_party_victim() -> Case:
    """
    Return three cells on 24 km of overhead line, each with a transformer and two feeders.

    A and B may each buy 150 kW; both together push C, who trades nothing, below 0.95.
    Buses: 0 slack, 1-3 the 20 kV busbars of A, B, C, then per cell its busbar at 0.4 kV and eight
    more: 4-12, 13-21, 22-30.
    """
    with quiet():
        import pandapower  # noqa: PLC0415 - seconds to import

        net = empty_net()
        for _ in range(4):
            pandapower.create_bus(net, 20.0)
        pandapower.create_ext_grid(net, 0, vm_pu=1.0)
        for end, km in ((1, 12.0), (2, 6.0), (3, 6.0)):
            pandapower.create_line(net, end - 1, end, km, "48-AL1/8-ST1A 20.0")
        for place, kw in enumerate((12, 12, 26)):
            busbar = pandapower.create_bus(net, 0.4)
            pandapower.create_transformer(net, place + 1, busbar, "0.63 MVA 20/0.4 kV")
            each = (kw * 1e-3, 4e-3)
            _feeders(pandapower, net, int(busbar), (4, 4), 0.06, "NAYY 4x150 SE", each)
    zones = {
        "operator": (0,),
        "A": (1, *range(4, 13)),
        "B": (2, *range(13, 22)),
        "C": (3, *range(22, 31)),
    }
    return _case("third_party_victim", net, zones, (0.95, 1.05))


def _feeders(
    pandapower: Any,
    net: Any,
    busbar: int,
    lengths: tuple[int, int],
    section_km: float,
    line_type: str,
    load: tuple[float, float],
) -> None:
    for count in lengths:
        previous = busbar
        for _ in range(count):
            bus = pandapower.create_bus(net, 0.4)
            pandapower.create_line(net, previous, bus, section_km, line_type)
            pandapower.create_load(net, bus, p_mw=load[0], q_mvar=load[1])
            previous = bus


def _case(
    name: str, net: Any, zones: Mapping[str, tuple[int, ...]], band: tuple[float, float]
) -> Case:
    owners = default_owners(tuple(zones))
    names = tuple(zones)
    ownership = Ownership(
        tuple(owners.values()),
        {bus: names.index(zone) for zone, buses in zones.items() for bus in buses},
    )
    network = import_network(net, ownership, band_pu=band)
    return Case(name, network, injections_of(net), zones, Limits())
