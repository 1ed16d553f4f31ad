"""A ledger that left blocks which were acted on: all is read again, nothing twice, nothing lost."""

import asyncio

import pytest
from fakes.plain_world import A, B, PlainWorld

from tieline.interfaces.errors import NotYet, Reorganised, Unavailable
from tieline.relay.packet_journey import JourneyStatus


def over(world):
    return len(world.runner.view.by_status[JourneyStatus.ACKNOWLEDGED])


def sent_messages(world):
    return [kind for kinds in (*world.a.kinds(), *world.b.kinds()) for kind in kinds]


def tell(ledger, height=1, depth=1):
    """Let the next reading say that blocks are gone, and the one after it go on."""
    inner = ledger.inner

    async def blocks_after(after, limit=100):
        ledger.blocks_after = inner.blocks_after
        raise Reorganised(ledger.inner.ledger_id, height, depth)

    ledger.blocks_after = blocks_after


@pytest.mark.parametrize("rounds", range(6))
def test_packets_are_delivered_once_whenever_it_is_told(rounds):
    world = PlainWorld()
    world.send(A, 3)
    for _ in range(rounds):
        world.step()
        world.blocks()
    tell(world.b)
    world.settle()
    kinds = sent_messages(world)
    assert kinds.count("RecvPacket") == 3
    assert kinds.count("AcknowledgePacket") == 3


def test_until_it_was_read_again_nothing_is_decided():
    world = PlainWorld()
    world.send(A, 1)
    tell(world.a)
    world.b.is_down = Unavailable("no answer")
    for _ in range(2):
        with pytest.raises(Unavailable):
            world.step()
    assert sent_messages(world) == []
    world.b.is_down = None
    world.settle()
    assert sent_messages(world).count("RecvPacket") == 1


def test_clients_are_shown_nothing_of_the_branch_that_was_left():
    world = PlainWorld()
    world.step()
    height = world.runner.view.ledgers[A].height
    tell(world.a, height - 2, 30)
    world.step()
    assert world.runner.view.ledgers[A].left_height == height + 28
    world.send(A, 1)
    world.step()
    assert sent_messages(world) == [], "every block up to there may be another one"
    for _ in range(40):
        world.clock.now += 5
        world.a.inner.produce_block(world.clock.now, is_deadline=True)
    world.settle()
    assert sent_messages(world).count("RecvPacket") == 1
    assert world.runner.view.ledgers[B].height > 0


def test_one_that_is_told_at_a_start_is_read_from_before_the_blocks_that_are_gone():
    """It came while no relayer ran; what the last one saved is above it."""
    world = PlainWorld()
    for _ in range(6):
        world.clock.now += 5
        world.a.inner.produce_block(world.clock.now, is_deadline=True)
    world.settle()
    world.runner.save_resume_heights()
    height = world.runner.view.ledgers[A].height
    assert world.journal.resume_heights()[A] == height
    world.clock.now += 5
    world.a.inner.produce_block(world.clock.now, is_deadline=True)
    tell(world.a, height - 4, 5)
    with pytest.raises(Unavailable):
        world.start()
    del world.a.blocks_after  # what tells them; its own notes what is read
    world.a.read_from.clear()
    asyncio.run(world.runner.start())
    assert world.a.read_from[0] == height - 4
    assert world.runner.view.ledgers[A].left_height == height + 1


def test_one_that_is_told_while_another_is_read_again_is_not_forgotten():
    world = PlainWorld()
    world.step()
    heights = {one: world.runner.view.ledgers[one].height for one in (A, B)}
    tell(world.a, heights[A] - 1, 1)
    inner = world.b.inner
    readings = []

    async def blocks_after(after, limit=100):
        readings.append(after)
        if len(readings) == 2:  # the first is the step's, the second the reading anew
            world.b.blocks_after = inner.blocks_after
            raise Reorganised(B, heights[B] - 1, 1)
        return await inner.blocks_after(after, limit)

    world.b.blocks_after = blocks_after
    with pytest.raises(Unavailable):
        world.step()
    world.step()
    for one in (A, B):
        assert world.runner.view.ledgers[one].left_height == heights[one]


def test_one_is_not_forgotten_when_the_journal_does_not_answer_just_then(monkeypatch):
    world = PlainWorld()
    world.step()
    world.runner.save_resume_heights()
    height = world.runner.view.ledgers[A].height
    tell(world.a, height - 2, 2)

    def silent():
        raise Unavailable("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(world.journal, "resume_heights", silent)
        with pytest.raises(Unavailable):
            world.step()
    world.step()
    assert world.runner.view.ledgers[A].left_height == height
    assert world.journal.resume_heights()[A] == height - 2


@pytest.mark.parametrize("is_first", [True, False])
def test_places_to_resume_from_are_kept_if_it_ends_before_all_was_read(is_first):
    """Made of half a view they would be above what is still under way, or at the first block."""
    world = PlainWorld()
    world.send(A, 1)
    world.settle()
    world.runner.save_resume_heights()
    known = world.journal.resume_heights()
    assert known[A] > 0
    assert known[B] > 0
    world.clock.now += 5
    for one in (world.a, world.b):
        one.inner.produce_block(world.clock.now, is_deadline=True)
    world.b.is_down = Unavailable("no answer")
    if not is_first:
        tell(world.a, known[A] - 2, 2)
    with pytest.raises(Unavailable):
        world.start() if is_first else world.step()
    world.runner.save_resume_heights()  # as its end does
    assert world.journal.resume_heights() == (known if is_first else {**known, A: known[A] - 2})


def test_places_to_resume_from_are_none_of_a_branch_that_was_left(monkeypatch):
    """What was being sent had to come to its end first, and the journal failed just then."""
    world = PlainWorld()
    world.settle()
    world.runner.save_resume_heights()
    known = world.journal.resume_heights()
    world.clock.now += 5
    world.a.inner.produce_block(world.clock.now, is_deadline=True)
    world.step()
    tell(world.a, known[A] - 2, 3)

    async def breaks():
        raise Unavailable("disk full")

    monkeypatch.setattr(world.runner, "finish", breaks)
    with pytest.raises(Unavailable):
        world.step()
    world.runner.save_resume_heights()
    assert world.journal.resume_heights()[A] == known[A] - 2


@pytest.mark.parametrize("is_first", [True, False])
def test_a_ledger_that_changes_while_it_is_read_is_read_again(is_first):
    """What an Ethereum ledger says is NotYet, and where blocks are left it comes often."""
    world = PlainWorld()
    world.send(A, 1)
    inner = world.a.inner

    async def latest_height():
        world.a.latest_height = inner.latest_height
        raise NotYet("a-1 changed while it was read")

    if not is_first:
        tell(world.a)
    world.a.latest_height = latest_height
    with pytest.raises(Unavailable, match="changed while it was read"):
        world.start() if is_first else world.step()
    world.settle()
    assert over(world) == 1
