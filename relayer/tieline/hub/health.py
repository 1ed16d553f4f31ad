"""Which ledgers answer, and which make blocks. A silent one is left alone, longer each time."""

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
        self._reasons: dict[str, str] = {}
        self._block_seen_s: dict[str, int] = {}
        self._waiting_since_s: dict[str, int] = {}

    def note_silence(self, ledger_id: str, now_s: int, error: Unavailable) -> None:
        """A ledger did not answer."""
        attempts = self._attempts.get(ledger_id, 0) + 1
        self._attempts[ledger_id] = attempts
        self._silent_until_s[ledger_id] = now_s + unavailable_delay_s(attempts)
        self._reasons[ledger_id] = str(error)
        _LOG.warning("ledger silent ledger=%s attempts=%d error=%s", ledger_id, attempts, error)

    def note_answer(self, ledger_id: str) -> None:
        """A ledger answered."""
        if self._attempts.pop(ledger_id, 0):
            _LOG.info("ledger answers again ledger=%s", ledger_id)
            del self._silent_until_s[ledger_id]
            del self._reasons[ledger_id]

    def is_silent(self, ledger_id: str, now_s: int) -> bool:
        """Return whether a ledger is to be left alone now."""
        return now_s < self._silent_until_s.get(ledger_id, 0)

    def next_wake_s(self, now_s: int) -> int | None:
        """Return when a silent ledger may be asked again; None if none is silent."""
        return min((t for t in self._silent_until_s.values() if t > now_s), default=None)

    def silence(self, ledger_id: str) -> str:
        """Return why a ledger is taken for silent; empty if it answered last."""
        return self._reasons.get(ledger_id, "")

    def note_block(self, ledger_id: str, now_s: int, *, is_waited_for: bool) -> None:
        """A new block was seen; *is_waited_for*: transactions of ours wait for the next one."""
        self._block_seen_s[ledger_id] = now_s
        if is_waited_for:
            self._waiting_since_s[ledger_id] = now_s
        else:
            self._waiting_since_s.pop(ledger_id, None)

    def note_submitted(self, ledger_id: str, now_s: int) -> None:
        """A transaction of ours waits for a block."""
        self._waiting_since_s.setdefault(ledger_id, now_s)

    def standstill_s(self, ledger_id: str, now_s: int) -> int:
        """Return how long a ledger has left transactions of ours without a block, or 0."""
        return max(now_s - self._waiting_since_s.get(ledger_id, now_s), 0)

    def since_block_s(self, ledger_id: str, now_s: int) -> int | None:
        """Return how long ago the last new block was seen; None if none was."""
        seen_s = self._block_seen_s.get(ledger_id)
        return None if seen_s is None else now_s - seen_s
