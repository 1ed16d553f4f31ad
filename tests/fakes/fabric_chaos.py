"""
A channel on Fabric's own programs and a CometBFT ledger, payments both ways, a relayer in a process
of its own with a journal, and everything of it killed at drawn moments.

The CometBFT ledger lives in the relayer's process and dies with it; its blocks are on disk. Time
runs some times as fast as it does: Ticks are fifteen seconds apart.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace

from fakes.busy_fabric import BusyChannel, RunningClock, close
from fakes.chaos import Books, enter, environment, until
from fakes.microgrid import START_S, key
from tieline.contract import vouchers
from tieline.contract.accounts import pay_key
from tieline.contract.assembly import microgrid_installation
from tieline.contract.block import Application
from tieline.contract.chaincode import Chaincode
from tieline.contract.genesis import Genesis
from tieline.interfaces.errors import HubError
from tieline.ledgers.fabric.refusals import CODESPACE
from tieline.ledgers.fabric.settings import FabricSettings
from tieline.ledgers.tendermint.embedded import EmbeddedTendermint
from tieline.light_clients.fabric.client import FabricBlockClient
from tieline.light_clients.fabric.remembering import find_written_once
from tieline.light_clients.fabric.remembering import verify_header_once as verify_block_once
from tieline.light_clients.tendermint.client import TendermintClient
from tieline.light_clients.tendermint.verifier import verify_header_once
from tieline.protocol.denom import TRANSFER_PORT, Denom, Hop, escrow_account
from tieline.protocol.messages import CreateClient, RegisterCounterparty, Transfer
from tieline.wire.bech32 import account_to_text
from tieline.wire.codec import decode_packet
from tieline.wire.hashes import sha256

FABRIC, MINT = "fabric-1", "mint-1"
OTHER = {FABRIC: MINT, MINT: FABRIC}
KINDS = {FABRIC: "fabric", MINT: "cometbft"}
SPEED = 5.0
PAYERS = ("ann", "bob", "cid", "dot")
RELAYERS = ("relayer", "relayer 1")
RECEIVER = "eve"
WEALTH = 10**12
LONG_S, SHORT_S = 3_500, 30
"""Time outs of most payments, and of those that may not make it."""
PAID = "payment handed in"
BLOCK_S = 0.2
STATUS_S = 0.5


def plain_installation():
    """The microgrid's contract with clients that need no attestors."""
    clients = (
        TendermintClient(verify_header_once),
        FabricBlockClient(verify_block_once, find_written_once),
    )
    return replace(microgrid_installation(), light_clients=clients)


def open_plain(argument):
    """The same, for a chaincode process."""
    return Chaincode(bytes.fromhex(argument), plain_installation())


def genesis_of(chain_id):
    cell = key("cell")
    names = ("cell", RECEIVER, *RELAYERS, *PAYERS)
    return Genesis(
        chain_id=chain_id,
        network_id=b"\xee" * 32,
        cell_address=cell.address,
        founding_cells=(cell.address,),
        kind=KINDS[chain_id],
        balances=tuple(sorted((key(name).cosmos_account, WEALTH) for name in names)),
    )


def open_channel(folder):
    """Lay the channel out, or take it up."""
    return BusyChannel(
        folder / FABRIC,
        genesis_of(FABRIC),
        factory="fakes.fabric_chaos:open_plain",
        clock_file=folder / "clock",
    )


def open_fabric(channel, clock, history_file=None):
    """The channel's ledger, with all lanes."""
    settings = FabricSettings(again_s=2.0)
    ledger = channel.open(settings=settings, wall_s=clock.now_s, history_file=history_file)
    for name in ("cell", *RELAYERS, *PAYERS):
        ledger.add_lane(name, key(name))
    return ledger


def open_mint(folder):
    """The other ledger, as far as its blocks are on disk; of one process at a time."""
    genesis = genesis_of(MINT)
    application = Application(genesis, installation=plain_installation())
    seeds = [sha256(b"validator %d" % n) for n in range(4)]
    ledger = EmbeddedTendermint(genesis, seeds, folder / MINT, application=application)
    ledger.resume()
    for name in ("cell", *RELAYERS, *PAYERS):
        ledger.add_lane(name, key(name))
    return ledger


