"""
`tieline relay` between a ledger of ours and a stock chain, in real time: transfers there and back,
a timeout, -9 in the middle with and without its journal, a ledger that halts.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.driven import genesis_of
from fakes.microgrid import key
from fakes.relay_program import RelayProgram, wait_until

from tieline.contract import vouchers
from tieline.hub.links import LinksFile
from tieline.interfaces.errors import HubError, NotYet
from tieline.ledgers.cosmos.home import StockPace
from tieline.ledgers.cosmos.ledger import CosmosLedger
from tieline.ledgers.cosmos.process import StockChain
from tieline.ledgers.tendermint.home import Pace
from tieline.ledgers.tendermint.native import NativeTendermint
from tieline.ledgers.tendermint.peers import PeerGroup
from tieline.protocol.denom import TRANSFER_PORT, Denom, Hop
from tieline.protocol.messages import Transfer
from tieline.wire.bech32 import account_to_text

pytestmark = pytest.mark.native

OURS, STOCK = "ours-1", "stock-1"
USER = "household 1"
PACE = Pace(commit_wait_ms=100, empty_block_interval_s=1)
RSS_KB_MAX = 80 * 1024


class World:
    """Both ledgers, linked, and the relayer's folder."""

    def __init__(self, folder: Path, validator_count: int = 1) -> None:
        self.program = RelayProgram(folder / "relay", {OURS: "tendermint", STOCK: "cosmos"})
        genesis = genesis_of(OURS)
        genesis = replace(
            genesis,
            takes_plain_clients=True,
            balances=tuple(sorted((*genesis.balances, (self.program.account(OURS), 10**12)))),
        )
        self.group = PeerGroup(genesis, folder / "ours", validator_count=validator_count, pace=PACE)
        self.user = key(f"{USER} of {STOCK}")
        accounts = (self.program.account(STOCK), self.user.cosmos_account)
        balances = {account: {"stake": 10**12} for account in accounts}
        self.chain = StockChain(STOCK, folder / "stock", balances, pace=StockPace(200))
        try:
            self.group.start()
            self.chain.start()
            self._link()
        except BaseException:  # an interrupt too: nothing may be left running
            self.close()
            raise

    def _link(self) -> None:
        self.program.configure(
            {
                OURS: int(self.group.peers[0].rpc.address.rpartition(":")[2]),
                STOCK: self.chain.ports.rpc,
            },
        )
        self.program.run("link")
        (link,) = LinksFile(self.program.folder / "relay.links.json").links
        self.clients = link.clients
        self.ours = NativeTendermint(OURS, self.group.peers[0].rpc)
        self.ours.add_lane(USER, key(f"{USER} of {OURS}"))
        self.stock = CosmosLedger(STOCK, self.chain.rpc)
        self.stock.add_lane(USER, self.user)
        self.voucher = Denom("stake", (Hop(TRANSFER_PORT, self.clients[OURS]),))

    def close(self) -> None:
        self.program.stop()
        self.group.stop()
        self.chain.stop()

    def send(self, count: int, timeout_s: int = 600) -> int:
        """
        Send so many transfers of one unit from the stock chain to ours, in one transaction; return
        when their time is over.
        """
        receiver = account_to_text(self.ours.lane_account(USER))
        return self._hand_in(self.stock, STOCK, "stake", receiver, count, timeout_s)

    def send_back(self, count: int) -> None:
        """Send so many units home."""
        receiver = self.stock.account_text(self.user.cosmos_account)
        self._hand_in(self.ours, OURS, self.voucher.name, receiver, count, 600)

    def _hand_in(self, ledger, ledger_id, denom, receiver, count, timeout_s) -> int:
        message = Transfer(
            ledger.lane_account(USER),
            self.clients[ledger_id],
            denom,
            1,
            receiver,
            int(time.time()) + timeout_s,
        )

        async def go():
            while True:
                try:
                    return await ledger.submit(USER, [message] * count)
                except NotYet:
                    await asyncio.sleep(0.05)

        asyncio.run(go())
        return message.timeout_s

    def vouchers(self) -> int:
        """What the receiver holds on our ledger."""

        class State:
            @staticmethod
            def get(stored_key):
                return asyncio.run(self.ours.query("tieline", stored_key))

        return vouchers.balance(State(), self.ours.lane_account(USER), self.voucher)

    def stake(self) -> int:
        """What the sender holds on the stock chain."""
        return asyncio.run(self.stock.balance(self.user.cosmos_account, "stake"))

    def standing(self) -> int:
        """Packets that are not at their end, on both."""
        try:
            return sum(
                len(asyncio.run(ledger.scan("ibc", self.clients[one].encode() + b"\x01")))
                for one, ledger in ((OURS, self.ours), (STOCK, self.stock))
            )
        except HubError:
            return -1

    def settle(self, seconds: float = 240.0) -> None:
        """Wait until no packet stands."""
        wait_until(lambda: self.standing() == 0, seconds)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    running = World(tmp_path_factory.mktemp("relay"))
    yield running
    running.close()


