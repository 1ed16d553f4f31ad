"""
What can happen to a lock, and what a ledger then has to do: events and effects as plain data.

Who signed what, which statement is stored, which packet was proved: whoever makes an event has
established it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tieline.swap.records import Reason

# --- events ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AcknowledgedWithSuccess:
    """A5: a proved acknowledgement other than the sentinel."""

    cap_wh: int | None
    """Of this very lock; None if undecodable or of another lock."""


@dataclass(frozen=True, slots=True)
class AcknowledgedWithRefusal:
    """A6: a proved sentinel."""


@dataclass(frozen=True, slots=True)
class PacketTimedOut:
    """A7: absence of the receipt, proved at *proof_time_s* of the destination's chain time."""

    proof_time_s: int


@dataclass(frozen=True, slots=True)
class VerdictAccepted:
    """B2: a proved accept leaf of this trade, with its whole group."""

    cap_wh: int


@dataclass(frozen=True, slots=True)
class VerdictRefused:
    """B3: a proved refuse leaf of this trade."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class PendingExpired:
    """B4: anyone says that no verdict came."""


@dataclass(frozen=True, slots=True)
class ClaimAsked:
    """A9, B6: a preimage with a proved leaf of a stored statement."""

    preimage: bytes
    delivered_wh: int


@dataclass(frozen=True, slots=True)
class WaiverAsked:
    """A10, B7: the payee gives up what lies above *wh*."""

    wh: int
    is_by_payee: bool
    """Signed by the payee; for a pool by its utility cell and the grid operator's."""


@dataclass(frozen=True, slots=True)
class RefundAsked:
    """A11, B8: anyone asks for what an expired lock still holds."""

    delivered_wh: tuple[int, ...] = ()
    """Proved leaves of this trade; without one of every statement they slash nothing."""
    is_every_root_covered: bool = True
    """A leaf from every stored statement of the slot is there, or none is stored."""


LockEvent = (
    AcknowledgedWithSuccess
    | AcknowledgedWithRefusal
    | PacketTimedOut
    | VerdictAccepted
    | VerdictRefused
    | PendingExpired
    | ClaimAsked
    | WaiverAsked
    | RefundAsked
)

# --- effects --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PayPayee:
    """Money of *wh* to the payee."""

    wh: int


@dataclass(frozen=True, slots=True)
class RefundPayer:
    """Money of *wh* to the payer."""

    wh: int


@dataclass(frozen=True, slots=True)
class ReturnBond:
    """Bond of *wh* to the seller."""

    wh: int


@dataclass(frozen=True, slots=True)
class SlashBond:
    """Bond of *wh* to the imbalance pool."""

    wh: int


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Write the packet's success acknowledgement (none for LOCAL)."""

    cap_wh: int


@dataclass(frozen=True, slots=True)
class AcknowledgeRefusal:
    """Write the sentinel (none for LOCAL), and the reason as a record."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class RaiseAlarm:
    """Something contradicts what the lock knows; people must look."""

    reason: str


Effect = (
    PayPayee | RefundPayer | ReturnBond | SlashBond | Acknowledge | AcknowledgeRefusal | RaiseAlarm
)


class Outcome(Enum):
    """What became of an event."""

    MOVED = "moved"
    ALREADY_DONE = "already done"
    """A repeat, or nothing left to do: no change, no error."""
    REFUSED = "refused"
    """Not allowed now, or never; no change."""
