"""The wall clock, or one that a scenario drives."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Tells the time; deadlines are judged by chain time, never by this."""

    def now_s(self) -> int:
        """Return unix seconds."""
        ...
