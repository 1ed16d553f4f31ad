"""
`tieline relay` between a microgrid's ledger and a stock chain, as an operator runs it: keys, link,
start. It carries money there and home; what it finds too late it gives back.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace

import pytest
from fakes.driven import LANES, finish, genesis_of
from fakes.microgrid import key
from fakes.stock_chain import NEUR, QUICK

from tieline.contract import vouchers
from tieline.hub.key_files import read_keys
from tieline.ledgers.cosmos.ledger import CosmosLedger
from tieline.ledgers.cosmos.process import StockChain
from tieline.ledgers.tendermint.home import Pace
from tieline.ledgers.tendermint.native import NativeTendermint
from tieline.ledgers.tendermint.peers import PeerGroup
from tieline.protocol.denom import TRANSFER_PORT, Denom, Hop, escrow_account
from tieline.protocol.messages import Transfer
from tieline.wire.bech32 import account_to_text

pytestmark = pytest.mark.native

OURS, STOCK = "ours-1", "stock-1"
PAY, STAKE = Denom(NEUR), Denom("stake")
MONEY = 10**12
WAIT_S = 180.0
PROGRAM = [sys.executable, "-c", "from tieline.cli import main; main()", "relay"]


def until(holds):
    end = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.1)


@dataclass
class State:
    """A ledger's committed state, one key at a time."""

    ledger: NativeTendermint

    def get(self, stored_key):
        return finish(self.ledger.query("tieline", stored_key))


