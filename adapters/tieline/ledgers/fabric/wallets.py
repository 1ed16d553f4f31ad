"""
Where X.509 identities are kept: in a folder, in memory, or in a database file whose rows are
encrypted under a passphrase. One interface; who uses an identity does not know where it lay.

An identity carries transactions and has no power over what is in them.
"""

from __future__ import annotations

import contextlib
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
from typing import Any, Final, Protocol, Self, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tieline.interfaces.errors import ConfigError
from tieline.wire.bounded_json import loads

PRIVATE_MODE: Final = 0o600
_OTHERS: Final = 0o077
_SUFFIX: Final = ".id"
_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_SCRYPT_N: Final = 2**15
"""About 32 MiB and a tenth of a second a guess."""
_CHECK: Final = "tieline wallet"
_TABLES: Final = {"head": "salt BLOB, sealed BLOB", "held": "label TEXT PRIMARY KEY, row BLOB"}


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
            content = cast("dict[str, object]", loads(data.decode()))
            is_known = (content["type"], content["version"]) == ("X.509", 1)
            if not is_known or not isinstance(content["mspId"], str) or not content["mspId"]:
                raise KeyError("type")  # noqa: TRY301 -- one message for all of it
            content["mspId"].encode()  # JSON may hold halves of characters, Fabric's bytes cannot
            held = cast("dict[str, str]", content["credentials"])
            certificate = held["certificate"].encode("ascii")
            return cls(content["mspId"], certificate, held["privateKey"].encode())
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
        except (OSError, sqlite3.Error) as exc:
            raise self._no_wallet(exc) from exc
        with contextlib.ExitStack() as undo:
            undo.callback(self._rows.close)
            self._cipher = self._open(passphrase)
            undo.pop_all()

    def put(self, label: str, identity: Identity) -> None:
        """Keep an identity. Raises ConfigError: a label that is none, or it cannot be written."""
        row = _seal(self._cipher, _checked(label), identity.to_json())
        self._run("INSERT OR REPLACE INTO held VALUES (?, ?)", label, row)

    def get(self, label: str) -> Identity:
        """Return an identity. Raises ConfigError, also if its row was altered."""
        found = self._run("SELECT row FROM held WHERE label = ?", label)
        if not found:
            raise _missing(label, self._place, self.labels())
        try:
            data = _unseal(self._cipher, label, found[0][0])
        except InvalidTag:
            raise ConfigError(
                f"the row of {label} was altered",
                file=self._place,
                instead="put the identity in anew, and look at who may write to the file",
            ) from None
        return Identity.from_json(data, self._place)

    def remove(self, label: str) -> None:
        """Forget an identity. Raises ConfigError: the file cannot be written."""
        self._run("DELETE FROM held WHERE label = ?", label)

    def labels(self) -> Sequence[str]:
        """Return all labels, ascending. Raises ConfigError: the file cannot be read."""
        return [str(row[0]) for row in self._run("SELECT label FROM held ORDER BY label")]

    def close(self) -> None:
        """Let go of the file."""
        self._rows.close()

    def _open(self, passphrase: str) -> AESGCM:
        tables = {row[0] for row in self._run("SELECT name FROM sqlite_master WHERE type='table'")}
        if tables - set(_TABLES):
            raise self._no_wallet("it is an SQLite file of something else")
        if tables != set(_TABLES) or not self._run("SELECT salt FROM head"):
            self._begin(passphrase)
        heads = self._run("SELECT salt, sealed FROM head")
        if len(heads) != 1 or not isinstance(heads[0][0], bytes):
            raise self._no_wallet("its head is damaged")
        salt, sealed = heads[0]
        cipher = AESGCM(_key(passphrase, salt))
        try:
            _unseal(cipher, _CHECK, sealed)
        except InvalidTag:
            raise ConfigError(
                "the passphrase is not this wallet's",
                file=self._place,
                instead="give the one that it was begun with; without it nothing can be read",
            ) from None
        return cipher

    def _begin(self, passphrase: str) -> None:
        """Write a head, unless another process does so just now, or rows are left of a lost one."""
        salt = secrets.token_bytes(_SALT_BYTES)
        sealed = _seal(AESGCM(_key(passphrase, salt)), _CHECK, _CHECK.encode())
        self._run("BEGIN IMMEDIATE")
        for table, columns in _TABLES.items():
            self._run(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
        self._run(
            "INSERT INTO head SELECT ?, ? WHERE NOT EXISTS (SELECT * FROM head)"
            " AND NOT EXISTS (SELECT * FROM held)",
            *(salt, sealed),
        )
        self._run("COMMIT")

    def _run(self, statement: str, *values: str | bytes) -> list[Any]:
        try:
            return self._rows.execute(statement, values).fetchall()
        except sqlite3.Error as exc:
            raise self._no_wallet(exc) from exc

    def _no_wallet(self, why: object) -> ConfigError:
        return ConfigError(
            f"no wallet that can be used: {why}",
            file=self._place,
            instead="name the file of a wallet that this user can write, and nobody else uses now",
        )


def _seal(cipher: AESGCM, label: str, data: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, data, label.encode())


def _unseal(cipher: AESGCM, label: str, row: object) -> bytes:
    """Return what was sealed. Raises InvalidTag for whatever was not, under this key and label."""
    if not isinstance(row, bytes) or len(row) < _NONCE_BYTES:
        raise InvalidTag
    return cipher.decrypt(row[:_NONCE_BYTES], row[_NONCE_BYTES:], label.encode())


def _key(passphrase: str, salt: bytes) -> bytes:
    return hashlib.scrypt(
        # What the environment holds need not be UTF-8.
        passphrase.encode(errors="surrogateescape"),
        salt=salt,
        n=_SCRYPT_N,
        r=8,
        p=1,
        maxmem=2**26,
        dklen=32,
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
