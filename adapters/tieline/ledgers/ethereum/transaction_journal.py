"""
What this process has sent from its accounts, on disk before it is on its way: nonces are counted
here, never asked of a node while something is under way. Also the hashes of the blocks that were
acted on, by which a chain that was begun anew is known.

One nonce has one content; each form of it (the first, then those that pay more) has a hash. A
transaction is known by the hash of its first form.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tieline.interfaces.errors import ConfigError, Unavailable
from tieline.ledgers.ethereum.fees import Fees
from tieline.wire.evm import rlp

BLOCKS_KEPT: Final = 256
"""Of the final blocks that were acted on: a re-organisation goes no deeper, a reset does."""
ENDED_KEPT: Final = 512
"""Ended transactions of an account: a deep re-organisation brings them back."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS forms (
    account BLOB NOT NULL, nonce INTEGER NOT NULL, form INTEGER NOT NULL, hash BLOB NOT NULL,
    raw BLOB NOT NULL, max_fee TEXT NOT NULL, priority_fee TEXT NOT NULL,
    PRIMARY KEY (account, nonce, form)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ended (
    account BLOB NOT NULL, nonce INTEGER NOT NULL, height INTEGER NOT NULL,
    PRIMARY KEY (account, nonce)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blocks (height INTEGER PRIMARY KEY, hash BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS instance (chain_tag BLOB NOT NULL);
"""
LOST: Final = -1
"""Height of a nonce that a transaction of somebody else has used."""


@dataclass(frozen=True, slots=True)
class Form:
    """One signed transaction."""

    tx_hash: bytes
    raw: bytes
    fees: Fees


@dataclass(slots=True)
class Sent:
    """A nonce, and all that was signed with it; the last form pays most."""

    account: bytes
    nonce: int
    forms: list[Form]

    @property
    def name(self) -> bytes:
        """The hash by which it is known."""
        return self.forms[0].tx_hash


@contextmanager
def _told() -> Generator[None, None, None]:
    """Raise what SQLite says as what the callers know."""
    try:
        yield
    except sqlite3.IntegrityError as exc:
        raise ConfigError(
            f"somebody else writes this journal of transactions, too: {exc}",
            instead="run one process with a journal, and give each a key and a journal of its own",
        ) from exc
    except sqlite3.Error as exc:
        raise Unavailable(f"the journal of transactions does not answer: {exc}") from exc


class TransactionJournal:
    """
    Durable memory of one ledger's accounts. All raise Unavailable if the disk does not answer, and
    ConfigError if another process writes the same file.

    Args:
        path: SQLite file, made when missing; ``:memory:`` for what need not outlive the process.
    """

    def __init__(self, path: Path | str = ":memory:") -> None:
        """Raises ConfigError if the file cannot be opened, or is none of ours."""
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode=WAL")
            # A process that is killed loses nothing. A power cut may take the last transactions
            # from here that the chain has; then their nonces are found used, and others are taken.
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.executescript(_SCHEMA)
        except sqlite3.Error as exc:
            raise ConfigError(
                f"the journal of transactions cannot be opened: {exc}",
                file=str(path),
                instead="name a file that is one, or a new one in a folder that is there and may "
                "be written to; a damaged one holds the nonces that are under way, so bring back a "
                "copy, or move it away when nothing is",
            ) from exc
        self._names: dict[bytes, bytes] = {
            bytes(tx_hash): bytes(name)
            for tx_hash, name in self._do(
                "SELECT f.hash, g.hash FROM forms f JOIN forms g"
                " ON g.account=f.account AND g.nonce=f.nonce AND g.form=0"
            )
        }

    def _do(self, sql: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        with _told():
            return self._connection.execute(sql, values)

    def bind(self, chain_tag: bytes) -> bytes:
        """Return the instance of a ledger that this journal is of: *chain_tag* if it is new."""
        row = self._do("SELECT chain_tag FROM instance").fetchone()
        if row is None:
            self._do("INSERT INTO instance VALUES (?)", (chain_tag,))
            return chain_tag
        return bytes(row[0])

    # --- transactions -----------------------------------------------------------------------

    def write(self, account: bytes, forms: Iterable[tuple[int, int, Form]]) -> None:
        """Write signed transactions: nonce, number of the form, form. Durable when it returns."""
        rows = [
            (
                *(account, nonce, number, form.tx_hash, form.raw),
                *(str(form.fees.max_fee), str(form.fees.max_priority_fee)),
            )
            for nonce, number, form in forms
        ]
        with _told(), self._connection:
            self._do("BEGIN")
            self._connection.executemany("INSERT INTO forms VALUES (?,?,?,?,?,?,?)", rows)
        for _, nonce, number, tx_hash, *_rest in rows:
            self._names[tx_hash] = tx_hash if not number else self._name_of_nonce(account, nonce)

    def withdraw(self, account: bytes, nonce: int) -> None:
        """Forget a nonce that no node has taken anything of."""
        for (tx_hash,) in self._do(
            "SELECT hash FROM forms WHERE account=? AND nonce=?", (account, nonce)
        ):
            self._names.pop(bytes(tx_hash), None)
        self._do("DELETE FROM forms WHERE account=? AND nonce=?", (account, nonce))

    def end(self, account: bytes, nonce: int, height: int) -> None:
        """A nonce is used for good: by ours in the final block *height*, or ``LOST``."""
        self._do("INSERT OR REPLACE INTO ended VALUES (?,?,?)", (account, nonce, height))
        self._forget_before(account, nonce - ENDED_KEPT)

    def reopen_above(self, height: int) -> None:
        """The blocks above *height* are gone, and with them what they ended."""
        self._do("DELETE FROM ended WHERE height > ?", (height,))

    def reopen(self, account: bytes, nonce: int) -> None:
        """A nonce that was used is free again."""
        self._do("DELETE FROM ended WHERE account=? AND nonce=?", (account, nonce))

    def ended_from(self, account: bytes, nonce: int) -> set[int]:
        """Return the nonces from *nonce* on that were used for good."""
        rows = self._do("SELECT nonce FROM ended WHERE account=? AND nonce>=?", (account, nonce))
        return {int(one) for (one,) in rows}

    def open(self, account: bytes) -> list[Sent]:
        """Return what is under way, by nonce."""
        rows = self._do(
            "SELECT nonce, hash, raw, max_fee, priority_fee FROM forms f WHERE account=?"
            " AND NOT EXISTS (SELECT 1 FROM ended e WHERE e.account=f.account AND e.nonce=f.nonce)"
            " ORDER BY nonce, form",
            (account,),
        )
        found: dict[int, Sent] = {}
        for nonce, tx_hash, raw, max_fee, priority_fee in rows:
            sent = found.setdefault(nonce, Sent(account, nonce, []))
            fees = Fees(int(max_fee), int(priority_fee))
            sent.forms.append(Form(bytes(tx_hash), bytes(raw), fees))
        return list(found.values())

    def next_nonce(self, account: bytes) -> int:
        """Return the nonce after all that were given; 0 if none was."""
        (given,) = self._do(
            "SELECT MAX(nonce) FROM (SELECT nonce FROM forms WHERE account=?"
            " UNION ALL SELECT nonce FROM ended WHERE account=?)",
            (account, account),
        ).fetchone()
        return 0 if given is None else int(given) + 1

    def name_of(self, tx_hash: bytes) -> bytes | None:
        """Return by which hash a transaction of ours is known; None for those of others."""
        return self._names.get(tx_hash)

    def _name_of_nonce(self, account: bytes, nonce: int) -> bytes:
        row = self._do(
            "SELECT hash FROM forms WHERE account=? AND nonce=? AND form=0", (account, nonce)
        ).fetchone()
        return bytes(row[0])

    def _forget_before(self, account: bytes, nonce: int) -> None:
        if nonce <= 0:
            return
        old = self._do(
            "SELECT f.nonce, f.hash FROM forms f JOIN ended e USING (account, nonce)"
            " WHERE account=? AND nonce < ?",
            (account, nonce),
        ).fetchall()
        for number, tx_hash in old:
            self._names.pop(bytes(tx_hash), None)
            self._do("DELETE FROM forms WHERE account=? AND nonce=?", (account, number))

    # --- blocks -----------------------------------------------------------------------------

    def note_blocks(self, hashes: Mapping[int, bytes]) -> None:
        """Remember final blocks that are acted on from now on."""
        if not hashes:
            return
        lowest = max(hashes) - BLOCKS_KEPT
        with _told(), self._connection:
            self._do("BEGIN")
            self._connection.executemany(
                "INSERT OR REPLACE INTO blocks VALUES (?,?)",
                [(height, hashed) for height, hashed in hashes.items() if height > lowest],
            )
            self._do("DELETE FROM blocks WHERE height <= ?", (lowest,))

    def blocks(self) -> dict[int, bytes]:
        """Return the last final blocks that were acted on, by height."""
        rows: Sequence[tuple[int, bytes]] = self._do(
            "SELECT height, hash FROM blocks ORDER BY height"
        ).fetchall()
        return {height: bytes(hashed) for height, hashed in rows}

    def forget_blocks_above(self, height: int) -> None:
        """These are on a branch that was left."""
        self._do("DELETE FROM blocks WHERE height > ?", (height,))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def content_of(raw: bytes) -> tuple[bytes | None, bytes, int]:
    """Return receiver, call data and gas limit of a transaction that was signed here."""
    items = rlp.decode_list(raw[1:])
    gas, to, data = items[4], items[5], items[7]
    assert isinstance(gas, bytes), "signed here"
    assert isinstance(to, bytes), "signed here"
    assert isinstance(data, bytes), "signed here"
    return to or None, data, int.from_bytes(gas)
