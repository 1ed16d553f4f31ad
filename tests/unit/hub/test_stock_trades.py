"""The relayer brings trades with stock chains to their end, and what is owed to its owner."""

from __future__ import annotations

from fakes.relay_world import RelayWorld
from fakes.trade_records import PRICE_IN, PRICE_OUT, T_A, T_B, TAU, D, E, S
from fakes.trade_world import MONEY, account
from fakes.transfer_world import (
    HOME,
    WH,
    TransferWorld,
    escrowed,
    owed_on,
    supply_of,
    text,
    vouchers_of,
)

from tieline.contract.genesis import Parameters
from tieline.relay.owed_watch import FIRST_WAIT_S
from tieline.swap.lock import LockStatus

ANN, BOB = account("ann"), account("bob")


class Story:
    """Cells that publish, households that pay, and a relayer between."""

    def __init__(self, **rules: int) -> None:
        parameters = Parameters(vault_shards=2, **rules)
        self.trades = TransferWorld(parameters=parameters)
        self.world = RelayWorld(trades=self.trades)

    def names(self, ledger: str) -> list[str]:
        submissions = self.world.ledgers[ledger].submissions
        return [type(message).__name__ for _, messages in submissions for message in messages]

    def paid(self) -> None:
        """X1 paid for on a."""
        self.position = self.world.publish(self.trades.buyer_abroad())
        self.world.rounds(5, at=S - 600)
        message = self.trades.payment(self.position)
        self.packet = self.trades.sent(self.trades.a, "ann", message)
        self.world.rounds(6)

    def opened(self) -> None:
        """X2 opened on a."""
        self.position = self.world.publish(self.trades.seller_abroad())
        self.world.rounds(5, at=S - 600)
        opened = self.trades.open_abroad(self.position, at=self.trades.a.now_s)
        assert opened.code == 0, opened.log
        self.world.rounds(3)

    def delivered(self, wh: int) -> None:
        self.world.deliver([(self.position.trade.trade_id, wh)])
        self.world.reveal(self.position)
        self.world.rounds(8, at=E + 300)


def test_a_buyer_s_payment_is_brought_with_evidence_and_comes_to_its_end() -> None:
    story = Story()
    story.paid()
    trades, lock_id = story.trades, story.trades.home_lock(story.position)
    assert trades.b.lock(lock_id).status is LockStatus.PENDING
    story.world.judge([trades.leaf(story.position, story.packet, cap_wh=4000)])
    story.world.rounds(10, at=TAU)
    assert trades.a.pay("ann") == MONEY - 4000 * PRICE_OUT, "the rest came home"
    story.delivered(3000)
    assert vouchers_of(trades.b, BOB) == 3000 * PRICE_OUT
    story.world.rounds(10, at=T_B)
    assert trades.b.lock(lock_id).status is LockStatus.CLOSED
    assert trades.a.pay("ann") == MONEY - 3000 * PRICE_OUT
    assert escrowed(trades.a) == supply_of(trades.b) == 3000 * PRICE_OUT
    sent = story.names("tieline-b-1")
    assert sent[sent.index("MsgTradeEvidence") + 1] == "RecvPacket"


def test_a_payment_is_not_brought_before_it_can_be_judged() -> None:
    """Without its evidence it would fail, again and again."""
    story = Story()
    trades, world = story.trades, story.world
    position = trades.buyer_abroad()
    trades.a.now_s = trades.b.now_s = S - 600
    trades.sent(trades.a, "ann", trades.payment(position))
    world.rounds(6, at=S - 600)
    assert "RecvPacket" not in story.names("tieline-b-1")
    world.publish(position)
    world.rounds(8)
    assert story.names("tieline-b-1").count("RecvPacket") == 1
    assert trades.b.lock(trades.home_lock(position)).status is LockStatus.PENDING


def test_a_payment_without_a_verdict_is_expired_and_refunded() -> None:
    story = Story()
    story.paid()
    story.world.rounds(8, at=D)
    lock_id = story.trades.home_lock(story.position)
    assert story.trades.b.lock(lock_id).status is LockStatus.REFUSED
    assert story.trades.a.pay("ann") == MONEY
    assert supply_of(story.trades.b) == 0


def test_a_transfer_with_words_in_its_memo_is_brought_as_it_is() -> None:
    story = Story()
    trades, world = story.trades, story.world
    for memo in ("tieline", '{"tieline":{}}', "rent"):
        message = trades.transfer(trades.a, "ann", 10, text("bob"), memo=memo)
        trades.sent(trades.a, "ann", message)
    world.rounds(10)
    assert vouchers_of(trades.b, BOB) == 20
    assert trades.a.pay("ann") == MONEY - 20, "one named no trade, and came back"


def test_a_claim_for_a_seller_abroad_is_made_and_its_money_brought() -> None:
    story = Story()
    story.opened()
    trades = story.trades
    story.world.judge([trades.abroad_leaf(story.position, cap_wh=4500)])
    story.world.rounds(5, at=TAU)
    story.delivered(4000)
    assert vouchers_of(trades.b, BOB) == 4000 * PRICE_IN
    story.world.rounds(8, at=T_A)
    lock = trades.a.lock(trades.abroad_lock(story.position))
    assert (lock.status, lock.paid_wh) == (LockStatus.CLOSED, 4000)
    assert trades.a.books().locks == 0
    assert not owed_on(trades.a)


def test_what_is_owed_is_sent_again_with_longer_and_longer_waits_until_it_arrives() -> None:
    """The chain there has no room for more of our money, until some of it has come home."""
    story = Story(voucher_supply_cap=WH * PRICE_IN + 500)
    trades, world = story.trades, story.world
    trades.sent(trades.a, "ann", trades.transfer(trades.a, "ann", 1000, text("bob")))
    world.rounds(4)
    story.opened()
    world.judge([trades.abroad_leaf(story.position)])
    world.rounds(5, at=TAU)
    story.delivered(WH)
    ((who, _),) = owed_on(trades.a)
    assert who == BOB
    assert "MsgRetryOwed" not in story.names("tieline-a-1")
    world.rounds(FIRST_WAIT_S // 5 + 8)
    assert story.names("tieline-a-1").count("MsgRetryOwed") == 1
    assert [owner for owner, _ in owed_on(trades.a)] == [BOB], "refused again, owed again"
    world.rounds(FIRST_WAIT_S // 5)
    assert story.names("tieline-a-1").count("MsgRetryOwed") == 1
    home = trades.transfer(trades.b, "bob", 1000, text("ann"), denom=HOME.name)
    trades.sent(trades.b, "bob", home)
    world.rounds(90)
    assert not owed_on(trades.a)
    assert vouchers_of(trades.b, BOB) == WH * PRICE_IN
    assert story.names("tieline-a-1").count("MsgRetryOwed") == 2


def test_a_debt_is_found_in_the_store_when_no_event_tells_of_it() -> None:
    story = Story(voucher_supply_cap=WH * PRICE_IN - 1)
    trades, world = story.trades, story.world
    story.opened()
    world.judge([trades.abroad_leaf(story.position)])
    world.rounds(5, at=TAU)
    story.delivered(WH)
    ((who, owed_id),) = owed_on(trades.a)
    present = {ledger_id: ledger.inner.app.height for ledger_id, ledger in world.ledgers.items()}
    world.journal.save_resume_heights(present)
    world.start()
    assert list(world.runner.view.ledgers["tieline-a-1"].owed) == [(who, owed_id)]
