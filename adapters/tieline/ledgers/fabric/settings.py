"""How a Fabric ledger is read and written: what an operator may turn, each with a default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TICK_INTERVAL_S: Final = 15
"""The chaincode takes no Tick sooner after the last."""


@dataclass(frozen=True, slots=True)
class FabricSettings:
    """For one ledger."""

    tries_max: int = 8
    """
    Proposals of one transaction that others may undo by their writes. A try that lost to a
    transaction of this process is not counted: something of ours went on.
    """
    resolve_s: float = 20.0
    """So long is looked for an envelope of which it is not known whether it was ordered."""
    again_s: float = 3.0
    """An envelope that is in no block is handed in again after so long: the same bytes."""
    poll_s: float = 0.2
    """Between two looks at the network while something is under way."""
    blocks_a_read: int = 32
    """Blocks asked for at once."""
    blocks_kept: int = 64
    """Whole blocks remembered for proofs; others are asked for again."""
    readbacks_kept: int = 4096
    """Endorsed read-backs remembered; a marker is written once, so they never change."""
