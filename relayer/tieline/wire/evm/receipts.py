"""
Receipts as the receipts trie holds them: success, gas, bloom, logs.

Sources:
    Ethereum yellow paper 4.3.1; EIP-658, EIP-2718.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tieline.wire.errors import Malformed
from tieline.wire.evm import rlp
from tieline.wire.evm.header import ADDRESS_BYTES, BLOOM_BYTES, HASH_BYTES
from tieline.wire.evm.logs import Log
from tieline.wire.hashes import keccak

_TYPE_MAX = 0x7F
"""A first byte up to here names a type; above it, an old receipt's list begins."""
_FIELDS = 4
_LOG_FIELDS = 3
_TOPICS_MAX = 4
_ITEMS_MAX = 200_000
_UINT64_BITS = 64
_FAILED, _SUCCEEDED = b"", b"\x01"
_BLOOM_BITS = 2047
_BLOOM_HASHES = (0, 2, 4)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one transaction came to."""

    is_success: bool
    gas_used_so_far: int
    """Of the block, up to and with this transaction."""
    bloom: bytes
    logs: tuple[Log, ...]


def decode_receipt(data: bytes) -> Receipt:
    """
    Read a receipt, type byte included.

    Raises:
        Malformed: Not strict RLP, a field of another length, or a bloom that is not of its logs.
    """
    if not data:
        raise Malformed("empty receipt")
    body = data[1:] if data[0] <= _TYPE_MAX else data
    items = rlp.decode_list(body, items_max=_ITEMS_MAX)
    if len(items) != _FIELDS or isinstance(items[3], bytes):
        raise Malformed(f"receipt has not four fields: {len(items)}")
    status = rlp.to_octets(items[0])
    if status not in {_FAILED, _SUCCEEDED}:
        raise Malformed("a receipt's status is neither 0 nor 1")
    receipt = Receipt(
        status == _SUCCEEDED,
        rlp.to_uint(items[1], _UINT64_BITS),
        rlp.to_octets(items[2], BLOOM_BYTES),
        tuple(map(_log, items[3])),
    )
    if receipt.bloom != bloom_of(receipt.logs):
        raise Malformed("a receipt's bloom is not of its logs")
    return receipt


def bloom_of(logs: Iterable[Log]) -> bytes:
    """Return the bloom filter over addresses and topics of *logs*, 256 bytes."""
    bits = 0
    for log in logs:
        for entry in (log.address, *log.topics):
            digest = keccak(entry)
            for place in _BLOOM_HASHES:
                bits |= 1 << (int.from_bytes(digest[place : place + 2], "big") & _BLOOM_BITS)
    return bits.to_bytes(BLOOM_BYTES, "big")


def _log(item: rlp.Item) -> Log:
    if isinstance(item, bytes) or len(item) != _LOG_FIELDS or isinstance(item[1], bytes):
        raise Malformed("a log has address, topics and data")
    topics = tuple(rlp.to_octets(topic, HASH_BYTES) for topic in item[1])
    if len(topics) > _TOPICS_MAX:
        raise Malformed(f"too many topics: {len(topics)}")
    return Log(rlp.to_octets(item[0], ADDRESS_BYTES), topics, rlp.to_octets(item[2]))
