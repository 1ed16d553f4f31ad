"""A transaction on Fabric takes effect once, whatever happens to its proposals on the way."""

from __future__ import annotations

import asyncio
import math

import pytest
from fakes.driven import finish
from fakes.microgrid import key, pay
from fakes.scripted_fabric import ScriptedFabric, ScriptedPort

from tieline.interfaces.errors import ConfigError, Rejected, Unavailable
from tieline.ledgers.fabric.ledger import FabricLedger
from tieline.ledgers.fabric.port import EndorsementsDiffer, InvocationRefused, Validation
from tieline.ledgers.fabric.settings import FabricSettings
from tieline.protocol.messages import SendPacket
from tieline.protocol.packet import Payload
from tieline.wire.codec import build_transaction
from tieline.wire.fabric.blocks import Block

QUICK = FabricSettings(tries_max=8, poll_s=0.0, again_s=math.inf)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def ledger_on(fabric, settings=QUICK, clock=None):
    """A process of its own on the channel."""
    port = ScriptedPort(fabric)
    ledger = FabricLedger(port, settings, monotonic=clock or Clock())
    for name in ("relayer", "cell", "household 1", "household 2"):
        ledger.add_lane(name, key(name))
    finish(ledger.read_on())
    return ledger, port


@pytest.fixture
def fabric():
    return ScriptedFabric()


def send(ledger, sender, recipient, amount=5):
    return finish(ledger.submit(sender, [pay(sender, recipient, amount)])).tx_hash


def rest(fabric, *ledgers):
    """Make blocks until nobody waits, and return all outcomes by hash, in order."""
    start = finish(ledgers[0].latest_height())
    for _ in range(100):
        fabric.cut()
        for ledger in ledgers:
            finish(ledger.read_on())
        if not fabric.waiting:
            break
    blocks = finish(ledgers[0].blocks_after(start))
    return [(one.tx_hash, one.code) for block in blocks for one in block.transactions]


def codes_in(fabric):
    return [code for raw in fabric.blocks for code in Block.decode(raw).transactions_filter]


def test_transactions_of_one_process_never_lose_to_each_other(fabric):
    """B132: two transactions on one key; the second is held until the first is in a block."""
    ledger, _ = ledger_on(fabric)
    sent = [send(ledger, "relayer", "cell", amount) for amount in range(1, 9)]
    assert rest(fabric, ledger) == [(one, 0) for one in sent]
    assert Validation.MVCC_READ_CONFLICT not in codes_in(fabric)


def test_of_two_processes_on_one_key_the_loser_is_endorsed_anew_and_lands(fabric):
    """B132: the second is invalid in its block; its sender never hears of that."""
    here, there = ledger_on(fabric)[0], ledger_on(fabric)[0]
    sent = {send(here, "relayer", "cell", 1), send(there, "household 1", "cell", 2)}
    outcomes = rest(fabric, here, there)
    assert Validation.MVCC_READ_CONFLICT in codes_in(fabric)
    assert sorted(outcomes) == sorted((one, 0) for one in sent)


def test_what_loses_to_strangers_in_every_try_fails_with_a_code(fabric):
    """And takes no effect; the hub sends it again later."""
    here, there = ledger_on(fabric)[0], ledger_on(fabric)[0]
    lost = send(here, "relayer", "cell", 1)
    for amount in range(QUICK.tries_max):
        fabric.waiting, ours = [], fabric.waiting
        send(there, "household 1", "cell", amount + 1)
        fabric.waiting += ours
        fabric.cut()
        finish(there.read_on())
        finish(here.read_on())
    outcomes = rest(fabric, here)
    told = [
        (one.codespace, one.code)
        for block in finish(here.blocks_after(0))
        for one in block.transactions
        if one.tx_hash == lost
    ]
    assert told == [("fabric", Validation.MVCC_READ_CONFLICT)], outcomes
    assert here.under_way == 0


