"""
A channel's world state as an audit makes it again: keys with the transactions that wrote them, the
stores of our contract, and the hash by which peers compare what they committed.

Sources:
    Fabric 3.1.1, ``core/ledger/kvledger/kv_ledger.go`` and ``txmgmt/txmgr/update_batch_bytes.go``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from tieline.contract.store import STORES
from tieline.wire.fabric.invocations import CHAINCODE_NAME, store_key_of
from tieline.wire.fabric.private_hashes import (
    decode_hashed_set,
    hashed_namespace,
    split_namespace,
)
from tieline.wire.fabric.rwsets import NamespaceSet, Version
from tieline.wire.proto_fields import bytes_field, message_field, uint_field, uvarint

StateKey = tuple[str, str]
"""Namespace and key; of private data, where its hashes are kept and hex of the key's hash."""


@dataclass(slots=True)
class BlockWrites:
    """What the valid transactions of one block write so far; of one key, the last of them."""

    written: dict[StateKey, tuple[bytes | None, Version]] = field(
        default_factory=dict[StateKey, tuple[bytes | None, Version]]
    )
    """None: deleted."""

    def take(self, sets: Sequence[NamespaceSet], version: Version) -> None:
        """Add what one transaction writes."""
        for one in sets:
            for write in one.writes:
                value = None if write.is_deletion else write.value
                self.written[one.namespace, write.key] = (value, version)
            for hashed in map(decode_hashed_set, one.collections):
                name = hashed_namespace(one.namespace, hashed.collection)
                for key, value in hashed.writes:
                    self.written[name, key] = (value, version)


class ChannelState:
    """All that a peer holds of one channel."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._held: dict[StateKey, tuple[bytes, Version]] = {}
        self._stores: dict[str, dict[bytes, bytes]] = {name: {} for name in STORES}

    def value(self, namespace: str, key: str) -> bytes:
        """Return what a key holds, empty if it is absent."""
        held = self._held.get((namespace, key))
        return b"" if held is None else held[0]

    def version(self, namespace: str, key: str) -> Version | None:
        """Return who wrote what stands, None if the key is absent."""
        held = self._held.get((namespace, key))
        return None if held is None else held[1]

    def apply(self, writes: BlockWrites) -> None:
        """Take over what a block wrote."""
        for place, (value, version) in writes.written.items():
            if value is None:
                self._held.pop(place, None)
            else:
                self._held[place] = (value, version)
            if place[0] == CHAINCODE_NAME:
                self._keep(place[1], value)

    def _keep(self, physical: str, value: bytes | None) -> None:
        named = store_key_of(physical)
        if named is None:
            return
        store, key = named
        if value is None:
            self._stores[store].pop(key, None)
        else:
            self._stores[store][key] = value

    def query(self, store: str, key: bytes) -> bytes | None:
        """Return a value of store ``ibc`` or ``tieline``."""
        return self._stores[store].get(key)

    def scan(self, store: str, prefix: bytes) -> list[tuple[bytes, bytes]]:
        """Return all pairs of a store under *prefix*, ascending."""
        return sorted(
            (key, value) for key, value in self._stores[store].items() if key.startswith(prefix)
        )


class SimulatedOn:
    """
    State as one transaction of a block finds it, noting what is read; fits
    ``contract.chaincode.StateReader``.
    """

    def __init__(self, state: ChannelState, writes: BlockWrites) -> None:
        """Look at *state* with *writes*, of earlier transactions of the block, upon it."""
        self._state, self._writes = state, writes
        self.read: set[str] = set()

    def get_state(self, key: str, /) -> bytes:
        """Return a value of our chaincode's namespace, empty if there is none."""
        self.read.add(key)
        written = self._writes.written.get((CHAINCODE_NAME, key))
        if written is not None:
            return written[0] or b""
        return self._state.value(CHAINCODE_NAME, key)

    def get_states(self, keys: Sequence[str], /) -> list[bytes]:
        """Return a value for each key, empty where there is none."""
        return [self.get_state(key) for key in keys]


def commit_hash(codes: bytes, writes: BlockWrites, previous: bytes) -> bytes:
    """
    Return the hash that peers keep of a block behind genesis.

    Args:
        codes: A validation code for each transaction.
        writes: What the valid ones write.
        previous: Of the block before; empty for block 1.
    """
    return sha256(uvarint(len(codes)) + codes + _update_bytes(writes.written) + previous).digest()


def _update_bytes(written: Mapping[StateKey, tuple[bytes | None, Version]]) -> bytes:
    """
    Write a block's updates ascending, of a namespace what is public before its collections; each is
    named at its first key only.
    """
    parts: list[bytes] = []
    named, named_collection = "", ""
    for (name, key), (value, version) in sorted(
        written.items(), key=lambda one: (split_namespace(one[0][0]), one[0][1])
    ):
        namespace, collection = split_namespace(name)
        is_named = (namespace, collection) == (named, named_collection)
        entry = (
            (b"" if namespace == named else bytes_field(1, namespace.encode()))
            + (b"" if is_named else bytes_field(2, collection.encode()))
            + bytes_field(3, bytes.fromhex(key) if collection else key.encode())
            + uint_field(4, int(value is None))
            + bytes_field(5, value or b"")
            + bytes_field(6, _ordered(version.block) + _ordered(version.index))
        )
        named, named_collection = namespace, collection
        parts.append(message_field(1, entry))
    return b"".join(parts)


def _ordered(number: int) -> bytes:
    """Write a number so that the order of numbers is that of their bytes."""
    size = (number.bit_length() + 7) // 8
    return bytes((size,)) + number.to_bytes(size)
