"""What a native Fabric network is made of: organisations, peers, orderers, pace, chaincode."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

from tieline.ledgers.fabric.material import Validity
from tieline.ledgers.fabric.port import CHAINCODE

ABSOLUTE_BYTES_MAX: Final = 512 * 1024
PREFERRED_BYTES_MAX: Final = 256 * 1024
"""A whole block is part of a proof, and a proof has a bound (``protocol.limits``)."""
BFT_ORDERERS: Final = 4
"""The least that bear one of them that lies."""
ORDERER_MSP: Final = "OrdererMSP"


class Consensus(Enum):
    """How orderers agree on blocks."""

    RAFT = "etcdraft"
    """One orderer, whose signature a block has: it must not lie."""
    BFT = "BFT"
    """Four orderers (SmartBFT), three signatures a block: one of them may lie."""


@dataclass(frozen=True, slots=True)
class BlockPace:
    """When orderers cut a block."""

    interval_ms: int = 100
    """How long a lone transaction waits at most."""
    messages_max: int = 100
    absolute_bytes_max: int = ABSOLUTE_BYTES_MAX
    preferred_bytes_max: int = PREFERRED_BYTES_MAX


@dataclass(frozen=True, slots=True)
class ChaincodePlan:
    """What runs as the channel's chaincode; one process a peer."""

    name: str = CHAINCODE
    version: str = "1"
    label: str = "tieline_1"
    """Of the package; another one gives it another id."""
    factory: str = ""
    """``module:function`` that makes another chaincode of ``argument``; empty: the contract."""
    argument: str = ""
    """For the contract: hex of the sha256 of the only genesis that Init takes; empty: any."""
    is_tls: bool = True
    """Whether peer and chaincode show one another certificates."""


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """A channel with everything that serves it."""

    fabric_channel: str
    validity: Validity
    """Of all certificates."""
    consensus: Consensus = Consensus.RAFT
    organisations: tuple[str, ...] = ("Org1MSP", "Org2MSP")
    peers_each: int = 1
    """Peers of each organisation."""
    pace: BlockPace = field(default_factory=BlockPace)
    chaincode: ChaincodePlan = field(default_factory=ChaincodePlan)
    seed: bytes | None = None
    """Of all keys; secret. None: made by chance."""
    clock_file: Path | None = None
    """What chaincode takes for the wall clock; None: the computer's."""

    @property
    def orderer_count(self) -> int:
        """How many orderers run."""
        return BFT_ORDERERS if self.consensus is Consensus.BFT else 1
