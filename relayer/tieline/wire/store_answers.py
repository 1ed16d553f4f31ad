"""
What a Cosmos chain answers when its store is asked: pairs under a prefix, and kinds of proofs.

Sources:
    Cosmos SDK ``store/rootmulti`` and ``store/iavl`` (``Query``), ``internal/kv``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tieline.wire.proto_fields import Fields, bytes_field, message_field

PROOF_OPS: Final = ("ics23:iavl", "ics23:simple")
"""In a store, then of the store in the root."""


def encode_pairs(pairs: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Write ``kv.Pairs``, the answer for a subspace."""
    return b"".join(
        message_field(1, bytes_field(1, key) + bytes_field(2, value)) for key, value in pairs
    )


def decode_pairs(data: bytes) -> list[tuple[bytes, bytes]]:
    """Read ``kv.Pairs``. Raises Malformed."""
    pairs = (Fields(raw, known=2) for raw in Fields(data, known=1).each_bytes(1))
    return [(pair.octets(1), pair.octets(2)) for pair in pairs]
