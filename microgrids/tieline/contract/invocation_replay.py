"""
A channel's world state kept by running its valid invocations once more, in their order: for the
audit, and to see that two processes come to the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tieline.contract.chaincode import Chaincode, Invocation


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """One invocation as it was handed in."""

    args: tuple[bytes, ...]
    wall_s: int
    """The endorser's clock then, unix seconds."""

    def clock(self) -> int:
        """Return what the endorser's clock showed."""
        return self.wall_s


class ReplayedState:
    """World state over a dictionary."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        """By physical key."""

    def get_state(self, key: str, /) -> bytes:
        """Return a value, empty if there is none."""
        return self.values.get(key, b"")

    def get_states(self, keys: Sequence[str], /) -> list[bytes]:
        """Return a value for each key, empty where there is none."""
        return [self.get_state(key) for key in keys]

    def apply(self, writes: Iterable[tuple[str, bytes | None]]) -> None:
        """Take what a valid invocation wrote; None and empty values delete, as on Fabric."""
        for key, value in writes:
            if value:
                self.values[key] = value
            else:
                self.values.pop(key, None)


def replay(chaincode: Chaincode, calls: Sequence[RecordedCall]) -> Iterator[Invocation]:
    """Yield what *calls* come to, from an empty state, each on what those before it left."""
    state = ReplayedState()
    for call in calls:
        invocation = chaincode.invoke(call.args, state, call.clock)
        state.apply(invocation.writes)
        yield invocation
