"""
Channels on Fabric's own programs with our contract. The chaincode's wall clock, and the adapter's,
is a file that the test moves: fifteen seconds between Ticks are nobody's to wait for.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from fakes.driven import LOOP, START_S, genesis_of
from fakes.microgrid import echo_installation
from tieline.contract.chaincode import Chaincode
from tieline.ledgers.fabric.gateway import GatewayPort
from tieline.ledgers.fabric.ledger import FabricLedger
from tieline.ledgers.fabric.native.network import FabricNetwork
from tieline.ledgers.fabric.native.plan import ChaincodePlan, Consensus, NetworkPlan
from tieline.ledgers.fabric.opening import begin_contract
from tieline.ledgers.fabric.peers import PeerPorts
from tieline.ledgers.fabric.settings import FabricSettings
from tieline.ledgers.fabric.x509_making import ALWAYS
from tieline.wire.hashes import sha256

NS_PER_S = 10**9


def open_echo(argument):
    """The contract with the echo application, for a chaincode process."""
    return Chaincode(bytes.fromhex(argument), echo_installation())


class HandClock:
    """Eight bytes in a file, which chaincodes read at every Tick."""

    def __init__(self, path):
        self.path = path
        self.move_to(START_S)

    def now_s(self):
        return int.from_bytes(self.path.read_bytes(), "little") // NS_PER_S

    def move_to(self, time_s):
        new = self.path.with_suffix(".new")
        new.write_bytes((time_s * NS_PER_S).to_bytes(8, "little"))
        new.replace(self.path)  # whoever reads meanwhile reads all of one


class NativeChannel:
    """A network, begun with a genesis, and processes that talk to it."""

    def __init__(self, chain_id: str, folder: Path, *, is_bft: bool = False):
        folder.mkdir(parents=True, exist_ok=True)
        self.clock = HandClock(folder / "clock")
        self.genesis = genesis_of(chain_id, "fabric").to_bytes()
        chaincode = ChaincodePlan(
            factory="fakes.native_fabric:open_echo", argument=sha256(self.genesis).hex()
        )
        plan = NetworkPlan(
            chain_id,
            ALWAYS,
            consensus=Consensus.BFT if is_bft else Consensus.RAFT,
            chaincode=chaincode,
            clock_file=self.clock.path,
        )
        self.network = FabricNetwork(plan, folder / "network")
        self.network.start()
        LOOP.run_until_complete(begin_contract(self.port(), self.genesis))

    def port(self, peer=0):
        node = self.network.peers[peer]
        carrier = self.network.carrier(node.msp_id)
        return GatewayPort(self.network.address(node), self.network.plan.fabric_channel, carrier)

    def open(self, settings=None, history_file=None):
        """Return a ledger as another process would have it, over both peers."""
        ports = PeerPorts([self.port(peer) for peer in range(len(self.network.peers))])
        settings = settings or FabricSettings(idle_tick_s=10**9)
        clock = self.clock.now_s
        ledger = FabricLedger(ports, settings, wall_s=clock, history_file=history_file)
        ledger.clock = self.clock
        return ledger

    def stop(self):
        self.network.stop()
        # What gRPC still has to end, it ends in its loop.
        LOOP.run_until_complete(asyncio.sleep(0.1))
