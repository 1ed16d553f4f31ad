"""
ICS-23 proofs as records and as protobuf bytes. Makes and checks nothing: ``contract`` makes them,
``light_clients.ics23`` checks them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from tieline.wire.errors import Malformed
from tieline.wire.proto_fields import Fields, bytes_field, message_field, uint_field

NO_HASH = 0
SHA256 = 1
NO_PREFIX = 0
VAR_PROTO = 1

_SHA256_INNER = b"\x08\x01\x12"
_SUFFIX_KEY = 0x1A
_ONE_BYTE = 0x80
"""A length below that is one byte."""

_REMEMBERED_BYTES_MAX = 8_192
"""Longer proofs are rare, and would fill memory if they were kept."""


@dataclass(frozen=True, slots=True)
class LeafOp:
    """How key and value become the hash of a leaf."""

    hash: int
    prehash_key: int
    prehash_value: int
    length: int
    prefix: bytes


@dataclass(frozen=True, slots=True)
class InnerOp:
    """How a child's hash becomes its parent's: hash(prefix || child || suffix)."""

    hash: int
    prefix: bytes
    suffix: bytes


@dataclass(frozen=True, slots=True)
class ExistenceProof:
    """A leaf and the steps from it to the root."""

    key: bytes
    value: bytes
    leaf: LeafOp
    path: tuple[InnerOp, ...]


@dataclass(frozen=True, slots=True)
class NonExistenceProof:
    """The neighbours between which *key* is not; at an edge there is only one."""

    key: bytes
    left: ExistenceProof | None
    right: ExistenceProof | None


CommitmentProof = ExistenceProof | NonExistenceProof


def _encode_leaf(leaf: LeafOp) -> bytes:
    return (
        uint_field(1, leaf.hash)
        + uint_field(2, leaf.prehash_key)
        + uint_field(3, leaf.prehash_value)
        + uint_field(4, leaf.length)
        + bytes_field(5, leaf.prefix)
    )


def _encode_existence(proof: ExistenceProof) -> bytes:
    parts = [
        bytes_field(1, proof.key),
        bytes_field(2, proof.value),
        message_field(3, _encode_leaf(proof.leaf)),
    ]
    parts += [message_field(4, _encode_inner(op)) for op in proof.path]
    return b"".join(parts)


def _encode_inner(op: InnerOp) -> bytes:
    prefix, suffix = op.prefix, op.suffix
    if op.hash == SHA256 and 0 < len(prefix) < _ONE_BYTE and len(suffix) < _ONE_BYTE:
        head = b"%b%c%b" % (_SHA256_INNER, len(prefix), prefix)
        return b"%b\x1a%c%b" % (head, len(suffix), suffix) if suffix else head
    return uint_field(1, op.hash) + bytes_field(2, prefix) + bytes_field(3, suffix)


def _decode_inner(data: bytes) -> InnerOp:
    """Nearly all steps are written exactly so; any other goes the long way."""
    if data[:3] == _SHA256_INNER and len(data) > 4 and 0 < data[3] < _ONE_BYTE:
        end = 4 + data[3]
        if end == len(data):
            return InnerOp(SHA256, data[4:end], b"")
        if end + 2 < len(data) == end + 2 + data[end + 1] and data[end] == _SUFFIX_KEY:
            return InnerOp(SHA256, data[4:end], data[end + 2 :])
    step = Fields(data, known=3)
    return InnerOp(step.uint(1), step.octets(2), step.octets(3))


def _encode_absence(proof: NonExistenceProof) -> bytes:
    encoded = bytes_field(1, proof.key)
    if proof.left is not None:
        encoded += message_field(2, _encode_existence(proof.left))
    if proof.right is not None:
        encoded += message_field(3, _encode_existence(proof.right))
    return encoded


def encode_commitment_proof(proof: CommitmentProof) -> bytes:
    """Write a ``cosmos.ics23.v1.CommitmentProof``."""
    if isinstance(proof, ExistenceProof):
        return message_field(1, _encode_existence(proof))
    return message_field(2, _encode_absence(proof))


def _decode_existence(data: bytes) -> ExistenceProof:
    fields = Fields(data, known=4)
    leaf = Fields(fields.octets(3), known=5)
    return ExistenceProof(
        key=fields.octets(1),
        value=fields.octets(2),
        leaf=LeafOp(leaf.uint(1), leaf.uint(2), leaf.uint(3), leaf.uint(4), leaf.octets(5)),
        path=tuple(_decode_inner(raw) for raw in fields.each_bytes(4)),
    )


def decode_commitment_proof(data: bytes) -> CommitmentProof:
    """
    Read a proof of existence or absence.

    Raises:
        Malformed: Anything else, batch and compressed proofs included.
    """
    fields = Fields(data, known=2)
    if fields.has(1) == fields.has(2):
        raise Malformed("neither existence nor absence")
    if fields.has(1):
        return _decode_existence(fields.octets(1))
    absence = Fields(fields.octets(2), known=3)
    return NonExistenceProof(
        key=absence.octets(1),
        left=_decode_existence(absence.octets(2)) if absence.has(2) else None,
        right=_decode_existence(absence.octets(3)) if absence.has(3) else None,
    )


def encode_merkle_proof(proofs: Sequence[CommitmentProof]) -> bytes:
    """Write an ``ibc.core.commitment.v1.MerkleProof``, the proof next to the leaf first."""
    return b"".join(message_field(1, encode_commitment_proof(proof)) for proof in proofs)


def decode_merkle_proof(data: bytes) -> tuple[CommitmentProof, ...]:
    """
    Read a merkle proof.

    Raises:
        Malformed: Not one, or not in the one spelling that ``encode_merkle_proof`` writes.
    """
    if len(data) > _REMEMBERED_BYTES_MAX:
        return _decode(data)
    return _decode_once(data)


def _decode(data: bytes) -> tuple[CommitmentProof, ...]:
    fields = Fields(data, known=1)
    proofs = tuple(decode_commitment_proof(raw) for raw in fields.each_bytes(1))
    if encode_merkle_proof(proofs) != data:
        raise Malformed("merkle proof in a second spelling")
    return proofs


_decode_once = lru_cache(maxsize=1_024)(_decode)
