"""
Certificates and keys of TLS links in files that an operator names, looked at when they are read:
gRPC says of what it cannot use no more than that there is no connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tieline.interfaces.errors import ConfigError
from tieline.ledgers.named_files import read_named

_PEM: Final = "name a file in PEM"


def read_roots(file: Path, instead: str = _PEM) -> bytes:
    """
    Return certificates in PEM.

    Args:
        file: Of the operator's.
        instead: What to name if it cannot be read.

    Raises:
        ConfigError: The file cannot be read, or holds none.
    """
    content = read_named(file, "TLS root certificates", instead)
    _certificates(content, file)
    return content


def read_pair(certificate_file: Path, key_file: Path, instead: str = _PEM) -> tuple[bytes, bytes]:
    """
    Return a certificate and the key to it, both in PEM.

    Args:
        certificate_file: Of the operator's.
        key_file: The same.
        instead: What to name if one cannot be read.

    Raises:
        ConfigError: A file cannot be read or holds something else, or the two are not of each
            other.
    """
    certificate = read_named(certificate_file, "TLS certificate", instead)
    key = read_named(key_file, "TLS key", instead)
    first = _certificates(certificate, certificate_file)[0]
    try:
        public = first.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(
            "its certificate has a key of a kind that cannot be read",
            file=str(certificate_file),
            instead="name a certificate with a key on P-256",
        ) from None
    try:
        key.decode("ascii")
        loaded = load_pem_private_key(key, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigError(
            "holds no key that can be read",
            file=str(key_file),
            instead="name a file in PEM, the key without a passphrase",
        ) from None
    if loaded.public_key() != public:
        raise ConfigError(
            f"is not the key of {certificate_file}",
            file=str(key_file),
            instead="name certificate and key of one enrolment",
        )
    return certificate, key


def _certificates(pem: bytes, file: Path) -> Sequence[x509.Certificate]:
    try:
        pem.decode("ascii")
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise ConfigError(
            "holds no certificate that can be read", file=str(file), instead=_PEM
        ) from None
