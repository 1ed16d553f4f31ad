"""What either language answers to a transaction, in a form in which answers can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tieline.protocol.events import Event


@dataclass(frozen=True, slots=True)
class Reply:
    """Accepted with events, or refused with a name."""

    refusal: str = ""
    """Class of a Python refusal, or name of a Solidity error; empty if it took effect."""
    detail: str = ""
    events: tuple[Event, ...] = ()
    gas_used: int = 0

    @property
    def is_accepted(self) -> bool:
        """Whether the transaction took effect, if only as a no-op."""
        return not self.refusal


class TwinHost(Protocol):
    """One ledger in one language."""

    now_s: int
    """Chain time of the next transaction."""

    @property
    def chain_tag(self) -> bytes:
        """The same in both languages."""
        ...

    def run(self, sender: str, messages: Sequence[object]) -> Reply:
        """Run messages of a named key as one transaction: all or nothing."""
        ...

    def scan(self, store: str, prefix: bytes) -> Sequence[tuple[bytes, bytes]]:
        """Return all pairs under a prefix, in the encodings of the Python contract."""
        ...

    def save(self) -> object:
        """Return a place to go back to."""
        ...

    def restore(self, place: object) -> None:
        """Go back, as often as one likes."""
        ...
