"""
Has a packet expired. One comparison for both ends, in whole seconds, inclusive: there is no
instant at which a packet can be received and timed out.

Sources:
    ibc-go v11 ``04-channel/v2/keeper/packet.go``; ``docs/spec/trade.md`` (*from T* means
    ``now >= T``).
"""

from __future__ import annotations

from tieline.protocol.errors import InvalidTimeout, TimeoutElapsed
from tieline.protocol.limits import TIMEOUT_AHEAD_S_MAX
from tieline.protocol.time import TimestampSeconds


def has_elapsed(timeout_s: int, now_s: TimestampSeconds) -> bool:
    """Say whether a packet with this timeout can no longer be received at *now_s*."""
    return now_s >= timeout_s


def require_sendable(timeout_s: int, now_s: TimestampSeconds) -> None:
    """
    Check a timeout against the sender's own chain time.

    Raises:
        TimeoutElapsed: It has passed already.
        InvalidTimeout: It is more than ``TIMEOUT_AHEAD_S_MAX`` ahead.
    """
    if has_elapsed(timeout_s, now_s):
        raise TimeoutElapsed("timeout elapsed on the source", timeout_s=timeout_s, now_s=now_s)
    if timeout_s > now_s + TIMEOUT_AHEAD_S_MAX:
        raise InvalidTimeout(
            "timeout too far ahead", timeout_s=timeout_s, latest_s=now_s + TIMEOUT_AHEAD_S_MAX
        )
