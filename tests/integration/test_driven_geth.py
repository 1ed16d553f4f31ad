"""
An EVM ledger on geth and the scenario's clock: what geth executes is what py-evm executes, and a
chain that was killed, cut short or ahead of its file goes on as if nothing had been.
"""

from __future__ import annotations

import os
import signal
import time

import pytest
from fakes.driven import START_S, finish
from fakes.microgrid import key

from tieline.contract.genesis import Genesis
from tieline.contract.genesis_state import CHAIN_TAG_KEY
from tieline.interfaces.errors import ConfigError, Rejected, Unavailable
from tieline.ledgers.ethereum.block_file import BLOCKS_FILE
from tieline.ledgers.ethereum.driven_geth import open_driven_geth
from tieline.ledgers.ethereum.embedded import EmbeddedEthereum
from tieline.light_clients.evm.client import EvmSealedClient
from tieline.light_clients.verified import verify_state
from tieline.protocol.height import Height
from tieline.swap.messages import MsgSend
from tieline.utility.attestor import MemoryClientStore
from tieline.wire.blocks import split_frames
from tieline.wire.evm.transactions import decode_transaction

pytestmark = pytest.mark.native

LANES = ("relayer", "cell")
CHAIN = "driven-1"
NS = 10**9


def genesis():
    cell = key("cell")
    accounts = sorted((key(name).address, 10**12) for name in LANES)
    return Genesis(
        CHAIN, b"\xee" * 32, cell.address, (cell.address,), kind="evm", balances=tuple(accounts)
    )


@pytest.fixture
def start(tmp_path):
    """Open the ledger in the test's folder, or take up the one that is there."""
    opened = []

    def go():
        for one in opened:
            one.close()
        opened.clear()
        ledger = open_driven_geth(
            genesis(), key("deployer"), [key("sealer")], tmp_path / "export", tmp_path / "engine"
        )
        opened.append(ledger)
        ledger.resume()
        for lane in LANES:
            ledger.add_lane(lane, key(lane))
        return ledger

    yield go
    for one in opened:
        one.close()


def pay(ledger, amount=5):
    message = MsgSend(b"", ledger.lane_account("cell"), amount)
    return finish(ledger.submit("relayer", [message]))


def live(ledger):
    """Four blocks: contracts, two payments, nothing, a payment that fails."""
    for number, amounts in enumerate(((), (1, 2), (), (10**30,))):
        for amount in amounts:
            pay(ledger, amount)
        assert finish(ledger.advance(START_S + 5 * number, is_deadline=True))
    return ledger


def told(ledger):
    """All that an observer sees."""
    height = finish(ledger.latest_height())
    return (
        finish(ledger.blocks_after(0)),
        finish(ledger.scan("tieline", b"")),
        finish(ledger.state_root()),
        finish(ledger.header(height, 1)),
    )


def engine_of(ledger):
    return ledger._chain._geth


def test_geth_and_py_evm_come_to_the_same_accounts_and_events(start):
    """One truth: only what the engines put into headers differs."""
    live_geth = live(start())
    twin = EmbeddedEthereum(genesis(), key("deployer"), [key("sealer")])
    for lane in LANES:
        twin.add_lane(lane, key(lane))
    live(twin)
    for store in ("tieline", "ibc"):
        one, other = (dict(finish(each.scan(store, b""))) for each in (live_geth, twin))
        for named in (one, other):
            named.pop(CHAIN_TAG_KEY, None)  # their blocks 0 differ
        assert one == other
    for one, other in zip(
        finish(live_geth.blocks_after(0)), finish(twin.blocks_after(0)), strict=True
    ):
        assert one.time_s == other.time_s
        assert [(tx.code, tx.codespace, tx.log, tx.events) for tx in one.transactions] == [
            (tx.code, tx.codespace, tx.log, tx.events) for tx in other.transactions
        ]
    (refused,) = finish(live_geth.blocks_after(3))[0].transactions
    assert refused.log.startswith("InsufficientFunds: held=")


def test_its_headers_convince_the_light_client_of_other_ledgers(start):
    ledger = live(start())
    rules, store = EvmSealedClient(), MemoryClientStore()
    client, consensus = finish(ledger.trust_at(1))
    rules.initialise(store, client, consensus)
    header = finish(ledger.header(4, 1))
    verified = verify_state(rules, store, header, Height(0, 4), START_S * NS + 60 * NS)
    assert verified.value == START_S + 15


@pytest.mark.parametrize("signals", [signal.SIGKILL, signal.SIGTERM])
def test_what_was_told_is_told_again_after_geth_was_killed(start, signals):
    ledger = live(start())
    before = told(ledger)
    os.kill(engine_of(ledger).pid, signals)
    end = time.monotonic() + 60
    while engine_of(ledger).is_running():
        assert time.monotonic() < end, "geth does not end"
        time.sleep(0.02)
    with pytest.raises(Unavailable):
        pay(ledger)
    again = start()
    assert told(again) == before
    pay(again)
    assert finish(again.advance(START_S + 100))
    assert finish(again.blocks_after(4))[0].transactions[0].code == 0


def test_blocks_that_geth_lost_are_executed_again_to_the_last_bit(start):
    ledger = live(start())
    before = told(ledger)
    engine_of(ledger).call("debug_setHead", "0x1")
    assert told(start()) == before


def test_a_block_that_nobody_was_told_of_gives_way(start, tmp_path):
    """Killed between the engine and the file: what the file lacks was never said."""
    live(start()).close()
    path = tmp_path / "export" / BLOCKS_FILE
    frames, _ = split_frames(path.read_bytes())
    path.write_bytes(path.read_bytes()[: -len(frames[-1])])
    ledger = start()
    assert finish(ledger.latest_height()) == 3
    pay(ledger, 7)
    assert finish(ledger.advance(START_S + 40))
    (block,) = finish(ledger.blocks_after(3))
    assert (block.height, block.time_s, block.transactions[0].code) == (4, START_S + 40, 0)


def test_what_no_block_could_hold_is_refused_at_the_door(start):
    ledger = start()
    assert finish(ledger.advance(START_S))
    ledger.add_lane("poor", key("poor"))
    with pytest.raises(Rejected, match=r"account has too little gas: account=0x.* has=0 needs="):
        finish(ledger.submit("poor", [MsgSend(b"", key("cell").address, 1)]))
    with pytest.raises(Rejected, match="no transaction"):
        ledger._chain.check(b"\x02\xc0")


def test_another_ledgers_engine_is_refused(start, tmp_path):
    """Its folder is of another chain id."""
    start().close()
    other = genesis()
    with pytest.raises(ConfigError, match="is of chain id"):
        open_driven_geth(
            Genesis(
                "other-1", other.network_id, other.cell_address, (other.cell_address,), kind="evm"
            ),
            *(key("deployer"), [key("sealer")], tmp_path / "second", tmp_path / "engine"),
        )


def test_a_transaction_says_what_was_signed(start):
    ledger = start()
    assert finish(ledger.advance(START_S))
    pay(ledger, 3)
    assert finish(ledger.advance(START_S + 5))
    read = decode_transaction(ledger.blocks[1].transactions[0])
    assert read.nonce == 0
    assert read.to == ledger.deployment.addresses.app
