"""Scenarios that cannot be are refused by name at the door, and leave no run behind."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandapower as pp
import pytest
from fakes.small_world import SMALL, small

from tieline.interfaces.errors import ConfigError
from tieline.power.cases import cigre_feeder_1_net
from tieline.scenario import world
from tieline.scenario.run_folder import RunFolder

Spoil = Callable[[Any], object]


def _cut_off(net: Any) -> None:
    net.line.loc[net.line.from_bus == 4, "in_service"] = False


def _no_slack(net: Any) -> None:
    net.ext_grid.drop(net.ext_grid.index, inplace=True)


def _two_slacks(net: Any) -> None:
    pp.create_ext_grid(net, 11)


def _unowned_bus(net: Any) -> None:
    pp.create_bus(net, vn_kv=20, index=77)


WIRES: list[tuple[str, Spoil, str]] = [
    ("an island without a slack", _cut_off, "slack"),
    ("no slack at all", _no_slack, "0 slack buses"),
    ("two slacks", _two_slacks, "2 slack buses"),
    ("a bus that nobody owns", _unowned_bus, "77"),
]


@pytest.mark.parametrize(("what", "spoil", "named"), WIRES, ids=[row[0] for row in WIRES])
def test_a_network_that_cannot_be_solved_is_refused(
    tmp_path: Path, what: str, spoil: Spoil, named: str
) -> None:
    """The user's own pandapower file, spoiled in one place."""
    net = cigre_feeder_1_net()
    spoil(net)
    pp.to_json(net, str(tmp_path / "net.json"))
    config = small(network={"pandapower_json": str(tmp_path / "net.json"), "load_scaling": 0.385})
    with pytest.raises(ConfigError, match=named) as refused:
        world.run(config, tmp_path / "run", progress=lambda _done, _all, _what: None)
    assert refused.value.instead, f"{what}: says what to write instead"
    assert not RunFolder(tmp_path / "run").run_json.exists()
    assert not RunFolder(tmp_path / "run").ledger_ids()


def test_the_same_network_unspoiled_is_read(tmp_path: Path) -> None:
    """What the table spoils is sound before."""
    pp.to_json(cigre_feeder_1_net(), str(tmp_path / "net.json"))
    config = small(network={"pandapower_json": str(tmp_path / "net.json"), "load_scaling": 0.385})
    world.prepare(config, tmp_path / "run")
    assert RunFolder(tmp_path / "run").ledger_ids() == ["grid-1", "mg-a", "mg-b"]


KEYS: list[tuple[str, Mapping[str, object]]] = [
    ("seed", {"seed": 8}),
    ("slots", {"slot_count": 3}),
    ("price", {"operator": {**SMALL["operator"], "import_price_micro_eur_per_kwh": 330_000}}),
]


@pytest.mark.parametrize(("what", "changes"), KEYS, ids=[row[0] for row in KEYS])
def test_a_run_goes_on_with_its_own_scenario_only(
    tmp_path: Path, what: str, changes: Mapping[str, object]
) -> None:
    """A resume under other rules would tell another story from some block on."""
    world.prepare(small(), tmp_path / "run")
    with pytest.raises(ConfigError, match="changed since the run began"):
        world.run(small(**changes), tmp_path / "run", progress=lambda _d, _a, _w: None, resume=True)
