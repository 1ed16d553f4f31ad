"""
Points in time: seconds and nanoseconds since 1970 as different types, so that neither is taken
for the other.

IBC v2 packets count seconds, light clients nanoseconds; ``to_seconds`` is the one way from one to
the other.
"""

from __future__ import annotations

from typing import NewType

TimestampSeconds = NewType("TimestampSeconds", int)
TimestampNanoseconds = NewType("TimestampNanoseconds", int)

NANOSECONDS_PER_SECOND = 1_000_000_000


def to_seconds(timestamp: TimestampNanoseconds) -> TimestampSeconds:
    """Cut to whole seconds, as both ends do before they compare with a packet's timeout."""
    return TimestampSeconds(timestamp // NANOSECONDS_PER_SECOND)


def to_nanoseconds(timestamp: TimestampSeconds) -> TimestampNanoseconds:
    """Widen whole seconds; exact."""
    return TimestampNanoseconds(timestamp * NANOSECONDS_PER_SECOND)
