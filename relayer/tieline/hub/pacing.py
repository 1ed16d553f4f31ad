"""
When a ledger's transactions go: at once, or together where each of them costs.

On a ledger with a window, what is to be done waits a little for company, and work on which nobody
waits goes along with the next that somebody does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tieline.relay.effects import Effect, StepName

CLEARING_PATIENCE_S = 45
"""The ledger's own cell may bring a clearing along with the locks that stand on it."""
PATIENT = frozenset(
    {
        StepName.REFUND_LOCK,
        StepName.RELEASE_ORDERS,
        StepName.COLLECT_SHARES,
        StepName.POST_CELL_SETS,
    }
)
"""Steps that return what is somebody's in any case."""


@dataclass(frozen=True, slots=True)
class Window:
    """How long a ledger's transactions wait for company, seconds; 0: not at all."""

    window_s: int = 0
    patience_s: int = 0
    """Of steps on which no other step and no deadline hangs."""


class Pacing:
    """What of each ledger's work has waited how long."""

    def __init__(self, windows: Mapping[str, Window]) -> None:
        """Pace the ledgers named; the others send at once."""
        self._windows = {key: one for key, one in windows.items() if one.window_s}
        self._since: dict[str, dict[str, int]] = {}
        self._wake_s: dict[str, int] = {}

    def begin(self, ledger_ids: Collection[str]) -> None:
        """
        Begin a round in which these ledgers may have work; of the others nothing waits any more.

        A time that was noted before is none: whoever wakes asks for the earliest, and one that has
        passed would hide the others.
        """
        self._wake_s.clear()
        self._since = {key: one for key, one in self._since.items() if key in ledger_ids}

    def due(self, ledger_id: str, effects: Sequence[Effect], now_s: int) -> Sequence[Effect]:
        """Return all of a ledger's *effects* if one of them has waited long enough, else none."""
        window = self._windows.get(ledger_id)
        if window is None:
            return effects
        before = self._since.get(ledger_id, {})
        since = {effect.name: before.get(effect.name, now_s) for effect in effects}
        due_s = min((since[one.name] + _wait_s(one, window) for one in effects), default=None)
        self._wake_s.pop(ledger_id, None)
        if due_s is None or due_s <= now_s:
            self._since.pop(ledger_id, None)
            return effects
        self._since[ledger_id] = since
        self._wake_s[ledger_id] = due_s
        return ()

    def next_wake_s(self) -> int | None:
        """Return when something will have waited long enough, None if nothing waits."""
        return min(self._wake_s.values(), default=None)


def _wait_s(effect: Effect, window: Window) -> int:
    if effect.step in PATIENT:
        return window.patience_s
    if effect.step is StepName.POST_CLEARING:
        return max(window.window_s, CLEARING_PATIENCE_S)
    return window.window_s
