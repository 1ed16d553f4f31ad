"""
How a ledger's operator stands by a final header whose consensus seals nothing.

The journal is written first, so that no key ever seals two blocks at a height, nor a block that
does not stand on the sealed one below it: not after a restart, not after a re-organisation.

Sources:
    ``docs/spec/bytes.md`` (HeaderSeal); ``docs/spec/trust.md`` 2 and 5.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from tieline.interfaces.errors import Contradicted
from tieline.interfaces.signer import Signer
from tieline.wire.evm.header import EvmHeader, decode_header
from tieline.wire.ids import header_seal

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sealed (
    chain_tag BLOB NOT NULL, height INTEGER NOT NULL, hash BLOB NOT NULL, parent BLOB NOT NULL,
    PRIMARY KEY (chain_tag, height)
) WITHOUT ROWID
"""
_SELECT = "SELECT hash, parent FROM sealed WHERE chain_tag=? AND height=?"


class SealConflict(Contradicted):
    """Another block is sealed at this height, or the neighbour's: refused for ever."""


class SealJournal:
    """
    Durable memory of what was sealed.

    Args:
        path: SQLite file, made when missing; ``:memory:`` for a ledger that is not kept.
    """

    def __init__(self, path: Path | str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        # FULL: a seal must not leave the house before the journal is on the disk.
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute(_SCHEMA)

    def bind(self, chain_tag: bytes, header: EvmHeader) -> bytes:
        """
        Record a header as the only one at its height, and return its hash.

        Raises:
            SealConflict: Another one is recorded there, or it does not fit to its neighbours.
        """
        height, block_hash = header.number, header.hash()
        with self._connection:  # commits, or undoes whatever was not finished
            self._connection.execute("BEGIN IMMEDIATE")
            held = self._row(chain_tag, height)
            self._check(header, block_hash, held, chain_tag)
            if held is None:
                self._connection.execute(
                    "INSERT INTO sealed VALUES (?, ?, ?, ?)",
                    (chain_tag, height, block_hash, header.parent_hash),
                )
        return block_hash

    def sealed_hash(self, chain_tag: bytes, height: int) -> bytes | None:
        """Return the hash that was sealed at a height, None if none was."""
        row = self._row(chain_tag, height)
        return None if row is None else row[0]

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _row(self, chain_tag: bytes, height: int) -> tuple[bytes, bytes] | None:
        row = self._connection.execute(_SELECT, (chain_tag, height)).fetchone()
        return None if row is None else (bytes(row[0]), bytes(row[1]))

    def _check(
        self,
        header: EvmHeader,
        block_hash: bytes,
        held: tuple[bytes, bytes] | None,
        chain_tag: bytes,
    ) -> None:
        below = self._row(chain_tag, header.number - 1)
        above = self._row(chain_tag, header.number + 1)
        for height, sealed, wanted in (
            (header.number, held and held[0], block_hash),
            (header.number - 1, below and below[0], header.parent_hash),
            (header.number, above and above[1], block_hash),
        ):
            if sealed is not None and sealed != wanted:
                raise SealConflict(
                    f"another block is sealed: height={height} sealed={sealed.hex()} "
                    f"asked={wanted.hex()}; the chain was reset or re-organised below its "
                    "finality: begin a new ledger instance, this one's seals stay bound"
                )


class HeaderSealer:
    """
    The sealer keys of one ledger instance.

    Args:
        chain_tag: Names the instance; part of what is signed.
        keys: Of the operator; each signs.
        journal: Written before they do.
    """

    def __init__(self, chain_tag: bytes, keys: Sequence[Signer], journal: SealJournal) -> None:
        self._chain_tag = chain_tag
        self._keys = sorted(keys, key=lambda key: key.address)
        self._journal = journal

    @property
    def addresses(self) -> tuple[bytes, ...]:
        """The sealers, ascending, as the client state names them."""
        return tuple(key.address for key in self._keys)

    def seal(self, header: bytes) -> tuple[bytes, ...]:
        """
        Return the seals of a *final* header, 65 bytes each, ascending by sealer.

        The same header gives the same bytes again.

        Args:
            header: RLP. What is sealed is computed from it, never taken from a node's word.

        Raises:
            SealConflict: See there.
            Malformed: It is no header.
        """
        block_hash = self._journal.bind(self._chain_tag, decode_header(header))
        digest = header_seal(self._chain_tag, block_hash)
        return tuple(key.sign_digest(digest) for key in self._keys)
