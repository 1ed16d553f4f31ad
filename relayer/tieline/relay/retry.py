"""
When to try again, as values that a test can list. Time is an argument, unix seconds of the hub.

What is true later waits a little each time; what was refused waits longer and longer, because the
ledger's state must change first; what took effect is not done again while its event is on its way.
"""

from __future__ import annotations

from dataclasses import dataclass

NOT_YET_DELAY_S = 5
"""One turn of the scenario's clock, one block of a quick ledger."""

REFUSED_DELAYS_S = (5, 10, 20, 40, 80, 160)
"""After the last, always the last: windows are minutes long, so two tries fit in each."""

REDUNDANT_DELAY_S = 15
"""Somebody else brought it, or is about to: its event comes with the next blocks."""

LANDED_DELAY_S = 300
"""It is on the ledger; should its event never come, asking again costs a no-op."""

UNAVAILABLE_DELAYS_S = (1, 2, 5, 10, 30)
"""For a ledger that does not answer."""

LATE_AFTER = 12
"""So many times "not yet" is worth a warning: a minute of blocks."""


def refused_delay_s(attempts: int) -> int:
    """Return how long to wait after the *attempts*-th refusal, seconds; attempts at least 1."""
    return REFUSED_DELAYS_S[min(attempts, len(REFUSED_DELAYS_S)) - 1]


def unavailable_delay_s(attempts: int) -> int:
    """Return how long to leave a silent ledger alone, seconds; attempts at least 1."""
    return UNAVAILABLE_DELAYS_S[min(attempts, len(UNAVAILABLE_DELAYS_S)) - 1]


@dataclass(frozen=True, slots=True)
class Waiting:
    """An effect that is not to be tried before a time."""

    attempts: int
    not_before_s: int
    reason: str
    has_landed: bool = False
    is_suspect: bool = False
    """A ledger refused it: it is tried alone, so that no batch fails for it again."""


class RetryBook:
    """
    Which effects are under way or wait, by name. ``in`` tells whether one must be left alone.
    """

    def __init__(self, not_yet_delay_s: int = NOT_YET_DELAY_S) -> None:
        """Let what is true later wait *not_yet_delay_s* each time."""
        self._not_yet_delay_s = not_yet_delay_s
        self._under_way: set[str] = set()
        self._waiting: dict[str, Waiting] = {}
        self.now_s = 0
        """Set by the owner before it asks."""

    def __contains__(self, name: object) -> bool:
        if name in self._under_way:
            return True
        waiting = self._waiting.get(name) if isinstance(name, str) else None
        return waiting is not None and self.now_s < waiting.not_before_s

    def start(self, name: str) -> None:
        """Mark an effect as under way."""
        self._under_way.add(name)

    def release(self, name: str) -> None:
        """It is not under way any more, and may be decided again at once."""
        self._under_way.discard(name)

    def land(self, name: str) -> None:
        """It took effect."""
        self._wait(name, LANDED_DELAY_S, "landed", has_landed=True)

    def forget(self, name: str) -> None:
        """It took effect and is seen to have: nothing about it is worth knowing."""
        self._under_way.discard(name)
        self._waiting.pop(name, None)

    def forget_all(self) -> None:
        """Nothing is under way, and nothing waits."""
        self._under_way.clear()
        self._waiting.clear()

    def leave(self, name: str) -> None:
        """Somebody else has brought it; should no event say so soon, it is decided again."""
        self._wait(name, REDUNDANT_DELAY_S, "brought by somebody else")

    def defer(self, name: str, reason: str, *, is_suspect: bool = False) -> int:
        """It is true later. Returns how often it was deferred in a row."""
        return self._wait(name, self._not_yet_delay_s, reason, is_suspect=is_suspect)

    def refuse(self, name: str, reason: str) -> int:
        """The ledger refused it. Returns how often in a row."""
        return self._wait(name, refused_delay_s(self._attempts(name)), reason, is_suspect=True)

    def is_suspect(self, name: str) -> bool:
        """Return whether a ledger refused it when it stood alone."""
        waiting = self._waiting.get(name)
        return waiting is not None and waiting.is_suspect

    def _wait(
        self,
        name: str,
        delay_s: int,
        reason: str,
        *,
        has_landed: bool = False,
        is_suspect: bool = False,
    ) -> int:
        self._under_way.discard(name)
        attempts = self._attempts(name)
        not_before_s = self.now_s + delay_s
        self._waiting[name] = Waiting(attempts, not_before_s, reason, has_landed, is_suspect)
        return attempts

    def _attempts(self, name: str) -> int:
        known = self._waiting.get(name)
        return 1 if known is None or known.has_landed else known.attempts + 1

    def waiting(self, name: str) -> Waiting | None:
        """Return why and how long an effect waits."""
        return self._waiting.get(name)

    def next_wake_s(self) -> int | None:
        """
        Return the first time at which something may be tried again; None if nothing waits.

        What has landed waits for a block, not for a time.
        """
        later = [
            waiting.not_before_s
            for waiting in self._waiting.values()
            if not waiting.has_landed and waiting.not_before_s > self.now_s
        ]
        return min(later, default=None)

    def forget_before(self, time_s: int) -> None:
        """Drop what has waited its time out before *time_s*: nobody asked for it again."""
        old = [name for name, waiting in self._waiting.items() if waiting.not_before_s < time_s]
        for name in old:
            del self._waiting[name]
