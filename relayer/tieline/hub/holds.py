"""
What is held back because somebody must act first: packets of a frozen client, everything of an
account without money. It is said, and tried again now and then.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

_LOG = logging.getLogger(__name__)

HELD_S = 30
"""So long nothing of the kind is sent; then one transaction asks again."""

WHOLE_LEDGER = ""
"""Stands for a client where all that goes to a ledger is held."""


@dataclass(frozen=True, slots=True)
class Hold:
    """One reason to send nothing. Times are the hub's, unix seconds."""

    reason: str
    since_s: int
    until_s: int


class Holds:
    """By ledger and the client on it that takes nothing."""

    def __init__(self) -> None:
        self._holds: dict[tuple[str, str], Hold] = {}

    def hold(self, ledger_id: str, client_id: str, reason: str, now_s: int) -> None:
        """Send nothing to a client for a while; say so when it is news."""
        known = self._holds.get((ledger_id, client_id))
        if known is None or known.reason != reason:
            _LOG.warning("held ledger=%s client=%s reason=%s", ledger_id, client_id, reason)
        since_s = now_s if known is None else known.since_s
        self._holds[ledger_id, client_id] = Hold(reason, since_s, now_s + HELD_S)

    def release(self, ledger_id: str, client_id: str) -> None:
        """It takes what it is sent: go on."""
        for key in ((ledger_id, client_id), (ledger_id, WHOLE_LEDGER)):
            if self._holds.pop(key, None) is not None:
                _LOG.info("goes on ledger=%s client=%s", *key)

    def is_held(self, ledger_id: str, client_id: str, now_s: int) -> bool:
        """Return whether nothing is to be sent to a client just now."""
        return any(
            now_s < self._holds[key].until_s
            for key in ((ledger_id, client_id), (ledger_id, WHOLE_LEDGER))
            if key in self._holds
        )

    def reasons(self, ledger_id: str) -> list[str]:
        """Return why something is held on a ledger, in words."""
        return [
            f"client {client}: {hold.reason}" if client else hold.reason
            for (held_ledger, client), hold in self._holds.items()
            if held_ledger == ledger_id
        ]

    def next_wake_s(self, now_s: int) -> int | None:
        """Return when the next one is tried again; None if nothing is held."""
        return min((h.until_s for h in self._holds.values() if h.until_s > now_s), default=None)
