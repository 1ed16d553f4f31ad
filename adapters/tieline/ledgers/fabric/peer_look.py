"""What one peer of a channel says of the contract on it, by itself: for an operator's eyes."""

from __future__ import annotations

from dataclasses import dataclass

from tieline.contract.chaincode import CHAINCODE_VERSION
from tieline.contract.chaincode_genesis import STORED_GENESIS
from tieline.interfaces.errors import Contradicted
from tieline.ledgers.fabric.peers import check_chaincode, genesis_hash_of
from tieline.ledgers.fabric.port import FabricPort
from tieline.wire.errors import Malformed
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
    )