def told_of(ledger, tx_hash):
    """What observers are told of one transaction."""
    return [
        (one.codespace, one.code, one.log)
        for block in finish(ledger.blocks_after(0))
        for one in block.transactions
        if one.tx_hash == tx_hash
    ]


@pytest.mark.parametrize("is_ordered", [True, False])
def test_an_unknown_outcome_is_resolved_with_the_same_envelope(fabric, is_ordered):
    """Whether the orderers had it or not, it lands once, and no other inner transaction is made."""
    clock = Clock()
    ledger, port = ledger_on(fabric, FabricSettings(again_s=3.0), clock)
    port.loses = [is_ordered]
    sent = send(ledger, "relayer", "cell")
    clock.now += 4
    finish(ledger.read_on())
    assert set(port.ordered) == {port.ordered[0]}
    rest(fabric, ledger)
    assert told_of(ledger, sent) == [("", 0, "")]
    assert ledger.under_way == 0
    assert len(port.ordered) == 2
    assert codes_in(fabric).count(Validation.DUPLICATE_TXID) == int(is_ordered)


def test_what_a_peer_knows_by_its_id_is_not_handed_in_again(fabric):
    clock = Clock()
    ledger, port = ledger_on(fabric, FabricSettings(again_s=3.0), clock)
    port.loses = [True]
    send(ledger, "relayer", "cell")
    fabric.cut()
    clock.now += 4
    finish(ledger._submitter.go_on())
    assert len(port.ordered) == 1


def test_peers_that_disagree_for_a_moment_are_asked_again(fabric):
    ledger, port = ledger_on(fabric)
    port.differs = 3
    sent = send(ledger, "relayer", "cell")
    assert rest(fabric, ledger) == [(sent, 0)]


def test_the_order_of_a_lane_is_kept_when_peers_disagree_on_one_of_it(fabric):
    """Seen on four orderers: one peer was a block behind for the second of eight."""
    ledger, port = ledger_on(fabric)
    sent = [send(ledger, "relayer", "cell", amount) for amount in range(1, 5)]
    fabric.cut()
    port.differs = 1
    finish(ledger.read_on())
    assert rest(fabric, ledger) == [(one, 0) for one in sent[1:]]


