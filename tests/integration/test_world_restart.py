"""What a cell must still know after a restart, looked at inside a running world."""

import asyncio
from pathlib import Path

import pytest
from fakes.small_world import small

from tieline.interfaces.errors import ConfigError
from tieline.scenario import world as scenario_world
from tieline.scenario.building import build_world
from tieline.scenario.driven_world import World
from tieline.scenario.run_folder import RunFolder
from tieline.utility.keys import KeyRing
from tieline.utility.phases.forecast import open_coin

CONFIG = small(slot_count=1)
SLOT = CONFIG.start_s
AFTER_GATE_CLOSURE = SLOT - 880


async def _coins(world: World) -> list[bytes]:
    return [await open_coin(service.parts, service.parts.slot(SLOT)) for service in world.services]


async def _until_the_gate_has_closed(folder: RunFolder) -> list[bytes]:
    world = await build_world(CONFIG, folder, scenario_world.key_ring(CONFIG, folder.keys))
    try:
        world.clock.remember([SLOT - 1680, SLOT - 900, AFTER_GATE_CLOSURE])
        while world.clock.now_s() < AFTER_GATE_CLOSURE:
            world.clock.step(is_busy=any(one.wants_block for one in world.ledgers.values()))
            await world.tick()
        return await _coins(world)
    finally:
        world.close()


async def _after_a_restart(folder: RunFolder) -> list[bytes]:
    world = await build_world(CONFIG, folder, scenario_world.key_ring(CONFIG, folder.keys))
    try:
        assert world.clock.now_s() >= AFTER_GATE_CLOSURE
        return await _coins(world)
    finally:
        world.close()


def test_the_coin_is_the_same_after_a_restart_between_gate_closure_and_seal(tmp_path: Path) -> None:
    """Commitments were given before the gate closed; asked for later, they would bind nobody."""
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    before = asyncio.run(_until_the_gate_has_closed(folder))
    assert len(set(before)) == 1, "all cells toss one coin"
    assert before[0] != bytes(32)
    assert asyncio.run(_after_a_restart(folder)) == before


def test_a_secret_is_drawn_whole_or_not_at_all(tmp_path: Path) -> None:
    """An empty file, as of a kill in mid-write, is refused: its keys would be anybody's."""
    drawn = KeyRing(tmp_path).derive("cell-A", "salt")
    assert KeyRing(tmp_path).derive("cell-A", "salt") == drawn
    assert [path.name for path in tmp_path.iterdir()] == ["cell-A.secret"]
    assert (tmp_path / "cell-A.secret").stat().st_mode & 0o777 == 0o600
    (tmp_path / "cell-B.new").touch()
    assert KeyRing(tmp_path).derive("cell-B", "salt") != drawn
    (tmp_path / "cell-C.secret").touch()
    with pytest.raises(ConfigError, match="0 bytes"):
        KeyRing(tmp_path).derive("cell-C", "salt")
