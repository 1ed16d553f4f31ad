"""Nothing is paid twice: what an account's sender does when a node, or its caller, goes wrong."""

import asyncio

import pytest
from fakes.driven import finish
from fakes.pool_node import PoolNode

from tieline.interfaces.errors import ConfigError, HubError, NotYet, Rejected, Unavailable
from tieline.ledgers.ethereum.account_book import Account
from tieline.ledgers.ethereum.endpoints import EvmEndpoints
from tieline.ledgers.ethereum.fees import GWEI, FeePolicy
from tieline.ledgers.ethereum.looking_after import SendingPace
from tieline.ledgers.ethereum.nonces import AccountSender
from tieline.ledgers.ethereum.transaction_journal import TransactionJournal
from tieline.wire.keys import SecpKey

CONTRACT = b"\x0c" * 20
KEY = SecpKey(b"\x01" * 32)
AT_ONCE = SendingPace(again_s=0.0, replace_after_s=60.0)
GAS = 50_000


@pytest.fixture
def node():
    return PoolNode()


@pytest.fixture
def journal():
    journal = TransactionJournal()
    yield journal
    journal.close()


@pytest.fixture
def sender(node, journal):
    return open_sender(node, journal)


def open_sender(node, journal, **settings):
    """As after a start."""
    account = Account(KEY, 5, EvmEndpoints("eth-1", [node]), journal, FeePolicy())
    return AccountSender(account, **{"pace": AT_ONCE, **settings})


async def pay(sender, what):
    return await sender.submit(CONTRACT, what, GAS, GWEI)


async def look(node, sender, base_fee=GWEI):
    """Every block is final."""
    await sender.look(node.height, node.height, base_fee)


async def come_to_rest(node, sender):
    """Blocks are made, and what is under way is looked after, until nothing is."""
    for _ in range(20):
        node.mine()
        await look(node, sender)
    assert not sender.under_way


async def leave_a_gap(node, sender):
    """Two are paid; of the two behind them the first is refused, and nobody has its nonce."""
    await pay(sender, b"first")
    node.mine()
    second = asyncio.create_task(pay(sender, b"second"))
    pair = [asyncio.create_task(outcome_of(pay(sender, one))) for one in (b"ann", b"bob")]
    node.refusal_of = lambda nonce: "insufficient funds for gas" if nonce == 2 else None
    await second
    told = await asyncio.gather(*pair)
    node.refusal_of = lambda _nonce: None
    node.mine()
    return told


async def outcome_of(submitting):
    try:
        return await submitting
    except HubError as exc:
        return exc


def test_a_refusal_beside_a_nonce_that_somebody_else_used_refuses_one_and_pays_the_other(
    node, sender
):
    async def run():
        await pay(sender, b"first")
        second = asyncio.create_task(pay(sender, b"second"))
        pair = [asyncio.create_task(outcome_of(pay(sender, one))) for one in (b"ann", b"bob")]

        async def others_come():
            node.before_broadcast = None
            node.mine()
            node.use(2, b"theirs")
            refused = iter(["insufficient funds for gas"])
            node.refusal_of = lambda nonce: next(refused, None) if nonce == 3 else None

        node.before_broadcast = others_come
        _, *told = await asyncio.gather(second, *pair)
        await come_to_rest(node, sender)
        return told

    ann, bob = finish(run())
    assert isinstance(ann, bytes)
    assert isinstance(bob, Rejected)
    assert node.calls_mined() == [b"first", b"second", b"ann"]


@pytest.mark.parametrize("is_mined", [True, False])
def test_what_was_signed_again_under_another_nonce_does_not_come_back_with_the_lost_one(
    node, sender, journal, is_mined
):
    """Somebody else's transaction takes the nonce, and a re-organisation takes it away again."""

    async def run():
        await pay(sender, b"first")
        node.mine()
        if is_mined:
            node.use(1, b"theirs")
        else:
            node.refusal_of = lambda nonce: (
                "replacement transaction underpriced" if nonce == 1 else None
            )
        await pay(sender, b"second")
        node.mine()
        node.leave_branch(1)
        node.refusal_of = lambda _nonce: None
        await come_to_rest(node, sender)
        again = open_sender(node, journal)
        await come_to_rest(node, again)

    finish(run())
    paid = node.calls_mined()
    assert [one for one in paid if one] == [b"first", b"second"]


@pytest.mark.parametrize("error", [ConfigError("begun anew"), NotYet("no block yet")])
def test_what_is_on_disk_when_all_nodes_are_put_aside_is_under_way_and_signed_once(
    node, sender, journal, error
):
    async def run():
        await pay(sender, b"first")
        node.mine()
        first = asyncio.create_task(pay(sender, b"second"))
        others = [asyncio.create_task(outcome_of(pay(sender, one))) for one in (b"ann", b"bob")]

        async def breaks():
            node.fails_with = error

        node.before_broadcast = breaks
        await asyncio.gather(first, *others)
        node.fails_with = node.before_broadcast = None
        await come_to_rest(node, open_sender(node, journal))

    finish(run())
    assert sorted(node.calls_mined()) == [b"ann", b"bob", b"first", b"second"]


