"""An X.509 identity that signs what Fabric wants signed: proposals, envelopes, requests."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tieline.interfaces.errors import ConfigError
from tieline.ledgers.fabric.wallets import Identity
from tieline.wire.fabric import signatures
from tieline.wire.fabric.identities import SerializedIdentity


class X509Carrier:
    """Implements ``port.Carrier``. Its signatures repeat, so a reproducible run does."""

    def __init__(self, identity: Identity) -> None:
        """
        Take up an identity.

        Raises:
            ConfigError: Key or certificate cannot be read, are not of P-256, or not of each other.
        """
        self._creator = SerializedIdentity(identity.msp_id, identity.certificate_pem).encode()
        try:
            certificate = x509.load_pem_x509_certificate(identity.certificate_pem)
            key = load_pem_private_key(identity.key_pem, None)
        except (ValueError, TypeError) as exc:
            raise ConfigError(
                f"the identity of {identity.msp_id} cannot be read: {type(exc).__name__}",
                instead="give certificate and key in PEM, the key as PKCS#8 without a passphrase",
            ) from None
        if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
            raise ConfigError(
                f"the key of {identity.msp_id} is not on P-256", instead="enrol with ECDSA P-256"
            )
        if key.public_key() != certificate.public_key():
            raise ConfigError(
                f"certificate and key of {identity.msp_id} are not of each other",
                instead="take both from one enrolment",
            )
        self._key = key

    @property
    def creator(self) -> bytes:
        """``msp.SerializedIdentity``."""
        return self._creator

    def sign(self, message: bytes) -> bytes:
        """Return an ECDSA P-256 signature over SHA-256 of *message*: DER, low s."""
        return signatures.sign(self._key, message)
