"""
Records the blocks of two real Fabric networks: ``fabric_blocks.json``.

    python tests/vectors/record_fabric_blocks.py [FILE]

needs Fabric's programs (``make ledgers``). One network orders by etcdraft, the other by four
orderers of SmartBFT. Proposals, transactions and a change of the configuration are written by our
own code and judged by Fabric's; keys are drawn for this run and kept nowhere.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import grpc
from fabric_protos.common import common_pb2, configtx_pb2, ledger_pb2
from fabric_protos.orderer import ab_pb2, configuration_pb2
from fabric_protos.peer import proposal_response_pb2

from tieline.ledgers.fabric.material import ALWAYS, MemberCarrier
from tieline.ledgers.fabric.native.admin_calls import Definition, patiently
from tieline.ledgers.fabric.native.network import FabricNetwork
from tieline.ledgers.fabric.native.network_folder import ADMIN, CLIENT
from tieline.ledgers.fabric.native.plan import ChaincodePlan, Consensus, NetworkPlan
from tieline.wire.fabric.blocks import Block
from tieline.wire.fabric.envelopes import (
    CONFIG_UPDATE,
    ChannelHeader,
    Envelope,
    Payload,
    SignatureHeader,
)
from tieline.wire.fabric.policies import ApplicationPolicy, Role, roles_out_of
from tieline.wire.fabric.proposals import (
    SignedProposal,
    proposal_hash,
    propose,
    transaction_id,
)
from tieline.wire.fabric.responses import Endorsement, Response, ResponsePayload
from tieline.wire.fabric.rwsets import NamespaceSet, ReadWriteSet, Write
from tieline.wire.fabric.transactions import endorsed_response, transaction_payload
from tieline.wire.proto_fields import bytes_field, message_field

CHANNEL, CHAINCODE = "lab", "toy"
FILE = Path(__file__).with_name("fabric_blocks.json")
UNKNOWN = b"\x9a\x06\x03abc"
"""Field 99, of which nobody knows."""


class Peer:
    """A line to one peer."""

    def __init__(self, network, peer):
        at = network.address(peer)
        self.carrier = network.carrier(peer.msp_id, ADMIN)
        keys = grpc.ssl_channel_credentials(at.root_pem, at.key_pem, at.certificate_pem)
        self.channel = grpc.secure_channel(at.target, keys)
        self.close = self.channel.close
        self._process = self.channel.unary_unary(
            "/protos.Endorser/ProcessProposal",
            response_deserializer=proposal_response_pb2.ProposalResponse.FromString,
        )

    def process(self, signed):
        answer = self._process(signed, timeout=20)
        if answer.response.status != 200:
            raise SystemExit(answer.response.message)
        return answer


class Recorder:
    """One network, its clients, and what was done to it."""

    def __init__(self, network):
        self.network = network
        self.peers = [Peer(network, peer) for peer in network.peers]
        self.client = network.carrier("Org1MSP", CLIENT)
        orderer = network.orderers[0]
        own = network.ordering.member(ADMIN).tls
        credentials = grpc.ssl_channel_credentials(
            network.ordering.tls_authority.certificate_pem, own.private_pem(), own.certificate_pem
        )
        self.orderer = grpc.secure_channel(f"127.0.0.1:{orderer.port}", credentials)
        self.done = {}
        self.read_backs = {}

    def close(self):
        for peer in self.peers:
            peer.close()
        self.orderer.close()

    def endorse(self, args, peers=None, chaincode=CHAINCODE):
        nonce = os.urandom(24)
        proposal = propose(CHANNEL, chaincode, args, self.client.creator, nonce, time.time_ns())
        encoded = proposal.encode()
        signed = SignedProposal(encoded, self.client.sign(encoded)).encode()
        payloads, endorsements = set(), []
        for peer in peers or self.peers:
            answer = peer.process(signed)
            payloads.add(answer.payload)
            given = answer.endorsement
            endorsements.append(Endorsement(given.endorser, given.signature))
        (payload,) = payloads
        return endorsed_response(proposal, payload, tuple(endorsements))

    def envelope(self, payload):
        return Envelope(payload, self.client.sign(payload)).encode()

    def order(self, *envelopes):
        call = self.orderer.stream_stream(
            "/orderer.AtomicBroadcast/Broadcast",
            response_deserializer=ab_pb2.BroadcastResponse.FromString,
        )
        for answer in call(iter(envelopes), timeout=20):
            if answer.status != 200:
                raise SystemExit(f"orderer: {answer.status} {answer.info}")

    def block(self, number):
        return self.ask(self.peers[0], b"GetBlockByNumber", str(number).encode())

    def ask(self, peer, function, *args):
        nonce = os.urandom(24)
        called = [function, CHANNEL.encode(), *args]
        creator = peer.carrier.creator
        encoded = propose(CHANNEL, "qscc", called, creator, nonce, time.time_ns()).encode()
        signed = SignedProposal(encoded, peer.carrier.sign(encoded)).encode()
        return peer.process(signed).response.payload

    def height(self, peer=None):
        answer = self.ask(peer or self.peers[0], b"GetChainInfo")
        return ledger_pb2.BlockchainInfo.FromString(answer).height

    def await_block(self, number):
        while any(self.height(peer) <= number for peer in self.peers):
            time.sleep(0.02)
        return Block.decode(self.block(number))

    def run(self, name, *envelopes):
        """Order envelopes, which come into one block, and note it."""
        number = self.height()
        self.order(*envelopes)
        block = self.await_block(number)
        if len(block.data) != len(envelopes):
            raise SystemExit(f"{name}: {len(block.data)} of {len(envelopes)} in block {number}")
        self.done[name] = {"block": number, "codes": list(block.transactions_filter)}

    def put(self, name, key, value=b"value"):
        self.run(name, self.envelope(transaction_payload(self.endorse([b"put", key, value]))))

    def read_back(self, name, args):
        taken = self.endorse(args)
        self.read_backs[name] = {
            "channel_header": text(taken.channel_header),
            "signature_header": text(taken.signature_header),
            "proposal_payload": text(taken.proposal_payload),
            "response_payload": text(taken.response_payload),
            "endorsements": [
                {"endorser": text(one.endorser), "signature": text(one.signature)}
                for one in taken.endorsements
            ],
        }

    def change_batch_size(self):
        """Let the orderers' administrator allow fewer transactions a block."""
        genesis = Block.decode(self.block(0))
        payload = common_pb2.Payload.FromString(Envelope.decode(genesis.data[0]).payload)
        held = configtx_pb2.ConfigEnvelope.FromString(payload.data).config.channel_group
        value = held.groups["Orderer"].values["BatchSize"]
        size = configuration_pb2.BatchSize.FromString(value.value)
        size.max_message_count = 50
        update = configtx_pb2.ConfigUpdate(channel_id=CHANNEL)
        update.read_set.groups["Orderer"].version = 0
        written = update.write_set.groups["Orderer"].values["BatchSize"]
        written.version, written.value = 1, size.SerializeToString()
        written.mod_policy = value.mod_policy
        changed = update.SerializeToString(deterministic=True)
        admin = MemberCarrier.of(self.network.ordering.member(ADMIN))
        header = SignatureHeader(admin.creator, os.urandom(24)).encode()
        signature = bytes_field(1, header) + bytes_field(2, admin.sign(header + changed))
        nonce = os.urandom(24)
        channel = ChannelHeader(CONFIG_UPDATE, CHANNEL, transaction_id(nonce, admin.creator))
        outer = Payload(
            channel.encode(),
            SignatureHeader(admin.creator, nonce).encode(),
            bytes_field(1, changed) + message_field(2, signature),
        ).encode()
        self.run("config", Envelope(outer, admin.sign(outer)).encode())