def payment(chain_id, payer, client, now_s, draws):
    """Draw a payment to the other ledger."""
    timeout_s = SHORT_S if draws.random() < 0.25 else LONG_S
    return Transfer(
        key(payer).cosmos_account,
        client,
        "neur",
        draws.randrange(1, 1000),
        account_to_text(key(RECEIVER).cosmos_account),
        now_s + timeout_s,
    )


async def pay_on(chain_id, ledger, client, clock, draws, is_paying, told):
    """All payers in turn, whatever dies; return the hashes of what was taken."""
    taken = []
    while is_paying():
        payer = draws.choice(PAYERS)
        try:
            count = draws.randrange(1, 4)
            now_s = max(await ledger.latest_time_s(), clock.now_s())
            messages = [payment(chain_id, payer, client, now_s, draws) for _ in range(count)]
            taken.append((await ledger.submit(payer, messages)).tx_hash)
            told[PAID] += count
        except HubError as error:
            told[type(error).__name__] += 1
        await asyncio.sleep(draws.uniform(0.2, 0.8))
    return taken


class Relayer:
    """``fakes.fabric_relay`` as a process."""

    def __init__(self, folder):
        self.folder = folder
        self.child = None
        self.starts = 0

    def start(self):
        command = [sys.executable, "-m", "fakes.fabric_relay", str(self.folder), str(self.starts)]
        (self.folder / "status.json").unlink(missing_ok=True)  # of the one before
        with (self.folder / "relay.log").open("ab") as log:
            self.child = subprocess.Popen(command, stdout=log, stderr=log, env=environment())
        self.starts += 1

    def kill(self):
        self.must_run()
        self.child.kill()
        self.child.wait()

    def must_run(self):
        log = (self.folder / "relay.log").read_text()[-6000:]
        assert self.child.poll() is None, f"the relayer ended by itself: {log}"

    def stop(self):
        if self.child is not None and self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(90)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()

    def status(self):
        """What it last wrote of the other ledger; nothing before that."""
        with contextlib.suppress(FileNotFoundError):
            return json.loads((self.folder / "status.json").read_text())
        return {"paying": True, "open": 1}


