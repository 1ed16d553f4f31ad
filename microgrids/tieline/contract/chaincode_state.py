"""
A Fabric channel's world state as one invocation of the contract sees it.

Fabric shows the committed state only, and takes an empty value for a deletion; the contract reads
its own writes and stores no empty value. Overlays above, one sorted list of writes at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tieline.contract.chaincode_errors import ClockNotSet
from tieline.contract.store import STORES, Overlay
from tieline.protocol.time import TimestampNanoseconds, TimestampSeconds, to_nanoseconds
from tieline.wire.fabric.invocations import CLOCK_KEY, decode_number, physical_key


class StateReader(Protocol):
    """The committed state that a peer shows to one invocation; a shim's stub is behind it."""

    def get_state(self, key: str, /) -> bytes:
        """
        Return a value, empty if there is none. Writes of the same invocation are not seen.

        Whatever is raised ends the invocation and is raised to its caller: the peer does not
        answer, and a refusal would be a lie.
        """
        ...

    def get_states(self, keys: Sequence[str], /) -> Sequence[bytes]:
        """Return a value for each of *keys*, in one request. Raises as ``get_state``."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What a function that writes came to, before its marker is added."""

    writes: Mapping[str, bytes | None]
    """By physical key; None deletes."""
    payload: bytes = b""
    event: bytes = b""


class ShownState:
    """
    Asks for each key once, together with those that are foreseen, and remembers if the peer failed
    to answer.
    """

    def __init__(self, reader: StateReader) -> None:
        self._reader = reader
        self._seen: dict[str, bytes | None] = {}
        self._foreseen: dict[str, None] = {}
        self.failure: Exception | None = None
        """What the peer failed with; a message that asked may have been refused for it."""

    def foresee(self, *keys: str) -> None:
        """Say that these are going to be read: the next request asks for them too."""
        self._foreseen.update((key, None) for key in keys if key not in self._seen)

    def get(self, key: str) -> bytes | None:
        """Return the committed value of a physical key, None if there is none."""
        if key not in self._seen:
            try:
                self._ask(key)
            except Exception as exc:  # whatever it is: a message could be refused for it
                self.failure = exc
                raise
        return self._seen[key]

    def _ask(self, key: str) -> None:
        if not self._foreseen:
            self._seen[key] = self._reader.get_state(key) or None
            return
        keys = tuple({key: None} | self._foreseen)
        values = self._reader.get_states(keys)
        self._seen.update((one, value or None) for one, value in zip(keys, values, strict=True))
        self._foreseen = {}

    def clock_s(self) -> TimestampSeconds | None:
        """Return the ledger's time, unix seconds; None before the first Tick."""
        value = self.get(CLOCK_KEY)
        return None if value is None else TimestampSeconds(decode_number(value))

    def now_ns(self) -> TimestampNanoseconds:
        """Return the ledger's time. Raises ClockNotSet before the first Tick."""
        now_s = self.clock_s()
        if now_s is None:
            raise ClockNotSet("this ledger has no time before its first Tick")
        return to_nanoseconds(now_s)

    def overlays(self) -> dict[str, Overlay]:
        """Return a write buffer over each store, by name."""
        return {name: Overlay(_Store(self, name)) for name in STORES}


class _Store:
    """One store's keys, read by the contract's own bytes."""

    __slots__ = ("_name", "_shown")

    def __init__(self, shown: ShownState, name: str) -> None:
        self._shown = shown
        self._name = name

    def get(self, key: bytes, /) -> bytes | None:
        """Return the committed value."""
        return self._shown.get(physical_key(self._name, key))


def physical_writes(overlays: Mapping[str, Overlay]) -> dict[str, bytes | None]:
    """Return what was written, by physical key; None deletes."""
    return {
        physical_key(name, key): value
        for name, overlay in overlays.items()
        for key, value in overlay.sorted_writes()
    }
