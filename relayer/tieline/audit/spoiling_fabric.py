"""
The ways to spoil a Fabric ledger's export: what nobody signs is mended after the change, as a
clever hand would; what is signed cannot be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random

from tieline.audit.fabric_state import BlockWrites, commit_hash
from tieline.audit.findings import Place
from tieline.audit.run_files import RunFiles
from tieline.audit.spoiling import Spoiled, Way
from tieline.wire.accounts import FABRIC_KIND
from tieline.wire.blocks import encode_frame, split_frames
from tieline.wire.errors import Malformed
from tieline.wire.fabric.blocks import (
    COMMIT_HASH,
    SIGNATURES,
    TRANSACTIONS_FILTER,
    Block,
    Metadata,
    is_config_block,
)
from tieline.wire.fabric.rwsets import Version
from tieline.wire.fabric.transactions import MVCC_READ_CONFLICT, VALID, decode_transaction

_FABRIC = f'"kind":"{FABRIC_KIND}"'.encode()


def call_otherwise(files: RunFiles, chance: Random) -> Spoiled | None:
    """Call a valid transaction invalid, or the other way, and mend all commit hashes."""
    chosen = _some_blocks(files, chance)
    if chosen is None:
        return None
    chain_id, blocks = chosen
    index = chance.randrange(len(blocks))
    codes = bytearray(blocks[index].transactions_filter)
    place = chance.randrange(len(codes))
    codes[place] = VALID if codes[place] else MVCC_READ_CONFLICT
    blocks[index] = with_metadata(blocks[index], TRANSACTIONS_FILTER, bytes(codes))
    what = f"code of transaction {place} in block {index + 1} of {chain_id} turned, hashes mended"
    return _spoiled(what, chain_id, index, mended(blocks))


def change_commit_hash(files: RunFiles, chance: Random) -> Spoiled | None:
    """Give a block the commit hash of another."""
    chosen = _some_blocks(files, chance)
    if chosen is None:
        return None
    chain_id, blocks = chosen
    index = chance.randrange(1, len(blocks))
    other = blocks[index - 1].metadata[COMMIT_HASH]
    blocks[index] = with_metadata(blocks[index], COMMIT_HASH, other)
    what = f"block {index + 1} of {chain_id} given the commit hash of the one before"
    return _spoiled(what, chain_id, index, blocks)


def drop_orderers(files: RunFiles, chance: Random) -> Spoiled | None:
    """Leave the orderers' signatures of a block out."""
    chosen = _some_blocks(files, chance)
    if chosen is None:
        return None
    chain_id, blocks = chosen
    index = chance.randrange(len(blocks))
    unsigned = replace(blocks[index].signatures, signatures=()).encode()
    blocks[index] = with_metadata(blocks[index], SIGNATURES, unsigned)
    what = f"signatures of block {index + 1} of {chain_id} left out"
    return _spoiled(what, chain_id, index, blocks)


def move_border(files: RunFiles, chance: Random) -> Spoiled | None:
    """Give the last byte of an envelope to the next one: the hash of the data stays."""
    chosen = _some_blocks(files, chance)
    if chosen is None:
        return None
    chain_id, blocks = chosen
    several = [index for index, block in enumerate(blocks) if len(block.data) > 1]
    if not several:
        return None
    index = chance.choice(several)
    data = list(blocks[index].data)
    place = chance.randrange(len(data) - 1)
    data[place : place + 2] = data[place][:-1], data[place][-1:] + data[place + 1]
    blocks[index] = replace(blocks[index], data=tuple(data))
    what = f"border of envelopes {place} and {place + 1} in block {index + 1} of {chain_id} moved"
    return _spoiled(what, chain_id, index, mended(blocks))


FABRIC_WAYS: tuple[Way, ...] = (call_otherwise, change_commit_hash, drop_orderers, move_border)
"""The order in which trials go through them."""


def with_metadata(block: Block, place: int, content: bytes) -> Block:
    """Return a block with other metadata at a place."""
    metadata = list(block.metadata)
    metadata[place] = content
    return replace(block, metadata=tuple(metadata))


def mended(blocks: Iterable[Block]) -> list[Block]:
    """Return blocks, from number 1, with the commit hashes that their codes come to."""
    found: list[Block] = []
    previous = b""
    for block in blocks:
        writes = BlockWrites()
        for index, raw in enumerate(() if is_config_block(block.data) else block.data):
            if block.transactions_filter[index] == VALID:
                _take(writes, raw, Version(block.header.number, index))
        previous = commit_hash(block.transactions_filter, writes, previous)
        found.append(with_metadata(block, COMMIT_HASH, Metadata(previous).encode()))
    return found


def _take(writes: BlockWrites, raw: bytes, version: Version) -> None:
    try:
        sets = decode_transaction(raw).opened.content.sets
        writes.take(sets.namespaces, version)
    except Malformed:
        return  # Called valid, and nothing that could be: it writes nothing.


def _some_blocks(files: RunFiles, chance: Random) -> tuple[str, list[Block]] | None:
    """Return the blocks of some Fabric ledger; None if the run has none."""
    names = [name for name in files.ledger_ids() if _FABRIC in files.ledger(name).genesis]
    if not names:
        return None
    chain_id = chance.choice(names)
    payloads, _ = split_frames(files.ledger(chain_id).blocks)
    return chain_id, [Block.decode(payload) for payload in payloads]


def _spoiled(what: str, chain_id: str, index: int, blocks: Sequence[Block]) -> Spoiled:
    content = b"".join(encode_frame(block.encode()) for block in blocks)
    return Spoiled(what, Place(chain_id, index + 1), {f"ledgers/{chain_id}/blocks.bin": content})
