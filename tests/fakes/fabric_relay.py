"""
A relayer's process: the hub's own runner and journal between a channel on Fabric's programs and a
CometBFT ledger that lives here, with payers on it. ``python -m fakes.fabric_relay FOLDER START``
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import signal
import sys
from collections import Counter
from pathlib import Path

from fakes.fabric_chaos import (
    BLOCK_S,
    FABRIC,
    MINT,
    RELAYERS,
    STATUS_S,
    open_channel,
    open_fabric,
    open_mint,
    pay_on,
)
from tieline.hub.attestor_pool import AttestorPool
from tieline.hub.hub_topology import plain_clients, plain_topology
from tieline.hub.journal_sql import open_journal
from tieline.hub.live import LivePace, LiveRelay
from tieline.hub.no_trades import NoTrades
from tieline.hub.prover import Prover
from tieline.hub.runner import Runner
from tieline.hub.settings import RunnerSettings
from tieline.relay.route import Endpoint, Route
from tieline.relay.view import RelayView


class FileClock:
    """What another process writes down."""

    def __init__(self, path):
        self.path = path

    def now_s(self):
        return int.from_bytes(self.path.read_bytes(), "little") // 10**9


class Process:
    """What runs here."""

    def __init__(self, folder, start):
        self.folder = folder
        self.clock = FileClock(folder / "clock")
        self.mint = open_mint(folder)
        fabric = open_fabric(open_channel(folder), self.clock, folder / "history.db")
        self.ledgers = {FABRIC: fabric, MINT: self.mint}
        self.clients = json.loads((folder / "clients.json").read_text())
        self.draws = random.Random(start)
        self.told = Counter()

    def relay(self):
        ends = [Endpoint(one, self.clients[one]) for one in (FABRIC, MINT)]
        routes = [Route(*ends)]
        view = RelayView(plain_topology(self.ledgers, routes))
        journal = open_journal(f"sqlite:///{self.folder / 'relay.db'}")
        runner = Runner(
            view=view,
            ledgers=self.ledgers,
            bulletin=NoTrades(),
            prover=Prover(view, self.ledgers, plain_clients(routes), AttestorPool(())),
            journal=journal,
            clock=self.clock,
            settings=RunnerSettings(
                lanes=dict.fromkeys(self.ledgers, RELAYERS),
                not_yet_delay_s=2,
                inclusion_s_max=120,
                is_concurrent=True,
            ),
        )
        return LiveRelay(runner, journal, LivePace(poll_s_min=0.05, poll_s_max=0.2))

    def is_paying(self):
        return not (self.folder / "enough").exists()

    async def make_blocks(self, stop):
        while not stop.is_set():
            self.mint.produce_block(self.clock.now_s(), is_deadline=self.draws.random() < 0.1)
            await asyncio.sleep(BLOCK_S)

    async def tell(self, stop):
        while not stop.is_set():
            prefix = self.clients[MINT].encode() + b"\x01"
            status = {
                "paying": self.is_paying(),
                "open": len(await self.mint.scan("ibc", prefix)),
                "height": await self.mint.latest_height(),
                "told": self.told,
            }
            fresh = self.folder / "status.new"
            fresh.write_text(json.dumps(status))
            fresh.replace(self.folder / "status.json")
            await asyncio.sleep(STATUS_S)

    async def run(self):
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        client = self.clients[MINT]
        await asyncio.gather(
            self.relay().run(stop),
            self.make_blocks(stop),
            self.tell(stop),
            pay_on(MINT, self.mint, client, self.clock, self.draws, self.is_paying, self.told),
        )
        self.mint.close()


if __name__ == "__main__":
    logging.basicConfig(level=os.environ.get("RELAY_LOG", "WARNING"))
    asyncio.run(Process(Path(sys.argv[1]), sys.argv[2]).run())
