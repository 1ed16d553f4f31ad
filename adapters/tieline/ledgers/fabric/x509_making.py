"""
X.509 certificates as Fabric wants them: P-256 keys, SHA-256, signatures with a low S. Made of a
seed they repeat byte for byte; what a certificate proves is judged elsewhere.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import IPv4Address
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
LIFE: Final = timedelta(days=3650)
SLACK: Final = timedelta(hours=1)
"""Computers' clocks differ."""


@dataclass(frozen=True, slots=True)
class Validity:
    """From when to when certificates hold, both included, to the second."""

    not_before: datetime
    not_after: datetime

    @classmethod
    def around(cls, now_s: int) -> Validity:
        """Return that of certificates made at *now_s*, unix seconds: ten years."""
        now = datetime.fromtimestamp(now_s, UTC)
        return cls(now - SLACK, now + LIFE)


ALWAYS: Final = Validity(datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
"""For ledgers on a scenario's clock."""


@dataclass(frozen=True, slots=True)
class CertifiedKey:
    """A private key and the certificate of its public key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        """The certificate, as files and identities hold it."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def private_pem(self) -> bytes:
        """Return the private key in PKCS #8, not encrypted: for a file of its owner alone."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


@dataclass(frozen=True, slots=True)
class Source:
    """Where keys and serial numbers come from: a seed, or chance."""

    seed: bytes | None

    def key(self, label: str) -> ec.EllipticCurvePrivateKey:
        """Return the private key of *label*; without a seed another one each time."""
        if self.seed is None:
            return ec.generate_private_key(ec.SECP256R1())
        # 64 bytes, so that no scalar is likelier than another.
        wide = self._bytes(f"key/{label}/0") + self._bytes(f"key/{label}/1")
        return ec.derive_private_key(1 + int.from_bytes(wide) % (P256_ORDER - 1), ec.SECP256R1())

    def serial(self, label: str, attempt: int) -> int:
        """Return a serial number of at most 20 bytes, positive."""
        drawn = (
            secrets.token_bytes(16)
            if self.seed is None
            else self._bytes(f"serial/{label}/{attempt}")[:16]
        )
        return int.from_bytes(drawn) | 1 << 127

    def _bytes(self, label: str) -> bytes:
        assert self.seed is not None, "asked for only with a seed"
        return sha256(len(self.seed).to_bytes(4) + self.seed + label.encode()).digest()


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a certificate names."""

    name: str
    organisation: str
    unit: str = ""
    """OU: the role, where Fabric's organisations tell roles by it."""

    def to_name(self) -> x509.Name:
        """Return it as certificates hold it."""
        unit = [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, self.unit)] * bool(self.unit)
        return x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, "CH"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, self.organisation),
                *unit,
                x509.NameAttribute(NameOID.COMMON_NAME, self.name),
            ]
        )


def make_root(source: Source, subject: Subject, validity: Validity) -> CertifiedKey:
    """Return a certificate authority that vouches for itself."""
    label = f"{subject.organisation}/{subject.name}"
    key = source.key(label)
    usage = _usage(is_authority=True)
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=True, path_length=None), True),
        (usage, True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
    ]
    name = subject.to_name()
    return _signed(source, label, key, name, (name, key), validity, extensions)


def make_leaf(
    source: Source,
    subject: Subject,
    issuer: CertifiedKey,
    validity: Validity,
    *,
    hosts: Sequence[str] = (),
) -> CertifiedKey:
    """
    Return a key with a certificate by *issuer*.

    Args:
        source: Of key and serial number.
        subject: Whom it names; keys differ by organisation, name and issuer's name.
        issuer: Whose key signs.
        validity: Of the certificate.
        hosts: Names and IPv4 addresses of a TLS certificate, which servers and clients may use;
            empty: a certificate of an identity.
    """
    issuer_name = issuer.certificate.subject
    kind = "tls" if hosts else "sign"
    label = f"{subject.organisation}/{kind}/{subject.unit}/{subject.name}"
    key = source.key(label)
    authority = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(is_authority=False), True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority.value),
            False,
        ),
    ]
    if hosts:
        both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        names = x509.SubjectAlternativeName([_host(host) for host in hosts])
        extensions += [(x509.ExtendedKeyUsage(both), False), (names, False)]
    signer = (issuer_name, issuer.key)
    return _signed(source, label, key, subject.to_name(), signer, validity, extensions)


def is_low_s(signature: bytes) -> bool:
    """Return whether a DER signature has the S that Fabric accepts; of each two one does."""
    return utils.decode_dss_signature(signature)[1] <= P256_ORDER // 2


def _host(host: str) -> x509.GeneralName:
    if host.replace(".", "").isdigit():
        return x509.IPAddress(IPv4Address(host))
    return x509.DNSName(host)


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def _signed(
    source: Source,
    label: str,
    key: ec.EllipticCurvePrivateKey,
    subject: x509.Name,
    issuer: tuple[x509.Name, ec.EllipticCurvePrivateKey],
    validity: Validity,
    extensions: Sequence[tuple[x509.ExtensionType, bool]],
) -> CertifiedKey:
    """Sign with other serial numbers until S is low: Fabric would rewrite the certificate else."""
    issuer_name, issuer_key = issuer
    attempt = 0
    while True:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer_name)
            .public_key(key.public_key())
            .serial_number(source.serial(label, attempt))
            .not_valid_before(validity.not_before)
            .not_valid_after(validity.not_after)
        )
        for extension, is_critical in extensions:
            builder = builder.add_extension(extension, critical=is_critical)
        made = builder.sign(issuer_key, hashes.SHA256(), ecdsa_deterministic=True)
        if is_low_s(made.signature):
            return CertifiedKey(made, key)
        attempt += 1