def text(data):
    return base64.b64encode(data).decode()


def odd(recorder):
    """Return a transaction with what peers pass over: unknown fields, bytes behind a signature."""
    taken = recorder.endorse([b"put", b"odd", b"value"])
    first, *rest = taken.endorsements
    spelled = (Endorsement(first.endorser, first.signature + b"rest"), *rest)
    plain = Payload.decode(transaction_payload(replace(taken, endorsements=spelled)))
    old = message_field(2, b"old")
    changed = Payload(plain.channel_header, plain.signature_header, plain.data + UNKNOWN)
    payload = old + changed.encode()
    return recorder.envelope(payload + UNKNOWN) + UNKNOWN


def strange(recorder):
    """
    Return a transaction whose endorsers lie: another's nonce inside, arguments that are none.
    Peers that validate ask neither.
    """
    client, admin = recorder.client, recorder.peers[0].carrier
    asked = propose(CHANNEL, CHAINCODE, [b"put"], client.creator, os.urandom(24), time.time_ns())
    inner = SignatureHeader(admin.creator, os.urandom(24)).encode()
    payload = b"\xff no message"
    content = ResponsePayload(
        proposal_hash(asked.channel_header, inner, payload),
        CHAINCODE,
        "1.0",
        ReadWriteSet((NamespaceSet(CHAINCODE, (), (Write("strange", b"value"),)),)),
        Response(200),
    ).encode()
    endorsed = b""
    for organisation in recorder.network.organisations.values():
        peer = MemberCarrier.of(organisation.member("peer0"))
        signature = peer.sign(content + peer.creator)
        endorsed += message_field(2, Endorsement(peer.creator, signature).encode())
    body = bytes_field(1, payload) + message_field(2, bytes_field(1, content) + endorsed)
    action = bytes_field(1, inner) + bytes_field(2, body)
    outer = Payload(asked.channel_header, asked.signature_header, message_field(1, action))
    return recorder.envelope(outer.encode())


