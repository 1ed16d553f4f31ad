"""Packets between ledgers without cells: several transactions under way, causes told apart."""

import asyncio
import logging

import pytest
from fakes.plain_world import CLIENT, LANES, A, B, PlainWorld

from tieline.hub.waiting import ledger_rows
from tieline.interfaces.errors import NotYet, Pruned, Rejected, Unavailable
from tieline.protocol.commitment import packet_commitment_key
from tieline.relay.packet_journey import JourneyStatus

REDUNDANT = Rejected("channel", 22, "packet messages are redundant")
FROZEN = Rejected("client", 29, f"cannot update client ({CLIENT}) with status Frozen: not active")
BEHIND = Rejected("ibc", 9, "client state height < proof height")
WAITS = NotYet("earlier transactions of the account wait for a block")


def test_packets_of_any_port_are_carried_both_ways_and_no_store_of_trades_is_read() -> None:
    world = PlainWorld()
    world.send(A, 3)
    world.send(B, 2)
    world.settle()
    assert world.statuses() == [JourneyStatus.ACKNOWLEDGED] * 5
    assert set(world.a.scanned + world.b.scanned) == {"ibc"}
    assert not world.journal.open_intents()
    assert not world.journal.journeys()


def test_an_answer_that_comes_later_and_a_time_out_are_carried_too() -> None:
    world = PlainWorld()
    world.send(A, 1, b"later")
    world.settle()
    assert world.statuses() == [JourneyStatus.RECEIVED]
    world.b.is_down = Unavailable("nobody there")
    world.send(A, 2, timeout_s=30)
    for _ in range(8):
        world.blocks(A)
        world.step()
    world.clock.now += 30
    world.b.inner.produce_block(world.clock.now, is_deadline=True)
    world.b.is_down = None
    world.settle()
    assert world.statuses() == [JourneyStatus.RECEIVED] + [JourneyStatus.TIMED_OUT] * 2


@pytest.mark.parametrize("is_concurrent", [False, True])
def test_several_transactions_go_at_once_and_the_update_stands_in_the_first(
    *, is_concurrent: bool
) -> None:
    world = PlainWorld(messages_max=2, settings={"is_concurrent": is_concurrent})
    world.send(A, 6)
    world.blocks()
    world.step()
    assert world.b.kinds() == [
        ["UpdateClient", "RecvPacket", "RecvPacket"],
        ["RecvPacket"] * 2,
        ["RecvPacket"] * 2,
    ]
    assert {lane for lane, _ in world.b.submissions} == {LANES[0]}
    world.settle()
    assert world.statuses() == [JourneyStatus.ACKNOWLEDGED] * 6
    assert not world.journal.recent_failures()


def test_a_lane_that_has_to_wait_is_followed_by_another_one() -> None:
    world = PlainWorld(messages_max=2)
    world.b.faults = [None, WAITS]
    world.send(A, 6)
    world.blocks()
    world.step()
    assert [lane for lane, _ in world.b.submissions] == [LANES[0], LANES[0], LANES[1], LANES[1]]
    world.settle()
    assert world.statuses() == [JourneyStatus.ACKNOWLEDGED] * 6


def test_when_all_lanes_wait_nothing_is_sent_before_the_next_block() -> None:
    world = PlainWorld()
    world.b.faults = [WAITS, WAITS]
    world.send(A, 2)
    world.blocks()
    world.step()
    assert len(world.b.submissions) == 2
    world.step()
    assert len(world.b.submissions) == 2
    world.b.inner.produce_block(world.clock.now + 5, is_deadline=True)
    world.settle()
    assert world.statuses() == [JourneyStatus.ACKNOWLEDGED] * 2


def test_an_update_that_was_rested_upon_and_is_not_there_is_brought_again() -> None:
    world = PlainWorld(messages_max=2)
    world.b.faults = [None, BEHIND]
    world.send(A, 4)
    world.blocks()
    world.step()
    assert world.b.kinds()[1] == ["RecvPacket"] * 2
    world.settle()
    assert world.b.kinds()[2][0] == "UpdateClient" or world.b.kinds()[2] == ["RecvPacket"] * 2
    assert world.statuses() == [JourneyStatus.ACKNOWLEDGED] * 4


def test_what_somebody_else_has_brought_is_not_brought_again() -> None:
    world = PlainWorld()
    world.b.faults = [REDUNDANT]
    world.send(A, 3)
    world.blocks()
    world.step()
    assert len(world.b.submissions) == 1
    for _ in range(2):
        world.clock.now -= 5  # blocks, but no time
        world.blocks()
        world.step()
    assert len(world.b.submissions) == 1
    assert not world.journal.recent_failures()
    # Should it not be true after all, it is brought when its event has not come.
    world.clock.now += 15
    world.step()
    world.settle()
    assert world.statuses() == [JourneyStatus.ACKNOWLEDGED] * 3


