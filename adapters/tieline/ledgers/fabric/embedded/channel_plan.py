"""Who makes up an embedded channel: organisations, how blocks are signed, how large they get."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import Final

from tieline.ledgers.fabric.material import ALWAYS, Member, Organisation, Role, make_organisation

PREFERRED_BYTES_MAX: Final = 256 * 1024
ABSOLUTE_BYTES_MAX: Final = 512 * 1024
"""A whole block is part of a proof, and a proof has a bound (``protocol.limits``)."""
MESSAGES_MAX: Final = 100
PEER, CLIENT, ADMIN = "peer0", "client", "admin"


class Consensus(Enum):
    """Which of Fabric's two forms of block signatures a channel has."""

    RAFT = "etcdraft"
    """One orderer signs."""
    BFT = "BFT"
    """A quorum of four signs."""


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """When the orderer cuts a block."""

    messages_max: int = MESSAGES_MAX
    absolute_bytes_max: int = ABSOLUTE_BYTES_MAX
    """A larger envelope is refused."""
    preferred_bytes_max: int = PREFERRED_BYTES_MAX
    """A larger envelope has a block for itself."""


@dataclass(frozen=True, slots=True)
class ChannelPlan:
    """A channel before its first block."""

    channel: str
    organisations: Sequence[Organisation]
    """Each with members ``peer0``, ``client`` and ``admin``."""
    orderers: Organisation
    consensus: Consensus
    genesis_nonce: bytes
    genesis_time_s: int
    """Unix seconds; stands in the genesis block's header and nowhere counts."""
    limits: BatchLimits = BatchLimits()

    @property
    def consenters(self) -> tuple[Member, ...]:
        """Who signs blocks, in the order of their ids, which begin with 1."""
        return self.orderers.having(Role.ORDERER)

    @property
    def peers(self) -> tuple[Member, ...]:
        """The peer of each organisation."""
        return tuple(one.member(PEER) for one in self.organisations)


ORGANISATIONS: Final = ("Org1MSP", "Org2MSP")
"""The microgrid, and the grid operator."""
ORDERERS: Final = "OrdererMSP"
_CONSENTERS: Final = {Consensus.RAFT: 1, Consensus.BFT: 4}


def plan_channel(
    channel: str,
    seed: bytes,
    *,
    consensus: Consensus = Consensus.RAFT,
    limits: BatchLimits | None = None,
    genesis_time_s: int = 0,
) -> ChannelPlan:
    """
    Return the usual channel: the microgrid, the grid operator, and who orders.

    Args:
        channel: Its name.
        seed: Secret; the same one makes the same keys, certificates and genesis block.
        consensus: Raft with one orderer, or BFT with four.
        limits: Of blocks; the usual ones unless given.
        genesis_time_s: Unix seconds.
    """
    users = ((PEER, Role.PEER), (CLIENT, Role.CLIENT), (ADMIN, Role.ADMIN))
    nodes = [(f"orderer{index}", Role.ORDERER) for index in range(_CONSENTERS[consensus])]

    def organisation(name: str, members: Sequence[tuple[str, Role]]) -> Organisation:
        return make_organisation(name, members, ALWAYS, seed=_derived(seed, channel, name))

    return ChannelPlan(
        channel,
        tuple(organisation(name, users) for name in ORGANISATIONS),
        organisation(ORDERERS, [*nodes, (ADMIN, Role.ADMIN)]),
        consensus,
        _derived(seed, channel, "genesis nonce")[:24],
        genesis_time_s,
        limits or BatchLimits(),
    )


def _derived(seed: bytes, channel: str, label: str) -> bytes:
    parts = (seed, channel.encode(), label.encode())
    return sha256(b"".join(len(one).to_bytes(4) + one for one in parts)).digest()
