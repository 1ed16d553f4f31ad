"""
The data that attestors sign about a ledger's finalised state, byte for byte as ibc-go's
attestations client decodes it. Verification is in ``tieline.light_clients.attestations``.

Sources:
    ``docs/spec/bytes.md`` (attestation); ibc-go v11 ``modules/light-clients/attestations``; golden
    cases ``tests/vectors/attestations.json``.
"""

from __future__ import annotations

from collections.abc import Sequence

from tieline.wire.errors import Malformed
from tieline.wire.hashes import sha256
from tieline.wire.words import WORD_BYTES, Words

STATE_TAG = 1
PACKET_TAG = 2
ROTATE_TAG = 3

_UINT64_MAX = (1 << 64) - 1
_STATE = Words("uint256", "uint256")
_PACKETS_HEAD = Words("uint256", "uint256", "uint256", "uint256")
_ENTRY = Words("bytes32", "bytes32")
# abi.encode of one dynamic tuple (height, entries): offset of the tuple, then of the array in it.
_TUPLE_OFFSET = WORD_BYTES
_ARRAY_OFFSET = 2 * WORD_BYTES


def encode_state_attestation(height: int, time_s: int) -> bytes:
    """Return the 64 bytes that say: block *height* has this time, in unix seconds."""
    return _STATE.pack(height, time_s)


def decode_state_attestation(data: bytes) -> tuple[int, int]:
    """Read height and unix seconds. Raises Malformed on another length or above 64 bits."""
    height, time_s = _STATE.unpack(data)
    if height > _UINT64_MAX or time_s > _UINT64_MAX:
        raise Malformed("height or time above 64 bits")
    return height, time_s


def encode_packet_attestation(height: int, entries: Sequence[tuple[bytes, bytes]]) -> bytes:
    """
    Return the bytes that say what the provable store holds at *height*.

    Args:
        height: Block whose state is meant.
        entries: keccak(key) and 32-byte commitment, in any order; 32 zero bytes say that the key
            is absent.
    """
    head = _PACKETS_HEAD.pack(_TUPLE_OFFSET, height, _ARRAY_OFFSET, len(entries))
    return head + b"".join(_ENTRY.pack(path, commitment) for path, commitment in entries)


def decode_packet_attestation(data: bytes) -> tuple[int, tuple[tuple[bytes, bytes], ...]]:
    """
    Read height and entries.

    Raises:
        Malformed: Any bytes that ``encode_packet_attestation`` does not make.
    """
    if len(data) < _PACKETS_HEAD.size:
        raise Malformed(f"packet attestation too short: {len(data)}")
    outer, height, inner, count = _PACKETS_HEAD.unpack(data[: _PACKETS_HEAD.size])
    if outer != _TUPLE_OFFSET or inner != _ARRAY_OFFSET:
        raise Malformed(f"unexpected offsets: {outer} {inner}")
    if height > _UINT64_MAX:
        raise Malformed("height above 64 bits")
    if len(data) != _PACKETS_HEAD.size + count * _ENTRY.size:
        raise Malformed(f"wrong length: {count} entries in {len(data)} bytes")
    entries = tuple(
        (data[start : start + WORD_BYTES], data[start + WORD_BYTES : start + _ENTRY.size])
        for start in range(_PACKETS_HEAD.size, len(data), _ENTRY.size)
    )
    return height, entries


def attestation_digest(tag: int, data: bytes) -> bytes:
    """
    Return the 32 bytes that an attestor signs.

    Args:
        tag: 1 state, 2 packets, 3 rotation of an attestor set.
        data: The attested bytes.
    """
    return sha256(bytes((tag,)) + sha256(data))
