"""
Key files of a relayer: one secp256k1 key a file, drawn here, readable by its owner only.

A key is never printed and never asked for on a command line; its account is.
"""

from __future__ import annotations

import hmac
import os
import secrets
from hashlib import sha256
from pathlib import Path
from stat import S_IMODE

from coincurve.utils import GROUP_ORDER_INT

from tieline.interfaces.errors import ConfigError
from tieline.wire.errors import Malformed
from tieline.wire.keys import SecpKey

KEY_BYTES = 32
PRIVATE_MODE = 0o600
_OTHERS = 0o077


def draw_key(path: Path) -> bool:
    """
    Make a key file unless it is there. Return whether it was made.

    Raises:
        ConfigError: It cannot be written.
    """
    if path.exists():
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.new")
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        # A link never overwrites a key that exists, and what it names is whole.
        path.hardlink_to(beside)
        beside.unlink()
    except OSError as exc:
        raise ConfigError(
            f"the key file cannot be written: {exc.strerror}",
            file=str(path),
            instead="name a file in a folder that you may write to",
        ) from exc
    return True


def read_keys(path: Path, count: int = 1) -> list[SecpKey]:
    """
    Read a key file and return *count* keys: its own, and those that are made from it.

    Raises:
        ConfigError: It is not there, holds no key, or others may read it.
    """
    secret = _read_secret(path)
    made = [
        hmac.new(secret, f"tieline relay lane {number}".encode(), sha256).digest()
        for number in range(1, count)
    ]
    scalars = [int.from_bytes(one) % (GROUP_ORDER_INT - 1) + 1 for one in made]
    try:
        return [SecpKey(one) for one in (secret, *(n.to_bytes(KEY_BYTES) for n in scalars))]
    except Malformed:
        raise _no_key(path, 2 * len(secret)) from None


def _read_secret(path: Path) -> bytes:
    try:
        if S_IMODE(path.stat().st_mode) & _OTHERS:
            raise ConfigError(
                "others may read this key",
                file=str(path),
                instead=f"run `chmod 600 {path}`, and move the money if others have a login here",
            )
        text = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as exc:
        raise ConfigError(
            "the key file cannot be read",
            file=str(path),
            instead="run `tieline relay keys` to make it",
        ) from exc
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        raise _no_key(path, len(text)) from None
    if len(secret) != KEY_BYTES:
        raise _no_key(path, len(text))
    return secret


def _no_key(path: Path, length: int) -> ConfigError:
    # What was read is not quoted: it may be nearly a key.
    return ConfigError(
        f"no key: {length} characters, not {2 * KEY_BYTES} hex digits",
        file=str(path),
        instead="put the file back that `tieline relay keys` made",
    )
