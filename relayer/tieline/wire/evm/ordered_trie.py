"""
Root of the trie over a list: what an EVM header says of its transactions and of their receipts.

Sources:
    Ethereum yellow paper, 4.4.2 and appendix D.
"""

from __future__ import annotations

from collections.abc import Sequence

from tieline.wire.evm import rlp
from tieline.wire.hashes import keccak

_HASHED_FROM_BYTES = 32
"""A shorter node stands in its parent as it is."""
_ODD, _LEAF = 1, 2
"""Flags in the first nibble of a path."""

_Pair = tuple[str, bytes]
"""Key in hexadecimal digits, value."""


def ordered_root(values: Sequence[bytes]) -> bytes:
    """Return the root over *values*, each under the RLP of its place, 32 bytes."""
    pairs = [(rlp.encode_uint(place).hex(), value) for place, value in enumerate(values)]
    return keccak(rlp.encode(_node(sorted(pairs), 0)))


def _node(pairs: Sequence[_Pair], depth: int) -> rlp.Item:
    """Return the node over keys that agree in their first *depth* digits."""
    if not pairs:
        return b""
    first, last = pairs[0][0], pairs[-1][0]
    if len(pairs) == 1:
        return [_path(first[depth:], _LEAF), pairs[0][1]]
    shared = depth
    while first[shared] == last[shared]:  # sorted: what first and last share, all do
        shared += 1
    if shared > depth:
        return [_path(first[depth:shared], 0), _reference(_node(pairs, shared))]
    children: list[rlp.Item] = [
        _reference(_node([pair for pair in pairs if pair[0][depth] == digit], depth + 1))
        for digit in "0123456789abcdef"
    ]
    # No key of a list is the beginning of another one: a branch holds no value.
    return [*children, b""]


def _reference(node: rlp.Item) -> rlp.Item:
    if not node:
        return b""
    encoded = rlp.encode(node)
    return node if len(encoded) < _HASHED_FROM_BYTES else keccak(encoded)


def _path(digits: str, flag: int) -> bytes:
    """Return hexadecimal digits with their flag, padded to whole bytes."""
    if len(digits) % 2:
        return bytes.fromhex(f"{flag + _ODD:x}{digits}")
    return bytes.fromhex(f"{flag:x}0{digits}")
