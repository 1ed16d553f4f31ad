"""
What was written when: blocks folded into the state of our chaincode, each key of store ``ibc`` with
all that it ever held, so that a proof can name the transaction which wrote it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any, Final

from tieline.interfaces.errors import Contradicted
from tieline.ledgers.fabric.history_file import Cell, HistoryFile
from tieline.ledgers.fabric.port import CHAINCODE
from tieline.ledgers.fabric.seen_blocks import SeenBlock, SeenInvocation
from tieline.wire.codec import decode_transaction
from tieline.wire.errors import Malformed
from tieline.wire.fabric.invocations import (
    CLOCK_KEY,
    Function,
    decode_number,
    ibc_key,
    invocation_hash,
    marker_key,
    physical_key,
    store_key_of,
)
from tieline.wire.fabric.lifecycle import ChaincodeDefinition, after_writes
from tieline.wire.fabric.rwsets import Write
from tieline.wire.hashes import tag
from tieline.wire.ids import chain_tag
from tieline.wire.keys import cosmos_account_of

_TICK = Function.TICK.encode()
_INIT = Function.INIT.encode()
_SUBMIT = Function.SUBMIT.encode()
_PROVED: Final = ibc_key(b"")
"""How keys begin that are asked for as they were; of the others what they hold now is enough."""
_BEHIND_HEX: Final = "g"
_PARTS: Final = {_INIT: 3, _SUBMIT: 2}
"""Arguments, the function's name among them."""
_TIME_S_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Written:
    """One write of a key."""

    block: int
    index: int
    value: bytes | None
    """None: it was deleted."""


@dataclass(frozen=True, slots=True)
class Defined:
    """A definition of our chaincode, and the transaction that committed it."""

    block: int
    index: int
    definition: ChaincodeDefinition