class FabricChaos:
    """Everything that runs, and the way to look at it."""

    def __init__(self, folder, seed):
        self.folder = folder
        self.seed = seed
        self.clock = RunningClock(folder / "clock", START_S, SPEED)
        self.channel = open_channel(folder)
        self.network = self.channel.network
        self.relayer = Relayer(folder)
        self.clients = {}
        self.is_paying = True
        self.told = Counter()
        """What was done to the world, and what payers were told."""
        self._away_height = self._away_paid = 0
        self._ends = threading.Event()
        self._writer = threading.Thread(target=self._keep_time, daemon=True)

    def start(self):
        """Start the network; ``link`` comes next, in the loop of the story."""
        self._writer.start()
        self.network.start()

    def stop(self):
        self.relayer.stop()
        self.network.stop()
        self._ends.set()
        self._writer.join()

    def _keep_time(self):
        while not self._ends.wait(0.05):
            self.clock.now_s()

    async def link(self):
        """Begin both contracts, and join them by clients that know each other."""
        await self.channel.begin()
        self.ledger = open_fabric(self.channel, self.clock)
        mint = open_mint(self.folder)
        makers = {FABRIC: self._fabric_done, MINT: self._mint_done}
        ledgers = {FABRIC: self.ledger, MINT: mint}
        await self._mint_grows(mint)
        await until(self._has_tick, "no Tick")
        heights = {FABRIC: self.ledger.history.newest_tick, MINT: 1}
        for near, far in OTHER.items():
            states = await ledgers[far].trust_at(heights[far])
            message = CreateClient(key("cell").cosmos_account, *states)
            done = await makers[near](ledgers[near], message)
            (created,) = [one for one in done.events if one.type == "create_client"]
            self.clients[near] = created.get("client_id")
        for near, far in OTHER.items():
            capabilities = ledgers[near].capabilities
            prefix = capabilities.client_prefix_for(ledgers[far].capabilities)
            ends = (self.clients[near], self.clients[far])
            cell = key("cell").cosmos_account
            await makers[near](ledgers[near], RegisterCounterparty(cell, *ends, prefix))
        mint.close()
        (self.folder / "clients.json").write_text(json.dumps(self.clients))

    async def _has_tick(self):
        await self.ledger.read_on()
        return self.ledger.history.newest_tick > 0

    async def _mint_grows(self, mint):
        async def grown():
            return mint.produce_block(self.clock.now_s(), is_deadline=True)

        await until(grown, "no block")

    async def _mint_done(self, mint, message):
        height = await mint.latest_height()
        await mint.submit("cell", [message])
        await self._mint_grows(mint)
        return await landed(mint, height)

    async def _fabric_done(self, ledger, message):
        height = await ledger.latest_height()
        await ledger.submit("cell", [message])

        async def is_done():
            await ledger.read_on()
            return not ledger.under_way

        await until(is_done, "not in a block")
        return await landed(ledger, height)

    async def read(self):
        """Read on and see to what is under way, until cancelled."""
        while True:
            with contextlib.suppress(HubError):
                await self.ledger.read_on()
            await asyncio.sleep(0.1)

    async def pay(self):
        """Pay from here, on the channel; return the hashes of what was taken."""
        draws = random.Random(f"payers {self.seed}")
        client = self.clients[FABRIC]
        return await pay_on(
            FABRIC, self.ledger, client, self.clock, draws, lambda: self.is_paying, self.told
        )

    def note_away(self):
        """Remember where the channel and its payers were when the relayer ended."""
        self._away_height = self.ledger.history.height
        self._away_paid = self.told[PAID]

    async def has_late_payment(self):
        """Whether the time of a packet has passed that was sent since, here."""
        now_s = self.clock.now_s()
        return any(
            decode_packet(bytes.fromhex(event.get("encoded_packet_hex"))).timeout_s < now_s
            for block in await self.ledger.blocks_after(self._away_height, 1_000_000)
            for transaction in block.transactions
            for event in transaction.events
            if event.type == "send_packet"
        )

    async def has_paid(self):
        """Whether payments were handed in since, on both ledgers."""
        self.relayer.must_run()
        there = self.relayer.status().get("told", {})
        return self.told[PAID] > self._away_paid and there.get(PAID, 0) > 0

    def stop_paying(self):
        self.is_paying = False
        (self.folder / "enough").touch()

    async def all_ended(self):
        """Whether no packet is under way on either side; the commitments say so."""
        self.relayer.must_run()
        if await self.ledger.scan("ibc", self.clients[FABRIC].encode() + b"\x01"):
            return False
        status = self.relayer.status()
        return not (self.ledger.under_way or status["paying"] or status["open"])

    async def count_books(self, mint):
        """Read all blocks of both ledgers; return books by source."""
        books = {FABRIC: Books(), MINT: Books()}
        for chain_id, ledger in ((FABRIC, self.ledger), (MINT, mint)):
            for block in await ledger.blocks_after(0, 1_000_000):
                for transaction in block.transactions:
                    for event in transaction.events:
                        enter(event, books[chain_id], books[OTHER[chain_id]])
        return books

    async def check_taken(self, taken):
        """
        What the channel's adapter took, it told of once: that it took effect, or why the contract
        refused it in the end, and never that it gave up.
        """
        ends = Counter()
        for block in await self.ledger.blocks_after(0, 1_000_000):
            for one in block.transactions:
                if one.tx_hash in taken:
                    ends[one.tx_hash] += 1
                    assert one.codespace != CODESPACE, one.log
                    if one.code:
                        self.told[f"refused: {one.codespace} {one.code}"] += 1
        assert ends == Counter(taken)

    async def balances(self, chain_id, ledger):
        """Return PAY of all payers together, of the escrow, and the receiver's vouchers."""

        async def pay_of(account):
            value = await ledger.query("tieline", pay_key(account))
            return 0 if value is None else int.from_bytes(value, "big")

        payers = [await pay_of(key(name).cosmos_account) for name in PAYERS]
        escrow = await pay_of(escrow_account(TRANSFER_PORT, self.clients[chain_id]))
        voucher = Denom("neur", (Hop(TRANSFER_PORT, self.clients[chain_id]),))
        found = dict(await ledger.scan("tieline", b"a"))
        held = vouchers.balance(found, key(RECEIVER).cosmos_account, voucher)
        return sum(payers), escrow, held

    async def let_go(self):
        await close(self.ledger)


async def landed(ledger, height):
    """The transaction that came since a height."""
    blocks = await ledger.blocks_after(height)
    (done,) = [one for block in blocks for one in block.transactions]
    assert done.code == 0, done.log
    return done
