"""
Where X.509 identities are kept: in a folder, in memory, or in a database file whose rows are
encrypted under a passphrase. One interface; who uses an identity does not know where it lay.

An identity carries transactions and has no power over what is in them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_IMODE
from typing import Final, Protocol, Self, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tieline.interfaces.errors import ConfigError

PRIVATE_MODE: Final = 0o600
_OTHERS: Final = 0o077
_SUFFIX: Final = ".id"
_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_SCRYPT_N: Final = 2**15
"""About 32 MiB and a tenth of a second a guess."""
_CHECK: Final = "tieline wallet"


@dataclass(frozen=True, slots=True)
class Identity:
    """An X.509 certificate, the key to it, and the organisation's name on the channel."""

    msp_id: str
    certificate_pem: bytes
    key_pem: bytes = field(repr=False)
    """PKCS#8, not encrypted: the wallet's matter."""

    def to_json(self) -> bytes:
        """Return it as Fabric's own wallets write it (``X.509``, version 1)."""
        content = {
            "credentials": {
                "certificate": self.certificate_pem.decode("ascii"),
                "privateKey": self.key_pem.decode("ascii"),
            },
            "mspId": self.msp_id,
            "type": "X.509",
            "version": 1,
        }
        return json.dumps(content, sort_keys=True).encode()

    @classmethod
    def from_json(cls, data: bytes, place: str) -> Self:
        """
        Read what ``to_json`` or another Fabric wallet wrote.

        Args:
            data: The bytes.
            place: Where they are from, for messages.

        Raises:
            ConfigError: They are no identity.
        """
        try:
            content = cast("dict[str, object]", json.loads(data))
            if (content["type"], content["version"]) != ("X.509", 1):
                raise KeyError("type")  # noqa: TRY301 -- one message for all of it
            held = cast("dict[str, str]", content["credentials"])
            certificate = held["certificate"].encode("ascii")
            return cls(cast("str", content["mspId"]), certificate, held["privateKey"].encode())
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise ConfigError(
                f"no X.509 identity: {type(exc).__name__}",
                file=place,
                instead="put it in anew; a wallet of version 1 holds credentials, mspId and type",
            ) from None


class Wallet(Protocol):
    """Identities by label."""

    def put(self, label: str, identity: Identity) -> None:
        """Keep an identity, in the place of another of this label. Raises ConfigError."""
        ...

    def get(self, label: str) -> Identity:
        """Return an identity. Raises ConfigError if there is none of this label."""
        ...

    def remove(self, label: str) -> None:
        """Forget an identity; nothing if there is none."""
        ...

    def labels(self) -> Sequence[str]:
        """Return all labels, ascending."""
        ...


class MemoryWallet:
    """A ``Wallet`` that ends with the process."""

    def __init__(self) -> None:
        self._held: dict[str, Identity] = {}

    def put(self, label: str, identity: Identity) -> None:
        """Keep an identity. Raises ConfigError for a label that is none."""
        self._held[_checked(label)] = identity

    def get(self, label: str) -> Identity:
        """Return an identity. Raises ConfigError."""
        if label not in self._held:
            raise _missing(label, "memory", self.labels())
        return self._held[label]

    def remove(self, label: str) -> None:
        """Forget an identity."""
        self._held.pop(label, None)

    def labels(self) -> Sequence[str]:
        """Return all labels, ascending."""
        return sorted(self._held)


class FolderWallet:
    """A ``Wallet`` of one file an identity, as Fabric's SDKs lay them out; for its owner only."""

    def __init__(self, folder: Path) -> None:
        """Use *folder*; it is made when the first identity is kept."""
        self._folder = folder

    def put(self, label: str, identity: Identity) -> None:
        """Keep an identity. Raises ConfigError."""
        path = self._path(label)
        beside = path.with_name(f"{path.name}.new")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            beside.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with os.fdopen(os.open(beside, flags, PRIVATE_MODE), "wb") as file:
                file.write(identity.to_json())
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except OSError as exc:
            raise ConfigError(
                f"the identity cannot be written: {exc.strerror}",
                file=str(path),
                instead="name a folder that you may write to",
            ) from exc

    def get(self, label: str) -> Identity:
        """Return an identity. Raises ConfigError, also if others may read its key."""
        path = self._path(label)
        try:
            mode = S_IMODE(path.stat().st_mode)
            data = path.read_bytes()
        except FileNotFoundError:
            raise _missing(label, str(self._folder), self.labels()) from None
        except OSError as exc:
            raise ConfigError(f"cannot be read: {exc.strerror}", file=str(path)) from exc
        if mode & _OTHERS:
            raise ConfigError(
                "others may read this key",
                file=str(path),
                instead=f"run `chmod 600 {path}`, and ask for a new certificate",
            )
        return Identity.from_json(data, str(path))

    def remove(self, label: str) -> None:
        """Forget an identity."""
        self._path(label).unlink(missing_ok=True)

    def labels(self) -> Sequence[str]:
        """Return all labels, ascending."""
        return sorted(path.name.removesuffix(_SUFFIX) for path in self._folder.glob(f"*{_SUFFIX}"))

    def _path(self, label: str) -> Path:
        return self._folder / f"{_checked(label)}{_SUFFIX}"


