"""A stock chain as a child: it outlives neither its parent nor its folder's rules, and goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes.microgrid import key
from fakes.stock_chain import NEUR, QUICK, start_stock

from tieline.interfaces.errors import ConfigError, Unavailable
from tieline.ledgers.cosmos.ledger import CosmosLedger
from tieline.ledgers.cosmos.process import StockChain
from tieline.swap.messages import MsgSend

pytestmark = pytest.mark.native

CHAIN_ID = "stock-1"
WAIT_S = 120.0
CHILD = """
import sys, time
from pathlib import Path
from fakes.stock_chain import start_stock
chain = start_stock("stock-1", Path(sys.argv[1]), ("ann",))
print(chain.pid, flush=True)
time.sleep(600)
"""


def lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def until(holds):
    end = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def test_a_chain_ends_with_the_process_that_started_it(tmp_path):
    parent = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "home")],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(part for part in sys.path if part)},
    )
    try:
        pid = int(parent.stdout.readline())
        assert lives(pid)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    until(lambda: not lives(pid))


def pay(ledger, amount):
    message = MsgSend(ledger.lane_account("ann"), b"\2" * 20, amount, NEUR)
    return ledger.submit("ann", [message])


def test_a_chain_that_was_killed_goes_on_where_it_was(tmp_path):
    chain = start_stock(CHAIN_ID, tmp_path / "home", ("ann",))
    ledger = CosmosLedger(CHAIN_ID, chain.rpc)
    ledger.add_lane("ann", key(f"ann of {CHAIN_ID}"))

    async def paid(total):
        until_s = time.monotonic() + WAIT_S
        while await ledger.balance(b"\2" * 20, NEUR) != total:
            assert time.monotonic() < until_s
            await asyncio.sleep(0.05)

    async def first():
        await pay(ledger, 5)
        await paid(5)

    async def second():
        with pytest.raises(Unavailable):
            await ledger.latest_height()
        chain.stop()
        chain.start()
        await pay(ledger, 7)
        await paid(12)

    try:
        asyncio.run(first())
        os.kill(chain.pid, signal.SIGKILL)
        until(lambda: not chain.is_running())
        asyncio.run(second())
    finally:
        chain.stop()


def test_a_folder_keeps_its_chain(tmp_path):
    chain = StockChain(CHAIN_ID, tmp_path / "home", {}, pace=QUICK)
    assert chain.home.folder.joinpath("config", "genesis.json").exists()
    with pytest.raises(ConfigError, match="another chain"):
        StockChain("other-1", tmp_path / "home", {}, pace=QUICK)


def test_a_chain_that_cannot_run_says_where_it_says_why(tmp_path):
    chain = StockChain(CHAIN_ID, tmp_path / "home", {}, pace=QUICK)
    chain.home.folder.joinpath("config", "genesis.json").write_text("{}")
    with pytest.raises(Unavailable, match=r"engine\.log"):
        chain.start()
    assert not chain.is_running()
    assert (chain.home.folder / "engine.log").stat().st_size


def test_an_engine_that_was_not_built_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TIELINE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ConfigError, match="make ledgers"):
        StockChain(CHAIN_ID, tmp_path / "home", {}, pace=QUICK)
