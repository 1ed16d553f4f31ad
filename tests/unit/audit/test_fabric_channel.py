"""
A Fabric channel is believed only if its orderers signed it, and if what its peers call valid is
what the contract comes to when it is run again.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from fakes.audited_fabric import (
    CHAIN_ID,
    blocks_of,
    exported,
    genesis,
    with_blocks,
    write_ledger,
    write_lie,
)
from fakes.recorded_fabric import NETWORKS, recorded

from tieline.audit.auditing import audit_ledger, verify_ledger
from tieline.audit.fabric_state import BlockWrites, commit_hash
from tieline.audit.findings import Findings, Place
from tieline.audit.run_files import RunFiles
from tieline.audit.spoiling_fabric import FABRIC_WAYS, mended, with_metadata
from tieline.wire.blocks import encode_frame, split_frames
from tieline.wire.fabric.blocks import (
    COMMIT_HASH,
    LAST_CONFIG,
    SIGNATURES,
    TRANSACTIONS_FILTER,
    Block,
    Metadata,
    data_hash,
    is_config_block,
)
from tieline.wire.fabric.rwsets import Version
from tieline.wire.fabric.transactions import (
    DUPLICATE_TXID,
    ENDORSEMENT_POLICY_FAILURE,
    MVCC_READ_CONFLICT,
    VALID,
    decode_transaction,
)

TWICE, CONFIG = 8, 9
"""Numbers of the block with a second copy, and of the one with a configuration."""


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("run")
    write_ledger(run)
    return run


@pytest.fixture
def files(run_folder):
    return exported(run_folder)


def found_in(files):
    findings = Findings()
    history = audit_ledger(files, findings)
    return history, [(row.place, row.rule) for row in findings.rows]


def test_an_honest_channel_is_made_again_to_its_last_block(files, run_folder):
    history, found = found_in(files)
    assert found == []
    assert (history.transaction_count, history.failed_count) == (4, 0)
    assert history.books.accounts == sum(amount for _, amount in genesis().balances)
    assert history.height == len(blocks_of(files))
    assert verify_ledger(run_folder, CHAIN_ID).detail.endswith("their transactions run again")


def test_what_is_in_blocks_and_did_not_take_effect_is_worked_out(files):
    """Overtaken, endorsed by too few, in twice, and nothing that could be read."""
    codes = {number: block.transactions_filter for number, block in enumerate(blocks_of(files), 1)}
    assert list(codes[TWICE - 1]) == [VALID, MVCC_READ_CONFLICT, ENDORSEMENT_POLICY_FAILURE]
    assert codes[TWICE][0] == DUPLICATE_TXID
    assert codes[TWICE][1] != VALID
    history, _ = found_in(files)
    ticks = [number for number, one in enumerate(history.headers, 1) if one.is_provable]
    assert TWICE - 1 in ticks
    assert not {TWICE, CONFIG} & set(ticks)
    times = [one.time_s for one in history.headers]
    assert times == sorted(times)


def test_every_code_turned_is_noticed_whatever_is_mended(files):
    """Nobody signs them: overwritten with any other, all that is signed still holds."""
    for index, block in enumerate(blocks_of(files)):
        for place, code in enumerate(block.transactions_filter):
            for other in {VALID, MVCC_READ_CONFLICT, DUPLICATE_TXID} - {code}:
                blocks = blocks_of(files)
                codes = bytearray(block.transactions_filter)
                codes[place] = other
                blocks[index] = with_metadata(block, TRANSACTIONS_FILTER, bytes(codes))
                if (index + 1, place) == (TWICE, 1) and other != VALID:
                    continue  # What cannot be read has one of several codes, none of them valid.
                history, found = found_in(with_blocks(files, mended(blocks)))
                assert history is None
                assert found[0][0] == Place(CHAIN_ID, index + 1)


@pytest.mark.parametrize("way", FABRIC_WAYS)
@pytest.mark.parametrize("seed", range(4))
def test_every_way_to_spoil_an_export_is_noticed_where_it_was_done(run_folder, files, way, seed):
    spoiled = way(RunFiles(run_folder), Random(seed))
    (content,) = spoiled.changes.values()
    history, found = found_in(replace(files, blocks=content))
    assert history is None
    assert spoiled.place in [place for place, _ in found]


def _filled(block: Block) -> Block:
    return with_metadata(block, LAST_CONFIG, Metadata(b"\x08\x01").encode())


def _longer(block: Block) -> Block:
    return with_metadata(block, TRANSACTIONS_FILTER, block.transactions_filter + b"\x00")


def _signed_hash(block: Block) -> Block:
    kept = Metadata.decode(block.metadata[COMMIT_HASH])
    return with_metadata(
        block, COMMIT_HASH, replace(kept, signatures=block.signatures.signatures).encode()
    )


def _twice(block: Block) -> Block:
    signed = block.signatures
    more = replace(signed, signatures=signed.signatures * 2).encode()
    return with_metadata(block, SIGNATURES, more)


def _without(block: Block) -> Block:
    data = block.data[:-1]
    header = replace(block.header, data_hash=data_hash(data))
    codes = block.transactions_filter[:-1]
    return with_metadata(replace(block, header=header, data=data), TRANSACTIONS_FILTER, codes)


ALTERED = [
    (_filled, "metadata that nobody signs"),
    (_longer, "codes of transactions"),
    (_signed_hash, "canonical block"),
    (_twice, "signed block"),
    (_without, "signed block"),
    (lambda block: replace(block, metadata=block.metadata[:3]), "canonical block"),
    (lambda block: replace(block, header=replace(block.header, number=99)), "number"),
    (
        lambda block: replace(block, header=replace(block.header, previous_hash=b"\x01" * 32)),
        "previous hash",
    ),
    (
        lambda block: replace(block, header=replace(block.header, data_hash=b"\x01" * 32)),
        "data hash",
    ),
]


@pytest.mark.parametrize(("alter", "rule"), ALTERED)
def test_a_block_is_as_its_orderers_signed_it_and_as_peers_keep_it(files, alter, rule):
    for index in (2, CONFIG - 1):
        blocks = blocks_of(files)
        blocks[index] = alter(blocks[index])
        history, found = found_in(with_blocks(files, blocks))
        assert history is None
        assert (Place(CHAIN_ID, index + 1), rule) in found


def test_each_bit_of_a_block_counts(files):
    """Spread over a whole block: envelopes, endorsements, signatures, codes and hashes."""
    payloads, _ = split_frames(files.blocks)
    whole = payloads[3]
    for place in range(0, len(whole), 97):
        raw = bytearray(whole)
        raw[place] ^= 1 << (place % 8)
        frames = [*payloads[:3], bytes(raw), *payloads[4:]]
        history, found = found_in(replace(files, blocks=b"".join(map(encode_frame, frames))))
        assert history is None, place
        assert found[0][0].height in {3, 4}, place


def test_each_bit_of_block_0_counts(files):
    for place in range(0, len(files.validators), 211):
        raw = bytearray(files.validators)
        raw[place] ^= 1 << (place % 8)
        history, found = found_in(replace(files, validators=bytes(raw)))
        assert history is None, place
        assert found, place


def test_the_genesis_is_the_one_that_the_channel_was_begun_with(files):
    other = replace(genesis(), network_id=b"\x01" * 32).to_bytes()
    history, found = found_in(replace(files, genesis=other))
    assert history is None
    assert found[0][0] == Place(CHAIN_ID, 2)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [({"kind": "cometbft"}, "canonical validators"), ({"host_id": bytes(32)}, "host of genesis")],
)
def test_a_genesis_of_another_kind_or_host_is_refused(files, changes, rule):
    other = replace(genesis(), **changes).to_bytes()
    history, found = found_in(replace(files, genesis=other))
    assert history is None
    assert rule in [one for _, one in found]


@pytest.mark.parametrize("network", NETWORKS)
def test_commit_hashes_are_those_of_fabrics_own_peers(network):
    """Blocks of a real network, with approvals in private collections."""
    previous = b""
    for block in recorded(network).blocks[1:]:
        writes = BlockWrites()
        codes = block.transactions_filter
        for index, raw in enumerate(() if is_config_block(block.data) else block.data):
            if codes[index] == VALID:
                sets = decode_transaction(raw).opened.content.sets
                writes.take(sets.namespaces, Version(block.header.number, index))
        previous = commit_hash(codes, writes, previous)
        assert Metadata.decode(block.metadata[COMMIT_HASH]).value == previous


def test_what_both_organisations_endorsed_and_the_contract_never_wrote_is_noticed(tmp_path):
    write_lie(tmp_path)
    history, found = found_in(exported(tmp_path))
    assert history is None
    place, rule = found[0]
    assert place.height == 4
    assert rule == "transaction 0: writes"
