"""The relayer carries whole trades between two real contracts."""

import asyncio
import logging
import time
from pathlib import Path

import pytest
from fakes.relay_world import LANES, SECRET, T_A, T_B, TAU, D, E, RelayWorld, S
from fakes.trade_world import MONEY, Position, account

from tieline.contract.records import decode_delivery
from tieline.contract.store import TIELINE
from tieline.hub.runner import IDLE
from tieline.hub.status import read_status
from tieline.interfaces.bulletin import SidedLeaf
from tieline.interfaces.errors import Unavailable
from tieline.interfaces.journal import IntentStatus
from tieline.protocol.messages import RecvPacket, UpdateClient
from tieline.relay.packet_journey import JourneyStatus
from tieline.swap.lock import LockStatus
from tieline.swap.messages import MsgApplyVerdict, MsgClaim, MsgTradeEvidence
from tieline.swap.records import Side
from tieline.wire.typed_data import order_id


def names(world: RelayWorld, ledger: str) -> list[str]:
    """Types of all messages that the relayer sent to a ledger, in order."""
    submissions = world.ledgers[ledger].submissions
    return [type(message).__name__ for _, messages in submissions for message in messages]


def judged(**change: int) -> tuple[RelayWorld, Position]:
    """A pooled trade whose packet was received, and a verdict: an accept, but for *change*."""
    world = RelayWorld()
    position = world.pooled()
    world.rounds(3, at=S - 600)
    packet = world.send(position)
    world.rounds(5)
    world.judge([world.trades.leaf(position, packet, **change)])
    return world, position


def test_a_pooled_trade_from_clearing_to_the_last_share() -> None:
    world = RelayWorld()
    position = world.play()
    world.assert_settled(position, paid_wh=7200)
    assert world.b.inner.vault(account("connector")) == MONEY - 7200 * 200_000


def test_each_message_is_sent_once_when_nothing_fails() -> None:
    world = RelayWorld()
    world.play()
    assert names(world, "tieline-a-1") == [
        "MsgPostClearing",
        *["MsgReleaseOrder"] * 2,
        "UpdateClient",
        "AcknowledgePacket",
        "MsgPostDelivery",
        "MsgClaim",
        "MsgRefund",
        *["MsgCollectShare"] * 2,
    ]
    assert names(world, "tieline-b-1") == [
        "MsgPostClearing",
        "UpdateClient",
        "MsgTradeEvidence",
        "RecvPacket",
        "MsgApplyVerdict",
        *["MsgReleaseOrder"] * 2,
        "MsgPostDelivery",
        "MsgClaim",
        "MsgRefund",
        *["MsgCollectShare"] * 2,
    ]


def test_the_evidence_stands_right_before_its_packet_and_the_update_before_both() -> None:
    world = RelayWorld()
    world.play()
    (batch,) = [
        messages
        for _, messages in world.b.submissions
        if any(isinstance(message, RecvPacket) for message in messages)
    ]
    assert [type(message) for message in batch] == [UpdateClient, MsgTradeEvidence, RecvPacket]


def test_a_trade_between_ledgers_of_which_clients_can_hold_every_third_block() -> None:
    world = RelayWorld(provable_every=3)
    position = world.play()
    world.assert_settled(position, paid_wh=7200)
    heights = {
        int.from_bytes(message.client_message.value[:8], "big")
        for ledger in world.ledgers.values()
        for _, messages in ledger.submissions
        for message in messages
        if isinstance(message, UpdateClient)
    }
    assert heights
    assert all(height % 3 == 0 for height in heights)


def test_a_refused_trade_gives_everything_back() -> None:
    world, position = judged(decision=2, cap_wh=0, reason=1, group=0, group_size=0)
    world.rounds(10, at=TAU)
    world.assert_settled(position, paid_wh=0)
    assert world.a.inner.pay("ann") == world.b.inner.pay("bob") == MONEY


