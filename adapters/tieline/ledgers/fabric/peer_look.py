"""What one peer of a channel says of the contract on it, by itself: for an operator's eyes."""

from __future__ import annotations

from dataclasses import dataclass

from tieline.contract.chaincode import CHAINCODE_VERSION
from tieline.contract.chaincode_genesis import STORED_GENESIS
from tieline.interfaces.errors import Contradicted, Unavailable
from tieline.ledgers.fabric.peers import check_chaincode, genesis_hash_of
from tieline.ledgers.fabric.port import FabricPort
from tieline.wire.errors import Malformed
from tieline.wire.fabric.blocks import Block, OrdererMetadata
from tieline.wire.fabric.config import decode_channel_config
from tieline.wire.fabric.invocations import decode_read_back, read_back_args
from tieline.wire.hashes import sha256


@dataclass(frozen=True, slots=True)
class PeerLook:
    """Of a peer that is on the channel and runs the contract in the version known here."""

    peer: str
    height: int
    """Number of its newest block."""
    channel_hash: str
    """Hex of the hash of block 0, by which two channels of one name differ."""
    version: int
    deployed_for: str
    """Hex of the sha256 of the only genesis that its chaincode takes; empty: any."""
    genesis_sha256: str
    """Hex, of the genesis that the contract was begun with; empty: not begun."""
    clock_s: int
    """Unix seconds of the last Tick; 0: none yet."""
    block_bytes_max: int
    """What a block may have at most, by the channel's newest configuration."""


async def look_at(port: FabricPort) -> PeerLook:
    """
    Ask one peer; nothing is written.

    Raises:
        ConfigError: The operator must act: identity, TLS, channel, chaincode or its version.
        Unavailable: It does not answer; retrying may help.
    """
    height = await port.height()
    channel_hash = await genesis_hash_of(port)
    deployed_for = await check_chaincode(port)
    answer = await port.evaluate(read_back_args(STORED_GENESIS))
    try:
        read = decode_read_back(answer)
    except Malformed as exc:
        raise Contradicted(f"a peer answers what is no read-back: {port.name} {exc}") from exc
    genesis = read.values[0]
    return PeerLook(
        peer=port.name,
        height=height,
        channel_hash=channel_hash.hex(),
        version=CHAINCODE_VERSION,
        deployed_for=deployed_for,
        genesis_sha256="" if genesis is None else sha256(genesis).hex(),
        clock_s=read.clock_s,
        block_bytes_max=await block_bytes_max(port),
    )


async def block_bytes_max(port: FabricPort) -> int:
    """
    Return what a block of a channel may have at most, by its newest configuration.

    Raises:
        Contradicted: The peer shows no configuration where its newest block names one.
        Unavailable: It does not answer; retrying may help.
    """
    height = number = await port.height()
    try:
        if height:
            newest = Block.decode(await _block(port, height))
            number = OrdererMetadata.decode(newest.signatures.value).last_config
        held = Block.decode(await _block(port, number))
        return decode_channel_config(held.data[0]).orderer.batch_limits.bytes_max
    except (IndexError, Malformed) as exc:
        raise Contradicted(f"block {number} of {port.name} is no configuration: {exc}") from exc


async def _block(port: FabricPort, number: int) -> bytes:
    found = await port.blocks_after(number - 1, 1)
    if not found:
        raise Unavailable(f"the peer has no block {number}: {port.name}")
    return found[0]
