"""
Holds a channel to what was read of it before: a file of another channel, or of one that was begun
anew since, must not be gone on with.
"""

from __future__ import annotations

from tieline.interfaces.errors import ConfigError, Contradicted, Unavailable
from tieline.ledgers.fabric.history import History
from tieline.ledgers.fabric.port import FabricPort
from tieline.wire.errors import Malformed
from tieline.wire.fabric.blocks import Block


async def check_place(port: FabricPort, history: History) -> None:
    """
    See that a peer's channel has the first and the last block that were read.

    Args:
        port: The way in.
        history: At least one block of it was read.

    Raises:
        ConfigError: It is another channel; the operator must act.
        Contradicted: The peer answers what is no block.
        Unavailable: No peer answers, or none has come so far.
    """
    for number in (0, history.height):
        shown = await block_hash(port, number)
        if shown is None:
            raise Unavailable(
                f"{history.path} has blocks of {port.fabric_channel} up to {history.height}, the "
                f"peer has no block {number}: {port.name} is behind, or lost blocks; it is asked "
                "again"
            )
        if shown != history.hash_at(number):
            raise ConfigError(
                f"was read from another channel that was called {port.fabric_channel} too, or "
                f"before it was begun anew: block {number} has hash "
                f"{history.hash_at(number).hex()[:16]} here and {shown.hex()[:16]} at {port.name}",
                file=str(history.path),
                instead="name a peer of the channel that it was read from; or, if the channel was "
                "begun anew, delete the file: it is read again from block 0",
            )


async def block_hash(port: FabricPort, number: int) -> bytes | None:
    """
    Return the hash of a block's header as a peer shows it; None if it does not have the block.

    Raises:
        Contradicted: The peer answers what is no block, or another one.
        Unavailable: No peer answers.
    """
    found = await port.blocks_after(number - 1, 1)
    if not found:
        return None
    try:
        header = Block.decode(found[0]).header
    except Malformed as exc:
        raise Contradicted(f"a peer answers what is no block: {exc}") from exc
    if header.number != number:
        raise Contradicted(f"block out of turn: number={header.number} expected={number}")
    return header.hash()
