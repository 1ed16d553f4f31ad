"""
One invocation against the committed state: what it reads is noted with its version, what it writes
is only told. The chaincode sees no writes of its own, as on every Fabric peer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from tieline.contract.chaincode import Invocation, StateReader
from tieline.ledgers.fabric.embedded.world_state import WorldState
from tieline.wire.fabric.rwsets import NamespaceSet, Read, Version, Write


class Chaincode(Protocol):
    """What peers run: ``contract.chaincode.Chaincode``, or a part of the peer itself."""

    def invoke(
        self, args: Sequence[bytes], state: StateReader, wall_s: Callable[[], int], /
    ) -> Invocation:
        """Run one invocation. *wall_s* is the peer's clock, unix seconds."""
        ...


class Simulator:
    """The committed state of one namespace, as one invocation sees it."""

    def __init__(self, state: WorldState, namespace: str) -> None:
        """Begin with nothing read."""
        self._state = state
        self._namespace = namespace
        self._read: dict[str, Version | None] = {}

    def get_state(self, key: str, /) -> bytes:
        """Return a committed value, empty if there is none, and note its version."""
        held = self._state.get(self._namespace, key)
        self._read[key] = None if held is None else held.version
        return b"" if held is None else held.value

    def get_states(self, keys: Sequence[str], /) -> list[bytes]:
        """Return a value for each key, and note their versions."""
        return [self.get_state(key) for key in keys]

    def sets(self, writes: Sequence[tuple[str, bytes | None]] = ()) -> NamespaceSet:
        """Return what was read, and *writes*, each ascending by key."""
        reads = tuple(Read(key, version) for key, version in sorted(self._read.items()))
        written = (Write(key, value or b"", is_delete=not value) for key, value in sorted(writes))
        return NamespaceSet(self._namespace, reads, tuple(written))
