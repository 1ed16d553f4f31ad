"""The wires of a scenario: a case that ships, or the user's own pandapower file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tieline.interfaces.errors import ConfigError
from tieline.power.cases import cigre_feeder_1_net
from tieline.power.errors import NetworkError
from tieline.power.importers import Ownership, import_network, read_pandapower_json
from tieline.power.network import Network
from tieline.power.power_flow import injections_of
from tieline.scenario.checks import check_buses
from tieline.scenario.config import ScenarioConfig
from tieline.scenario.series import RatedLoad


@dataclass(frozen=True, slots=True)
class Wires:
    """A network with its owners, and the loads of those who take no part in the market."""

    network: Network
    rated_loads: Mapping[int, RatedLoad]
    bus_names: Mapping[int, str]


def read_wires(config: ScenarioConfig, addresses: Mapping[str, bytes]) -> Wires:
    """
    Read the network and pass it through the parity gate.

    Args:
        config: A checked scenario.
        addresses: EVM address of each cell, by the microgrid's (or operator's) name.

    Raises:
        ConfigError: The file is not a network we can model, or a bus has no owner.
    """
    source = config.network
    try:
        net = _read_net(config)
        slack = {int(bus) for bus in net.ext_grid.bus}
        if len(slack) != 1:
            raise ConfigError(
                f"{len(slack)} slack buses (external grids) instead of one",
                file=str(source.pandapower_json or source.case),
                key="network",
                instead="keep the one external grid over which the operator imports",
            )
        check_buses(config, [int(bus) for bus in net.bus.index if int(bus) not in slack])
        net.ext_grid["vm_pu"] = source.slack_voltage_pu
        net.load["scaling"] = 1.0
        net.sgen["scaling"] = 0.0
        network = import_network(
            net,
            _ownership(config, addresses, net),
            band_pu=(source.voltage_min_pu, source.voltage_max_pu),
        )
    except NetworkError as error:
        raise ConfigError(
            str(error), file=str(source.pandapower_json or source.case), instead="mend the network"
        ) from error
    rated = {bus: RatedLoad(-p, -q) for bus, (p, q) in injections_of(net).items() if p or q}
    names = {int(bus): str(name) for bus, name in net.bus["name"].items()}
    return Wires(network, rated, names)


def _read_net(config: ScenarioConfig) -> Any:
    if config.network.pandapower_json is not None:
        return read_pandapower_json(str(config.network.pandapower_json))
    return cigre_feeder_1_net()


def _ownership(config: ScenarioConfig, addresses: Mapping[str, bytes], net: Any) -> Ownership:
    """Give buses to their microgrids; branches between two zones to the operator."""
    names = [*(microgrid.name for microgrid in config.microgrids), config.operator.name]
    owner = {bus: names.index(m.name) for m in config.microgrids for bus in m.buses}
    owner |= {bus: len(names) - 1 for bus in config.operator.buses}
    backbone = len(names) - 1
    # The slack bus is the main grid itself: nobody has to name it.
    owner |= {int(bus): backbone for bus in net.ext_grid.bus}
    lines = {
        int(index): (
            owner[int(row.from_bus)]
            if owner[int(row.from_bus)] == owner[int(row.to_bus)]
            else backbone
        )
        for index, row in net.line.iterrows()
    }
    return Ownership(owners=tuple(addresses[name] for name in names), bus=owner, line=lines)