def test_packets_for_a_frozen_client_are_held_with_the_reason_and_tried_again() -> None:
    world = PlainWorld(messages_max=2)
    world.b.faults = [FROZEN]
    world.send(A, 4)
    world.blocks()
    world.step()
    assert len(world.b.submissions) <= 2
    row = next(one for one in ledger_rows(world.runner, world.clock.now, 15) if one.ledger_id == B)
    assert row.reason == f"client {CLIENT}: client frozen"
    sent = len(world.b.submissions)
    world.step()
    assert len(world.b.submissions) == sent
    for _ in range(8):
        world.blocks()
        world.step()
    world.settle()
    assert world.statuses() == [JourneyStatus.ACKNOWLEDGED] * 4
    assert not world.runner.holds.reasons(B)


def test_an_account_without_money_holds_its_whole_ledger() -> None:
    world = PlainWorld()
    world.b.faults = [Rejected("sdk", 5, "spendable balance 0stake is smaller")]
    world.send(A, 4)
    world.blocks()
    world.step()
    world.step()
    assert len(world.b.submissions) == 1
    assert "send it money" in world.runner.holds.reasons(B)[0]


def test_a_ledger_that_stands_still_gets_nothing_more_and_says_so() -> None:
    world = PlainWorld(settings={"halt_after_s": 15, "inclusion_s_max": 600})
    world.send(A, 2)
    world.blocks()
    world.step()
    for _ in range(4):  # only the first ledger goes on
        world.send(A, 1)
        world.blocks(A)
        world.step()
    rows = {one.ledger_id: one for one in ledger_rows(world.runner, world.clock.now, 15)}
    assert rows[B].reason == "no new block for 40 s"
    assert rows[A].reason == ""
    sent = len(world.b.submissions)
    world.send(A, 1)
    world.step()
    assert len(world.b.submissions) == sent
    world.settle()
    assert world.statuses() == [JourneyStatus.ACKNOWLEDGED] * 7


def test_a_ledger_that_does_not_answer_is_named_with_its_words() -> None:
    world = PlainWorld()
    world.b.is_down = Unavailable("connection refused")
    world.step()
    rows = {one.ledger_id: one for one in ledger_rows(world.runner, world.clock.now, 15)}
    assert rows[B].reason == "endpoint does not answer: connection refused"


def test_a_relayer_without_a_memory_reads_no_more_than_the_packets_need() -> None:
    world = PlainWorld()
    world.send(A, 3)
    world.settle()
    for _ in range(40):
        world.clock.now += 60
        for ledger in (world.a, world.b):
            ledger.inner.produce_block(world.clock.now, is_deadline=True)
    world.a.read_from.clear()
    world.start()
    height = asyncio.run(world.a.latest_height())
    assert min(world.a.read_from) == height - 1, "nothing stands: nothing is read"
    assert not world.runner.view.journeys

    world.send(A, 2)
    for _ in range(3):
        world.clock.now += 60
        world.a.inner.produce_block(world.clock.now, is_deadline=True)
    world.a.read_from.clear()
    world.start()
    assert world.statuses() == [JourneyStatus.SENT] * 2
    assert min(world.a.read_from) > 20
    world.settle()
    assert world.statuses() == [JourneyStatus.ACKNOWLEDGED] * 2


def test_a_packet_older_than_all_windows_is_found_from_the_first_block() -> None:
    world = PlainWorld()
    world.send(A, 1, b"later")
    world.settle()
    world.clock.now += 10 * 86_400
    for ledger in (world.a, world.b):
        ledger.inner.produce_block(world.clock.now, is_deadline=True)
    world.start()
    assert world.statuses() == [JourneyStatus.RECEIVED]


def test_heights_that_are_no_longer_kept_count_as_old() -> None:
    from tieline.hub.reconcile import height_before

    world = PlainWorld()
    world.settle()
    tip = asyncio.run(world.a.latest_height())
    read = world.a.blocks_after

    async def pruned(height, limit=100):
        if height < tip - 2:
            raise Pruned("is not available")
        return await read(height, limit)

    world.a.blocks_after = pruned
    assert asyncio.run(height_before(world.a, 0, tip)) == tip - 2


def test_keys_are_proved_once_for_transactions_that_are_handed_in_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "tieline")
    world = PlainWorld()
    proved: list[bytes] = []
    prove = world.a.inner.prove

    async def counting(key, height):
        proved.append(key)
        return await prove(key, height)

    world.a.prove = counting
    world.b.faults = [WAITS, WAITS]
    world.send(A, 1)
    world.blocks()
    world.step()
    world.b.inner.produce_block(world.clock.now + 5, is_deadline=True)
    world.step()
    assert world.b.kinds()[-1] == ["UpdateClient", "RecvPacket"]
    assert proved == [packet_commitment_key(CLIENT, 1)]
    assert "lane waits" in caplog.text
