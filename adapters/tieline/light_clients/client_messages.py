"""
What the states and messages of all client types have alike as bytes: one spelling, a length, and a
type when they travel.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from tieline.protocol.messages import AnyMessage
from tieline.wire.errors import Malformed


class ClientMessage(ABC):
    """A record of a client type that travels as Any."""

    __slots__ = ()

    URL: ClassVar[str]

    @abstractmethod
    def encode(self) -> bytes:
        """Write the message."""

    def as_any(self) -> AnyMessage:
        """Return the bytes with their type."""
        return AnyMessage(self.URL, self.encode())


def require_length(data: bytes, bytes_max: int, what: str) -> None:
    """Raise Malformed if *data* is longer than any honest *what*."""
    if len(data) > bytes_max:
        raise Malformed(f"{what} too long: bytes={len(data)}")


def require_spelling(canonical: bytes, data: bytes, what: str) -> None:
    """Raise Malformed unless *data* is the one spelling that the encoder writes."""
    if canonical != data:
        raise Malformed(f"{what} in a second spelling")
