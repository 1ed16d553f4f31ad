"""
A peer's world state: for each namespace its keys, each value with the version that wrote it, which
is the place of a transaction. What was deleted has no version.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

from tieline.wire.fabric.rwsets import Version


def version_bytes(version: Version) -> bytes:
    """Write a version so that the order of versions is that of their bytes."""
    return _ordered(version.block) + _ordered(version.index)


def _ordered(number: int) -> bytes:
    size = (number.bit_length() + 7) // 8
    return bytes([size]) + number.to_bytes(size)


@dataclass(frozen=True, slots=True)
class Versioned:
    """A value that stands in the world state."""

    value: bytes
    version: Version


@dataclass(slots=True)
class Updates:
    """What the valid transactions of one block write; of one key, the last of them."""

    namespaces: dict[str, dict[str, tuple[bytes | None, Version]]] = field(
        default_factory=dict[str, dict[str, tuple[bytes | None, Version]]]
    )
    """By namespace and key; None deletes."""

    def has(self, namespace: str, key: str) -> bool:
        """Tell whether an earlier transaction of the block wrote or deleted this key."""
        return key in self.namespaces.get(namespace, ())

    def put(self, namespace: str, key: str, value: bytes | None, version: Version) -> None:
        """Write, or with None delete; an empty value deletes too, as in every Fabric."""
        self.namespaces.setdefault(namespace, {})[key] = (value or None, version)


class WorldState:
    """All that one peer holds of one channel."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._namespaces: dict[str, dict[str, Versioned]] = {}

    def get(self, namespace: str, key: str) -> Versioned | None:
        """Return a value and who wrote it, None if it is absent."""
        found = self._namespaces.get(namespace)
        return None if found is None else found.get(key)

    def version(self, namespace: str, key: str) -> Version | None:
        """Return who wrote the value that stands, None if it is absent."""
        held = self.get(namespace, key)
        return None if held is None else held.version

    def apply(self, updates: Updates) -> None:
        """Take over what a block wrote."""
        for name, pairs in updates.namespaces.items():
            namespace = self._namespaces.setdefault(name, {})
            for key, (value, version) in pairs.items():
                if value is None:
                    namespace.pop(key, None)
                else:
                    namespace[key] = Versioned(value, version)

    def digest(self) -> bytes:
        """Return a hash over all namespaces, keys, values and versions, in ascending order."""
        digest = sha256()
        for name in sorted(self._namespaces):
            for key, held in sorted(self._namespaces[name].items()):
                for part in (name.encode(), key.encode(), held.value, version_bytes(held.version)):
                    digest.update(len(part).to_bytes(4))
                    digest.update(part)
        return digest.digest()
