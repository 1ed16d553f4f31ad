"""
Read and write sets: what a transaction read, in which version, and what it writes.

Sources:
    fabric-protos ``ledger/rwset/rwset.proto``, ``ledger/rwset/kvrwset/kv_rwset.proto``; Fabric 3.1
    ``core/ledger/kvledger/txmgmt/rwsetutil``.
"""

from __future__ import annotations

from dataclasses import dataclass

from tieline.wire.errors import Malformed
from tieline.wire.fabric.reader import Message
from tieline.wire.proto_fields import bytes_field, message_field, uint_field

NAMESPACES_MAX = 1 << 18
KEYS_MAX = 1 << 20
"""Of one namespace. Other chaincodes may use them up: no fewer than a block has room for."""


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """The transaction that wrote a value: its block and its place in it, from 0."""

    block: int
    index: int

    def encode(self) -> bytes:
        """Write ``kvrwset.Version``."""
        return uint_field(1, self.block) + uint_field(2, self.index)

    @staticmethod
    def decode(data: bytes) -> Version:
        """Read a version. Raises Malformed."""
        fields = Message(data)
        return Version(fields.uint64(1), fields.uint64(2))


@dataclass(frozen=True, slots=True)
class Read:
    """A key that was read; version None says that it was absent."""

    key: str
    version: Version | None = None

    def encode(self) -> bytes:
        """Write ``kvrwset.KVRead``."""
        version = b"" if self.version is None else message_field(2, self.version.encode())
        return bytes_field(1, self.key.encode()) + version

    @staticmethod
    def decode(data: bytes) -> Read:
        """Read a read. Raises Malformed."""
        fields = Message(data)
        version = fields.embedded(2)
        return Read(fields.text(1), None if version is None else Version.decode(version))


@dataclass(frozen=True, slots=True)
class Write:
    """A key that is written or deleted."""

    key: str
    value: bytes = b""
    is_delete: bool = False

    @property
    def is_deletion(self) -> bool:
        """Whether the key is absent afterwards: an empty value deletes too."""
        return self.is_delete or not self.value

    def encode(self) -> bytes:
        """Write ``kvrwset.KVWrite``."""
        return (
            bytes_field(1, self.key.encode())
            + uint_field(2, int(self.is_delete))
            + bytes_field(3, self.value)
        )

    @staticmethod
    def decode(data: bytes) -> Write:
        """Read a write. Raises Malformed."""
        fields = Message(data)
        return Write(fields.text(1), fields.octets(3), fields.boolean(2))


@dataclass(frozen=True, slots=True)
class NamespaceSet:
    """What one transaction read and writes in one chaincode's namespace, each in its order."""

    namespace: str
    reads: tuple[Read, ...] = ()
    writes: tuple[Write, ...] = ()
    range_queries: tuple[bytes, ...] = ()
    """``kvrwset.RangeQueryInfo``, unread: nothing here makes or proves any."""
    metadata_writes: tuple[bytes, ...] = ()
    """``kvrwset.KVMetadataWrite``, unread; one could put another policy in a key's way."""
    collections: tuple[bytes, ...] = ()
    """``rwset.CollectionHashedReadWriteSet``: hashes of private data, unread."""

    def encode(self) -> bytes:
        """Write ``rwset.NsReadWriteSet``."""
        keys = (
            *(message_field(1, one.encode()) for one in self.reads),
            *(message_field(2, one) for one in self.range_queries),
            *(message_field(3, one.encode()) for one in self.writes),
            *(message_field(4, one) for one in self.metadata_writes),
        )
        collections = b"".join(message_field(3, one) for one in self.collections)
        return (
            bytes_field(1, self.namespace.encode()) + bytes_field(2, b"".join(keys)) + collections
        )

    @staticmethod
    def decode(data: bytes) -> NamespaceSet:
        """Read a namespace's sets. Raises Malformed."""
        outer = Message(data)
        inner = Message(outer.octets(2))
        reads, writes = inner.each(1), inner.each(3)
        if len(reads) + len(writes) > KEYS_MAX:
            raise Malformed(f"too many keys: reads={len(reads)} writes={len(writes)}")
        return NamespaceSet(
            outer.text(1),
            tuple(map(Read.decode, reads)),
            tuple(map(Write.decode, writes)),
            inner.each(2),
            inner.each(4),
            outer.each(3),
        )


@dataclass(frozen=True, slots=True)
class ReadWriteSet:
    """``rwset.TxReadWriteSet``: what a transaction read and writes, by namespace."""

    namespaces: tuple[NamespaceSet, ...] = ()

    def of(self, namespace: str) -> NamespaceSet:
        """Return one namespace's sets, empty if the transaction did not touch it."""
        for one in self.namespaces:
            if one.namespace == namespace:
                return one
        return NamespaceSet(namespace)

    def encode(self) -> bytes:
        """Write the sets, data model KV."""
        return b"".join(message_field(2, one.encode()) for one in self.namespaces)

    @staticmethod
    def decode(data: bytes) -> ReadWriteSet:
        """Read the sets. Raises Malformed; also if a namespace is there twice."""
        namespaces = Message(data).each(2)
        if len(namespaces) > NAMESPACES_MAX:
            raise Malformed(f"too many namespaces: count={len(namespaces)}")
        found = ReadWriteSet(tuple(map(NamespaceSet.decode, namespaces)))
        if len({one.namespace for one in found.namespaces}) != len(found.namespaces):
            raise Malformed("namespace twice in a read and write set")
        return found
