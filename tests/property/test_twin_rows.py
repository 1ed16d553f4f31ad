"""
Every row of the state tables at T-1, T, T+1 in both languages: they answer alike, and as the
tables say. The coverage is printed at the end.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from fakes.trade_records import T_B
from fakes.twin.rows import CAP_WH, DELIVERED_WH, ROWS, Row, make_stages, reported
from fakes.twin.scene import open_world
from fakes.twin.world import TwinWorld

from tieline.contract.keys import lock_key
from tieline.contract.records import LockRecord, decode_lock
from tieline.contract.store import TIELINE
from tieline.swap.lock import LockStatus

TABLE = {f"A{number}" for number in range(14)} | {f"B{number}" for number in range(11)}
ORDERS = {"B0a", "B0b"}
COVERED: Counter[tuple[str, int]] = Counter()

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
    COVERED[row.name.split(",")[0].split()[0], offset] += 1


@pytest.mark.parametrize("name", ["local", "local direct"])
def test_a_known_limit_a_seller_escapes_its_slashing_inside_a_microgrid_by_refunding_first(
    scene: tuple[TwinWorld, dict[str, Any]], name: str
) -> None:
    """
    A hole of row B8 that both languages have, not a promise: T_A = T_B there, so no leaf is asked
    for, and who comes first decides (ADR 0017, which says how it would be mended). Whoever mends
    it turns the last lines round.
    """
    world, stages = scene
    deal = world.deals[name]
    leaf = world.council.delivered(reported(world), deal)
    ends: dict[bool, list[LockRecord]] = {}
    for is_shown in (True, False):
        world.restore(stages["delivered"])
        world.now_s = T_B
        world.must("relayer", world.council.refund(deal, [leaf] if is_shown else []))
        world.must("relayer", world.council.refund(deal, [leaf]))  # too late: row B9
        ends[is_shown] = [
            decode_lock(dict(host.scan(TIELINE, lock_key(deal.lock_id)))[lock_key(deal.lock_id)])
            for host in world.hosts
        ]
    assert {lock.status for locks in ends.values() for lock in locks} == {LockStatus.CLOSED}
    assert [lock.slashed_wh for lock in ends[True]] == [CAP_WH - DELIVERED_WH] * 2
    assert [lock.slashed_wh for lock in ends[False]] == [0, 0]


def test_no_row_of_the_tables_is_left_out() -> None:
    """Rows of the source and of the destination, by the names that the specification gives them."""
    driven = {re.split(r"[ ,]", row.name)[0] for row in ROWS}
    assert driven == TABLE | ORDERS


@pytest.fixture(scope="module", autouse=True)
def _print_coverage(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    manager = request.config.pluginmanager.getplugin("capturemanager")
    lines = ["", "rows in two languages, transactions at T-1, T, T+1:"]
    for name in sorted({name for name, _ in COVERED}, key=lambda one: (one[0], len(one), one)):
        counts = "".join(f"{COVERED[name, offset]:6}" for offset in (-1, 0, 1))
        lines.append(f"  {name:6}{counts}")
    with manager.global_and_fixture_disabled():
        sys.stdout.write("\n".join([*lines, ""]))
