"""
What a cell has done for one slot so far. Everything here can be told again from ledger and board.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tieline.interfaces.cell_link import ProposeClearing
from tieline.market.slot_machine import SlotState
from tieline.market.timeline import SlotTimeline
from tieline.swap.records import SignedOrder


@dataclass(frozen=True, slots=True)
class CheckRound:
    """One clearing and its network check, for the report."""

    traded_wh: int
    kind: str
    """What the gate said."""
    violations: tuple[str, ...]
    cut_wh: int
    """Wh that the caps of this round take from the orders."""


@dataclass(slots=True)
class SlotWork:
    """One slot under way in one cell."""

    timeline: SlotTimeline
    state: SlotState = field(default_factory=SlotState)
    orders: tuple[SignedOrder, ...] = ()
    """Own members' orders, as placed."""
    placings: int = 0
    """Times that orders were brought to the ledger."""
    has_bands: bool = False
    has_placed: bool = False
    has_signed_clearing: bool = False
    """Whether this cell signed another's proposal."""
    book: tuple[SignedOrder, ...] | None = None
    """Own members' orders that were valid at gate closure."""
    proposal: ProposeClearing | None = None
    """The clearing that this cell proposed or signed."""
    clearing_signatures: dict[bytes, tuple[bytes, ...]] = field(
        default_factory=dict[bytes, tuple[bytes, ...]]
    )
    """By cell, of the proposal; proposer only."""
    refusals: list[str] = field(default_factory=list[str])
    """Why other cells did not sign, in their words."""
    waits_for: str = ""
    """What the last step could not have yet, in words; for the operator."""
    rounds: tuple[CheckRound, ...] = ()
    has_set_points: bool = False
    revealed: set[bytes] = field(default_factory=set[bytes])
    """Trades whose preimage is shown."""

    @property
    def slot_start(self) -> int:
        """Start of delivery, unix seconds."""
        return self.timeline.start

    @property
    def slot_length(self) -> int:
        """Length of delivery, seconds."""
        return self.timeline.end - self.timeline.start
