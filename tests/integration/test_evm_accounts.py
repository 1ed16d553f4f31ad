"""
Transactions of one account on real nodes: underpriced, underfunded, stuck, replaced, lost; nodes
that are killed, begun anew, behind, or of another chain.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import time
from dataclasses import replace

import pytest
from fakes.driven import finish
from fakes.evm_engine import ETHER, WAIT_S, EvmChain, settle, shown

from tieline.contract.accounts import pay_balance
from tieline.interfaces.errors import ConfigError, NotYet, Rejected, Unavailable
from tieline.ledgers.ethereum.deployment import EvmAddresses
from tieline.ledgers.ethereum.fees import GWEI, FeePolicy
from tieline.ledgers.ethereum.final_view import EvmLedgerPlan
from tieline.ledgers.ethereum.finality import FinalityRule
from tieline.ledgers.ethereum.known_gas import RUNS_MIN
from tieline.ledgers.ethereum.ledger import EthereumLedger
from tieline.ledgers.ethereum.looking_after import SendingPace
from tieline.ledgers.ethereum.rpc import EvmRpc
from tieline.ledgers.ethereum.settings import EvmSettings
from tieline.swap.messages import MsgLockAndSend
from tieline.wire.evm.transactions import EvmTransaction

pytestmark = pytest.mark.native

QUICK = SendingPace(again_s=0.1, replace_after_s=0.3)
AGE = 32
"""Blocks of a chain of geth that survives a kill."""


@pytest.fixture
def by_hand(tmp_path):
    """Anvil that makes a block when it is told to."""
    chain = EvmChain("anvil", tmp_path / "anvil", is_mining=False)
    yield chain
    chain.stop()


@pytest.fixture
def anvil(tmp_path):
    chain = EvmChain("anvil", tmp_path / "anvil")
    yield chain
    chain.stop()


@pytest.fixture
def geth(tmp_path):
    chain = EvmChain("geth", tmp_path / "geth")
    yield chain
    chain.stop()


@pytest.fixture(params=["geth", "anvil"])
def chain(request):
    """Either, at its own pace."""
    return request.getfixturevalue(request.param)


def balance(ledger, account):
    return finish(pay_of(ledger, account))


async def pay_of(ledger, account):
    held = dict(await ledger.scan("tieline", b""))
    return pay_balance(held, account)


def send_raw(chain, lane, nonce, *, to, max_fee=10 * GWEI, tip=GWEI):
    """What another process does with the same key."""
    chain_id = chain.deployment.chain_id
    raw = EvmTransaction(chain_id, nonce, 21_000, max_fee, tip, to, b"").sign(chain.key(lane))
    return chain.call("eth_sendRawTransaction", "0x" + raw.hex())


def mine_until_idle(chain, ledger):
    """A node takes a moment to see what it was given."""
    end = time.monotonic() + WAIT_S
    while not finish(ledger.is_idle()):
        assert time.monotonic() < end, "the ledger does not come to rest"
        chain.mine()
        time.sleep(0.05)


def nonce_of(chain, lane, tag="latest"):
    return int(chain.call("eth_getTransactionCount", "0x" + chain.account(lane).hex(), tag), 16)


def test_a_payment_lands_once_under_the_hash_it_was_given(chain):
    ledger = chain.open()
    start = settle(ledger)
    result = finish(ledger.submit("relayer", [chain.pay("relayer", "household 1", 7)]))
    settle(ledger)
    assert [(tx, code) for _, tx, code in shown(ledger, start)] == [(result.tx_hash, 0)]
    assert balance(ledger, chain.account("household 1")) == 10**12 + 7


def test_many_at_once_take_one_nonce_each_and_all_land(chain):
    ledger = chain.open()
    start = settle(ledger)

    async def all_at_once():
        pays = [chain.pay("relayer", "household 1", n + 1) for n in range(40)]
        return await asyncio.gather(*(ledger.submit("relayer", [one]) for one in pays))

    results = finish(all_at_once())
    settle(ledger)
    landed = [tx for _, tx, _ in shown(ledger, start)]
    assert sorted(landed) == sorted(one.tx_hash for one in results)
    assert balance(ledger, chain.account("household 1")) == 10**12 + sum(range(1, 41))


def test_what_the_contract_refuses_is_refused_at_the_door_and_takes_no_nonce(chain):
    ledger = chain.open()
    settle(ledger)
    before = nonce_of(chain, "relayer")
    with pytest.raises(Rejected, match="InsufficientFunds: held=") as caught:
        finish(ledger.submit("relayer", [chain.pay("relayer", "household 1", 10**30)]))
    assert (caught.value.codespace, caught.value.code) == ("sdk", 5)
    finish(ledger.submit("relayer", [chain.pay("relayer", "household 1", 1)]))
    settle(ledger)
    assert nonce_of(chain, "relayer") == before + 1


def test_a_call_whose_like_just_went_well_is_not_run_and_says_in_its_block_why_it_failed(anvil):
    ledger = anvil.open()
    start = settle(ledger)

    async def pay_times(amounts):
        return [
            await ledger.submit("relayer", [anvil.pay("relayer", "household 1", amount)])
            for amount in amounts
        ]

    finish(pay_times(range(1, RUNS_MIN + 1)))
    settle(ledger)
    (sent,) = finish(pay_times([10**17]))
    settle(ledger)
    blocks = finish(ledger.blocks_after(start))
    refused = [one for block in blocks for one in block.transactions][-1]
    assert (refused.tx_hash, refused.code != 0) == (sent.tx_hash, True)
    with pytest.raises(Rejected) as again:
        finish(pay_times([10**17]))
    assert (again.value.codespace, again.value.code) == (refused.codespace, refused.code)
    assert balance(ledger, anvil.account("household 1")) == 10**12 + sum(range(RUNS_MIN + 1))


def test_an_account_without_ether_is_named_with_what_it_needs(chain):
    ledger = chain.open()
    settle(ledger)
    poor = chain.account("household 63").hex()
    with pytest.raises(Rejected, match=f"account 0x{poor} cannot pay: it needs [0-9]+ wei") as told:
        finish(ledger.submit("household 63", [chain.pay("household 63", "relayer", 1)]))
    assert (told.value.codespace, told.value.code) == ("sdk", 5), "the hub holds the ledger for it"
    assert finish(ledger.is_idle())


def test_an_account_that_runs_dry_goes_on_when_it_has_ether_again(by_hand):
    chain = by_hand
    ledger = chain.open()
    settle(ledger)
    address = "0x" + chain.account("relayer").hex()
    chain.call("anvil_setBalance", address, hex(ETHER // 1000))
    paid = 0

    def pay():
        finish(ledger.submit("relayer", [chain.pay("relayer", "household 1", 1)]))
        mine_until_idle(chain, ledger)

    with pytest.raises(Rejected, match=f"account {address} cannot pay"):  # noqa: PT012 -- counts
        while True:
            pay()
            paid += 1
    assert 0 < paid < 50
    chain.call("anvil_setBalance", address, hex(ETHER))
    pay()
    assert balance(ledger, chain.account("household 1")) == 10**12 + paid + 1


def test_a_transaction_that_waits_is_replaced_by_one_that_pays_more(by_hand, caplog):
    """Two forms of it; whichever lands is known by the first hash, and only one can."""
    chain = by_hand
    ledger = chain.open(pace=QUICK, fees=FeePolicy(GWEI, max_fee_cap=100 * GWEI))
    start = settle(ledger)
    first = finish(ledger.submit("relayer", [chain.pay("relayer", "household 1", 5)]))
    # The market goes on without it.
    chain.call("anvil_setNextBlockBaseFeePerGas", hex(50 * GWEI))
    chain.mine()
    with caplog.at_level(logging.INFO):
        end = time.monotonic() + WAIT_S
        while "transaction replaced" not in caplog.text:
            assert time.monotonic() < end, caplog.text
            finish(ledger.latest_height())
            time.sleep(0.05)
    mine_until_idle(chain, ledger)
    ((_, name, code),) = shown(ledger, start)
    assert (name, code) == (first.tx_hash, 0)
    assert chain.call("eth_getTransactionReceipt", "0x" + first.tx_hash.hex()) is None
    assert balance(ledger, chain.account("household 1")) == 10**12 + 5


def test_a_base_fee_above_the_cap_is_waited_for(anvil):
    ledger = anvil.open(fees=FeePolicy(1, max_fee_cap=2))
    settle(ledger)
    with pytest.raises(NotYet, match="max_fee_gwei"):
        finish(ledger.submit("relayer", [anvil.pay("relayer", "household 1", 5)]))
    assert finish(ledger.is_idle())


def test_a_transaction_that_the_node_lost_is_broadcast_again(by_hand):
    chain = by_hand
    ledger = chain.open(pace=QUICK)
    start = settle(ledger)
    sent = finish(ledger.submit("relayer", [chain.pay("relayer", "household 1", 5)]))
    assert chain.call("anvil_dropTransaction", "0x" + sent.tx_hash.hex())
    chain.mine()
    assert shown(ledger, start) == []
    time.sleep(0.2)
    finish(ledger.is_idle())
    mine_until_idle(chain, ledger)
    assert [tx for _, tx, _ in shown(ledger, start)] == [sent.tx_hash]


def test_a_restart_takes_up_what_was_under_way(by_hand):
    chain = by_hand
    ledger = chain.open("own.db")
    start = settle(ledger)
    sent = finish(ledger.submit("relayer", [chain.pay("relayer", "household 1", 5)]))
    chain.call("anvil_dropTransaction", "0x" + sent.tx_hash.hex())
    again = chain.open("own.db", pace=QUICK)
    finish(again.is_idle())
    second = finish(again.submit("relayer", [chain.pay("relayer", "household 1", 6)]))
    mine_until_idle(chain, again)
    assert [tx for _, tx, _ in shown(again, start)] == [sent.tx_hash, second.tx_hash]


def test_a_nonce_that_somebody_else_used_is_theirs(by_hand, caplog):
    """Another process with the same key: ours takes the next, nothing is paid twice."""
    chain = by_hand
    ledger = chain.open(pace=QUICK)
    start = settle(ledger)
    finish(ledger.submit("relayer", [chain.pay("relayer", "household 1", 1)]))
    send_raw(chain, "relayer", nonce_of(chain, "relayer", "pending"), to=b"\x01" * 20)
    mine_until_idle(chain, ledger)
    finish(ledger.submit("relayer", [chain.pay("relayer", "household 1", 2)]))
    mine_until_idle(chain, ledger)
    assert "nonce used by somebody else" in caplog.text
    assert len(shown(ledger, start)) == 2
    assert balance(ledger, chain.account("household 1")) == 10**12 + 3


def test_a_gap_that_a_lost_journal_left_is_filled(by_hand):
    chain = by_hand
    ledger = chain.open("own.db", pace=QUICK)
    start = settle(ledger)
    sent = [
        finish(ledger.submit("relayer", [chain.pay("relayer", "household 1", amount)]))
        for amount in (1, 2)
    ]
    for one in sent:
        chain.call("anvil_dropTransaction", "0x" + one.tx_hash.hex())
    with sqlite3.connect(chain.folder / "own.db") as damaged:
        damaged.execute("DELETE FROM forms WHERE hash=?", (sent[0].tx_hash,))
    damaged.close()
    again = chain.open("own.db", pace=QUICK)
    mine_until_idle(chain, again)
    assert sent[1].tx_hash in [tx for _, tx, _ in shown(again, start)]
    assert balance(again, chain.account("household 1")) == 10**12 + 2


def test_what_fails_in_its_block_says_why_and_has_no_events(by_hand):
    """Both look right when they are sent; only one can be."""
    chain = by_hand
    ledger = chain.open()
    start = settle(ledger)
    half = chain.pay("relayer", "household 1", 6 * 10**11)
    second = chain.open(lanes=())
    second.add_lane("relayer", chain.key("relayer"))
    first = finish(ledger.submit("relayer", [half]))
    chain.call("evm_setAutomine", False)
    # The estimate of the second is of a state without the first: the same nonce's successor.
    raw_call = finish(failing(chain, ledger, half))
    mine_until_idle(chain, ledger)
    codes = {tx: code for _, tx, code in shown(ledger, start)}
    assert codes[first.tx_hash] == 0
    assert codes[raw_call] == 5
    blocks = finish(ledger.blocks_after(start))
    (refused,) = [tx for one in blocks for tx in one.transactions if tx.code]
    assert "InsufficientFunds" in refused.log
    assert refused.events == ()


async def failing(chain, ledger, message):
    """Hand in what will fail, past the estimate."""
    from tieline.ledgers.ethereum.calls import build_call

    state = ledger._view.twin.state
    call = build_call([message], state, chain.deployment.addresses)
    sender = ledger._senders[chain.account("relayer")]
    return await sender.submit(call.to, call.data, 300_000, GWEI)


def await_written(path):
    """
    Anvil writes its state every second: the second time from now, all up to now is in it. A kill in
    the middle of that would leave half a file, so there is a second for what comes next.
    """
    end = time.monotonic() + WAIT_S
    for _ in range(2):
        before = written_at(path)
        while written_at(path) == before or not is_whole(path):
            assert time.monotonic() < end, "nothing is written"
            time.sleep(0.02)


def written_at(path):
    return path.stat().st_mtime_ns if path.exists() else 0


def is_whole(path):
    try:
        json.loads(path.read_bytes())
    except ValueError:
        return False
    return True


# --- nodes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["geth", "anvil"])
def test_a_node_that_is_killed_comes_back_and_the_ledger_goes_on(engine, tmp_path):
    chain = EvmChain(engine, tmp_path / engine)
    try:
        ledger = chain.open("own.db", pace=QUICK)
        start = settle(ledger)
        while engine == "geth" and chain.height() < AGE:  # it may lose fifteen blocks
            assert chain.process.is_running()
            time.sleep(0.5)
        sent = [finish(ledger.submit("relayer", [chain.pay("relayer", "household 1", 1)]))]
        settle(ledger)
        if engine == "anvil":
            await_written(chain.folder / "state.json")
        sent.append(finish(ledger.submit("relayer", [chain.pay("relayer", "household 1", 2)])))
        chain.process.kill()
        with pytest.raises(Unavailable):
            finish(ledger.latest_height())
        chain.process.start()
        end = time.monotonic() + WAIT_S
        while True:
            try:
                finish(ledger.blocks_after(start))
                settle(ledger)
                break
            except Unavailable:  # also Reorganised: what it lost was final by our rule
                assert time.monotonic() < end
                time.sleep(0.1)
        found = [tx for _, tx, _ in shown(ledger, start)]
        assert sorted(found) == sorted(one.tx_hash for one in sent)
        assert balance(ledger, chain.account("household 1")) == 10**12 + 3
    finally:
        chain.stop()


def test_a_chain_that_was_begun_anew_is_not_taken_for_the_old_one(tmp_path):
    """Same chain id, same contracts at the same addresses; another block 0."""
    first = EvmChain("anvil", tmp_path / "first", genesis_time_s=1_700_000_000)
    other = EvmChain("anvil", tmp_path / "other", genesis_time_s=1_700_000_001)
    try:
        assert first.deployment.addresses == other.deployment.addresses
        ledger = first.open(rpcs=[EvmRpc(other.process.address)])
        with pytest.raises(ConfigError, match="the chain was begun anew: ledger=eth-1 genesis"):
            finish(ledger.latest_height())
        journal = "own.db"
        settle(first.open(journal))
        other.folder = first.folder
        with pytest.raises(ConfigError, match="the journal is of another chain"):
            other.open(journal)
    finally:
        first.stop()
        other.stop()


def test_a_chain_that_lost_its_blocks_stops_with_a_clear_message(tmp_path):
    """Same genesis, same contracts, other blocks: what a power cut does to a development chain."""
    chain = EvmChain("anvil", tmp_path / "anvil", is_mining=False)
    try:
        snapshot = chain.call("evm_snapshot")
        ledger = chain.open("own.db")
        chain.mine(80)
        settle(ledger)
        assert chain.call("evm_revert", snapshot)
        with pytest.raises(Unavailable, match="was read up to"):
            finish(ledger.latest_height())
        chain.call("evm_increaseTime", 5)
        chain.mine(90)
        with pytest.raises(ConfigError, match="has lost its blocks"):
            finish(ledger.latest_height())
        again = chain.open("own.db")
        with pytest.raises(ConfigError, match="has lost its blocks"):
            finish(again.latest_height())
    finally:
        chain.stop()


def test_a_node_of_another_chain_id_is_refused_with_both_numbers(anvil):
    wrong = replace(anvil.deployment, chain_id=1)
    ledger = EthereumLedger(
        EvmLedgerPlan(anvil.genesis, wrong),
        [EvmRpc(anvil.process.address)],
        EvmSettings(FinalityRule(confirmations=0)),
    )
    right = anvil.deployment.chain_id
    with pytest.raises(ConfigError, match=f"chain id {right}, not 1"):
        finish(ledger.latest_height())
    ledger.close()


@pytest.mark.parametrize(
    ("changed", "said"),
    [("addresses", "no code at 0x"), ("code_hashes", "other code at 0x")],
)
def test_an_address_without_our_code_is_refused(anvil, changed, said):
    record = anvil.deployment
    spoilt = {
        "addresses": replace(record.addresses, host=b"\x09" * 20),
        "code_hashes": replace(record.code_hashes, app=b"\x09" * 32),
    }[changed]
    assert isinstance(spoilt, EvmAddresses)
    ledger = EthereumLedger(
        EvmLedgerPlan(anvil.genesis, replace(record, **{changed: spoilt})),
        [EvmRpc(anvil.process.address)],
        EvmSettings(FinalityRule(confirmations=0)),
    )
    with pytest.raises(ConfigError, match=said):
        finish(ledger.latest_height())
    ledger.close()


def test_a_node_that_is_behind_is_not_asked_first(tmp_path, caplog, monkeypatch):
    """Two nodes with one history; one stays where it is."""
    monkeypatch.setattr("tieline.ledgers.endpoints.LOOK_ROUND_S", 0.0)
    chain = EvmChain("anvil", tmp_path / "anvil", is_mining=False)
    chain.process.stop()
    old = EvmChain.__new__(EvmChain)
    copied = tmp_path / "old"
    copied.mkdir()
    for file in ("state.json", "genesis.json"):
        (copied / file).write_bytes((chain.folder / file).read_bytes())
    old.process = type(chain.process)(copied, chain.process.chain_id, {}, is_mining=False)
    old.process.start()
    chain.process.start()
    try:
        rpcs = [EvmRpc(old.process.address), EvmRpc(chain.process.address)]
        ledger = chain.open(rpcs=rpcs)
        chain.mine(5)
        assert finish(ledger.latest_height()) == chain.height()
        assert "node is behind" in caplog.text
        chain.process.stop()
        with pytest.raises(Unavailable, match="nodes are behind"):
            finish(ledger.latest_height())
    finally:
        old.process.stop()
        chain.stop()


def test_a_silent_node_is_followed_by_the_next(anvil):
    dead = EvmRpc("http://127.0.0.1:9")
    ledger = anvil.open(rpcs=[dead, EvmRpc(anvil.process.address)])
    start = settle(ledger)
    finish(ledger.submit("relayer", [anvil.pay("relayer", "household 1", 1)]))
    settle(ledger)
    assert len(shown(ledger, start)) == 1
    assert ledger.endpoints.states()[1].is_used


def test_no_swap_begins_on_a_chain_whose_time_runs_ahead(anvil):
    ledger = anvil.open()
    anvil.call("evm_increaseTime", 600)
    anvil.call("evm_mine")
    settle(ledger)
    assert finish(ledger.drift_s()) > 500
    lock = MsgLockAndSend.__new__(MsgLockAndSend)
    with pytest.raises(NotYet, match=r"no swap begins: .* ahead of this computer's clock"):
        finish(ledger.submit("relayer", [lock]))
    finish(ledger.submit("relayer", [anvil.pay("relayer", "household 1", 1)]))
    settle(ledger)
