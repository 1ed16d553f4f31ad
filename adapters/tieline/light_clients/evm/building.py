"""
What whoever serves an EVM ledger's proofs hands to its light client, from what nodes return.

Checks nothing: the client does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tieline.light_clients.evm.messages import COMMITMENTS_SLOT, ClientHeader, StorageProof
from tieline.wire.hashes import keccak

EMPTY_TRIE_NODE = b"\x80"
"""RLP of nothing; its hash is the root of an empty trie."""


def commitment_slot(path: bytes, commitments_slot: bytes = COMMITMENTS_SLOT) -> bytes:
    """
    Return the storage slot of a commitment, 32 bytes: what ``eth_getProof`` is asked for.

    Args:
        path: Raw IBC v2 path: client id, kind, sequence.
        commitments_slot: Slot of the mapping in the host contract.
    """
    return keccak(keccak(path) + commitments_slot)


def pooled_nodes(proofs: Iterable[Sequence[bytes]]) -> tuple[bytes, ...]:
    """Return the nodes of several proofs, each once, in the order in which they come up."""
    return tuple(dict.fromkeys(node for proof in proofs for node in proof))


def client_header(
    header: bytes,
    account_proofs: Iterable[Sequence[bytes]],
    seals: Sequence[bytes],
    trusted_height: int = 0,
) -> ClientHeader:
    """
    Put together what brings a client to a block.

    Args:
        header: RLP.
        account_proofs: ``accountProof`` of each pinned contract, ascending by address.
        seals: 65 bytes each; put into ascending order of signers by whoever made them. Empty for
            QBFT and IBFT2.
        trusted_height: Held by the client; of no account where seals stand beside the header,
            because an authority set never changes.
    """
    builds_upon = 0 if seals else trusted_height
    return ClientHeader(header, tuple(seals), pooled_nodes(account_proofs), builds_upon)


def storage_proof(nodes: Sequence[bytes]) -> bytes:
    """Return the native proof for ``StoredValue.proof`` from an ``eth_getProof`` node list."""
    return StorageProof(tuple(nodes) or (EMPTY_TRIE_NODE,)).encode()
