"""
In which form a client takes headers and proofs: native alone, native paired with attestations, or
attestations alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tieline.light_clients.attestations.messages import proof_as_any
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.wire.attestation_proofs import AttestationProof, paired_message, paired_proof


@dataclass(frozen=True, slots=True)
class Attestation:
    """What a quorum of attestors signed: the data, and signatures by ascending address."""

    data: bytes
    signatures: tuple[bytes, ...]
    """65 bytes r, s, v each."""


class ProofForm(Protocol):
    """How one kind of client wants what is shown to it."""

    @property
    def is_attested(self) -> bool:
        """Whether attestations are part of it."""
        ...

    def header(self, native: AnyMessage, attestation: Attestation | None) -> AnyMessage:
        """Return the client message; *attestation* is of the header's state."""
        ...

    def proof(self, native: bytes, attestation: Attestation | None) -> bytes:
        """Return the proof bytes; *attestation* lists the proved key."""
        ...

    def height(self, native: Height) -> Height:
        """Return the height that the client holds of a native one."""
        ...


class PlainForm:
    """Native headers and proofs, as a stock chain takes them."""

    @property
    def is_attested(self) -> bool:
        """No attestations."""
        return False

    def header(self, native: AnyMessage, attestation: Attestation | None) -> AnyMessage:
        """Return the native header."""
        assert attestation is None, "a plain client takes no attestation"
        return native

    def proof(self, native: bytes, attestation: Attestation | None) -> bytes:
        """Return the native proof."""
        assert attestation is None, "a plain client takes no attestation"
        return native

    def height(self, native: Height) -> Height:
        """Return the native height."""
        return native


class PairedForm:
    """Native and attested at once, as our own Python hosts take them."""

    @property
    def is_attested(self) -> bool:
        """Both halves must be there."""
        return True

    def header(self, native: AnyMessage, attestation: Attestation | None) -> AnyMessage:
        """Return the paired client message."""
        assert attestation is not None, "a paired client takes an attestation"
        return paired_message(native, attestation.data, attestation.signatures)

    def proof(self, native: bytes, attestation: Attestation | None) -> bytes:
        """Return the paired proof."""
        assert attestation is not None, "a paired client takes an attestation"
        return paired_proof(native, attestation.data, attestation.signatures)

    def height(self, native: Height) -> Height:
        """Return the native height."""
        return native


class AttestedForm:
    """Attested alone: on Ethereum, and of ledgers that have no headers to show."""

    @property
    def is_attested(self) -> bool:
        """Attestations are all there is."""
        return True

    def header(self, native: AnyMessage, attestation: Attestation | None) -> AnyMessage:
        """Return the attested state; the native header was for the attestors."""
        del native
        assert attestation is not None, "an attestations client takes an attestation"
        return proof_as_any(AttestationProof(attestation.data, attestation.signatures))

    def proof(self, native: bytes, attestation: Attestation | None) -> bytes:
        """Return the attestation; the native proof was for the attestors."""
        del native
        assert attestation is not None, "an attestations client takes an attestation"
        return AttestationProof(attestation.data, attestation.signatures).encode()

    def height(self, native: Height) -> Height:
        """Return the same number without a revision: attestations name none."""
        return Height(0, native.revision_height)
