"""
secp256k1 keys: signing, recovery, and the two addresses of a key.

Nonces follow RFC 6979, so signing draws no randomness.

Sources:
    ``docs/spec/bytes.md`` (typed signatures, accounts).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

from coincurve import PrivateKey, PublicKey
from coincurve.utils import GROUP_ORDER_INT, verify_signature

from tieline.wire.errors import Malformed
from tieline.wire.hashes import keccak, ripemd160, sha256

SIGNATURE_BYTES = 65
COMPACT_SIGNATURE_BYTES = 64
PUBLIC_KEY_BYTES = 33
DIGEST_BYTES = 32
ACCOUNT_BYTES = 20

_V_BASE = 27
_HALF_ORDER = (GROUP_ORDER_INT // 2).to_bytes(32)
_RECOVERY_ID = {27: b"\x00", 28: b"\x01"}
_ADDRESSES_CACHED = 65536


class DigestSigner(Protocol):
    """Whatever signs a digest: ``SecpKey`` here, any ``interfaces.signer.Signer`` elsewhere."""

    def sign_digest(self, digest: bytes) -> bytes:
        """Return 65 bytes r, s, v over a 32-byte digest; low s, v 27 or 28."""
        ...


class SecpKey:
    """A secp256k1 key in memory. Fits ``interfaces.signer.Signer``; its repr shows no secret."""

    __slots__ = ("_address", "_cosmos_account", "_key", "_public_key")

    def __init__(self, private_key: bytes) -> None:
        """Take 32 bytes. Raises Malformed if they are not a private key."""
        try:
            self._key = PrivateKey(private_key)
        except ValueError:
            # The foreign message and its cause could quote the key.
            raise Malformed("not a secp256k1 private key") from None
        self._public_key = self._key.public_key.format()
        self._address = address_of(self._public_key)
        self._cosmos_account = cosmos_account_of(self._public_key)

    @property
    def public_key(self) -> bytes:
        """33 bytes, compressed."""
        return self._public_key

    @property
    def address(self) -> bytes:
        """The EVM address, 20 bytes."""
        return self._address

    @property
    def cosmos_account(self) -> bytes:
        """The account on Cosmos-style ledgers, 20 bytes."""
        return self._cosmos_account

    def sign_digest(self, digest: bytes) -> bytes:
        """Return 65 bytes r, s, v over a 32-byte digest; low s, v 27 or 28."""
        assert len(digest) == DIGEST_BYTES
        signature = self._key.sign_recoverable(digest, hasher=None)
        return signature[:-1] + bytes((signature[-1] + _V_BASE,))

    def __repr__(self) -> str:
        return f"SecpKey(address=0x{self._address.hex()})"


def _recover(digest: bytes, signature: bytes) -> PublicKey:
    if len(digest) != DIGEST_BYTES:
        raise Malformed(f"digest of {len(digest)} bytes")
    if len(signature) != SIGNATURE_BYTES:
        raise Malformed(f"signature of {len(signature)} bytes")
    recovery_id = _RECOVERY_ID.get(signature[64])
    if recovery_id is None:
        raise Malformed(f"signature's v is neither 27 nor 28: {signature[64]}")
    if signature[32:64] > _HALF_ORDER:
        raise Malformed("signature's s is high")
    try:
        return PublicKey.from_signature_and_message(
            signature[:64] + recovery_id, digest, hasher=None
        )
    except ValueError as exc:
        raise Malformed("signature recovers no key") from exc


def recover(digest: bytes, signature: bytes) -> bytes:
    """
    Return the signer's public key, 33 bytes compressed.

    Raises:
        Malformed: Not 65 bytes, v other than 27 or 28, high s, or no key recovers.
    """
    return _recover(digest, signature).format()


def recover_address(digest: bytes, signature: bytes) -> bytes:
    """
    Return the signer's EVM address, 20 bytes; cheaper than ``recover`` and ``address_of``.

    Raises:
        Malformed: As ``recover``.
    """
    return keccak(_recover(digest, signature).format(compressed=False)[1:])[-ACCOUNT_BYTES:]


@lru_cache(maxsize=_ADDRESSES_CACHED)
def address_of(public_key: bytes) -> bytes:
    """Return the EVM address of a 33-byte key, 20 bytes. Raises Malformed if it is no key."""
    if len(public_key) != PUBLIC_KEY_BYTES:
        raise Malformed(f"public key of {len(public_key)} bytes")
    try:
        whole = PublicKey(public_key).format(compressed=False)
    except ValueError as exc:
        raise Malformed("not a point of secp256k1") from exc
    return keccak(whole[1:])[-ACCOUNT_BYTES:]


@lru_cache(maxsize=_ADDRESSES_CACHED)
def cosmos_account_of(public_key: bytes) -> bytes:
    """Return the account of a 33-byte key on Cosmos-style ledgers, 20 bytes."""
    if len(public_key) != PUBLIC_KEY_BYTES:
        raise Malformed(f"public key of {len(public_key)} bytes")
    return ripemd160(sha256(public_key))


def _der_integer(value: bytes) -> bytes:
    value = value.lstrip(b"\0") or b"\0"
    if value[0] & 0x80:
        value = b"\0" + value
    return bytes((2, len(value))) + value


def verify_compact(public_key: bytes, digest: bytes, signature: bytes) -> bool:
    """
    Say whether a 64-byte r, s signature over a 32-byte digest is the key's.

    High s is refused, as Cosmos does (libsecp256k1 verifies no other). A key that is no point of
    the curve verifies nothing.
    """
    if len(signature) != COMPACT_SIGNATURE_BYTES or len(public_key) != PUBLIC_KEY_BYTES:
        return False
    integers = _der_integer(signature[:32]) + _der_integer(signature[32:])
    der = bytes((0x30, len(integers))) + integers
    try:
        return verify_signature(der, digest, public_key, hasher=None)
    except ValueError:
        return False