def record(consensus, folder):
    plan = NetworkPlan(
        CHANNEL,
        ALWAYS,
        consensus,
        chaincode=ChaincodePlan(
            CHAINCODE, "1.0", "toy_1", "fakes.put_get_chaincode:open_put_get", "", is_tls=False
        ),
    )
    network = FabricNetwork(plan, folder)
    network.start()
    recorder = Recorder(network)
    with contextlib.ExitStack() as closing:
        closing.callback(network.stop)
        closing.callback(recorder.close)
        recorder.put("put", b"marker")
        recorder.read_back("marker", [b"get", b"marker"])
        recorder.read_back("absent", [b"get", b"absent"])
        two = [recorder.endorse([b"put", b"hot", b"%d" % number]) for number in (1, 2)]
        sent = [recorder.envelope(transaction_payload(one)) for one in two]
        recorder.run("conflict", *sent)
        if consensus is Consensus.RAFT:  # SmartBFT's orderers remember, and refuse it
            recorder.run("duplicate", sent[0])
        lone = recorder.endorse([b"put", b"lone", b"value"], recorder.peers[:1])
        recorder.run("too few endorsements", recorder.envelope(transaction_payload(lone)))
        recorder.run("odd", odd(recorder))
        recorder.read_back("odd", [b"get", b"odd"])
        recorder.run("strange", strange(recorder))
        recorder.read_back("strange", [b"get", b"strange"])
        recorder.put("delete", b"marker", b"")
        recorder.change_batch_size()
        recorder.put("after config", b"marker")
        policy = roles_out_of(2, [("Org1MSP", Role.PEER), ("Org2MSP", Role.PEER)])
        parameter = ApplicationPolicy(policy).encode()
        patiently(lambda: network.define(Definition(CHAINCODE, "1.0", 2, parameter)))
        recorder.put("after definition", b"other")
        recorder.read_back("after definition", [b"get", b"other"])
        blocks = [recorder.block(number) for number in range(recorder.height())]
        return {
            "channel": CHANNEL,
            "chaincode": CHAINCODE,
            "consensus": consensus.value,
            "done": recorder.done,
            "read_backs": recorder.read_backs,
            "blocks": [text(one) for one in blocks],
        }


def main():
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
    networks = {}
    for consensus in Consensus:
        with tempfile.TemporaryDirectory() as folder:
            networks[consensus.name.lower()] = record(consensus, Path(folder))
    content = {
        "made_by": "Fabric 3.1.1 by tests/vectors/record_fabric_blocks.py",
        "networks": networks,
    }
    target.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
