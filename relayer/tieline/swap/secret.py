"""
The secret of a swap and its hash: 32 bytes each, SHA-256, the same on every ledger.

Nothing here draws a secret; that is done where chance is allowed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

PREIMAGE_LENGTH = 32
"""Exactly this, on every leg: a secret too long for one ledger would open one leg only."""


@dataclass(frozen=True, slots=True, order=True)
class HashLock:
    """What a preimage must hash to. Printable: it is public."""

    digest: bytes

    def __post_init__(self) -> None:
        if len(self.digest) != PREIMAGE_LENGTH:
            raise ValueError(f"hash lock of wrong length: bytes={len(self.digest)}")

    def __str__(self) -> str:
        return self.digest.hex()

    def is_opened_by(self, claimed_preimage: bytes) -> bool:
        """Tell whether *claimed_preimage* has 32 bytes and this hash. Never raises."""
        return (
            len(claimed_preimage) == PREIMAGE_LENGTH
            and sha256(claimed_preimage).digest() == self.digest
        )


@dataclass(frozen=True, slots=True)
class Preimage:
    """The secret itself. Hidden from ``repr`` and ``str``, so that no log can show it."""

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != PREIMAGE_LENGTH:
            raise ValueError(f"preimage of wrong length: bytes={len(self.secret)}")

    @property
    def hash_lock(self) -> HashLock:
        """The lock that this preimage opens."""
        return HashLock(sha256(self.secret).digest())
