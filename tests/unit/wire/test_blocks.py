"""Blocks as bytes; cosmpy's own messages read them alike."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cosmpy.protos.tendermint.types.block_pb2 import Block as WireBlock

from tieline.wire import blocks
from tieline.wire.blocks import Block, StoredBlock, decode_export, encode_export, split_frames
from tieline.wire.cometbft import EMPTY_COMMIT, BlockId, Commit, CommitSig, Header
from tieline.wire.errors import Malformed
from tieline.wire.hashes import sha256
from tieline.wire.proto_fields import message_field

CASES = json.loads(
    (Path(__file__).parents[2] / "vectors" / "cometbft_blocks.json").read_text(encoding="utf-8")
)["cases"]
HASH = b"\x07" * 32
LAST_ID = BlockId(HASH, 1, b"\x08" * 32)
HEADER = Header("tieline-a-1", 5, 1_767_225_600_000_000_000, LAST_ID, *([HASH] * 8), b"\x09" * 20)
COMMIT = Commit(
    4, 0, LAST_ID, (CommitSig(2, b"\x0a" * 20, 1_767_225_595_000_000_001, b"\x0b" * 64),)
)
BLOCK = Block(HEADER, (b"first", b"", b"third"), COMMIT)
STORED = StoredBlock(BLOCK, replace(COMMIT, height=5, block_id=BLOCK.id()))
GENESIS = StoredBlock(
    Block(replace(HEADER, height=1, last_block_id=BlockId(b"", 0, b"")), (), EMPTY_COMMIT),
    replace(COMMIT, height=1),
)


def test_block_is_the_message_that_cometbft_writes() -> None:
    for block in (BLOCK, GENESIS.block):
        encoded = block.encode()
        message = WireBlock.FromString(encoded)
        assert message.SerializeToString(deterministic=True) == encoded
        assert message.header.height == block.header.height
        assert message.HasField("evidence")
        assert tuple(message.data.txs) == block.transactions


@pytest.mark.parametrize("case", CASES, ids=[case["chain_id"] for case in CASES])
def test_blocks_of_cometbft_keep_their_bytes_and_ids(case: dict[str, Any]) -> None:
    encoded = bytes.fromhex(case["block"])
    block = Block.decode(encoded)
    assert block.encode() == encoded
    assert [raw.hex() for raw in block.transactions] == case["txs"]
    assert blocks.data_hash(block.transactions) == block.header.data_hash
    assert block.header.evidence_hash == blocks.NO_EVIDENCE_HASH
    parts = (case["parts_total"], bytes.fromhex(case["parts_hash"]))
    assert block.id() == BlockId(bytes.fromhex(case["block_hash"]), *parts)


def test_blocks_read_back() -> None:
    for stored in (STORED, GENESIS):
        assert StoredBlock.decode(stored.encode()) == stored
        assert Block.decode(stored.block.encode()) == stored.block


def test_block_with_evidence_is_refused() -> None:
    message = WireBlock.FromString(BLOCK.encode())
    message.evidence.evidence.add()
    with pytest.raises(Malformed, match="canonical"):
        Block.decode(message.SerializeToString())


def test_second_spellings_of_a_block_are_refused() -> None:
    encoded = BLOCK.encode()
    message = WireBlock.FromString(encoded)
    message.ClearField("evidence")
    for spoiled in (message.SerializeToString(), encoded + b"\x2a\x00", encoded[:-1], b""):
        with pytest.raises(Malformed):
            Block.decode(spoiled)


def test_second_spellings_of_a_stored_block_are_refused() -> None:
    block, commit = STORED.block.encode(), STORED.seen_commit.encode()
    turned = message_field(2, commit) + message_field(1, block)
    assert STORED.encode() == message_field(1, block) + message_field(2, commit)
    for spoiled in (turned, message_field(1, block), STORED.encode() + message_field(3, b"")):
        with pytest.raises(Malformed):
            StoredBlock.decode(spoiled)


def test_block_id_is_over_header_and_parts() -> None:
    assert BLOCK.id().hash == HEADER.hash()
    assert BLOCK.id().parts_total == 1
    assert BLOCK.id().parts_hash == sha256(b"\x00" + BLOCK.encode())
    long = b"\x01" * blocks.PART_BYTES + b"\x02"
    halves = [sha256(b"\x00" + part) for part in (long[:-1], long[-1:])]
    assert blocks.block_id(HASH, long) == BlockId(HASH, 2, sha256(b"\x01" + b"".join(halves)))
    assert blocks.block_id(HASH, long[:-1]).parts_total == 1


def test_hashes_are_those_of_public_chains() -> None:
    """Empty data, and the consensus parameters that most Cosmos chains start with."""
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert blocks.data_hash([]).hex() == blocks.NO_EVIDENCE_HASH.hex() == empty
    assert blocks.consensus_hash(22_020_096, -1).hex() == (
        "048091bc7ddc283f77bfbf91d73c44da58c3df8a9cbc867405d8b7f3daada22f"
    )


def test_data_hash_is_over_hashes_of_transactions() -> None:
    leaves = [sha256(b"\x00" + sha256(raw)) for raw in (b"one", b"two")]
    assert blocks.data_hash([b"one", b"two"]) == sha256(b"\x01" + b"".join(leaves))


def test_results_hash_covers_code_data_and_gas() -> None:
    row = (5, b"\x01", 300, -1)
    leaf = b"\x08\x05\x12\x01\x01\x28\xac\x02\x30" + b"\xff" * 9 + b"\x01"
    assert blocks.results_hash([row]) == sha256(b"\x00" + leaf)
    assert blocks.results_hash([(0, b"", 0, 0)]) == sha256(b"\x00")


def test_export_reads_back() -> None:
    assert decode_export(encode_export([GENESIS, STORED])) == (GENESIS, STORED)
    assert decode_export(b"") == ()


@pytest.mark.parametrize("cut", [1, 7, 8, 9, 100])
def test_torn_tail_is_seen_and_what_came_before_it_kept(cut: int) -> None:
    whole = encode_export([GENESIS])
    torn = whole + encode_export([STORED])[:-cut]
    assert split_frames(torn) == ((GENESIS.encode(),), len(whole))
    with pytest.raises(Malformed, match="after 1 blocks"):
        decode_export(torn)


def test_damaged_byte_anywhere_in_an_export_is_seen() -> None:
    data = encode_export([STORED])
    for place in range(len(data)):
        damaged = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises(Malformed):
            decode_export(damaged)


def test_frame_beyond_the_bound_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "FRAME_BYTES_MAX", 4)
    assert blocks.encode_frame(bytes(4))
    with pytest.raises(Malformed, match="too long"):
        blocks.encode_frame(bytes(5))
