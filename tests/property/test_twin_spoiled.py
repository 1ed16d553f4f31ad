"""
Wrong variants of every message: nothing of them takes effect, and both languages refuse for the
same reason. What may not be refused, but is told as an alarm or a reason, is told alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import fakes.twin.spoiled_book
import fakes.twin.spoiled_locks
import fakes.twin.spoiled_packets
import pytest
from fakes.trade_records import TAU
from fakes.twin.parties import account
from fakes.twin.reply import Reply
from fakes.twin.rows import make_stages
from fakes.twin.scene import open_world
from fakes.twin.spoiled import SPOILED, Spoiled
from fakes.twin.world import TwinWorld

from tieline.contract.store import TIELINE

TABLES = (fakes.twin.spoiled_book, fakes.twin.spoiled_locks, fakes.twin.spoiled_packets)
"""Each fills the table when it is imported."""


@pytest.fixture(scope="module")
def scene() -> tuple[TwinWorld, dict[str, Any]]:
    world = open_world()
    return world, make_stages(world)


@pytest.mark.parametrize("case", SPOILED, ids=[case.name for case in SPOILED])
def test_a_wrong_message_is_refused_alike(
    scene: tuple[TwinWorld, dict[str, Any]], case: Spoiled
) -> None:
    world, stages = scene
    world.restore(stages[case.stage])
    world.now_s = case.now
    sender, messages = case.script(world)
    messages = world.without_lead(sender, messages)
    before = world.hosts[0].scan(TIELINE, b"")
    reply = world.run(sender, *messages)
    assert reply.is_accepted == case.is_told, f"{reply.refusal}: {reply.detail}"
    if not case.is_told:
        assert world.hosts[0].scan(TIELINE, b"") == before


def test_the_table_has_no_two_rows_of_one_name() -> None:
    assert len({case.name for case in SPOILED}) == len(SPOILED) > 400


def test_the_one_packet_that_the_languages_judge_apart_gives_no_lock_in_either(
    scene: tuple[TwinWorld, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    An anchored order is found on the EVM by the seller that a trade names: another one is *not
    yet* there and ``ORDER`` in Python. The packet times out, or is refused; money comes back.
    """
    world, stages = scene
    world.restore(stages["sealed"])
    world.now_s = TAU - 60
    seen: list[Sequence[Reply]] = []
    monkeypatch.setattr(world, "compare", lambda _hosts, replies, _note: seen.append(replies))
    sender, messages = fakes.twin.spoiled_packets._receive_of(world, {"seller": account("mallory")})
    world.run(sender, *messages)
    python, byte_code = seen[-1]
    reasons = [dict(e.attributes)["reason"] for e in python.events if e.type == "receive_refused"]
    assert reasons == ["ORDER"]
    assert byte_code.refusal == "tieline/2"
    assert not any(host.scan(TIELINE, b"l") for host in world.hosts)
