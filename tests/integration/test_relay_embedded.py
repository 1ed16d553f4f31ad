"""The hub between real headers, real proofs and attestors that check: nothing is faked but time."""

import logging

import pytest
from fakes.paired_world import PairedWorld

from tieline.relay.packet_journey import JourneyStatus


def statuses(world: PairedWorld) -> list[JourneyStatus]:
    return sorted(journey.status for journey in world.runner.view.journeys.values())


def test_packets_of_all_routes_are_received_and_acknowledged() -> None:
    world = PairedWorld()
    for source in world.ledgers:
        for destination in world.ledgers:
            if source != destination:
                world.send(source, destination, 3)
    world.settle()
    assert statuses(world) == [JourneyStatus.ACKNOWLEDGED] * 18
    assert not world.journal.open_intents()
    assert not world.journal.recent_failures()


def test_the_relayer_comes_to_rest_and_updates_only_for_proofs() -> None:
    world = PairedWorld()
    world.settle()
    heights = [len(ledger.blocks) for ledger in world.ledgers.values()]
    world.settle()
    assert heights == [len(ledger.blocks) for ledger in world.ledgers.values()]


def test_a_packet_that_was_not_received_times_out_by_the_destinations_clock() -> None:
    world = PairedWorld()
    south = world.attestors[1]
    south.is_silent = True  # the destination's own: no receive without it
    world.send("north-1", "south-1", 2, timeout_s=60)
    for _ in range(11):
        world.blocks()
        world.step()
    assert statuses(world) == [JourneyStatus.SENT] * 2
    south.is_silent = False
    world.clock.now += 60
    world.ledgers["south-1"].produce_block(world.clock.now, is_deadline=True)
    world.settle()
    assert statuses(world) == [JourneyStatus.TIMED_OUT] * 2


def test_one_silent_attestor_of_four_is_replaced_and_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "tieline")
    world = PairedWorld(("north", "south", "east", "west"))
    silent = world.attestors[3]
    silent.is_silent = True
    world.send("north-1", "south-1", 4)
    world.settle()
    assert statuses(world) == [JourneyStatus.ACKNOWLEDGED] * 4
    assert silent.asked
    assert f"attestor silent cell={silent.cell.hex()}" in caplog.text
    assert world.runner.silent_attestors == {silent.cell: "asleep"}


def test_without_a_quorum_the_batch_waits_and_goes_on_when_they_wake() -> None:
    world = PairedWorld(("north", "south", "east", "west"))
    for attestor in world.attestors[2:]:
        attestor.is_silent = True
    world.send("north-1", "south-1", 4)
    for _ in range(6):
        world.blocks()
        world.step()
    assert statuses(world) == [JourneyStatus.SENT] * 4
    world.attestors[2].is_silent = False
    world.settle()
    assert statuses(world) == [JourneyStatus.ACKNOWLEDGED] * 4


def test_a_relayer_that_lost_its_journal_finds_everything_again() -> None:
    world = PairedWorld()
    world.send("north-1", "south-1", 5)
    world.send("south-1", "east-1", 5, b"later")
    for _ in range(4):
        world.blocks()
        world.step()
    world.journal = type(world.journal)("sqlite://")
    world.start()
    world.settle()
    expected = [JourneyStatus.RECEIVED] * 5 + [JourneyStatus.ACKNOWLEDGED] * 5
    assert statuses(world) == expected


def test_a_relayer_resumes_where_its_journal_says() -> None:
    world = PairedWorld()
    world.send("north-1", "south-1", 5)
    world.settle()
    world.runner.save_resume_heights()
    heights = world.journal.resume_heights()
    assert heights["north-1"] == len(world.ledgers["north-1"].blocks)
    world.start()
    assert not world.runner.view.journeys
    world.send("north-1", "south-1", 2)
    world.settle()
    assert statuses(world) == [JourneyStatus.ACKNOWLEDGED] * 2


def test_two_relayers_on_the_same_routes_do_not_harm_each_other() -> None:
    world = PairedWorld(lanes=("lane one", "lane two"))
    first = world.runner
    world.lanes = ("lane two",)
    world.start()
    second = world.runner
    world.send("north-1", "south-1", 8)
    for _ in range(12):
        world.blocks()
        for runner in (first, second):
            world.runner = runner
            world.step()
    for runner in (first, second):
        world.runner = runner
        world.settle()
        assert statuses(world) == [JourneyStatus.ACKNOWLEDGED] * 8
