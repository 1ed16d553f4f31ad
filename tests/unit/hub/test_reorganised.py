"""A ledger that left blocks which were acted on: all is read again, nothing twice, nothing lost."""

import pytest
from fakes.plain_world import A, B, PlainWorld

from tieline.interfaces.errors import Reorganised, Unavailable
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
