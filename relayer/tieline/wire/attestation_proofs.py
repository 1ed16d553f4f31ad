"""
Signatures of attestors beside what they signed, and proofs that must hold twice (``Paired``).

Protobuf by hand, in one spelling: every receive on our hosts reads one of these.

Sources:
    ``docs/spec/bytes.md`` (attestation, Paired, AttestorKey); ``proto/tieline/client/v1``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tieline.protocol.messages import AnyMessage
from tieline.swap.records import AttestorKey
from tieline.wire.errors import Malformed
from tieline.wire.proto_fields import Fields, bytes_field, message_field, uint_field

PAIRED_URL = "/tieline.client.v1.Paired"
PAIRED_CLIENT_STATE_URL = "/tieline.client.v1.PairedClientState"

SIGNATURES_MAX = 64
"""One a cell, and a cell set has at most 64."""


@dataclass(frozen=True, slots=True)
class AttestationProof:
    """ABI bytes that say something about a ledger's state, and who stands by them."""

    data: bytes
    signatures: tuple[bytes, ...]
    """65 bytes r, s, v each."""

    def encode(self) -> bytes:
        """Write ``AttestationProof``."""
        signed = b"".join(message_field(2, signature) for signature in self.signatures)
        return bytes_field(1, self.data) + signed

    @staticmethod
    def decode(data: bytes) -> AttestationProof:
        """Read what ``encode`` writes. Raises Malformed on anything else."""
        fields = Fields(data, known=2)
        proof = AttestationProof(fields.octets(1), fields.each_bytes(2))
        if len(proof.signatures) > SIGNATURES_MAX:
            raise Malformed(f"too many signatures: {len(proof.signatures)}")
        _check_spelling(proof.encode(), data)
        return proof


@dataclass(frozen=True, slots=True)
class Paired:
    """A header or proof that must hold natively and by attestation."""

    native: bytes
    """Bytes of the native client message as ``Any``, or of the native proof."""
    attestation: bytes
    """Bytes of an ``AttestationProof``; empty beside proof of misbehaviour."""

    def encode(self) -> bytes:
        """Write ``Paired``."""
        return bytes_field(1, self.native) + bytes_field(2, self.attestation)

    @staticmethod
    def decode(data: bytes) -> Paired:
        """Read what ``encode`` writes. Raises Malformed on anything else."""
        fields = Fields(data, known=2)
        paired = Paired(fields.octets(1), fields.octets(2))
        _check_spelling(paired.encode(), data)
        return paired


@dataclass(frozen=True, slots=True)
class SignedAttestorKey:
    """A binding of an attestor's key, signed by the cell and by the key itself."""

    key: AttestorKey
    cell_signature: bytes
    attestor_signature: bytes

    def encode(self) -> bytes:
        """Write ``SignedAttestorKey``."""
        key = (
            bytes_field(1, self.key.chain_tag)
            + bytes_field(2, self.key.cell)
            + bytes_field(3, self.key.attestor)
            + uint_field(4, self.key.from_epoch)
        )
        return (
            message_field(1, key)
            + bytes_field(2, self.cell_signature)
            + bytes_field(3, self.attestor_signature)
        )

    @staticmethod
    def decode(data: bytes) -> SignedAttestorKey:
        """Read what ``encode`` writes."""
        fields = Fields(data, known=3)
        key = Fields(fields.octets(1), known=4)
        record = AttestorKey(key.octets(1), key.octets(2), key.octets(3), key.uint(4))
        return SignedAttestorKey(record, fields.octets(2), fields.octets(3))


@dataclass(frozen=True, slots=True)
class PairedClientState:
    """A native client state, and the attestors who must agree with it."""

    native: AnyMessage
    attestor_keys: tuple[SignedAttestorKey, ...]
    """Ascending by attestor."""
    min_signatures: int
    own_cell: bytes
    """Utility cell of the ledger that runs the client: its attestor must be among the signers."""

    def encode(self) -> bytes:
        """Write ``PairedClientState``."""
        keys = b"".join(message_field(2, key.encode()) for key in self.attestor_keys)
        return (
            message_field(1, encode_any(self.native))
            + keys
            + uint_field(3, self.min_signatures)
            + bytes_field(4, self.own_cell)
        )

    @staticmethod
    def decode(data: bytes) -> PairedClientState:
        """Read what ``encode`` writes. Raises Malformed on anything else."""
        fields = Fields(data, known=4)
        state = PairedClientState(
            decode_any(fields.octets(1)),
            tuple(SignedAttestorKey.decode(raw) for raw in fields.each_bytes(2)),
            fields.uint(3),
            fields.octets(4),
        )
        _check_spelling(state.encode(), data)
        return state

    def as_any(self) -> AnyMessage:
        """Return the bytes with their type."""
        return AnyMessage(PAIRED_CLIENT_STATE_URL, self.encode())


def paired_message(native: AnyMessage, attested: bytes, signatures: Sequence[bytes]) -> AnyMessage:
    """
    Return a native header with the attestation of its height and time as one client message.

    Args:
        native: The native client message.
        attested: State attestation data (``wire.attestations.encode_state_attestation``).
        signatures: 65 bytes r, s, v each; one of them by the own cell's attestor.
    """
    attestation = AttestationProof(attested, tuple(signatures)).encode()
    return AnyMessage(PAIRED_URL, Paired(encode_any(native), attestation).encode())


def paired_proof(native: bytes, attested: bytes, signatures: Sequence[bytes]) -> bytes:
    """
    Return a native proof with an attestation that lists its key as one proof.

    Args:
        native: The native proof.
        attested: Packet attestation data (``wire.attestations.encode_packet_attestation``).
        signatures: 65 bytes r, s, v each; one of them by the own cell's attestor.
    """
    return Paired(native, AttestationProof(attested, tuple(signatures)).encode()).encode()


def encode_any(message: AnyMessage) -> bytes:
    """Write ``google.protobuf.Any``."""
    return bytes_field(1, message.type_url.encode()) + bytes_field(2, message.value)


def decode_any(data: bytes) -> AnyMessage:
    """Read an Any; Malformed if it is none."""
    fields = Fields(data, known=2)
    return AnyMessage(fields.text(1), fields.octets(2))


def _check_spelling(canonical: bytes, data: bytes) -> None:
    if canonical != data:
        raise Malformed("message in a second spelling")
