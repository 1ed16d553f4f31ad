"""
What a CometBFT validator signs when it precommits a block.

Sources:
    CometBFT 0.38 ``types/canonical.go``.
"""

from __future__ import annotations

from tieline.wire.cometbft import BlockId, encode_time
from tieline.wire.proto_fields import (
    bytes_field,
    delimited,
    message_field,
    sfixed64_field,
    uint_field,
)

PRECOMMIT_TYPE = 2


def vote_bytes(
    chain_id: str, height: int, round_: int, block_id: BlockId | None, time_ns: int
) -> bytes:
    """Return what a validator signs to precommit *block_id*, or nothing (None)."""
    head, tail = vote_ends(chain_id, height, round_, block_id)
    return delimited(head + message_field(5, encode_time(time_ns)) + tail)


def vote_ends(
    chain_id: str, height: int, round_: int, block_id: BlockId | None
) -> tuple[bytes, bytes]:
    """Return what stands before and behind a vote's time; all votes of a commit share it."""
    head = uint_field(1, PRECOMMIT_TYPE) + sfixed64_field(2, height) + sfixed64_field(3, round_)
    if block_id is not None:
        head += message_field(4, block_id.encode())
    return head, bytes_field(6, chain_id.encode())