def test_two_at_once_of_one_lane_keep_their_order_whoever_is_endorsed_first(fabric):
    ledger, port = ledger_on(fabric)
    endorse, gate = port.endorse, asyncio.Event()

    async def slow_at_first(args):
        if len(port.asked) == 0:
            port.asked.append(tuple(args))
            await gate.wait()
        return await endorse(args)

    port.endorse = slow_at_first

    async def two():
        first = asyncio.create_task(ledger.submit("relayer", [pay("relayer", "cell", 1)]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        second = await ledger.submit("relayer", [pay("relayer", "cell", 2)])
        gate.set()
        return [(await first).tx_hash, second.tx_hash]

    sent = finish(two())
    assert rest(fabric, ledger) == [(one, 0) for one in sent]


def test_peers_that_keep_disagreeing_are_named(fabric):
    """And nothing is ordered, and the account is free again."""
    ledger, port = ledger_on(fabric)
    port.differs = QUICK.differ_max
    with pytest.raises(EndorsementsDiffer, match=r"Org1MSP@peer0, Org2MSP@peer1"):
        send(ledger, "relayer", "cell")
    assert (port.ordered, ledger.under_way) == ([], 0)
    sent = send(ledger, "relayer", "cell")
    assert rest(fabric, ledger) == [(sent, 0)]


def test_a_refusal_has_the_contracts_own_numbers(fabric):
    ledger, port = ledger_on(fabric)
    with pytest.raises(Rejected, match="insufficient funds") as caught:
        send(ledger, "relayer", "cell", 10**30)
    assert (caught.value.codespace, caught.value.code) == ("sdk", 5)
    assert port.ordered == []


def test_what_may_rest_on_what_is_under_way_is_judged_behind_it(fabric):
    """The money comes with the first; the second is held, not refused."""
    ledger, _ = ledger_on(fabric)
    ledger.add_lane("newcomer", key("newcomer"))
    first = send(ledger, "relayer", "newcomer", 100)
    second = send(ledger, "newcomer", "cell", 60)
    third = send(ledger, "newcomer", "relayer", 60)
    assert rest(fabric, ledger) == [(first, 0), (second, 0), (third, 5)]


def test_a_transaction_too_large_for_the_channel_is_not_sent(fabric):
    ledger, port = ledger_on(fabric)
    payload = Payload("echo", "echo", "echo-1", "text", bytes(QUICK.tx_bytes_max))
    message = SendPacket(key("relayer").cosmos_account, "attestations-0", 2**40, (payload,))
    with pytest.raises(Rejected, match=str(QUICK.tx_bytes_max)) as caught:
        finish(ledger.submit("relayer", [message]))
    assert (caught.value.codespace, caught.value.code) == ("sdk", 21)
    assert (port.asked, port.ordered) == ([], [])


def test_an_envelope_too_large_for_the_channel_is_not_ordered(fabric):
    ledger, port = ledger_on(fabric, FabricSettings(envelope_bytes_max=1000))
    with pytest.raises(Rejected, match="1000"):
        send(ledger, "relayer", "cell")
    assert port.ordered == []


def test_the_same_payment_of_two_processes_of_one_account_is_two_payments(fabric):
    """Both begin with one nonce; the slower one finds its marker taken, and takes the next."""
    here, there = ledger_on(fabric)[0], ledger_on(fabric)[0]
    first = send(here, "relayer", "cell", 7)
    fabric.cut()
    second = send(there, "relayer", "cell", 7)
    assert first != second
    assert rest(fabric, there, here)[-1] == (second, 0)


def test_many_submitters_at_once_lose_nothing(fabric):
    """Must-see 5, small: fifty payments into one account at once, all land, none fails."""
    ledger, _ = ledger_on(fabric)
    for n in range(3, 50):
        ledger.add_lane(f"household {n}", key(f"household {n}"))

    async def all_at_once():
        names = [f"household {n}" for n in range(1, 50)]
        sending = (ledger.submit(name, [pay(name, "cell", 1)]) for name in names)
        return [one.tx_hash for one in await asyncio.gather(*sending)]

    sent = finish(all_at_once())
    outcomes = rest(fabric, ledger)
    assert sorted(outcomes) == sorted((one, 0) for one in sent)


def test_a_network_that_is_down_is_said_at_once_and_later_all_goes_on(fabric):
    ledger, port = ledger_on(fabric)
    port.is_down = True
    with pytest.raises(Unavailable):
        send(ledger, "relayer", "cell")
    port.is_down = False
    sent = send(ledger, "relayer", "cell")
    assert rest(fabric, ledger) == [(sent, 0)]


def test_a_cancelled_submission_leaves_nothing_under_way(fabric):
    ledger, port = ledger_on(fabric, FabricSettings(poll_s=10.0))
    port.differs = 100

    async def cancelled():
        with pytest.raises(asyncio.TimeoutError):
            async with asyncio.timeout(0.01):
                await ledger.submit("relayer", [pay("relayer", "cell", 1)])

    finish(cancelled())
    assert ledger.under_way == 0


class SlowPort(ScriptedPort):
    """Endorses so slowly that whoever can ask meanwhile does."""

    def __init__(self, fabric):
        super().__init__(fabric)
        self.at_once = self.most_at_once = 0

    async def endorse(self, args):
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        for _ in range(20):
            await asyncio.sleep(0)
        self.at_once -= 1
        return await super().endorse(args)


@pytest.mark.parametrize(("to_one", "at_once"), [(False, 6), (True, 1)])
def test_who_waited_is_endorsed_anew_side_by_side_but_for_those_that_would_undo_each_other(
    fabric, to_one, at_once
):
    """B132: one at a time would keep the blocks unread; all on one key would be asked in vain."""
    port = SlowPort(fabric)
    ledger = FabricLedger(port, QUICK)
    names = [f"household {n}" for n in range(1, 7)]
    for name in names:
        ledger.add_lane(name, key(name))
    for amount in (1, 2):
        for name in names:
            send(ledger, name, "cell" if to_one else name, amount)
    first_asked = len(port.asked)
    assert first_asked == 12
    port.most_at_once = 0
    outcomes = rest(fabric, ledger)
    assert [code for _, code in outcomes] == [0] * 12
    assert port.most_at_once == at_once
    assert len(port.asked) - first_asked == (11 if to_one else 6)


def test_what_failed_is_told_although_the_operator_must_act_for_another(fabric):
    """Two are endorsed anew side by side; one is refused, of the other nothing can be known yet."""
    here, there = ledger_on(fabric)[0], ledger_on(fabric)[0]
    for ledger, names in ((here, (3, 4)), (there, (5, 6))):
        for n in names:
            ledger.add_lane(f"household {n}", key(f"household {n}"))
    lost = send(here, "household 3", "household 1")
    goes_on = send(here, "household 4", "household 2")
    ours, fabric.waiting = fabric.waiting, []
    send(there, "household 5", "household 1")
    send(there, "household 6", "household 2")
    fabric.waiting += ours
    fabric.cut()
    port, endorse = here.port, here.port.endorse
    outcomes = [InvocationRefused(500, "no"), ConfigError("act")]

    async def fails_for_both(args):
        raise outcomes.pop(0)

    port.endorse = fails_for_both
    with pytest.raises(ConfigError, match="act"):
        finish(here.read_on())
    port.endorse = endorse
    rest(fabric, here)
    assert [code for _, code, _ in told_of(here, lost)] == [500]
    assert told_of(here, goes_on) == [("", 0, "")]


@pytest.mark.parametrize("is_in_a_block", [True, False])
def test_what_orderers_take_at_first_and_refuse_later_is_judged_by_its_marker(
    fabric, is_in_a_block
):
    """Nobody said that the first copy was taken; it may come into a block all the same."""
    clock = Clock()
    ledger, port = ledger_on(fabric, FabricSettings(again_s=3.0), clock)
    port.loses = [is_in_a_block]
    sent = send(ledger, "relayer", "cell")
    clock.now += 4
    order = port.order

    async def refuses(envelope):
        raise Rejected("fabric", 403, "the orderer refuses: no")

    port.order = refuses
    finish(ledger._submitter.go_on())
    assert ledger.under_way == 1
    if not is_in_a_block:
        port.order = order
    fabric.cut()
    rest(fabric, ledger)
    assert told_of(ledger, sent) == [("", 0, "")]
    assert ledger.under_way == 0


def test_the_same_bytes_twice_from_a_wallet_are_one_transaction_under_way(fabric):
    """The second was held to rest on itself, so it was never over, and its account stood still."""
    clock = Clock()
    ledger, port = ledger_on(fabric, FabricSettings(again_s=3.0), clock)
    port.loses = [False]
    message = pay("relayer", "cell", 10**12)
    raw = build_transaction([message], key("relayer"), "lab", 0, 0, gas_limit=10**6)
    first = finish(ledger.broadcast(raw)).tx_hash
    other, _ = ledger_on(fabric)
    send(other, "relayer", "household 1")
    fabric.cut()
    assert finish(ledger.broadcast(raw)).tx_hash == first
    assert (len(port.ordered), ledger.under_way) == (1, 1)
    clock.now += 4
    finish(ledger.read_on())
    rest(fabric, ledger)
    assert [code for _, code, _ in told_of(ledger, first)] == [5]
    assert ledger.under_way == 0
