"""A key that signs, and does not show itself."""

from __future__ import annotations

from typing import Protocol


class Signer(Protocol):
    """A secp256k1 key."""

    @property
    def public_key(self) -> bytes:
        """33 bytes, compressed."""
        ...

    @property
    def address(self) -> bytes:
        """
        20 bytes: the EVM address, the account of typed signatures, cells, meters and attestors.
        """
        ...

    @property
    def cosmos_account(self) -> bytes:
        """
        20 bytes: ripemd160(sha256(public key)), the account of this key on Cosmos-style ledgers.
        """
        ...

    def sign_digest(self, digest: bytes) -> bytes:
        """Return 65 bytes r, s, v over a 32-byte digest; low s, v 27 or 28."""
        ...
