"""
What a ledger owes to accounts of stock chains, as the relayer watches it. Sending it again may fail
again, for as long as the stock chain refuses it, so each try waits longer than the one before.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST_WAIT_S = 60
WAIT_S_MAX = 3_600
"""A chain that takes no transfers today costs one packet an hour."""


@dataclass(frozen=True, slots=True)
class OwedWatch:
    """A debt of one ledger. It is gone when its packet is on the way."""

    account: bytes
    owed_id: bytes
    client: str
    since_s: int
    """Chain time of the event that told of it, unix seconds."""
    tries: int = 0
    """Sends that came back."""

    @property
    def due_s(self) -> int:
        """Chain time from which on it is worth another try."""
        return self.since_s + min(FIRST_WAIT_S << min(self.tries, 12), WAIT_S_MAX)
