"""
Whether two languages answered alike: the same end, the same refusal, the same events, the same
state.
"""

from __future__ import annotations

from collections.abc import Sequence

from fakes.twin.reply import Reply, TwinHost
from tieline.contract.store import TIELINE

REFUSALS: dict[str, set[str]] = {}


def no_one_to_compare(hosts: Sequence[TwinHost], replies: Sequence[Reply], note: str) -> None:
    """One host agrees with itself."""
    del hosts, replies, note


def state_of(host: TwinHost) -> dict[bytes, bytes]:
    """All of store tieline."""
    return dict(host.scan(TIELINE, b""))
