"""
In which form a client takes headers and proofs: native alone, or native paired with attestations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tieline.protocol.messages import AnyMessage
from tieline.wire.attestation_proofs import paired_message, paired_proof


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