def test_transfers_go_there_and_back_and_the_process_stays_small(world) -> None:
    stake, had = world.stake(), world.vouchers()
    world.program.start()
    world.send(40)
    wait_until(lambda: world.vouchers() == had + 40)
    world.settle()
    world.send_back(15)
    wait_until(lambda: world.stake() == stake - 25)
    world.settle()
    wait_until(lambda: not world.program.status()["backlog"])
    wait_until(lambda: not any(row["held_because"] for row in world.program.status()["ledgers"]))
    assert world.program.status()["is_running"]
    fields = Path(f"/proc/{world.program.pid}/status").read_text().splitlines()
    peak_kb = next(int(one.split()[1]) for one in fields if one.startswith("VmHWM"))
    assert peak_kb < RSS_KB_MAX
    assert world.program.stop() == 0
    assert not world.program.status()["backlog"]
    for path in world.program.folder.glob("*.key"):
        assert path.read_text().strip() not in world.program.log()


def test_what_is_not_brought_in_time_comes_back(world) -> None:
    stake, had = world.stake(), world.vouchers()
    deadline_s = world.send(5, timeout_s=10)
    wait_until(lambda: world.stake() == stake - 5)
    wait_until(lambda: asyncio.run(world.ours.latest_time_s()) > deadline_s)
    world.program.start()
    world.settle()
    assert (world.stake(), world.vouchers()) == (stake, had)
    assert world.program.stop(signal.SIGINT) == 0


@pytest.mark.parametrize("keeps_journal", [True, False], ids=["journal", "no journal"])
def test_after_kill_9_in_the_middle_nothing_is_lost_or_doubled(world, *, keeps_journal) -> None:
    stake, had = world.stake(), world.vouchers()
    world.program.start()
    for number in range(3):
        world.send(60)
        wait_until(lambda number=number: world.vouchers() > had + 40 * number, every_s=0.01)
        world.program.kill()
        if not keeps_journal:
            world.program.lose_journal()
        world.program.start()
    world.settle()
    assert (world.stake(), world.vouchers()) == (stake - 180, had + 180)
    assert world.program.stop() == 0


@pytest.mark.slow
def test_packets_for_a_ledger_that_halts_are_held_and_go_on_with_it(tmp_path) -> None:
    """Two of four validators are down: more than a third."""
    world = World(tmp_path, validator_count=4)
    try:
        world.program.start()
        world.send(3)
        wait_until(lambda: world.vouchers() == 3)
        world.settle()
        for peer in world.group.peers[2:]:
            os.kill(peer.pids[1], signal.SIGSTOP)
        world.send(20)

        def reason():
            (row,) = [one for one in world.program.status()["ledgers"] if one["ledger"] == OURS]
            return row["held_because"]

        def backlog():
            rows = world.program.status()["backlog"]
            return [(row["route"].split("/")[0], row["sent"]) for row in rows]

        wait_until(lambda: reason().startswith("no new block for "), every_s=0.5)
        wait_until(lambda: backlog() == [(STOCK, 20)], every_s=0.5)
        assert world.vouchers() == 3
        for peer in world.group.peers[2:]:
            os.kill(peer.pids[1], signal.SIGCONT)
        wait_until(lambda: world.vouchers() == 23)
        world.settle()
        wait_until(lambda: not reason(), every_s=0.5)
    finally:
        world.close()
