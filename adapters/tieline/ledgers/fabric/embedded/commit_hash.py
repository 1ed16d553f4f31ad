"""
The hash by which peers compare what they committed: of the validation codes, of what the block
wrote, and of the hash before. No signature covers it.

Sources:
    Fabric 3.1.1, ``core/ledger/kvledger/kv_ledger.go`` (``addBlockCommitHash``) and
    ``txmgmt/txmgr/update_batch_bytes.go``.
"""

from __future__ import annotations

from hashlib import sha256

from tieline.ledgers.fabric.embedded.world_state import Updates, version_bytes
from tieline.wire.fabric.private_hashes import split_namespace
from tieline.wire.proto_fields import bytes_field, message_field, uint_field, uvarint


def commit_hash(transactions_filter: bytes, updates: Updates, previous: bytes) -> bytes:
    """
    Return the commit hash of a block after genesis, which has none.

    Args:
        transactions_filter: A validation code for each transaction.
        updates: What the valid ones write.
        previous: Commit hash of the block before; empty for block 1.
    """
    count = uvarint(len(transactions_filter))
    return sha256(count + transactions_filter + update_bytes(updates) + previous).digest()


def update_bytes(updates: Updates) -> bytes:
    """
    Return ``Updates`` of Fabric's transaction manager: namespaces ascending, in each what is public
    before its collections; a name stands at its first key only.
    """
    written: list[bytes] = []
    last = ""
    for name in sorted(updates.namespaces, key=split_namespace):
        namespace, collection = split_namespace(name)
        head = b"" if namespace == last else bytes_field(1, namespace.encode())
        head += bytes_field(2, collection.encode())
        last = namespace
        for key, (value, version) in sorted(updates.namespaces[name].items()):
            entry = (
                head
                + bytes_field(3, bytes.fromhex(key) if collection else key.encode())
                + uint_field(4, value is None)
                + bytes_field(5, value or b"")
                + bytes_field(6, version_bytes(version))
            )
            written.append(message_field(1, entry))
            head = b""
    return b"".join(written)
