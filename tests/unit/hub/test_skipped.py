"""A batch in which the ledger passes over one packet and takes the others."""

from dataclasses import replace

from fakes.plain_world import A, PlainWorld

from tieline.protocol.events import Event


def is_second(event):
    return ("packet_sequence", "2") in event.attributes


def test_a_packet_that_was_skipped_in_a_batch_is_tried_again_alone():
    """The blocks say so of sequence 2, once; the others are over at once."""
    world = PlainWorld()
    world.send(A, 3)
    world.step()
    world.blocks()
    read, skipped = world.b.inner.blocks_after, []

    async def blocks_after(height, limit=100):
        blocks = await read(height, limit)
        return [
            replace(one, transactions=tuple(map(passed_over, one.transactions))) for one in blocks
        ]

    def passed_over(transaction):
        kept = [one for one in transaction.events if not is_second(one)]
        own = [one for one in transaction.events if is_second(one)]
        if not own or skipped:
            return transaction
        names = ("packet_dest_client", "packet_sequence")
        attributes = tuple((name, own[0].get(name)) for name in names)
        skipped.append(attributes)
        return replace(transaction, events=(*kept, Event("packet_skipped", attributes)))

    world.b.blocks_after = blocks_after
    for _ in range(6):
        world.step()
        world.blocks()
    assert skipped
    batches = [kinds.count("RecvPacket") for kinds in world.b.kinds()]
    assert [count for count in batches if count] == [3, 1]
