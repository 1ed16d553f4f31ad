"""How a Fabric ledger is read and written: what an operator may turn, each with a default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TICK_INTERVAL_S: Final = 15
"""The chaincode takes no Tick sooner after the last."""
TICK_DRIFT_S: Final = 30
"""Endorsers refuse a Tick that is further from their own clocks."""
BLOCK_BYTES_MAX: Final = 512 * 1024
"""A proof holds a whole block, and 640 KiB in all: no channel's orderers may make longer ones."""


@dataclass(frozen=True, slots=True)
class FabricSettings:
    """For one ledger."""

    tries_max: int = 64
    """
    Proposals of one transaction that others may undo by their writes. A try that lost to a
    transaction of this process is not counted: something of ours went on. One process orders one
    proposal a block on a hot key, so that many blocks of others are borne.
    """
    differ_max: int = 8
    """Proposals of one transaction on which peers may disagree: they are behind for moments."""
    again_s: float = 3.0
    """An envelope that is in no block is handed in again after so long: the same bytes."""
    poll_s: float = 0.2
    """Before peers that did not agree are asked again."""
    tx_bytes_max: int = 480 * 1024
    """Of one inner transaction: identities, endorsements and writes stand beside it."""
    envelope_bytes_max: int = BLOCK_BYTES_MAX
    """The channel's AbsoluteMaxBytes: orderers take no larger envelope, and proofs hold blocks."""
    idle_tick_s: int = 60
    """So long the clock may stand still although nothing has changed; timeouts rest on it."""
    blocks_a_read: int = 32
    """Blocks asked for at once."""
    blocks_kept: int = 64
    """Whole blocks remembered for proofs; others are asked for again."""
    events_kept: int = 1024
    """Blocks whose events are remembered for the hub; those of others are read again."""
    read_backs_kept: int = 4096
    """Endorsed read-backs remembered; a marker is written once, so they never change."""
    trusting_period_s: int = 14 * 24 * 3600
    """How long others trust a height of this ledger, in the client states made here."""
    max_clock_drift_s: int = 60
    """A Tick may be 30 s ahead of a peer, and a peer ahead of the verifier."""
    in_flight_max: int = 1
    """Transactions of one lane that the hub may have under way at once."""