class Neighbours:
    """Both ledgers, and the relayer's program beside them."""

    def __init__(self, folder):
        self.folder = folder
        self.program = None
        self.ours = self.stock = None
        self.write({OURS: ("tendermint", 1), STOCK: ("cosmos", 1)})
        self.command("keys")
        self.keys = {name: read_keys(folder / f"{name}.key")[0] for name in (OURS, STOCK)}

    def write(self, ledgers):
        """The relayer's file."""
        content = {
            "ledgers": {
                name: {
                    "kind": kind,
                    "rpc": [f"http://127.0.0.1:{port}"],
                    "key_file": f"{name}.key",
                }
                for name, (kind, port) in ledgers.items()
            },
            "paths": [{"between": list(ledgers)}],
        }
        (self.folder / "relay.yaml").write_text(json.dumps(content))  # JSON is YAML

    def start(self):
        # The relayer is the utility cell's: only it makes clients on a microgrid's ledger.
        cell = self.keys[OURS]
        born = genesis_of(OURS)
        balances = sorted({**dict(born.balances), cell.cosmos_account: MONEY}.items())
        genesis = replace(
            born,
            cell_address=cell.address,
            founding_cells=(cell.address,),
            balances=tuple(balances),
            takes_plain_clients=True,
        )
        pace = Pace(commit_wait_ms=100, empty_block_interval_s=2)
        self.peers = PeerGroup(genesis, self.folder / "ours", pace=pace)
        self.peers.start()
        accounts = [key(f"{lane} of {STOCK}").cosmos_account for lane in LANES]
        accounts.append(self.keys[STOCK].cosmos_account)
        coins = {"stake": MONEY, NEUR: MONEY}
        balances = dict.fromkeys(accounts, coins)
        self.chain = StockChain(STOCK, self.folder / "stock", balances, pace=QUICK)
        self.chain.start()
        self.ours = NativeTendermint(OURS, self.peers.peers[0].rpc)
        self.stock = CosmosLedger(STOCK, self.chain.rpc)
        for ledger in (self.ours, self.stock):
            ledger.add_lane("ann", key(f"household 0 of {ledger.ledger_id}"))
        ports = self.peers.peers[0].rpc.address, self.chain.rpc.address
        rpc_ports = [int(one.rpartition(":")[2]) for one in ports]
        self.write({OURS: ("tendermint", rpc_ports[0]), STOCK: ("cosmos", rpc_ports[1])})
        self.command("link")
        links = json.loads((self.folder / "relay.links.json").read_text())
        (link,) = links["links"]
        self.clients = link["clients"]

    def command(self, *words):
        """Run `tieline relay` and return what it prints."""
        done = subprocess.run(
            [*PROGRAM, *words, str(self.folder / "relay.yaml")],
            capture_output=True,
            text=True,
            env=environment(),
            timeout=WAIT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def relay(self):
        """Start the relayer."""
        command = [*PROGRAM, "start"]
        with (self.folder / "relay.log").open("ab") as log:
            self.program = subprocess.Popen(
                [*command, str(self.folder / "relay.yaml")], stderr=log, env=environment()
            )

    def stop_relaying(self):
        """Stop it in order."""
        program, self.program = self.program, None
        if program is not None:
            program.send_signal(signal.SIGTERM)
            program.wait(WAIT_S)

    def stop(self):
        self.stop_relaying()
        for ledger in (self.ours, self.stock):
            if ledger is not None:
                ledger.close()
                (self.peers if ledger is self.ours else self.chain).stop()

    def account(self, ledger):
        return ledger.lane_account("ann")

    def text(self, ledger):
        prefix = "cosmos" if ledger is self.stock else "tieline"
        return account_to_text(self.account(ledger), prefix)

    def holds(self, ledger, denom, account=None):
        account = self.account(ledger) if account is None else account
        if ledger is self.stock:
            return finish(ledger.balance(account, denom.name))
        return vouchers.balance(State(ledger), account, denom)

    def send(self, ledger, denom, amount, receiver, timeout_s=600):
        # A ledger that rests is seconds behind.
        deadline_s = max(finish(ledger.latest_time_s()), int(time.time())) + timeout_s
        client = self.clients[ledger.ledger_id]
        message = Transfer(self.account(ledger), client, denom.name, amount, receiver, deadline_s)
        finish(ledger.submit("ann", [message]))
        return deadline_s

    def voucher(self, home):
        """What the money of one ledger is called on the other."""
        away = self.stock if home is self.ours else self.ours
        native = PAY if home is self.ours else STAKE
        return away, native, Denom(native.base, (Hop(TRANSFER_PORT, self.clients[away.ledger_id]),))


def environment():
    return os.environ | {"PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}


@pytest.fixture(scope="module")
def neighbours(tmp_path_factory):
    running = Neighbours(tmp_path_factory.mktemp("neighbours"))
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(params=[OURS, STOCK])
def home(request, neighbours):
    return neighbours.ours if request.param == OURS else neighbours.stock


def test_money_is_carried_there_and_home(neighbours, home):
    away, native, voucher = neighbours.voucher(home)
    escrow = escrow_account(TRANSFER_PORT, neighbours.clients[home.ledger_id])
    neighbours.relay()
    before = neighbours.holds(home, native)
    neighbours.send(home, native, 70, neighbours.text(away))
    until(lambda: neighbours.holds(away, voucher) == 70)
    assert neighbours.holds(home, native, escrow) == 70
    neighbours.send(away, voucher, 70, neighbours.text(home))
    until(lambda: neighbours.holds(home, native) == before)
    assert neighbours.holds(away, voucher) == 0
    assert neighbours.holds(home, native, escrow) == 0
    neighbours.stop_relaying()


def test_what_is_refused_there_comes_back(neighbours, home):
    _, native, _ = neighbours.voucher(home)
    before = neighbours.holds(home, native)
    neighbours.send(home, native, 5, "nobody")
    until(lambda: neighbours.holds(home, native) == before - 5)
    neighbours.relay()
    until(lambda: neighbours.holds(home, native) == before)
    neighbours.stop_relaying()


def test_what_was_found_too_late_comes_back(neighbours, home):
    """The relayer was away while the packet's time passed."""
    away, native, voucher = neighbours.voucher(home)
    before = neighbours.holds(home, native)
    deadline_s = neighbours.send(home, native, 3, neighbours.text(away), timeout_s=8)
    until(lambda: neighbours.holds(home, native) == before - 3)
    until(lambda: finish(away.latest_time_s()) > deadline_s)
    neighbours.relay()
    until(lambda: neighbours.holds(home, native) == before)
    assert neighbours.holds(away, voucher) == 0
    neighbours.stop_relaying()
