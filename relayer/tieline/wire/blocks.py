"""
Whole CometBFT blocks as bytes: what a ledger stores and exports, and what an audit executes again.

A block is stored with the commit that made it final (its "seen commit"); the commit inside a block
is that of the block before.

Sources:
    CometBFT 0.38 ``types/block.go``, ``types/part_set.go``, ``types/tx.go``, ``types/results.go``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from tieline.wire.cometbft import BlockId, Commit, Header, merkle_root
from tieline.wire.errors import Malformed
from tieline.wire.proto_fields import Fields, bytes_field, int_field, message_field, uint_field

PART_BYTES = 65_536
"""Blocks travel in parts of this size; the block id names the tree over them."""
FRAME_BYTES_MAX = 32 * 1024 * 1024
"""More than any block with its commit; a longer frame is damage, not data."""

_LENGTH_BYTES = 4
_CHECK_BYTES = 4
_FRAME_HEAD_BYTES = _LENGTH_BYTES + _CHECK_BYTES

NO_EVIDENCE_HASH = merkle_root(())
"""``evidence_hash`` of every block here: misbehaviour is shown to light clients, not in blocks."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block: header, transactions, and the commit of the block before."""

    header: Header
    transactions: tuple[bytes, ...]
    last_commit: Commit

    def encode(self) -> bytes:
        """Write ``tendermint.types.Block`` with empty evidence, as gogoproto does."""
        data = b"".join(message_field(1, raw) for raw in self.transactions)
        return (
            message_field(1, self.header.encode())
            + message_field(2, data)
            + message_field(3, b"")
            + message_field(4, self.last_commit.encode())
        )

    @staticmethod
    def decode(data: bytes) -> Block:
        """
        Read a block.

        Raises:
            Malformed: Any bytes that ``encode`` does not make; blocks with evidence are among
                them.
        """
        fields = Fields(data, known=4)
        block = Block(
            Header.decode(fields.octets(1)),
            Fields(fields.octets(2), known=1).each_bytes(1),
            Commit.decode(fields.octets(4)),
        )
        if block.encode() != data:
            raise Malformed("not the canonical encoding of a block")
        return block

    def id(self) -> BlockId:
        """Return the block id that validators sign: header hash, and the tree over the parts."""
        return block_id(self.header.hash(), self.encode())


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A block with the commit that made it final."""

    block: Block
    seen_commit: Commit

    def encode(self) -> bytes:
        """Write both, each as its own CometBFT message."""
        return message_field(1, self.block.encode()) + message_field(2, self.seen_commit.encode())

    @staticmethod
    def decode(data: bytes) -> StoredBlock:
        """Read both. Raises Malformed on any bytes that ``encode`` does not make."""
        fields = Fields(data, known=2)
        stored = StoredBlock(Block.decode(fields.octets(1)), Commit.decode(fields.octets(2)))
        if stored.encode() != data:
            raise Malformed("not the canonical encoding of a stored block")
        return stored


def block_id(header_hash: bytes, encoded_block: bytes) -> BlockId:
    """Return the id of a block whose header hash and bytes are known already."""
    parts = [
        encoded_block[start : start + PART_BYTES]
        for start in range(0, len(encoded_block), PART_BYTES)
    ]
    return BlockId(header_hash, len(parts), merkle_root(parts))


def data_hash(transactions: Iterable[bytes]) -> bytes:
    """Return what a header holds as ``data_hash``: the tree over the transactions' hashes."""
    return merkle_root([sha256(raw).digest() for raw in transactions])


def results_hash(results: Iterable[tuple[int, bytes, int, int]]) -> bytes:
    """
    Return what the next header holds as ``last_results_hash``.

    Args:
        results: Code, data, gas wanted and gas used of each transaction, in block order; logs and
            events are not covered.
    """
    return merkle_root(
        [
            uint_field(1, code)
            + bytes_field(2, data)
            + int_field(5, gas_wanted)
            + int_field(6, gas_used)
            for code, data, gas_wanted, gas_used in results
        ]
    )


def consensus_hash(block_bytes_max: int, block_gas_max: int) -> bytes:
    """Return what headers hold as ``consensus_hash``; gas -1 is unbounded."""
    return sha256(int_field(1, block_bytes_max) + int_field(2, block_gas_max)).digest()


def encode_frame(payload: bytes) -> bytes:
    """
    Return *payload* as one record of an append-only file.

    Length and the head of its SHA-256 stand before it, so that a torn write is seen.
    """
    if len(payload) > FRAME_BYTES_MAX:
        raise Malformed(f"frame too long: {len(payload)}")
    return len(payload).to_bytes(_LENGTH_BYTES) + sha256(payload).digest()[:_CHECK_BYTES] + payload


def split_frames(data: bytes) -> tuple[tuple[bytes, ...], int]:
    """
    Return the payloads of all whole frames, and how many bytes they take.

    Fewer bytes than *data* has mean a torn tail: a ledger cuts it off, an audit refuses it.
    """
    payloads: list[bytes] = []
    place = 0
    while place + _FRAME_HEAD_BYTES <= len(data):
        start = place + _FRAME_HEAD_BYTES
        length = int.from_bytes(data[place : place + _LENGTH_BYTES])
        payload = data[start : start + length]
        check = data[place + _LENGTH_BYTES : start]
        if len(payload) != length or sha256(payload).digest()[:_CHECK_BYTES] != check:
            break
        payloads.append(payload)
        place = start + length
    return tuple(payloads), place


def is_torn(tail: bytes) -> bool:
    """
    Tell whether what stands behind the last whole frame is one that was cut short, as a kill
    leaves it, and not a damaged one: of that one all bytes are there.
    """
    length = int.from_bytes(tail[:_LENGTH_BYTES])
    return len(tail) < _FRAME_HEAD_BYTES or len(tail) < _FRAME_HEAD_BYTES + length


def decode_export(data: bytes) -> tuple[StoredBlock, ...]:
    """
    Read an exported file of stored blocks.

    Raises:
        Malformed: A torn tail, or a block that is not canonical.
    """
    payloads, used = split_frames(data)
    if used != len(data):
        raise Malformed(f"torn or damaged after {len(payloads)} blocks, byte {used}")
    return tuple(map(StoredBlock.decode, payloads))


def encode_export(blocks: Sequence[StoredBlock]) -> bytes:
    """Return stored blocks as an exported file."""
    return b"".join(encode_frame(stored.encode()) for stored in blocks)