def test_who_went_along_with_a_caller_that_was_cancelled_is_signed_once(node, sender, journal):
    async def run():
        await pay(sender, b"first")
        node.mine()
        second = asyncio.create_task(pay(sender, b"second"))
        ann, bob = (asyncio.create_task(outcome_of(pay(sender, one))) for one in (b"ann", b"bob"))

        async def go_away():
            async def cancel():
                ann.cancel()
                await asyncio.sleep(0)

            node.before_broadcast = cancel

        node.before_broadcast = go_away
        await asyncio.gather(second, bob)
        node.before_broadcast = None
        await come_to_rest(node, open_sender(node, journal))

    finish(run())
    assert sorted(node.calls_mined()) == [b"ann", b"bob", b"first", b"second"]


def test_a_node_that_ran_out_of_time_may_have_taken_it_all_the_same(node, sender):
    """Told to the caller as on its way, and never signed again with another nonce."""

    async def run():
        await pay(sender, b"first")
        node.mine()
        node.is_late = True
        result = await outcome_of(pay(sender, b"second"))
        node.is_late = False
        await come_to_rest(node, sender)
        return result

    result = finish(run())
    assert isinstance(result, bytes)
    assert node.calls_mined() == [b"first", b"second"]


def test_a_gap_waits_for_a_base_fee_below_the_cap_and_is_filled_then(node, sender):
    """Until then the chain is read all the same."""

    async def run():
        ann, bob = await leave_a_gap(node, sender)
        assert isinstance(ann, Rejected)
        assert isinstance(bob, bytes)
        for _ in range(3):
            await look(node, sender, 501 * GWEI)
        assert sender.under_way == 1
        await come_to_rest(node, sender)

    finish(run())
    assert node.calls_mined() == [b"first", b"second", b"", b"bob"]


def test_nothing_more_is_offered_while_the_chain_stands_still(node, journal):
    """Nobody else is preferred to it, and it would be paid when the chain goes on."""
    now = [0.0]
    sender = open_sender(node, journal, pace=SendingPace(), clock=lambda: now[0])

    async def offers_after(seconds, base_fee=GWEI):
        for _ in range(seconds):
            now[0] += 1
            await look(node, sender, base_fee)
        (sent,) = journal.open(KEY.address)
        return len(sent.forms)

    async def run():
        await pay(sender, b"first")
        found = [await offers_after(3600)]
        node.blocks_on_top += 1  # without it: others pay more
        found.append(await offers_after(40))
        found.append(await offers_after(3600))
        found.append(await offers_after(3600, 50 * GWEI))  # what is offered is not enough
        return found

    assert finish(run()) == [1, 2, 2, 3]


@pytest.mark.parametrize("broken", ["write", "withdraw"])
def test_a_journal_that_does_not_answer_leaves_no_gap_and_pays_nothing_twice(
    node, sender, journal, monkeypatch, broken
):
    def silent(*_):
        raise Unavailable("disk full")

    async def breaks():
        node.before_broadcast = None
        monkeypatch.setattr(journal, broken, silent)

    async def run():
        await pay(sender, b"first")
        second = asyncio.create_task(pay(sender, b"second"))
        pair = [asyncio.create_task(outcome_of(pay(sender, one))) for one in (b"ann", b"bob")]
        node.before_broadcast = breaks
        node.refusal_of = lambda nonce: "txpool is full" if nonce == 2 else None
        await second
        told = await asyncio.gather(*pair)
        monkeypatch.undo()
        node.refusal_of = lambda _nonce: None
        told.append(await pay(sender, b"last"))
        await come_to_rest(node, sender)
        return told

    told = finish(run())
    paid = [
        name
        for name, one in zip((b"ann", b"bob", b"last"), told, strict=True)
        if isinstance(one, bytes)
    ]
    assert sorted(node.calls_mined()) == sorted([b"first", b"second", *paid])


@pytest.mark.parametrize("is_submitted", [True, False])
def test_what_blocks_ended_that_are_gone_is_under_way_again_when_the_journal_answers(
    node, sender, journal, monkeypatch, is_submitted
):
    def silent(_height):
        raise Unavailable("disk full")

    async def run():
        await pay(sender, b"first")
        await come_to_rest(node, sender)
        node.leave_branch(0)
        with monkeypatch.context() as broken:
            broken.setattr(journal, "reopen_above", silent)
            sender.reopen_above(0)
            with pytest.raises(Unavailable, match="disk full"):
                await (pay(sender, b"second") if is_submitted else look(node, sender))
        await (pay(sender, b"second") if is_submitted else look(node, sender))
        await come_to_rest(node, sender)

    finish(run())
    assert node.calls_mined() == ([b"first", b"second"] if is_submitted else [b"first"])


def test_a_gap_that_could_not_be_written_down_is_filled_later(node, sender, journal, monkeypatch):
    """Else everything behind it waits for ever."""

    def silent(*_):
        raise Unavailable("disk full")

    async def run():
        await leave_a_gap(node, sender)
        with monkeypatch.context() as broken:
            broken.setattr(journal, "write", silent)
            with pytest.raises(Unavailable, match="disk full"):
                await look(node, sender)
        await come_to_rest(node, sender)

    finish(run())
    assert node.calls_mined() == [b"first", b"second", b"", b"bob"]
