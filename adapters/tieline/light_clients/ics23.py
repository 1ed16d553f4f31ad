"""
ICS-23: does a proof show that a key is, or is not, under a root?

The two specs of Cosmos chains (IAVL inside a store, the simple merkle tree over stores). Every
operation is checked against its spec before it is hashed, so that no inner node passes for a leaf.
Stricter than Go's in one thing: an inner IAVL step must have exactly one of the two forms that the
tree can produce.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from tieline.protocol.limits import PAYLOAD_BYTES_MAX, PROOF_BYTES_MAX
from tieline.wire.errors import Malformed
from tieline.wire.ics23_proofs import (
    NO_HASH,
    SHA256,
    VAR_PROTO,
    CommitmentProof,
    ExistenceProof,
    InnerOp,
    LeafOp,
    NonExistenceProof,
    decode_merkle_proof,
)
from tieline.wire.proto_fields import delimited, read_uvarint

DEPTH_MAX = 128
"""Default of ICS-23; an IAVL tree of 2**60 keys is less than 90 deep."""
STORES_DEPTH_MAX = 16
"""Of the tree over stores; a chain has some dozens of them."""
KEY_BYTES_MAX = 1_024
"""Three times the longest path that ICS-24 names."""
VALUE_BYTES_MAX = PAYLOAD_BYTES_MAX + 8_192
"""A neighbour may be a packet that ibc-go keeps until it is acknowledged."""

_LEAF_PREFIX = b"\x00"


class ProofRefused(Exception):
    """The proof does not show it; carries the reason. Never leaves ``light_clients``."""


@dataclass(frozen=True, slots=True)
class ProofSpec:
    """What the operations of one kind of tree look like; all hash with SHA-256, leaves as 0x00."""

    name: str
    child_size: int
    """Bytes of a child inside an inner node, with its length byte if it has one."""
    inner_prefix_min: int
    inner_prefix_max: int
    """Bytes before the first child."""
    is_iavl: bool
    depth_max: int


IAVL_SPEC = ProofSpec("iavl", 33, 4, 12, is_iavl=True, depth_max=DEPTH_MAX)
TENDERMINT_SPEC = ProofSpec("tendermint", 32, 1, 1, is_iavl=False, depth_max=STORES_DEPTH_MAX)


def verify_membership(root: bytes, path: Sequence[bytes], proof: bytes, value: bytes) -> None:
    """
    Check that *value* stands at *path* under *root*.

    Args:
        root: The app hash of the header that proves it.
        path: Store name, then key.
        proof: A two-level ``MerkleProof``, the store's own proof first.
        value: Not empty.

    Raises:
        ProofRefused: It is not shown.
    """
    store, key = _two_steps(path)
    in_store, of_store = _two_levels(proof)
    if not value:
        raise ProofRefused("empty value")
    store_root = _existence_root(IAVL_SPEC, in_store, key, value)
    _check_root(root, _existence_root(TENDERMINT_SPEC, of_store, store, store_root))


def verify_non_membership(root: bytes, path: Sequence[bytes], proof: bytes) -> None:
    """
    Check that nothing stands at *path* (store name, then key) under *root*.

    Raises:
        ProofRefused: It is not shown.
    """
    store, key = _two_steps(path)
    in_store, of_store = _two_levels(proof)
    store_root = _absence_root(IAVL_SPEC, in_store, key)
    _check_root(root, _existence_root(TENDERMINT_SPEC, of_store, store, store_root))


def _two_steps(path: Sequence[bytes]) -> tuple[bytes, bytes]:
    if len(path) != 2 or not all(path):
        raise ProofRefused(f"path has not two steps: count={len(path)}")
    return path[0], path[1]


def _two_levels(proof: bytes) -> tuple[CommitmentProof, CommitmentProof]:
    if len(proof) > PROOF_BYTES_MAX:
        raise ProofRefused(f"proof too long: bytes={len(proof)}")
    try:
        levels = decode_merkle_proof(proof)
    except Malformed as exc:
        raise ProofRefused(f"proof malformed: {exc}") from exc
    if len(levels) != 2:
        raise ProofRefused(f"proof has not two levels: count={len(levels)}")
    return levels[0], levels[1]


def _check_root(root: bytes, computed: bytes) -> None:
    if root != computed:
        raise ProofRefused(f"root differs: expected={root.hex()} computed={computed.hex()}")


def _existence_root(spec: ProofSpec, proof: CommitmentProof, key: bytes, value: bytes) -> bytes:
    if not isinstance(proof, ExistenceProof):
        raise ProofRefused(f"not a proof of existence: tree={spec.name}")
    if proof.key != key:
        raise ProofRefused(f"key differs: tree={spec.name}")
    if proof.value != value:
        raise ProofRefused(f"value differs: tree={spec.name}")
    return _compute_root(spec, proof)


def _compute_root(spec: ProofSpec, proof: ExistenceProof) -> bytes:
    """Check every operation against *spec* as it is folded; what is too large is not hashed."""
    if not proof.key or not proof.value:
        raise ProofRefused("empty key or value in proof")
    if len(proof.key) > KEY_BYTES_MAX or len(proof.value) > VALUE_BYTES_MAX:
        raise ProofRefused(f"key or value too long: {len(proof.key)} {len(proof.value)}")
    if len(proof.path) > spec.depth_max:
        raise ProofRefused(f"proof too deep: tree={spec.name} depth={len(proof.path)}")
    _check_leaf(spec, proof.leaf)
    value_hash = sha256(proof.value).digest()
    digest = sha256(proof.leaf.prefix + delimited(proof.key) + delimited(value_hash)).digest()
    for layer, step in enumerate(proof.path, start=1):
        _check_inner(spec, step, layer)
        digest = sha256(step.prefix + digest + step.suffix).digest()
    return digest


def _check_leaf(spec: ProofSpec, leaf: LeafOp) -> None:
    kind = (leaf.hash, leaf.prehash_key, leaf.prehash_value, leaf.length)
    if kind != (SHA256, NO_HASH, SHA256, VAR_PROTO):
        raise ProofRefused(f"leaf of another kind: tree={spec.name}")
    if not spec.is_iavl:
        if leaf.prefix != _LEAF_PREFIX:
            raise ProofRefused("leaf prefix is not 0x00")
        return
    height, size, _, end = _measures(leaf.prefix)
    if (height, size) != (0, 1) or end != len(leaf.prefix):
        raise ProofRefused("leaf prefix is not that of an IAVL leaf")


def _check_inner(spec: ProofSpec, step: InnerOp, layer: int) -> None:
    if step.hash != SHA256:
        raise ProofRefused(f"inner step of another kind: tree={spec.name}")
    if step.prefix.startswith(_LEAF_PREFIX):
        raise ProofRefused("a leaf passed for an inner step")
    _branch(spec, step)
    if not spec.is_iavl:
        return
    height, size, _, end = _measures(step.prefix)
    if height < layer or size < layer + 1:
        raise ProofRefused(f"inner step too low: layer={layer} height={height} size={size}")
    head, tail = step.prefix[end:], step.suffix
    goes_left = len(head) == 1 and len(tail) == 33 and tail[0] == 0x20
    goes_right = len(head) == 34 and not tail and head[33] == 0x20
    if not (goes_left or goes_right) or head[0] != 0x20:
        raise ProofRefused("inner step is not that of an IAVL tree")


def _measures(prefix: bytes) -> tuple[int, int, int, int]:
    """Read height, size and version, none negative, and the place behind them."""
    try:
        height, place = read_uvarint(prefix, 0)
        size, place = read_uvarint(prefix, place)
        version, place = read_uvarint(prefix, place)
    except Malformed as exc:
        raise ProofRefused("prefix is not that of an IAVL tree") from exc
    if (height | size | version) & 1:  # zigzag: odd means below zero
        raise ProofRefused("negative measure in an IAVL prefix")
    return height >> 1, size >> 1, version >> 1, place


def _branch(spec: ProofSpec, step: InnerOp) -> int:
    """Return 0 if the child is the left one, 1 if the right one."""
    before = len(step.prefix)
    if len(step.suffix) == spec.child_size:
        if spec.inner_prefix_min <= before <= spec.inner_prefix_max:
            return 0
    elif (
        not step.suffix
        and spec.inner_prefix_min <= before - spec.child_size <= spec.inner_prefix_max
    ):
        return 1
    raise ProofRefused(f"inner step of another size: tree={spec.name} prefix={before}")


def _absence_root(spec: ProofSpec, proof: CommitmentProof, key: bytes) -> bytes:
    if not isinstance(proof, NonExistenceProof):
        raise ProofRefused("not a proof of absence")
    if proof.key != key:
        raise ProofRefused("absence of another key")
    left, right = proof.left, proof.right
    roots = {_compute_root(spec, side) for side in (left, right) if side is not None}
    if len(roots) != 1:
        raise ProofRefused(f"neighbours under {len(roots)} roots")
    if left is not None and left.key >= key:
        raise ProofRefused("left neighbour is not below the key")
    if right is not None and right.key <= key:
        raise ProofRefused("right neighbour is not above the key")
    if left is None and right is not None:
        _check_edge(spec, right.path, 0)
    elif right is None and left is not None:
        _check_edge(spec, left.path, 1)
    elif left is not None and right is not None:
        _check_adjacent(spec, left.path, right.path)
    return roots.pop()


def _check_edge(spec: ProofSpec, path: Sequence[InnerOp], branch: int) -> None:
    """Every step of *path* is the leftmost (branch 0) or the rightmost (branch 1)."""
    if any(_branch(spec, step) != branch for step in path):
        raise ProofRefused("neighbour is not at the edge of its tree")


def _check_adjacent(spec: ProofSpec, left: Sequence[InnerOp], right: Sequence[InnerOp]) -> None:
    """
    The paths, once they part from the root down, go left and right, then hug the gap between.
    """
    shared = 0
    shorter = min(len(left), len(right))
    while shared < shorter:
        one, other = left[-1 - shared], right[-1 - shared]
        if (one.prefix, one.suffix) != (other.prefix, other.suffix):
            break
        shared += 1
    if shared == shorter:
        raise ProofRefused("neighbours' paths do not part")
    fork_left, fork_right = left[-1 - shared], right[-1 - shared]
    if (_branch(spec, fork_left), _branch(spec, fork_right)) != (0, 1):
        raise ProofRefused("neighbours do not part to the left and right")
    _check_edge(spec, left[: len(left) - shared - 1], 1)
    _check_edge(spec, right[: len(right) - shared - 1], 0)
