"""
Events in Cosmos form: a type and ordered string attributes. Hints for observers; nothing that
binds rests on them.

The names of packet events and attributes are ibc-go's, so that Cosmos tools read them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """Something a transaction did. Bytes are lower-case hex, integers decimal."""

    type: str
    attributes: tuple[tuple[str, str], ...]

    def get(self, key: str) -> str:
        """Return the attribute's value. Raises KeyError if there is none."""
        for name, value in self.attributes:
            if name == key:
                return value
        raise KeyError(key)
