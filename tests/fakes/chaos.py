"""
A ledger of four validators and one of one, payments both ways, the relayer's own program between
them, and everything of it killed at drawn moments.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from hashlib import sha256

from fakes.faults import ENGINE, FROZEN, HOST, POINT, RELAYER, faults
from fakes.microgrid import key
from tieline.contract import vouchers
from tieline.contract.accounts import pay_key
from tieline.contract.genesis import Genesis
from tieline.interfaces.errors import HubError, NotYet, Unavailable
from tieline.ledgers.tendermint.endpoints import CometEndpoints
from tieline.ledgers.tendermint.home import Pace
from tieline.ledgers.tendermint.native import NativeTendermint
from tieline.ledgers.tendermint.peers import PeerGroup
from tieline.ledgers.tendermint.rpc import Call, CometRpc
from tieline.protocol.denom import TRANSFER_PORT, Denom, Hop, escrow_account
from tieline.protocol.messages import Transfer
from tieline.wire.bech32 import account_to_text
from tieline.wire.codec import decode_packet

FOUR, ONE = "four-1", "one-1"
PACE = Pace(commit_wait_ms=100, empty_block_interval_s=1)
PAYERS = ("ann", "bob", "cid", "dot")
RECEIVER = "eve"
WEALTH = 10**12
LONG_S, SHORT_S = 600, 8
"""Time outs of most payments, and of those that may not make it."""
SETTLED_S = 240.0


def genesis_of(chain_id):
    cell = key("cell")
    names = ("cell", RECEIVER, *PAYERS)
    return Genesis(
        chain_id=chain_id,
        network_id=b"\xee" * 32,
        cell_address=cell.address,
        founding_cells=(cell.address,),
        balances=tuple(sorted((key(name).cosmos_account, WEALTH) for name in names)),
        takes_plain_clients=True,
    )


async def until(holds, what, limit_s=SETTLED_S):
    """Wait for a coroutine's answer to be true; who is down does not answer."""
    end = time.monotonic() + limit_s
    while True:
        with contextlib.suppress(Unavailable, NotYet):
            if answer := await holds():
                return answer
        assert time.monotonic() < end, what
        await asyncio.sleep(0.1)


class Relayer:
    """`tieline relay` as a process."""

    def __init__(self, folder, groups):
        self.folder = folder
        self.child = None
        self.starts = 0
        secret = sha256(b"test key cell").hexdigest()  # as ``fakes.microgrid.key`` makes it
        ledgers = {}
        for chain_id, group in groups.items():
            key_file = folder / f"{chain_id}.key"
            key_file.write_text(f"{secret}\n", encoding="ascii")
            key_file.chmod(0o600)
            ledgers[chain_id] = {
                "kind": "tendermint",
                "rpc": [f"http://{peer.rpc.address}" for peer in group.peers],
                "key_file": key_file.name,
            }
        paths = [{"between": [FOUR, ONE]}]
        pace = {"halt_after_s": 4}
        content = {"ledgers": ledgers, "paths": paths, "pace": pace}
        (folder / "relay.yaml").write_text(json.dumps(content), encoding="utf-8")

    def command(self, *words):
        code = "from tieline.cli import main; main()"
        return [sys.executable, "-c", code, "relay", *words, str(self.folder / "relay.yaml")]

    def run(self, *words):
        done = subprocess.run(
            [*self.command(words[0]), *words[1:]],
            env=environment(),
            check=True,
            capture_output=True,
            text=True,
            timeout=300,
        )
        return done.stdout

    def start(self):
        with (self.folder / "relay.log").open("ab") as log:
            self.child = subprocess.Popen(
                self.command("start"), stdout=log, stderr=log, env=environment()
            )
        self.starts += 1

    def must_run(self):
        """Nobody but a test ends it."""
        log = self.folder / "relay.log"
        assert self.child.poll() is None, f"the relayer ended by itself: {log.read_text()[-4000:]}"

    def kill(self):
        self.must_run()
        self.child.kill()
        self.child.wait()

    def stop(self):
        if self.child is not None and self.child.poll() is None:
            self.child.terminate()
            self.child.wait(90)

    def status(self):
        return json.loads(self.run("status", "--json"))


