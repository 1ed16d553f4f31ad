"""
The client message by which attestors hand a client to their successors.

Sources:
    ``docs/spec/bytes.md`` (RotateSet); ``proto/tieline/client/v1``.
"""

from __future__ import annotations

from dataclasses import dataclass

from tieline.protocol.messages import AnyMessage
from tieline.wire.attestation_proofs import SIGNATURES_MAX, SignedAttestorKey
from tieline.wire.errors import Malformed
from tieline.wire.proto_fields import Fields, message_field, uint_field

ROTATE_SET_URL = "/tieline.client.v1.RotateSet"


@dataclass(frozen=True, slots=True)
class RotateSet:
    """Another attestor set for one client."""

    attestors: tuple[bytes, ...]
    """20 bytes each, ascending."""
    min_signatures: int
    from_height: int
    """Attestations of lower heights are refused from now on."""
    signatures: tuple[bytes, ...]
    """Of the old set over ``ids.rotate_set_digest``, ascending by signer."""
    attestor_keys: tuple[SignedAttestorKey, ...] = ()
    """Whose the attestors are, in their order; empty for a client of attestations alone."""

    def encode(self) -> bytes:
        """Write ``RotateSet``."""
        return (
            b"".join(message_field(1, one) for one in self.attestors)
            + uint_field(2, self.min_signatures)
            + uint_field(3, self.from_height)
            + b"".join(message_field(4, one) for one in self.signatures)
            + b"".join(message_field(5, one.encode()) for one in self.attestor_keys)
        )

    @staticmethod
    def decode(data: bytes) -> RotateSet:
        """Read what ``encode`` writes. Raises Malformed on anything else."""
        fields = Fields(data, known=5)
        rotation = RotateSet(
            fields.each_bytes(1),
            fields.uint(2),
            fields.uint(3),
            fields.each_bytes(4),
            tuple(SignedAttestorKey.decode(one) for one in fields.each_bytes(5)),
        )
        if len(rotation.signatures) > SIGNATURES_MAX:
            raise Malformed(f"too many signatures: {len(rotation.signatures)}")
        if rotation.encode() != data:
            raise Malformed("rotation in a second spelling")
        return rotation

    def as_any(self) -> AnyMessage:
        """Return the bytes with their type."""
        return AnyMessage(ROTATE_SET_URL, self.encode())
