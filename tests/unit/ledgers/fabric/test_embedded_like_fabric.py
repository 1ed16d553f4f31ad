"""The embedded peer against Fabric's own: it commits what two real networks ordered."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.embedded_fabric import PutNetwork
from fakes.recorded_fabric import BFT, NETWORKS, RAFT, recorded

from tieline.ledgers.fabric.embedded.channel_plan import CLIENT
from tieline.ledgers.fabric.embedded.peer import Peer
from tieline.ledgers.fabric.embedded.signing import Signatory
from tieline.wire.fabric.blocks import COMMIT_HASH, TRANSACTIONS_FILTER, Block


def as_ordered(block: Block) -> Block:
    """A block without what peers add."""
    bare = {TRANSACTIONS_FILTER: b"", COMMIT_HASH: b""}
    metadata = tuple(bare.get(index, one) for index, one in enumerate(block.metadata))
    return replace(block, metadata=metadata)


def joined(chain) -> Peer:
    member = PutNetwork().plan.organisations[0].member(CLIENT)
    return Peer(Signatory.of(member), chain.blocks[0], {}, lambda: 0)


@pytest.mark.parametrize("name", NETWORKS)
def test_it_comes_to_the_codes_and_commit_hashes_that_real_peers_came_to(name):
    """
    Conflicts, duplicates, too few endorsements, unknown fields, deletions, approvals in private
    collections, a new configuration, a new definition: each code, and the hash over all writes.
    """
    chain = recorded(name)
    peer = joined(chain)
    for block in chain.blocks[1:]:
        kept = peer.commit(as_ordered(block))
        number = block.header.number
        assert (number, list(kept.transactions_filter)) == (number, list(block.transactions_filter))
        assert (number, kept.metadata[COMMIT_HASH]) == (number, block.metadata[COMMIT_HASH])


def test_the_records_hold_what_they_are_here_for():
    codes = {
        code
        for name in NETWORKS
        for one in recorded(name).blocks
        for code in one.transactions_filter
    }
    assert {0, 9, 10, 11} <= codes
    for name in (RAFT, BFT):
        assert recorded(name).blocks[-1].metadata[COMMIT_HASH]