class History:
    """All blocks of one channel from number 0 on, as far as they were read."""

    def __init__(self, fabric_channel: str, path: Path | None = None) -> None:
        """
        Go on behind the last block that a file holds, or begin without one.

        Args:
            fabric_channel: The channel's name.
            path: An SQLite file, made if it is not there; None: all is in memory.

        Raises:
            ConfigError: The file is damaged, in use, or another channel's.
        """
        self._channel = fabric_channel
        self._file = HistoryFile(fabric_channel, path)
        self._hash = b""
        self._time_s = 0
        self._newest_tick = self._oldest_tick = -1
        self._recall()

    @property
    def path(self) -> Path | None:
        """The file in which it lies; None: memory."""
        return self._file.path

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    # --- taking blocks ----------------------------------------------------------------------

    @contextlib.contextmanager
    def together(self) -> Generator[None, None, None]:
        """Bring the blocks that are taken inside to the disk at once, however it ends."""
        with contextlib.ExitStack() as undo:
            undo.callback(self._recall)  # a full disk takes back more than the last block
            with self._file.together():
                yield
            undo.pop_all()

    def take(self, block: SeenBlock) -> None:
        """
        Add the next block.

        Raises:
            Contradicted: It does not follow the last one: another channel, or one begun anew; or it
                calls valid what our chaincode does not endorse.
            ConfigError: The file cannot be written.
        """
        expected = self.height + 1
        if block.number != expected:
            raise Contradicted(f"block out of turn: number={block.number} expected={expected}")
        if block.previous_hash != self._hash:
            cure = f"; if it was, delete {self.path}" if self.path is not None else ""
            raise Contradicted(
                f"block {block.number} of {self._channel} does not follow block {expected - 1}: "
                f"the peer is of another channel, or the channel was begun anew{cure}"
            )
        with self._file.all_or_none():
            try:
                time_s, tick = self._fold(block)
            except Malformed as exc:
                raise Contradicted(f"called valid, but cannot be: block={expected}: {exc}") from exc
            self._file.cursor = replace(self._file.cursor, height=block.number)
        self._hash, self._time_s = block.hash, time_s
        if tick is not None:
            self._newest_tick = block.number
            if self._oldest_tick < 0:
                self._oldest_tick = block.number

    def _fold(self, block: SeenBlock) -> tuple[int, int | None]:
        """Write what a block holds, and return the time after it and the place of its Tick."""
        time_s, tick = self._time_s, None
        for invocation in block.invocations:
            if invocation.is_valid:
                self._run(block.number, invocation)
                if invocation.function == _TICK:
                    tick = invocation.index
                    time_s = decode_number(invocation.writes.get(CLOCK_KEY) or b"")
                    if time_s > _TIME_S_MAX:
                        raise Malformed(f"no time: {time_s=}")
        self._file.put("blocks", (block.number, block.hash, block.data_hash, time_s, tick))
        if block.is_config:
            self._file.put("configs", (block.number,))
        for index, writes in block.definitions:
            self._define(block.number, index, writes)
        return time_s, tick

    def _run(self, number: int, invocation: SeenInvocation) -> None:
        for key, value in sorted(invocation.writes.items()):
            self._write(key, number, invocation.index, value)
        marker = marker_key(invocation_hash(invocation.args))
        self._file.put("markers", (number, invocation.index, marker))
        if invocation.function == _TICK:
            return
        if len(invocation.args) != _PARTS.get(invocation.function, len(invocation.args)):
            raise Malformed(f"other arguments: function={invocation.function!r}")
        cursor = replace(self._file.cursor, changed_at=number)
        if invocation.function == _INIT and not cursor.genesis:
            cursor = replace(cursor, genesis=invocation.args[1])
        elif invocation.function == _SUBMIT:
            self._count(cosmos_account_of(decode_transaction(invocation.args[1]).public_key))
        self._file.cursor = cursor

    def _write(self, key: str, number: int, index: int, value: bytes | None) -> None:
        before = self._file.row("SELECT * FROM newest WHERE key = ?", key)
        self._file.put("newest", (key, number, index, value), before)
        if before is not None and key.startswith(_PROVED):
            self._file.put("older", before)

    def _count(self, account: bytes) -> None:
        count = self.count_of(account)
        before = (account, count) if count else None
        self._file.put("accounts", (account, count + 1), before)

    def _define(self, number: int, index: int, writes: Sequence[Write]) -> None:
        defined = self.definitions(-1, number)
        before = defined[-1].definition if defined else None
        try:
            definition = after_writes(CHAINCODE, before, writes)
        except Malformed as exc:
            raise Contradicted(f"no definition, yet valid: block={number}: {exc}") from exc
        if definition is not None:
            fields = astuple(definition)
            # SQLite gives a bool back as a number.
            cells = (int(one) if isinstance(one, bool) else one for one in fields)
            self._file.put("definitions", (number, index, *cells))

    def _recall(self) -> None:
        """Take up what the file holds."""
        is_begun = self.height >= 0
        self._hash = self.hash_at(self.height) if is_begun else b""
        self._time_s = self.time_at(self.height) if is_begun else 0
        ticks = "SELECT number FROM blocks WHERE tick IS NOT NULL ORDER BY number"
        self._oldest_tick = self._first_of(f"{ticks} LIMIT 1")
        self._newest_tick = self._first_of(f"{ticks} DESC LIMIT 1")

    def _first_of(self, query: str, *values: Cell) -> int:
        row = self._file.row(query, *values)
        return -1 if row is None else int(row[0])

    # --- blocks -----------------------------------------------------------------------------

    @property
    def height(self) -> int:
        """Number of the newest block; -1 before the first."""
        return self._file.cursor.height

    @property
    def genesis(self) -> bytes:
        """What the ledger was begun with, as Init was given it; empty before."""
        return self._file.cursor.genesis

    @property
    def time_s(self) -> int:
        """What the clock shows, unix seconds; 0 before the first Tick."""
        return self._time_s

    @property
    def chain_tag(self) -> bytes:
        """The 32 bytes that name this ledger. Raises LookupError before block 0."""
        if self.height < 0:
            raise LookupError("the chain tag is known after block 0")
        return chain_tag("fabric", self._channel, self.hash_at(0), tag(CHAINCODE))

    @property
    def owes_tick(self) -> bool:
        """Whether something was written since the newest height that can be proved."""
        return self._file.cursor.changed_at > self.newest_tick

    @property
    def newest_tick(self) -> int:
        """Number of the newest block with a Tick; -1 if there is none."""
        return self._newest_tick

    @property
    def oldest_tick(self) -> int:
        """Number of the oldest block with a Tick; -1 if there is none."""
        return self._oldest_tick

    def time_at(self, number: int) -> int:
        """Return what the clock showed after a block that was read, unix seconds."""
        return int(self._of_block("time_s", number))

    def tick_at(self, number: int) -> int | None:
        """Return the place of the Tick in a block; None if it has none, or was not read."""
        row = self._file.row("SELECT tick FROM blocks WHERE number = ?", number)
        return None if row is None else row[0]

    def hash_at(self, number: int) -> bytes:
        """Return the hash of the header of a block that was read."""
        return bytes(self._of_block("hash", number))

    def _of_block(self, column: str, number: int) -> Any:
        row = self._file.row(f"SELECT {column} FROM blocks WHERE number = ?", number)  # noqa: S608
        if row is None:
            raise LookupError(f"not read: block={number} newest={self.height}")
        return row[0]

    def data_hashes(self, above: int, up_to: int) -> tuple[bytes, ...]:
        """Return the data hashes of the blocks above one number, up to another."""
        query = "SELECT data_hash FROM blocks WHERE number > ? AND number <= ? ORDER BY number"
        return tuple(row[0] for row in self._file.rows(query, above, up_to))

    def configs(self, above: int, up_to: int) -> Sequence[int]:
        """Return the numbers of configuration blocks in that range."""
        query = "SELECT number FROM configs WHERE number > ? AND number <= ? ORDER BY number"
        return [row[0] for row in self._file.rows(query, above, up_to)]

    def definitions(self, above: int, up_to: int) -> Sequence[Defined]:
        """Return the definitions of the chaincode that were committed in that range."""
        query = "SELECT * FROM definitions WHERE block > ? AND block <= ? ORDER BY block, place"
        found: list[Defined] = []
        for block, index, *fields in self._file.rows(query, above, up_to):
            definition = ChaincodeDefinition(*fields)
            required = bool(definition.init_required)
            found.append(Defined(block, index, replace(definition, init_required=required)))
        return found

    # --- keys -------------------------------------------------------------------------------

    def marker(self, number: int, index: int) -> str:
        """Return the marker's key of a valid transaction. Raises KeyError for any other."""
        query = "SELECT marker FROM markers WHERE block = ? AND place = ?"
        row = self._file.row(query, number, index)
        if row is None:
            raise KeyError((number, index))
        return str(row[0])

    def count_of(self, account: bytes) -> int:
        """Return how many transactions of an account took effect."""
        row = self._file.row("SELECT count FROM accounts WHERE account = ?", account)
        return 0 if row is None else int(row[0])

    def value(self, key: str) -> bytes | None:
        """Return what a physical key holds now."""
        row = self._file.row("SELECT value FROM newest WHERE key = ?", key)
        return None if row is None else row[0]

    def written(self, key: str, number: int | None = None) -> Written | None:
        """
        Return the last write of a physical key; None if there was none.

        Args:
            key: Of any store.
            number: Up to this block; of keys of store ``ibc`` only. None: up to now.
        """
        row = self._file.row("SELECT block, place, value FROM newest WHERE key = ?", key)
        if number is not None and row is not None and row[0] > number:
            assert key.startswith(_PROVED), f"of this key only the last write is kept: {key}"
            query = (
                "SELECT block, place, value FROM older WHERE key = ? AND block <= ?"
                " ORDER BY block DESC, place DESC LIMIT 1"
            )
            row = self._file.row(query, key, number)
        return None if row is None else Written(*row)

    def scan(self, store: str, prefix: bytes) -> list[tuple[bytes, bytes]]:
        """Return what a store holds under a prefix now, ascending."""
        start = physical_key(store, prefix)
        query = (
            "SELECT key, value FROM newest WHERE key >= ? AND key < ? AND value IS NOT NULL"
            " ORDER BY key"
        )
        found: list[tuple[bytes, bytes]] = []
        for key, value in self._file.rows(query, start, start + _BEHIND_HEX):
            named = store_key_of(key)
            if named is not None:
                found.append((named[1], value))
        return found
