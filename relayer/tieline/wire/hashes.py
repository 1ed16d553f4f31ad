"""
The two hashes of the specification: SHA-256 for IBC, attestations and hash locks; keccak-256 for
all that the application signs or merkles. Never mixed.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from sha3 import keccak_256


def keccak(data: bytes) -> bytes:
    """Return the 32-byte keccak-256 hash (not NIST's SHA3)."""
    return keccak_256(data).digest()


def sha256(data: bytes) -> bytes:
    """Return the 32-byte SHA-256 hash."""
    return hashlib.sha256(data).digest()


def _ripemd160_is_built_in() -> bool:
    """OpenSSL 3 offers RIPEMD-160 only with its legacy provider."""
    try:
        hashlib.new("ripemd160", b"", usedforsecurity=False)
    except ValueError:
        return False
    return True


_RIPEMD160_IS_BUILT_IN = _ripemd160_is_built_in()


def ripemd160(data: bytes) -> bytes:
    """Return the 20-byte RIPEMD-160 hash, from pycryptodome where OpenSSL has none."""
    if _RIPEMD160_IS_BUILT_IN:
        return hashlib.new("ripemd160", data, usedforsecurity=False).digest()
    # A megabyte of modules that most machines need not load.
    from Crypto.Hash import RIPEMD160  # noqa: PLC0415

    return RIPEMD160.new(data).digest()


@lru_cache(maxsize=4096)
def tag(text: str) -> bytes:
    """Return T(text): the keccak-256 hash of the text in UTF-8."""
    return keccak(text.encode())
