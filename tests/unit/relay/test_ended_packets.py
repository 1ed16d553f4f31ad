"""What is over stays over, and is remembered as little more than a number."""

import asyncio

from fakes.plain_world import CLIENT, A, B, PlainWorld
from hypothesis import given
from hypothesis import strategies as st

from tieline.relay import view as view_module
from tieline.relay.ended_packets import EndedPackets
from tieline.relay.landed import has_taken_effect
from tieline.relay.packet_journey import JourneyStatus


@given(st.permutations(range(3, 40)), st.integers(1, 37))
def test_sequences_in_any_order_are_known_and_no_others(order: list[int], count: int) -> None:
    ended, added = EndedPackets(), set()
    for sequence in order[:count]:
        ended.add(sequence)
        added.add(sequence)
    assert {one for one in range(45) if one in ended} == added


@given(st.permutations(range(1, 60)))
def test_a_run_without_gaps_takes_no_room(order: list[int]) -> None:
    ended = EndedPackets()
    for sequence in order:
        ended.add(sequence)
    assert not ended._beside


def test_a_packet_that_is_over_is_forgotten_and_does_not_begin_anew(monkeypatch) -> None:
    monkeypatch.setattr(view_module, "ENDED_REMEMBERED", 2)
    world = PlainWorld()
    world.send(A, 9)
    world.settle()
    view = world.runner.view
    assert world.statuses() == [JourneyStatus.ACKNOWLEDGED] * 2
    assert not world.runner.retry._waiting, "what took effect is not remembered"
    # The second ledger is read again from its beginning: it tells of all nine once more.
    view.resume_from(B, 0)
    for block in asyncio.run(world.b.inner.blocks_after(0)):
        view.observe(B, block)
    assert world.statuses() == [JourneyStatus.ACKNOWLEDGED] * 2
    assert not world.journal.journeys()


def test_an_effect_has_taken_place_when_events_say_so() -> None:
    world = PlainWorld()
    world.send(A, 1)
    recv, ack = f"{B}/recv/{CLIENT}/1", f"{A}/ack/{CLIENT}/1"
    seen = []
    for _ in range(12):
        world.blocks()
        world.step()
        seen.append(
            (has_taken_effect(world.runner.view, recv), has_taken_effect(world.runner.view, ack))
        )
    assert seen == sorted(seen), "neither is ever taken back"
    assert {(False, False), (True, False), (True, True)} == set(seen)
    for other in ("x", f"{A}/claim/ab/1", f"{A}/recv/07-other-1/1", f"{A}/ack/{CLIENT}/x"):
        assert not has_taken_effect(world.runner.view, other)