def test_without_a_verdict_the_pending_lock_expires_and_the_refusal_goes_home() -> None:
    world = RelayWorld()
    position = world.pooled()
    world.rounds(3, at=S - 600)
    world.send(position)
    world.rounds(5)
    world.rounds(5, at=D - 30)
    assert world.b.inner.lock(position.lock_out).status is LockStatus.PENDING
    world.rounds(8, at=D)
    world.assert_settled(position, paid_wh=0)
    assert not any(
        isinstance(message, MsgApplyVerdict)
        for _, messages in world.b.submissions
        for message in messages
    )


def test_a_packet_that_could_not_be_delivered_times_out() -> None:
    world = RelayWorld()
    position = world.pooled()
    world.rounds(3, at=S - 600)
    world.send(position)
    world.board.evidences.clear()
    world.runner._published._evidence.clear()
    world.rounds(5)
    world.rounds(8, at=TAU)
    lock = world.a.inner.lock(position.lock_in)
    assert (lock.status, lock.refunded_wh) == (LockStatus.CLOSED, 10_000)
    (journey,) = world.runner.view.journeys.values()
    assert journey.status is JourneyStatus.TIMED_OUT


def test_a_silent_ledger_is_left_alone_and_the_other_goes_on() -> None:
    world = RelayWorld()
    position = world.pooled()
    world.b.is_down = True
    world.rounds(3, at=S - 600)
    assert "MsgPostClearing" in names(world, "tieline-a-1")
    assert names(world, "tieline-b-1") == []
    world.send(position)
    world.b.is_down = False
    world.rounds(10)
    assert world.b.inner.lock(position.lock_out).status is LockStatus.PENDING


def test_nothing_to_do_costs_next_to_nothing() -> None:
    world = RelayWorld()
    world.rounds(3)

    async def idle() -> float:
        steps = 20
        start = time.perf_counter()
        for _ in range(steps):
            assert await world.runner.step() == IDLE
        return (time.perf_counter() - start) / steps

    # The demo's bound is 0.2 ms with four ledgers; a slow machine gets five times that, and one on
    # which something else runs now and then is asked ten times.
    assert min(asyncio.run(idle()) for _ in range(10)) < 1e-3


def test_the_preimage_is_in_no_log_and_not_in_the_journal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "journal.db"
    world = RelayWorld(journal_url=f"sqlite:///{path}")
    world.b.before_submit = refuse_claims
    world.play()
    assert any(isinstance(m, MsgClaim) for _, ms in world.b.submissions for m in ms)
    world.journal.close()
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for spelling in (SECRET, SECRET.hex().encode(), repr(SECRET).encode()):
        assert spelling not in stored
        assert spelling.decode("latin-1") not in caplog.text


def refuse_claims(ledger: object, lane: str, messages: object) -> None:
    """Make failures of claims appear in logs and journal too."""
    del ledger, lane
    if any(isinstance(message, MsgClaim) for message in messages):  # type: ignore[attr-defined]
        raise Unavailable("claims are not taken today")


def test_a_bad_message_in_a_batch_is_found_named_and_put_aside(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "tieline")
    world = RelayWorld()
    positions = [world.pooled(bytes([number]) * 32, wh=1000) for number in range(1, 6)]
    # The third trade's evidence shows too little: its receive fails, and the whole batch with it.
    bad = positions[2]
    key = (bad.trade.trade_id, world.b.inner.tag)
    evidence = world.board.evidences[key]
    world.board.evidences[key] = type(evidence)(evidence.trade_id, (), evidence.own_leaves[:1])
    world.rounds(4, at=S - 600)
    for position in positions:
        world.send(position)
    world.rounds(12)
    received = [
        world.b.inner.app.query("tieline", b"l" + position.lock_out) is not None
        for position in positions
    ]
    assert received == [True, True, False, True, True]
    assert f"not yet effect=tieline-b-1/recv/{packet_name(3)} attempts=1" in caplog.text
    failures = world.journal.recent_failures()
    assert failures[0].intent.key == f"recv/{packet_name(3)}"
    assert failures[0].status in {IntentStatus.REJECTED, IntentStatus.NOT_YET}


def packet_name(sequence: int) -> str:
    """Client and sequence as effects are named."""
    return f"07-fake-0/{sequence}"


