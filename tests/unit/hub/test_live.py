"""The loop: it looks as often as blocks come, goes on after silence, stops when it is asked to."""

import asyncio

import pytest
from fakes.plain_world import A, B, PlainWorld

from tieline.hub.live import BlockPace, LivePace, LiveRelay
from tieline.interfaces.errors import Reorganised, Unavailable
from tieline.relay.packet_journey import JourneyStatus

PACE = LivePace(poll_s_min=0.001, poll_s_max=0.002)


@pytest.mark.parametrize(
    ("distances_s", "poll_s"),
    [([], 0.02), ([1.0], 0.1), ([0.2], 0.02), ([60.0], 0.25), ([1.0, 0.5], 0.09)],
)
def test_one_looks_ten_times_a_block_within_bounds(distances_s: list[float], poll_s: float) -> None:
    pace, now_s = BlockPace(), 100.0
    pace.note({A: 7, B: 3}, now_s)
    for number, distance_s in enumerate(distances_s, 1):
        now_s += distance_s
        pace.note({A: 7 + number, B: 3}, now_s)
    assert pace.poll_s(LivePace(), now_s) == pytest.approx(poll_s)


@pytest.mark.parametrize(
    ("since_s", "poll_s"),
    [(0.0, 0.1), (0.79, 0.1), (0.85, 0.05), (0.9, 0.02), (1.2, 0.02), (1.5, 0.02), (1.51, 0.1)],
)
def test_a_block_that_is_due_is_looked_for_all_the_time(since_s: float, poll_s: float) -> None:
    pace = BlockPace()
    pace.note({A: 7}, 100.0)
    pace.note({A: 8}, 101.0)
    assert pace.poll_s(LivePace(), 101.0 + since_s) == pytest.approx(poll_s)


def run_until(world: PlainWorld, holds, steps: int = 400) -> LiveRelay:
    """Let the relayer run beside blocks that come by themselves, until something holds."""
    live = LiveRelay(world.runner, world.journal, PACE)

    async def go() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(live.run(stop))
        for _ in range(steps):
            await asyncio.sleep(0.002)
            world.blocks()
            if holds():
                break
        stop.set()
        await asyncio.wait_for(running, 60)

    asyncio.run(go())
    return live


def test_packets_are_carried_until_it_is_stopped_and_the_journal_says_so(tmp_path) -> None:
    url = f"sqlite:///{tmp_path}/relay.db"
    world = PlainWorld(journal_url=url, settings={"is_concurrent": True})
    world.send(A, 5)
    world.send(B, 5)
    done = [JourneyStatus.ACKNOWLEDGED] * 10
    run_until(world, lambda: world.statuses() == done)
    assert world.statuses() == done
    journal = type(world.journal)(url)
    assert not journal.journeys()
    assert not journal.open_intents()
    assert set(journal.resume_heights()) == {A, B}


def test_a_ledger_that_is_silent_at_the_start_is_waited_for(monkeypatch) -> None:
    monkeypatch.setattr("tieline.hub.live.AGAIN_S", 0.001)
    monkeypatch.setattr("tieline.hub.live.ROWS_EVERY_S", 0.0)
    world = PlainWorld()
    world.send(A, 2)
    world.runner.view.resume_from(B, 0)
    world.b.is_down = Unavailable("connection refused")
    said: list[str] = []

    def holds() -> bool:
        said.extend(row.reason for row in world.journal.ledgers())
        if any("connection refused" in one for one in said):
            world.b.is_down = None
        return world.statuses() == [JourneyStatus.ACKNOWLEDGED] * 2

    run_until(world, holds)
    assert "connection refused" in said
    assert world.statuses() == [JourneyStatus.ACKNOWLEDGED] * 2


def test_a_stop_before_it_has_begun_ends_it() -> None:
    world = PlainWorld()
    world.a.is_down = Unavailable("nobody")
    live = LiveRelay(world.runner, world.journal, PACE)

    async def go() -> None:
        stop = asyncio.Event()
        stop.set()
        await asyncio.wait_for(live.run(stop), 5)

    asyncio.run(go())
    assert live.steps == 0


def test_a_journal_that_does_not_answer_stops_nothing_for_good(monkeypatch) -> None:
    monkeypatch.setattr("tieline.hub.live.AGAIN_S", 0.001)
    world = PlainWorld()
    write, failures = world.journal.write_intents, [Unavailable("locked")] * 3

    def failing(intents):
        if failures:
            raise failures.pop()
        return write(intents)

    world.journal.write_intents = failing
    world.send(A, 2)
    run_until(world, lambda: world.statuses() == [JourneyStatus.ACKNOWLEDGED] * 2)
    assert world.statuses() == [JourneyStatus.ACKNOWLEDGED] * 2


def test_what_keeps_it_from_reading_again_is_shown_and_ends_nothing(monkeypatch) -> None:
    """A ledger left blocks, and another does not answer."""
    monkeypatch.setattr("tieline.hub.live.AGAIN_S", 0.001)
    monkeypatch.setattr("tieline.hub.live.ROWS_EVERY_S", 0.0)
    world = PlainWorld()
    save, shown = world.journal.save_ledgers, list[str]()

    def save_ledgers(rows):
        shown.extend(row.reason for row in rows)
        save(rows)

    async def gone(height, limit=100):
        world.a.blocks_after = world.a.inner.blocks_after
        world.b.is_down = Unavailable("connection refused")
        raise Reorganised(A, 1, 1)

    world.journal.save_ledgers = save_ledgers

    def has_gone_on() -> bool:
        if shown and set(shown) == {""}:  # it has taken its first step
            world.a.blocks_after = gone
        if "connection refused" in shown:
            world.b.is_down = None
        return "connection refused" in shown and shown[-1] == ""

    run_until(world, has_gone_on)
    assert has_gone_on()
