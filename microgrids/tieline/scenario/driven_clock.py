"""
The scenario's clock: it stands on a 5-second grid and jumps to the next instant at which something
is due.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

GRID_S = 5


class DrivenClock:
    """Time for everything in a scenario; ``interfaces.clock.Clock``."""

    def __init__(self, start_s: int) -> None:
        self._now_s = start_s
        self._instants: list[int] = []
        self._known: set[int] = set()

    def now_s(self) -> int:
        """Return unix seconds."""
        return self._now_s

    def jump(self, now_s: int) -> None:
        """Go on from a later instant, rounded up to the grid: where a resumed run stands."""
        self._now_s = max(self._now_s, -(-now_s // GRID_S) * GRID_S)

    def remember(self, instants: Iterable[int]) -> None:
        """Stop at these instants, rounded up to the grid; those that have passed are skipped."""
        for instant in instants:
            on_grid = -(-instant // GRID_S) * GRID_S
            if on_grid > self._now_s and on_grid not in self._known:
                self._known.add(on_grid)
                heapq.heappush(self._instants, on_grid)

    def step(self, *, is_busy: bool) -> bool:
        """
        Move on: one grid step while ledgers are busy, else to the next instant.

        Returns:
            False when nothing lies ahead; time then stands.
        """
        if is_busy:
            self._now_s += GRID_S
        elif self._instants:
            self._now_s = max(self._now_s + GRID_S, self._instants[0])
        else:
            return False
        while self._instants and self._instants[0] <= self._now_s:
            self._known.discard(heapq.heappop(self._instants))
        return True
