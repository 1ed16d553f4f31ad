"""
A ledger of ours on four real CometBFT validators beside a stock chain: headers whose commit lacks a
validator that was stopped are believed there, and packets go on.
"""

from __future__ import annotations

import os
import signal
import time

import pytest
from fakes.driven import LANES, Link, NativeAlongside, Stock, finish, genesis_of
from fakes.stock_chain import start_stock

from tieline.ledgers.cosmos.ledger import CosmosLedger
from tieline.ledgers.tendermint.home import Pace
from tieline.ledgers.tendermint.native import NativeTendermint
from tieline.ledgers.tendermint.peers import PeerGroup
from tieline.light_clients.tendermint.messages import ClientHeader
from tieline.protocol.commitment import packet_commitment_key
from tieline.wire.codec import decode_acknowledgement
from tieline.wire.cometbft import ABSENT_FLAG, COMMIT_FLAG

pytestmark = pytest.mark.native

OURS, STOCK = "ours-1", "stock-1"
WAIT_S = 180.0


@pytest.fixture
def group(tmp_path):
    """Four validators of ours."""
    pace = Pace(commit_wait_ms=20, empty_block_interval_s=3600)
    installation = "fakes.stock_chain:mock_installation"
    running = PeerGroup(
        genesis_of(OURS), tmp_path / "ours", validator_count=4, pace=pace, installation=installation
    )
    running.start()
    yield running
    running.stop()


@pytest.fixture
def chain(tmp_path):
    running = start_stock(STOCK, tmp_path / "stock", LANES)
    yield running
    running.stop()


def votes_for(link, height):
    header = finish(link.a.ledger.header(height, link.b.trusted_height))
    flags = [one.flag for one in ClientHeader.decode(header.value).signed_header.commit.signatures]
    assert set(flags) <= {COMMIT_FLAG, ABSENT_FLAG}
    return flags.count(COMMIT_FLAG)


def round_trip(link):
    """A packet of ours goes over and its answer comes back; return the votes that proved it."""
    packet = link.send(link.a)
    brings, receive = link.receive(packet, link.a)
    votes = votes_for(link, receive.proof_height.revision_height)
    received = link.b.must(brings, receive)
    (event,) = [one for one in received.events if one.type == "write_acknowledgement"]
    answer = decode_acknowledgement(bytes.fromhex(event.get("encoded_acknowledgement_hex")))
    link.a.must(*link.acknowledge(packet, answer, link.b))
    assert link.a.query(packet_commitment_key(packet.source_client, packet.sequence)) is None
    return votes


def test_a_stock_chain_believes_three_of_our_four_validators(group, chain):
    link = Link(
        NativeAlongside(NativeTendermint(OURS, group.peers[0].rpc)),
        Stock(CosmosLedger(STOCK, chain.rpc)),
    )
    round_trip(link)
    _, engine = group.peers[3].pids
    os.kill(engine, signal.SIGSTOP)
    try:
        end = time.monotonic() + WAIT_S
        while round_trip(link) > 3:  # its last votes are still on the way
            assert time.monotonic() < end, "a validator that is stopped goes on voting"
    finally:
        os.kill(engine, signal.SIGCONT)
    round_trip(link)
