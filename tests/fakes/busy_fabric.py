"""Channels on Fabric's own programs for load: networks with a genesis, and looks at their peers."""

from __future__ import annotations

import asyncio
import os
import threading
import time

from fakes.fabric_networks import committed
from tieline.contract.chaincode import Chaincode
from tieline.interfaces.errors import HubError
from tieline.ledgers.fabric.gateway import GatewayPort
from tieline.ledgers.fabric.ledger import FabricLedger
from tieline.ledgers.fabric.native.network import FabricNetwork
from tieline.ledgers.fabric.native.plan import BlockPace, ChaincodePlan, NetworkPlan
from tieline.ledgers.fabric.opening import begin_contract
from tieline.ledgers.fabric.peers import PeerPorts
from tieline.ledgers.fabric.x509_making import ALWAYS
from tieline.wire.fabric.blocks import Block
from tieline.wire.fabric.invocations import init_args
from tieline.wire.hashes import sha256

TRADES = "fakes.busy_fabric:open_trades"
"""Factory of the contract over the light client without cryptography."""
CAUGHT_UP_S = 180.0
FILTER, COMMIT_HASH = 2, 4
"""Places in a block's metadata."""


def open_trades(argument):
    """The microgrid's contract as the trade world's ledgers run it."""
    from fakes.trade_world import fake_installation

    return Chaincode(bytes.fromhex(argument), fake_installation())


class BusyChannel:
    """A network, and processes that talk to it; ``start`` starts it."""

    def __init__(self, folder, genesis, *, factory="", pace=None, clock_file=None):
        self.genesis = genesis
        folder.mkdir(parents=True, exist_ok=True)
        content = genesis.to_bytes()
        plan = NetworkPlan(
            genesis.chain_id,
            ALWAYS,
            pace=pace or BlockPace(),
            chaincode=ChaincodePlan(factory=factory, argument=sha256(content).hex()),
            clock_file=clock_file,
        )
        self.network = FabricNetwork(plan, folder / "network")

    def port(self, peer=0, **more):
        """One peer, asked as its organisation's client."""
        return port_of(self.network, peer, **more)

    def open(self, *, first=0, settings=None, wall_s=None, history_file=None):
        """Return a ledger as another process would have it, over all peers."""
        peers = range(len(self.network.peers))
        ordered = [first, *(n for n in peers if n != first)]
        ports = PeerPorts([self.port(peer) for peer in ordered])
        return FabricLedger(ports, settings, wall_s=wall_s, history_file=history_file)

    async def begin(self, block_0_hash=None):
        """Give the contract its genesis, or one whose records name another block 0."""
        port = self.port()
        content = self.genesis.to_bytes()
        if block_0_hash is None:
            assert await begin_contract(port, content)
        else:
            endorsed = await port.endorse(init_args(content, block_0_hash))
            await port.order(endorsed.envelope)
            status = await committed(port, endorsed.tx_id)
            assert status is not None
            assert status.code == 0
        await close(port)


class RunningClock:
    """
    A clock in a file, for chaincode and whoever else may read it: from *start_s* on, so many times
    as fast as the real one. ``now_s`` writes it down.
    """

    def __init__(self, path, start_s, speed=1.0):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._start_s = start_s
        self._speed = speed
        self.restart()

    def restart(self):
        """Be at the start again."""
        self._began = time.monotonic()
        self._shown_s = None
        self.now_s()

    def now_s(self):
        """Unix seconds."""
        now_s = self._start_s + int((time.monotonic() - self._began) * self._speed)
        if now_s != self._shown_s:
            self.set(now_s)
            self._shown_s = now_s
        return now_s

    def skip(self, seconds):
        """Go on from so much later."""
        self._start_s += seconds
        self.now_s()

    def set(self, now_s):
        """Show a time until ``now_s`` is asked again."""
        self._shown_s = None
        new = self.path.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
        new.write_bytes((now_s * 10**9).to_bytes(8, "little"))
        new.replace(self.path)  # whoever reads meanwhile reads all of one


def port_of(network, peer=0, **more):
    """One peer of a network, asked as its organisation's client."""
    node = network.peers[peer]
    carrier = network.carrier(node.msp_id)
    return GatewayPort(network.address(node), network.plan.fabric_channel, carrier, **more)


async def close(*ports):
    """Hang up, and let gRPC end what it has to in this loop."""
    for port in ports:
        port.close()
    await asyncio.sleep(0.05)


async def blocks_of(port):
    """All blocks of one peer, decoded."""
    found = []
    while raws := await port.blocks_after(len(found) - 1, 100):
        found += [Block.decode(raw) for raw in raws]
    return found


async def check_peers_agree(network):
    """
    Every peer has come to the same verdicts and the same state, by itself, at every block that any
    of them had when this was asked; a Tick may come while they are read.
    """
    ports = [port_of(network, peer) for peer in range(len(network.peers))]
    count = max([await height_of(port) for port in ports]) + 1
    end = time.monotonic() + CAUGHT_UP_S
    while min([await height_of(port) for port in ports]) < count - 1:
        assert time.monotonic() < end, "a peer stays behind"
        await asyncio.sleep(0.1)
    seen = [
        [(block.metadata[FILTER], block.metadata[COMMIT_HASH]) for block in await blocks_of(port)]
        for port in ports
    ]
    await close(*ports)
    for number, rows in enumerate(zip(*(one[:count] for one in seen), strict=True)):
        assert len(set(rows)) == 1, f"peers differ at block {number}: {rows}"
    assert len({commit_hash for _, commit_hash in seen[0][:count]}) == count
    return count


async def height_of(port):
    """A peer's height, asked until it answers: it may just have been started."""
    end = time.monotonic() + CAUGHT_UP_S
    while True:
        try:
            return await port.height()
        except HubError:
            assert time.monotonic() < end, f"a peer does not answer: {port.name}"
            await asyncio.sleep(0.2)