def environment():
    return os.environ | {"PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}


@dataclass
class Books:
    """What became of every packet from one ledger to the other, by its own blocks."""

    sent: dict = field(default_factory=dict)
    """Amount by sequence."""
    received: Counter = field(default_factory=Counter)
    acknowledged: Counter = field(default_factory=Counter)
    timed_out: Counter = field(default_factory=Counter)


def enter(event, own, others):
    """Write an event of a source's ledger into its book, or into the other's what it received."""
    if event.type not in {
        "send_packet",
        "recv_packet",
        "acknowledge_packet",
        "timeout_packet",
    }:
        return
    sequence = int(event.get("packet_sequence"))
    if event.type == "send_packet":
        assert sequence not in own.sent, f"sent twice: {sequence}"
        packet = decode_packet(bytes.fromhex(event.get("encoded_packet_hex")))
        own.sent[sequence] = int(json.loads(packet.payloads[0].value)["amount"])
    elif event.type == "recv_packet":
        others.received[sequence] += 1
    elif event.type == "acknowledge_packet":
        own.acknowledged[sequence] += 1
    else:
        own.timed_out[sequence] += 1


def check_books(books):
    """Every packet that was sent has one end, and was received once if it was acknowledged."""
    for source, book in books.items():
        assert sorted(book.sent) == list(range(1, len(book.sent) + 1)), source
        for sequence in book.sent:
            ends = (book.acknowledged[sequence], book.timed_out[sequence])
            assert ends in {(1, 0), (0, 1)}, f"{source} packet {sequence} ended {ends}"
            assert book.received[sequence] == ends[0], f"{source} packet {sequence}"
        assert set(book.received) <= set(book.sent), source


class ChaosWorld:
    """Everything that runs, and the way to look at it."""

    def __init__(self, folder):
        self.groups = {
            FOUR: PeerGroup(genesis_of(FOUR), folder / FOUR, validator_count=4, pace=PACE),
            ONE: PeerGroup(genesis_of(ONE), folder / ONE, pace=PACE),
        }
        self.ledgers = {}
        self.relayer = None
        self.folder = folder
        self.clients = {}
        self.is_paying = True
        self.told = Counter()
        """What was done to the world, and what payers were told."""

    def start(self):
        for group in self.groups.values():
            group.start()
        for chain_id, group in self.groups.items():
            peers = [CometRpc("127.0.0.1", port_of(peer), timeout_s=3.0) for peer in group.peers]
            ledger = NativeTendermint(chain_id, CometEndpoints(chain_id, peers))
            for name in ("cell", *PAYERS):
                ledger.add_lane(name, key(name))
            self.ledgers[chain_id] = ledger
        self.relayer = Relayer(self.folder, self.groups)
        self.relayer.run("link")
        (path,) = json.loads(self.relayer.run("link", "--json"))["paths"]
        links = json.loads((self.folder / "relay.links.json").read_text())["links"]
        self.clients = links[0]["clients"]
        assert set(self.clients) == {FOUR, ONE}, path
        self.relayer.start()

    def stop(self):
        if self.relayer is not None:
            self.relayer.stop()
        for group in self.groups.values():
            for peer in group.peers:
                for pid in pids_of(peer):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGCONT)
            group.stop()
        for ledger in self.ledgers.values():
            ledger.close()

    async def pay(self, chain_id, payer, draws):
        """Send payments to the other ledger, one after the other, whatever dies."""
        ledger, account = self.ledgers[chain_id], key(payer).cosmos_account
        receiver = account_to_text(key(RECEIVER).cosmos_account)
        while self.is_paying:
            timeout_s = SHORT_S if draws.random() < 0.2 else LONG_S
            amount = draws.randrange(1, 1000)
            try:
                now_s = await ledger.latest_time_s()
                transfer = Transfer(
                    account,
                    self.clients[chain_id],
                    "neur",
                    amount,
                    receiver,
                    max(now_s, int(time.time())) + timeout_s,
                )
                await ledger.submit(payer, [transfer])
                self.told["payment handed in"] += 1
            except HubError as error:
                self.told[type(error).__name__] += 1
            await asyncio.sleep(draws.uniform(0.1, 0.5))

    async def height(self, chain_id=FOUR):
        return await self.ledgers[chain_id].latest_height()

    async def blocks(self, chain_id):
        ledger, found = self.ledgers[chain_id], []
        while part := await ledger.blocks_after(len(found)):
            found += part
        return found

    async def books(self):
        """Read all blocks of both ledgers; return books by source."""
        books = {FOUR: Books(), ONE: Books()}
        other = {FOUR: ONE, ONE: FOUR}
        for chain_id, own in books.items():
            for block in await self.blocks(chain_id):
                for transaction in block.transactions:
                    for event in transaction.events:
                        enter(event, own, books[other[chain_id]])
        return books

    async def all_ended(self):
        """Return whether no packet is under way; the commitments say so."""
        self.relayer.must_run()
        for chain_id, ledger in self.ledgers.items():
            prefix = self.clients[chain_id].encode() + b"\x01"
            if await ledger.scan("ibc", prefix):
                return False
        return True

    async def has_carried(self):
        """Return whether a packet has come to its end each way."""
        return all(book.acknowledged for book in (await self.books()).values())

    async def balances(self, chain_id):
        """Return PAY of all payers together, of the escrow, and the receiver's vouchers."""
        ledger = self.ledgers[chain_id]

        async def pay_of(account):
            value = await ledger.query("tieline", pay_key(account))
            return 0 if value is None else int.from_bytes(value, "big")

        payers = [await pay_of(key(name).cosmos_account) for name in PAYERS]
        escrow = await pay_of(escrow_account(TRANSFER_PORT, self.clients[chain_id]))
        voucher = Denom("neur", (Hop(TRANSFER_PORT, self.clients[chain_id]),))
        found = dict(await ledger.scan("tieline", b"a"))
        held = vouchers.balance(found, key(RECEIVER).cosmos_account, voucher)
        return sum(payers), escrow, held

    async def app_hashes(self, chain_id):
        """Return, by height, what each validator holds for the header's app hash."""
        found = defaultdict(set)
        for peer in self.groups[chain_id].peers:
            rpc = CometRpc("127.0.0.1", port_of(peer))
            last = int((await rpc.call("abci_info"))["response"]["last_block_height"])
            calls = [Call("header", {"height": str(n)}) for n in range(1, last + 1)]
            for number, answer in enumerate(await rpc.batch(calls), start=1):
                header = answer["header"]
                found[number].add((header["app_hash"], header["last_block_id"]["hash"]))
            rpc.close()
        return found


