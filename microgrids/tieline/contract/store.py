"""
Keys and values: committed state below, buffered writes above. Reads are dictionary look-ups at
any depth; writes leave sorted, once, at a block's end.

An ``Overlay`` remembers what it overwrote, so that part of a transaction can be undone.
"""

from __future__ import annotations

from typing import Final, Protocol

from tieline.contract.limits import (
    DELETE_GAS,
    READ_GAS,
    READ_GAS_PER_BYTE,
    WRITE_GAS,
    WRITE_GAS_PER_BYTE,
)

IBC: Final = "ibc"
TIELINE: Final = "tieline"
STORES: Final = (IBC, TIELINE)


class Readable(Protocol):
    """Something that answers for keys; a dictionary does."""

    def get(self, key: bytes, /) -> bytes | None:
        """Return the value of *key*, None if there is none."""
        ...


class KeyValues(Readable, Protocol):
    """What messages see of a store. Values are never empty."""

    def set(self, key: bytes, value: bytes) -> None:
        """Write a value of at least one byte."""
        ...

    def delete(self, key: bytes) -> None:
        """Forget a key; no error if it is not there."""
        ...


class Meter(Protocol):
    """Counts work."""

    def charge(self, gas: int) -> None:
        """Add *gas*. Raises OutOfGas above the limit."""
        ...


class Overlay:
    """Writes over something readable, with a way back."""

    __slots__ = ("_base", "_undo", "_writes")

    def __init__(self, base: Readable) -> None:
        self._base = base
        self._writes: dict[bytes, bytes | None] = {}
        self._undo: list[tuple[bytes, bool, bytes | None]] = []

    def get(self, key: bytes) -> bytes | None:
        """Return the newest value of *key*."""
        if key in self._writes:
            return self._writes[key]
        return self._base.get(key)

    def set(self, key: bytes, value: bytes) -> None:
        """Write a value; an empty one would read as absent on some ledgers."""
        assert value, "a stored value has at least one byte"
        self._write(key, value)

    def delete(self, key: bytes) -> None:
        """Forget a key."""
        self._write(key, None)

    def _write(self, key: bytes, value: bytes | None) -> None:
        known = key in self._writes
        self._undo.append((key, known, self._writes[key] if known else None))
        self._writes[key] = value

    def checkpoint(self) -> int:
        """Return a mark to roll back to."""
        return len(self._undo)

    def rollback(self, mark: int) -> None:
        """Undo every write since *mark*, newest first."""
        while len(self._undo) > mark:
            key, known, value = self._undo.pop()
            if known:
                self._writes[key] = value
            else:
                del self._writes[key]

    def flush(self, into: Overlay) -> None:
        """Hand all writes to the overlay below."""
        for key, value in self._writes.items():
            into._write(key, value)

    def sorted_writes(self) -> list[tuple[bytes, bytes | None]]:
        """Return what was written, ascending by key; None deletes."""
        return sorted(self._writes.items(), key=lambda item: item[0])

    def written_keys(self) -> frozenset[bytes]:
        """Return the keys that were written."""
        return frozenset(self._writes)


class TransactionStore(Overlay):
    """The overlay of one transaction: counts work and, if asked to, remembers what was read."""

    __slots__ = ("_meter", "_reads")

    def __init__(self, base: Readable, meter: Meter, *, record_reads: bool = False) -> None:
        super().__init__(base)
        self._meter = meter
        self._reads: set[bytes] | None = set() if record_reads else None

    def get(self, key: bytes) -> bytes | None:
        """Return the newest value of *key*."""
        if self._reads is not None:
            self._reads.add(key)
        value = self._writes[key] if key in self._writes else self._base.get(key)
        self._meter.charge(READ_GAS + READ_GAS_PER_BYTE * (len(value) if value else 0))
        return value

    def _write(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            self._meter.charge(DELETE_GAS)
        else:
            self._meter.charge(WRITE_GAS + WRITE_GAS_PER_BYTE * (len(key) + len(value)))
        super()._write(key, value)

    def read_keys(self) -> frozenset[bytes]:
        """Return the keys that were read; empty unless recording."""
        return frozenset(self._reads or ())


class Scoped:
    """A part of a store: every key behind one prefix."""

    __slots__ = ("_prefix", "_store")

    def __init__(self, store: KeyValues, prefix: bytes) -> None:
        self._store = store
        self._prefix = prefix

    def get(self, key: bytes) -> bytes | None:
        """Return the value of *key* behind the prefix."""
        return self._store.get(self._prefix + key)

    def set(self, key: bytes, value: bytes) -> None:
        """Write behind the prefix."""
        self._store.set(self._prefix + key, value)

    def delete(self, key: bytes) -> None:
        """Forget behind the prefix."""
        self._store.delete(self._prefix + key)
