"""Which ledgers answer. A silent one is left alone for a while, longer each time."""

from __future__ import annotations

import logging

from tieline.interfaces.errors import Unavailable
from tieline.relay.retry import unavailable_delay_s

_LOG = logging.getLogger(__name__)


class Health:
    """Silences of ledgers, by ledger id. Times are the hub's, unix seconds."""

    def __init__(self) -> None:
        self._attempts: dict[str, int] = {}
        self._silent_until_s: dict[str, int] = {}

    def note_silence(self, ledger_id: str, now_s: int, error: Unavailable) -> None:
        """A ledger did not answer."""
        attempts = self._attempts.get(ledger_id, 0) + 1
        self._attempts[ledger_id] = attempts
        self._silent_until_s[ledger_id] = now_s + unavailable_delay_s(attempts)
        _LOG.warning("ledger silent ledger=%s attempts=%d error=%s", ledger_id, attempts, error)

    def note_answer(self, ledger_id: str) -> None:
        """A ledger answered."""
        if self._attempts.pop(ledger_id, 0):
            _LOG.info("ledger answers again ledger=%s", ledger_id)
            del self._silent_until_s[ledger_id]

    def is_silent(self, ledger_id: str, now_s: int) -> bool:
        """Return whether a ledger is to be left alone now."""
        return now_s < self._silent_until_s.get(ledger_id, 0)

    def next_wake_s(self, now_s: int) -> int | None:
        """Return when a silent ledger may be asked again; None if none is silent."""
        return min((t for t in self._silent_until_s.values() if t > now_s), default=None)
