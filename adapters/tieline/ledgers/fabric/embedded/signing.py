"""Members of organisations as signatories: an identity, and signatures that repeat."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from tieline.ledgers.fabric.material import Member
from tieline.wire.fabric.signatures import sign


@dataclass(frozen=True, slots=True)
class Signatory:
    """Fits ``port.Carrier``."""

    creator: bytes
    """A ``msp.SerializedIdentity``."""
    key: EllipticCurvePrivateKey

    @staticmethod
    def of(member: Member) -> Signatory:
        """Return a member as a signatory."""
        return Signatory(member.creator(), member.signing.key)

    def sign(self, message: bytes) -> bytes:
        """Return an ECDSA P-256 signature over SHA-256 of *message*: DER, low s."""
        return sign(self.key, message)