def test_status_tells_backlog_age_and_fuel() -> None:
    world = RelayWorld()
    position = world.pooled()
    world.rounds(3, at=S - 600)
    world.send(position)
    world.rounds(4)
    status = asyncio.run(read_status(world.runner, world.ledgers, world.clock.now))
    there, back = status.routes
    assert (there.sent, there.received, there.backlog, back.backlog) == (0, 1, 1, 0)
    assert there.oldest_age_s == 20
    first = status.ledgers[0]
    assert [lane.lane for lane in first.lanes] == list(LANES)
    assert first.lanes[0].balance_nano_eur == 10**6
    assert dict(status.ledgers[1].locks) == {"PENDING": 1}


def test_no_first_reveal_after_the_last_moment() -> None:
    world, position = judged()
    world.rounds(8, at=TAU)
    world.deliver([(position.trade.trade_id, 9000)])
    world.rounds(4, at=T_B - 490)
    world.reveal(position)
    world.rounds(10)
    assert not any(isinstance(m, MsgClaim) for _, ms in world.b.submissions for m in ms)
    world.rounds(8, at=T_B)
    world.rounds(8, at=T_A)
    world.assert_settled(position, paid_wh=0)


def test_a_second_statement_is_posted_and_the_better_leaf_claimed() -> None:
    world, position = judged()
    world.rounds(8, at=TAU)
    world.reveal(position)
    world.deliver([(position.trade.trade_id, 9000)])
    world.rounds(6, at=E + 300)
    assert world.a.inner.lock(position.lock_in).paid_wh == 9000
    world.deliver([(position.trade.trade_id, 9500)])
    world.rounds(6)
    world.rounds(8, at=T_B)
    world.rounds(8, at=T_A)
    world.assert_settled(position, paid_wh=9500)


def test_a_statement_that_came_with_other_signers_gets_those_that_were_published() -> None:
    """On a real contract: as many signatures as were published, but without the grid operator's."""
    world, position = judged()
    world.rounds(8, at=TAU)
    said = [(position.trade.trade_id, 9000)]
    for ledger in (world.a, world.b):
        ledger.inner.must("relayer", world.trades.delivery(said, ("cell a", "cell b")))
    world.deliver(said, names=("cell a", "cell grid"))
    world.rounds(6, at=E + 300)
    for ledger in (world.a, world.b):
        ((_, stored),) = ledger.inner.app.scan(TIELINE, b"d")
        assert decode_delivery(stored).signers == 0b111


def test_a_trade_inside_a_microgrid_needs_no_packet() -> None:
    world = RelayWorld()
    trades = world.trades
    buys = [(trades.place(name, Side.BUY, 5000), 5000) for name in ("ann", "amy")]
    sells = [(trades.place(name, Side.SELL, 5000), 5000) for name in ("abe", "sol")]
    local = trades.local_position(buys, sells)
    trade_id, leaves = local.trade.trade_id, local.leaves
    side_of = {
        order_id(order): side for side, fills in ((1, buys), (2, sells)) for order, _ in fills
    }
    world.board.shares[trade_id] = [
        SidedLeaf(side_of[leaf.allocation.order_id], leaf)
        for leaf in sorted(leaves, key=lambda leaf: side_of[leaf.allocation.order_id])
    ]
    world.rounds(2, at=S - 600)
    trades.open_local(local, at=world.clock.now)
    world.judge([trades.local_leaf(local)])
    world.rounds(6, at=TAU)
    world.deliver([(trade_id, 9000)])
    world.board.preimages[trade_id] = local.preimage
    world.board.note()
    world.rounds(6, at=E + 300)
    world.rounds(8, at=T_B)
    lock = world.a.inner.lock(local.lock_id)
    assert (lock.status, lock.paid_wh, lock.refunded_wh) == (LockStatus.CLOSED, 9000, 1000)
    books = world.a.inner.books()
    assert (books.total, books.escrows, books.locks) == (world.a.inner.issued, 0, 0)
    assert not world.journal.journeys()
    sent = {name for ledger in world.ledgers for name in names(world, ledger)}
    assert not sent & {"RecvPacket", "AcknowledgePacket", "UpdateClient"}
