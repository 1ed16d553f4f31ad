"""The wires of a scenario: who owns what, whose loads stay, which files are refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from fakes.cell_world import CONFIG

from tieline.interfaces.errors import ConfigError
from tieline.power.cases import cigre_feeder_1_net
from tieline.scenario.config import ScenarioConfig
from tieline.scenario.network_source import Wires, read_wires

ADDRESSES = {"A": b"\x0a" * 20, "B": b"\x0b" * 20, "grid": b"\x0c" * 20}


def config(**network: Any) -> ScenarioConfig:
    raw = yaml.safe_load(CONFIG)
    raw["network"] |= network
    return ScenarioConfig.model_validate(raw)


@pytest.fixture(scope="module")
def wires() -> Wires:
    return read_wires(config(slack_voltage_pu=1.03, voltage_min_pu=0.94), ADDRESSES)


def owner(wires: Wires, bus: int) -> bytes:
    network = wires.network
    found = next(row for row in network.buses if row.index == dict(network.aliases).get(bus, bus))
    return network.owners[found.owner]


def test_every_bus_has_the_owner_that_the_scenario_names(wires: Wires) -> None:
    assert {bus: owner(wires, bus) for bus in (4, 5, 6)} == dict.fromkeys((4, 5, 6), ADDRESSES["A"])
    assert owner(wires, 7) == owner(wires, 10) == ADDRESSES["B"]
    assert owner(wires, 3) == owner(wires, wires.network.slack.bus) == ADDRESSES["grid"]


def test_a_line_between_two_zones_is_the_operators(wires: Wires) -> None:
    network = wires.network
    zones = {row.index: row.owner for row in network.buses}
    for line in network.lines:
        ends = {zones[line.from_bus], zones[line.to_bus]}
        expected = ends.pop() if len(ends) == 1 else list(network.owners).index(ADDRESSES["grid"])
        assert line.owner == expected


def test_slack_voltage_and_band_come_from_the_scenario(wires: Wires) -> None:
    network = wires.network
    assert network.slack.vm == 1_030_000_000
    assert {row.v_min for row in network.buses if row.index != network.slack.bus} == {940_000_000}


def test_rated_loads_are_those_of_the_file_and_draw_positive(wires: Wires) -> None:
    net = cigre_feeder_1_net()
    total = round(float((net.load.p_mw).sum()) * 1e9)
    assert sum(row.p_milliwatt for row in wires.rated_loads.values()) == pytest.approx(
        total, abs=20
    )
    assert all(row.p_milliwatt > 0 for row in wires.rated_loads.values())


def test_a_bus_that_nobody_owns_is_refused() -> None:
    raw = yaml.safe_load(CONFIG)
    raw["operator"]["buses"] = [1, 2, 3]
    with pytest.raises(ConfigError, match="8"):
        read_wires(ScenarioConfig.model_validate(raw), ADDRESSES)


def test_a_file_that_is_no_network_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text("{}", encoding="utf-8")
    asked = config().model_copy(
        update={"network": config().network.model_copy(update={"pandapower_json": path})}
    )
    with pytest.raises(ConfigError, match=r"mine\.json"):
        read_wires(asked, ADDRESSES)
