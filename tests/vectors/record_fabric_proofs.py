"""
Records what a light client is told of two real Fabric networks that run the contract as their
chaincode: headers, and proofs of what was written and of what was not: ``fabric_proofs.json``.

    python tests/vectors/record_fabric_proofs.py [FILE]

needs Fabric's programs (``make ledgers``). One network orders by etcdraft, the other by four
orderers of SmartBFT; the configuration and the definition change on the way. Time is a file, so
nobody waits for Ticks; keys are drawn for this run and kept nowhere.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

from fakes import attestors
from fakes.driven import ECHO, sent_packet
from fakes.embedded_fabric import fabric_genesis
from fakes.microgrid import echo_installation, key
from record_fabric_blocks import Recorder

from tieline.contract.chaincode import Chaincode
from tieline.interfaces.errors import NotYet
from tieline.interfaces.ledger import StoredValue
from tieline.ledgers.fabric.gateway import GatewayPort
from tieline.ledgers.fabric.ledger import FabricLedger
from tieline.ledgers.fabric.material import ALWAYS
from tieline.ledgers.fabric.native.admin_calls import Definition, patiently
from tieline.ledgers.fabric.native.network import FabricNetwork
from tieline.ledgers.fabric.native.plan import ChaincodePlan, Consensus, NetworkPlan
from tieline.ledgers.fabric.port import CHAINCODE
from tieline.protocol.commitment import (
    acknowledgement_key,
    commit_packet,
    packet_commitment_key,
    packet_receipt_key,
)
from tieline.protocol.height import Height
from tieline.protocol.messages import CreateClient, RecvPacket, RegisterCounterparty, SendPacket
from tieline.protocol.packet import Packet, Payload
from tieline.wire.fabric.blocks import Block
from tieline.wire.fabric.invocations import init_args
from tieline.wire.fabric.policies import ApplicationPolicy, Role, roles_out_of

CHANNEL = "lab"
FILE = Path(__file__).with_name("fabric_proofs.json")
START_S = 1_800_000_000
STEP_S = 20
REMOTE = "07-tendermint-5"
NS_PER_S = 10**9


def open_echo(_):
    """Return the contract with applications that answer what they are told to."""
    return Chaincode(installation=echo_installation())


class Clock:
    """A file that ledger and chaincode take for the wall clock."""

    def __init__(self, file):
        self.file = file
        self.now_s = START_S
        self.go_on(0)

    def go_on(self, seconds=STEP_S):
        self.now_s += seconds
        self.file.write_bytes((self.now_s * NS_PER_S).to_bytes(8, "little"))


class Channel:
    """The ledger, and a client of an attested one on it."""

    def __init__(self, network, clock):
        self.network, self.clock = network, clock
        peer = network.peers[0]
        port = GatewayPort(network.address(peer), CHANNEL, network.carrier(peer.msp_id))
        self.ledger = FabricLedger(port, wall_s=lambda: clock.now_s)
        for name in ("cell", "relayer"):
            self.ledger.add_lane(name, key(name))
        self.proofs, self.headers = [], []
        self.height = 0

    async def begin(self):
        port = self.ledger.port
        block_hash = Block.decode(self.network.genesis_block).header.hash()
        begun = await port.endorse(init_args(fabric_genesis(CHANNEL).to_bytes(), block_hash))
        await port.order(begun.envelope)
        while not self.ledger.history.time_s:
            await self.ledger.read_on()
            await asyncio.sleep(0.05)
        account = self.ledger.lane_account("cell")
        states = attestors.states(1, self.clock.now_s)
        created = await self.submit("cell", CreateClient(account, *states))
        (self.client,) = [
            one.get("client_id") for one in created.events if one.type == "create_client"
        ]
        await self.submit("cell", RegisterCounterparty(account, self.client, REMOTE, (b"",)))
        self.height = self.ledger.history.newest_tick
        self.states = await self.ledger.trust_at(self.height)

    async def settle(self):
        """Wait until all is in blocks and a Tick stands behind it."""
        while not await self.ledger.is_idle():
            if self.ledger.history.owes_tick and not self.ledger.under_way:
                self.clock.go_on()
            await asyncio.sleep(0.05)

    async def submit(self, lane, *messages):
        seen = max(await self.ledger.latest_height(), 0)
        await self.ledger.submit(lane, messages)
        await self.settle()
        blocks = await self.ledger.blocks_after(seen, 1000)
        (done,) = [one for block in blocks for one in block.transactions]
        if done.code:
            raise SystemExit(f"{messages}: {done}")
        return done

    async def send(self):
        account = self.ledger.lane_account("relayer")
        payload = Payload(*ECHO, b"ok")
        message = SendPacket(account, self.client, self.clock.now_s + 600, (payload,))
        return sent_packet(await self.submit("relayer", message))

    async def receive(self, sequence):
        payload = Payload(*ECHO, b"ok")
        until = self.clock.now_s + 600
        packet = Packet(sequence, REMOTE, self.client, until, (payload,))
        path = packet_commitment_key(REMOTE, sequence)
        stored = StoredValue(path, commit_packet(packet), Height(0, 1), b"")
        (entry,) = attestors.proofs([stored])
        account = self.ledger.lane_account("relayer")
        await self.submit("relayer", RecvPacket(account, packet, entry.proof, entry.proof_height))
        return packet

    async def follow(self):
        """Note the header to the newest height that can be shown."""
        height = self.ledger.history.newest_tick
        header = await self.ledger.header(height, self.height)
        self.headers.append({"height": height, "trusted": self.height, "any": any_of(header)})
        self.height = height

    async def prove(self, name, path):
        while True:
            try:
                (entry,) = await self.ledger.prove_many([path], self.height)
            except NotYet:
                await self.settle()
                continue
            break
        self.proofs.append(
            {
                "name": name,
                "key": path.hex(),
                "value": None if entry.value is None else entry.value.hex(),
                "height": entry.proof_height.revision_height,
                "proof": text(entry.proof),
            }
        )

    async def run(self, recorder):
        await self.begin()
        sent = await self.send()
        await self.receive(1)
        await self.follow()
        commitment = packet_commitment_key(sent.source_client, sent.sequence)
        await self.prove("commitment", commitment)
        await self.prove("receipt", packet_receipt_key(self.client, 1))
        await self.prove("acknowledgement", acknowledgement_key(self.client, 1))
        await self.prove("no receipt", packet_receipt_key(self.client, 7))
        await self.prove("no acknowledgement", acknowledgement_key(self.client, 7))
        recorder.change_batch_size()
        policy = roles_out_of(2, [("Org1MSP", Role.PEER), ("Org2MSP", Role.PEER)])
        parameter = ApplicationPolicy(policy).encode()
        patiently(lambda: self.network.define(Definition(CHAINCODE, "2", 2, parameter)))
        later = await self.send()
        await self.settle()
        await self.follow()
        await self.prove("commitment under other rules", commitment)
        path = packet_commitment_key(later.source_client, later.sequence)
        await self.prove("later commitment", path)


def text(data):
    return base64.b64encode(data).decode()


def any_of(message):
    return {"type_url": message.type_url, "value": text(message.value)}


def record(consensus, folder):
    clock = Clock(folder / "clock")
    chaincode = ChaincodePlan(factory="record_fabric_proofs:open_echo")
    plan = NetworkPlan(CHANNEL, ALWAYS, consensus, chaincode=chaincode, clock_file=folder / "clock")
    network = FabricNetwork(plan, folder / "network")
    network.start()
    with contextlib.ExitStack() as closing:
        closing.callback(network.stop)
        recorder = Recorder(network)
        closing.callback(recorder.close)
        channel = Channel(network, clock)
        asyncio.run(channel.run(recorder))
        channel.ledger.close()
        client, consensus_state = channel.states
        return {
            "consensus": consensus.value,
            "now_s": clock.now_s,
            "client_state": any_of(client),
            "consensus_state": any_of(consensus_state),
            "headers": channel.headers,
            "proofs": channel.proofs,
        }


def main():
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
    networks = {}
    for consensus in Consensus:
        with tempfile.TemporaryDirectory() as folder:
            networks[consensus.name.lower()] = record(consensus, Path(folder))
    content = {
        "made_by": "Fabric 3.1.1 by tests/vectors/record_fabric_proofs.py",
        "networks": networks,
    }
    target.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