def port_of(peer):
    return int(peer.rpc.address.rpartition(":")[2])


def pids_of(peer):
    try:
        return peer.pids
    except AssertionError:
        return ()


class Weather:
    """Faults at drawn moments: the same seed draws the same ones in the same order."""

    def __init__(self, world, seed):
        self.world = world
        peers = {chain_id: len(group.peers) for chain_id, group in world.groups.items()}
        self.faults = faults(seed, peers)
        self.frozen = None
        self.doings = {
            HOST: self.kill_host,
            ENGINE: self.kill_engine,
            POINT: self.fail_point,
            RELAYER: self.kill_relayer,
            FROZEN: self.freeze,
        }

    async def blow(self, is_over):
        """Do one thing after the other until *is_over*; what was done is told by its kind."""
        for fault in self.faults:
            if is_over():
                break
            await asyncio.sleep(fault.calm_s)
            await self.doings[fault.kind](fault)
            self.world.told[fault.kind] += 1
        self.thaw()

    def _peer(self, fault):
        return self.world.groups[fault.chain_id].peers[fault.peer]

    async def kill_host(self, fault):
        await self._kill(self._peer(fault), 0)

    async def kill_engine(self, fault):
        await self._kill(self._peer(fault), 1)

    async def fail_point(self, fault):
        """Let the engine die at one of its own points, soon."""
        peer = self._peer(fault)
        log = peer.folder / "engine.log"
        said = log.stat().st_size
        peer.environment["FAIL_TEST_INDEX"] = str(fault.fail_point)
        await self._kill(peer, 1)

        async def has_died():
            with log.open("rb") as file:
                file.seek(said if log.stat().st_size >= said else 0)
                return b"*** fail-test %d ***" % fault.fail_point in file.read()

        try:
            await until(has_died, f"it does not come to the fail point: {peer.folder}")
        finally:
            peer.environment.clear()

    async def kill_relayer(self, fault):
        self.world.relayer.kill()
        await asyncio.sleep(fault.away_s)
        self.world.relayer.start()

    async def freeze(self, fault):
        """Stop one validator of four for a while: three go on without it."""
        self.thaw()
        self.frozen = self._peer(fault)
        for pid in await self._pids(self.frozen):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def thaw(self):
        peer, self.frozen = self.frozen, None
        for pid in () if peer is None else pids_of(peer):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    async def _kill(self, peer, which):
        pids = await self._pids(peer)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pids[which], signal.SIGKILL)

    async def _pids(self, peer):
        """Host's and engine's, of a peer that is being brought back too: no fault hits nothing."""

        async def found():
            return pids_of(peer) if peer.is_running() else ()

        return await until(found, f"not brought back: {peer.folder}")