class DatabaseWallet:
    """
    A ``Wallet`` in one SQLite file. A row is AES-256-GCM under a key that scrypt makes of the
    passphrase; its label is authenticated with it, so rows cannot be exchanged.
    """

    def __init__(self, path: Path, passphrase: str) -> None:
        """
        Open or begin a wallet.

        Args:
            path: The file.
            passphrase: Of the wallet; what it is drawn from is the operator's matter.

        Raises:
            ConfigError: It is no wallet, the passphrase is another, or it cannot be written.
        """
        self._place = str(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE))
            self._rows = sqlite3.connect(path, isolation_level=None)
            self._rows.execute("CREATE TABLE IF NOT EXISTS head (salt BLOB, sealed BLOB)")
            self._rows.execute("CREATE TABLE IF NOT EXISTS held (label TEXT PRIMARY KEY, row BLOB)")
            self._cipher = self._open(passphrase)
        except (OSError, sqlite3.Error) as exc:
            raise ConfigError(
                f"no wallet: {exc}", file=self._place, instead="name the file of a wallet"
            ) from exc

    def put(self, label: str, identity: Identity) -> None:
        """Keep an identity. Raises ConfigError for a label that is none."""
        row = self._seal(_checked(label), identity.to_json())
        self._rows.execute("INSERT OR REPLACE INTO held VALUES (?, ?)", (label, row))

    def get(self, label: str) -> Identity:
        """Return an identity. Raises ConfigError, also if its row was altered."""
        found = self._rows.execute("SELECT row FROM held WHERE label = ?", (label,)).fetchone()
        if found is None:
            raise _missing(label, self._place, self.labels())
        try:
            data = self._unseal(label, cast("bytes", found[0]))
        except InvalidTag:
            raise ConfigError(
                f"the row of {label} was altered",
                file=self._place,
                instead="put the identity in anew, and look at who may write to the file",
            ) from None
        return Identity.from_json(data, self._place)

    def remove(self, label: str) -> None:
        """Forget an identity."""
        self._rows.execute("DELETE FROM held WHERE label = ?", (label,))

    def labels(self) -> Sequence[str]:
        """Return all labels, ascending."""
        return [str(row[0]) for row in self._rows.execute("SELECT label FROM held ORDER BY label")]

    def close(self) -> None:
        """Let go of the file."""
        self._rows.close()

    def _open(self, passphrase: str) -> AESGCM:
        head = self._rows.execute("SELECT salt, sealed FROM head").fetchone()
        salt = secrets.token_bytes(_SALT_BYTES) if head is None else cast("bytes", head[0])
        cipher = AESGCM(_key(passphrase, salt))
        self._cipher = cipher
        if head is None:
            sealed = self._seal(_CHECK, _CHECK.encode())
            self._rows.execute("INSERT INTO head VALUES (?, ?)", (salt, sealed))
            return cipher
        try:
            self._unseal(_CHECK, cast("bytes", head[1]))
        except InvalidTag:
            self._rows.close()
            raise ConfigError(
                "the passphrase is not this wallet's",
                file=self._place,
                instead="give the one that it was begun with; without it nothing can be read",
            ) from None
        return cipher

    def _seal(self, label: str, data: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, data, label.encode())

    def _unseal(self, label: str, row: bytes) -> bytes:
        return self._cipher.decrypt(row[:_NONCE_BYTES], row[_NONCE_BYTES:], label.encode())


def _key(passphrase: str, salt: bytes) -> bytes:
    return hashlib.scrypt(
        passphrase.encode(), salt=salt, n=_SCRYPT_N, r=8, p=1, maxmem=2**26, dklen=32
    )


def _checked(label: str) -> str:
    if not _LABEL.fullmatch(label):
        raise ConfigError(
            f"no label: {label!r}",
            instead="write 1 to 64 letters, digits, dots, dashes, underscores or @",
        )
    return label


def _missing(label: str, place: str, there: Sequence[str]) -> ConfigError:
    offered = ", ".join(there) or "nothing"
    return ConfigError(
        f"no identity called {label!r}",
        file=place,
        instead=f"put it in, or name another; there is {offered}",
    )
