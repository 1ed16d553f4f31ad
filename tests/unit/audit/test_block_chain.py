"""A chain is believed only if every header says what the blocks around it say, and is signed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.audited_ledger import CHAIN_ID, STRANGERS, Forger, exported, write_ledger

from tieline.audit.block_chain import check_chain
from tieline.audit.findings import Findings, Place
from tieline.wire.blocks import encode_export, encode_frame
from tieline.wire.cometbft import EMPTY_COMMIT

OTHER = b"\x77" * 32


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    write_ledger(run)
    return exported(run)


def found_in(files):
    findings = Findings()
    chain = check_chain(files, findings)
    assert (chain is None) == bool(findings.rows)
    return [(row.place, row.rule) for row in findings.rows]


def test_an_honest_chain_has_no_finding_and_all_its_blocks(files):
    findings = Findings()
    chain = check_chain(files, findings)
    assert findings.rows == []
    assert chain is not None
    assert [row.block.header.height for row in chain.blocks] == list(range(1, 9))
    assert sorted(chain.app_hashes) == list(range(1, 9))


FORGED_HEADERS = [
    # field of header 4, which all validators signed as it is now; what the audit says of it
    ({"height": 5}, "height"),
    ({"chain_id": "micro-2"}, "chain id"),
    ({"last_commit_hash": OTHER}, "last commit hash"),
    ({"data_hash": OTHER}, "data hash"),
    ({"validators_hash": OTHER}, "validators hash"),
    ({"next_validators_hash": OTHER}, "next validators hash"),
    ({"consensus_hash": OTHER}, "consensus hash"),
    ({"evidence_hash": OTHER}, "evidence hash"),
    ({"time_ns": 1}, "time"),
    ({"proposer_address": b"\x01" * 20}, "commit"),
    ({"block_protocol": 12}, "commit"),
]


@pytest.mark.parametrize(("changes", "rule"), FORGED_HEADERS)
def test_a_header_that_validators_signed_must_still_say_the_truth(files, changes, rule):
    found = found_in(Forger(files).forged(4, **changes))
    assert (Place(CHAIN_ID, 4), rule) in found
    assert {place.height for place, _ in found} == {4}


def test_a_block_that_strangers_signed_is_refused(files):
    found = found_in(Forger(files).forged(4, seeds=STRANGERS))
    assert found == [(Place(CHAIN_ID, 4), "commit")]


def test_a_block_that_was_signed_anew_no_longer_carries_the_next_one(files):
    found = found_in(Forger(files).forged(4, app_hash=OTHER))
    assert (Place(CHAIN_ID, 5), "last block id") in found


def test_a_transaction_less_is_seen_in_the_data_hash(files):
    block = Forger(files).blocks[2].block
    assert block.transactions
    found = found_in(Forger(files).forged(3, block=replace(block, transactions=())))
    assert found == [(Place(CHAIN_ID, 3), "data hash")]


def test_the_commit_of_the_block_before_must_be_there(files):
    block = Forger(files).blocks[3].block
    changed = replace(block, last_commit=EMPTY_COMMIT)
    forged = Forger(files).forged(4, block=changed, last_commit_hash=EMPTY_COMMIT.hash())
    assert (Place(CHAIN_ID, 4), "last commit's height") in found_in(forged)


def test_a_last_block_that_is_left_out_is_missed_by_the_index(files):
    blocks = Forger(files).blocks[:-1]
    cut = replace(files, blocks=encode_export(blocks))
    assert found_in(cut) == [(Place(CHAIN_ID, 8, file="blocks.idx"), "last block")]


def test_an_index_may_be_shorter_than_the_blocks_after_a_kill(files):
    assert found_in(replace(files, index=files.index[:-60])) == []


def test_bytes_after_the_last_block_are_refused(files):
    found = found_in(replace(files, blocks=files.blocks + b"\x00"))
    assert found == [(Place(CHAIN_ID, 9, file="blocks.bin"), "whole blocks")]


def test_a_frame_that_holds_no_block_is_named_by_its_height(files):
    found = found_in(replace(files, blocks=encode_frame(b"no block") + files.blocks))
    assert found == [(Place(CHAIN_ID, 1, file="blocks.bin"), "canonical block")]


@pytest.mark.parametrize("step", [37, pytest.param(1, marks=pytest.mark.slow)])
def test_every_byte_of_a_block_matters(files, step):
    blocks = Forger(files).blocks
    raw = blocks[2].encode()
    before, after = encode_export(blocks[:2]), encode_export(blocks[3:])
    for place in range(0, len(raw), step):
        spoiled = raw[:place] + bytes((raw[place] ^ 1,)) + raw[place + 1 :]
        data = before + encode_frame(spoiled) + after
        found = found_in(replace(files, blocks=data))
        assert found, place
        assert {row.height for row, _ in found} == {3}, place


@pytest.mark.parametrize("name", ["genesis", "validators"])
def test_every_byte_of_the_roots_of_trust_matters(files, name):
    raw = getattr(files, name)
    for place in range(0, len(raw), 31):
        spoiled = raw[:place] + bytes((raw[place] ^ 1,)) + raw[place + 1 :]
        found = found_in(replace(files, **{name: spoiled}))
        # A balance or an account may still be well formed: then the state tells (test_replay).
        assert found or name == "genesis", place


def test_a_ledger_without_blocks_is_a_finding(files):
    assert found_in(replace(files, blocks=b"", index=b""))[0][1] == "blocks"
