"""A place in a ledger's history."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Height:
    """
    A place in a ledger's history. ``revision_number`` counts restarts from genesis,
    ``revision_height`` blocks since.
    """

    revision_number: int
    revision_height: int
    """At least 1; zero is "no height" and cannot be built."""

    def __post_init__(self) -> None:
        if self.revision_number < 0 or self.revision_height < 1:
            place = f"revision={self.revision_number} height={self.revision_height}"
            message = f"height out of range: {place}"
            raise ValueError(message)

    def __str__(self) -> str:
        return f"{self.revision_number}-{self.revision_height}"
