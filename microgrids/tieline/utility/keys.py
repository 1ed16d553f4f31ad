"""
Who holds which key. An owner has one secret; its keys are derived from it by purpose.

Drawn at run time into ``keys/OWNER.secret`` (mode 0600), never committed. A scenario may ask for
*reproducible* keys instead, made from its seed: two runs then give the same blocks byte for byte.
Anyone who reads the scenario can make those keys too, so they are for embedded ledgers only.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from tieline.interfaces.errors import ConfigError
from tieline.wire.keys import SecpKey

SECRET_BYTES = 32
PRIVATE_MODE = 0o600
SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class KeyRing:
    """
    The keys of a topology, by owner and purpose.

    Args:
        folder: Where secrets lie or are put; made when missing.
        seed: When given, secrets come from it and nothing is written.
    """

    def __init__(self, folder: Path, seed: str | None = None) -> None:
        self._folder = folder
        self._seed = seed
        self._secrets: dict[str, bytes] = {}

    def derive(self, owner: str, purpose: str) -> bytes:
        """Return 32 bytes that only *owner*'s secret gives for *purpose*."""
        return hmac.new(self._secret(owner), purpose.encode(), hashlib.sha256).digest()

    def key(self, owner: str, purpose: str) -> SecpKey:
        """Return the secp256k1 key of *owner* for *purpose*."""
        scalar = int.from_bytes(self.derive(owner, purpose), "big") % (SECP256K1_ORDER - 1) + 1
        return SecpKey(scalar.to_bytes(SECRET_BYTES, "big"))

    def _secret(self, owner: str) -> bytes:
        if owner not in self._secrets:
            self._secrets[owner] = self._read_or_draw(owner)
        return self._secrets[owner]

    def _read_or_draw(self, owner: str) -> bytes:
        if self._seed is not None:
            return hashlib.sha256(f"tieline reproducible\0{self._seed}\0{owner}".encode()).digest()
        path = self._folder / f"{owner}.secret"
        if path.exists():
            secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
            if len(secret) != SECRET_BYTES:
                raise ConfigError(
                    f"{len(secret)} bytes instead of {SECRET_BYTES}",
                    file=str(path),
                    instead="put the secret back that was drawn for this run",
                )
            return secret
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        secret = secrets.token_bytes(SECRET_BYTES)
        beside = path.with_suffix(".new")
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secret.hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        # A link never overwrites a secret that exists, and what it names is whole.
        path.hardlink_to(beside)
        beside.unlink()
        return secret
