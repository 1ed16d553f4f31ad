"""
What transactions tell of private data: hashes of keys and values, by collection. Our chaincode has
none; Fabric's own ``_lifecycle`` keeps approvals so, each organisation in a collection of its own.

Sources:
    fabric-protos ``ledger/rwset/kvrwset/kv_rwset.proto``; Fabric 3.1.1,
    ``core/ledger/kvledger/txmgmt/privacyenabledstate/db.go``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tieline.wire.errors import Malformed
from tieline.wire.fabric.reader import Message
from tieline.wire.fabric.rwsets import Version

_HASHED: Final = "$$h"
_OWN: Final = "_implicit_org_"


@dataclass(frozen=True, slots=True)
class HashedSet:
    """What one transaction read and writes of a collection; keys are hex of their hashes."""

    collection: str
    reads: tuple[tuple[str, Version | None], ...]
    writes: tuple[tuple[str, bytes | None], ...]
    """Hash of each value; None deletes."""

    @property
    def owner(self) -> str | None:
        """MSP id of the organisation whose own collection it is; None of any other."""
        name = self.collection
        return name.removeprefix(_OWN) if name.startswith(_OWN) else None


@lru_cache(maxsize=256)
def decode_hashed_set(data: bytes) -> HashedSet:
    """
    Read ``rwset.CollectionHashedReadWriteSet``.

    Raises:
        Malformed: No such message, or one that sets policies of keys.
    """
    outer = Message(data)
    inner = Message(outer.octets(2))
    if inner.each(3):
        raise Malformed("policies of private keys are not known here")
    reads: list[tuple[str, Version | None]] = []
    for one in map(Message, inner.each(1)):
        version = one.embedded(2)
        reads.append((one.octets(1).hex(), None if version is None else Version.decode(version)))
    writes = [
        (one.octets(1).hex(), None if one.boolean(2) else one.octets(3))
        for one in map(Message, inner.each(2))
    ]
    return HashedSet(outer.text(1), tuple(reads), tuple(writes))


def hashed_namespace(namespace: str, collection: str) -> str:
    """Return where a peer keeps a collection's hashes."""
    return f"{namespace}{_HASHED}{collection}"


def split_namespace(name: str) -> tuple[str, str]:
    """Return namespace and collection; the latter is empty for what is public."""
    namespace, _, collection = name.partition(_HASHED)
    return namespace, collection
