"""
Every row of the state tables at T-1, T, T+1 in both languages: they answer alike, and as the
tables say. The coverage is printed at the end.
"""

from __future__ import annotations

from typing import Any

import pytest
from fakes.twin.rows import ROWS, Row, make_stages
from fakes.twin.scene import open_world
from fakes.twin.world import TwinWorld

from tieline.contract.store import TIELINE

CASES = [(row, offset) for row in ROWS for offset in (-1, 0, 1)]


@pytest.fixture(scope="module")
def scene() -> tuple[TwinWorld, dict[str, Any]]:
    world = open_world()
    return world, make_stages(world)


@pytest.mark.parametrize(
    ("row", "offset"), CASES, ids=[f"{row.name} T{offset:+d}" for row, offset in CASES]
)
def test_a_row_moves_exactly_when_its_guard_holds(
    scene: tuple[TwinWorld, dict[str, Any]], row: Row, offset: int
) -> None:
    world, stages = scene
    world.restore(stages[row.stage])
    world.now_s = row.boundary + offset if row.now is None else row.now
    before = world.hosts[0].scan(TIELINE, b"")
    sender, messages = row.move(world, offset)
    reply = world.run(sender, *messages)
    has_moved = world.hosts[0].scan(TIELINE, b"") != before
    assert row.is_open(offset) == has_moved, f"{reply.refusal}: {reply.detail}"
