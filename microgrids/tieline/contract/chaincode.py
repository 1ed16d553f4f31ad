"""
The contract as Fabric chaincode: arguments and committed state in, a response and writes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tieline.wire.fabric.invocations import STATUS_OK


class StateReader(Protocol):
    """The committed state that a peer shows to one invocation; a shim's stub is behind it."""

    def get_state(self, key: str, /) -> bytes:
        """Return a value, empty if there is none. Writes of the same invocation are not seen."""
        ...


@dataclass(frozen=True, slots=True)
class Invocation:
    """What one invocation came to."""

    status: int
    """200, or 500 for a refusal."""
    message: str = ""
    """Empty, or the refusal as ``wire.fabric.invocations.encode_refusal`` writes it."""
    payload: bytes = b""
    event: bytes = b""
    """Payload of the chaincode event ``tieline``; empty: the transaction has none."""
    writes: tuple[tuple[str, bytes | None], ...] = ()
    """Ascending by physical key; None deletes. Nothing if refused."""

    @property
    def is_ok(self) -> bool:
        """Whether it may be endorsed."""
        return self.status == STATUS_OK
