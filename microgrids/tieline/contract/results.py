"""What goes into a block and what comes out of it, as plain data; hosts and audit share it."""

from __future__ import annotations

from dataclasses import dataclass

from tieline.protocol.events import Event
from tieline.wire.codec import DecodedTransaction


@dataclass(frozen=True, slots=True)
class BlockInput:
    """One block as consensus hands it over."""

    height: int
    time_ns: int
    """Chain time, never earlier than the block before."""
    header_hash: bytes
    """32 bytes; that of the first block becomes part of the chain tag."""
    transactions: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent a transaction that passed all checks before its messages, and paid its fee."""

    decoded: DecodedTransaction
    account: bytes


@dataclass(frozen=True, slots=True)
class TxResult:
    """What one transaction came to. Code 0 is success; else codespace and code say why not."""

    code: int = 0
    codespace: str = ""
    log: str = ""
    gas_wanted: int = 0
    gas_used: int = 0
    events: tuple[Event, ...] = ()
    """What the messages told, in order."""
    data: bytes = b""
    sender: Sender | None = None
    """None if it was refused before its messages, or was not run."""
    events_after: tuple[int, ...] = ()
    """For each message, how many of the events were told when it ended."""


@dataclass(frozen=True, slots=True)
class BlockResult:
    """What one block came to."""

    tx_results: tuple[TxResult, ...]
    app_hash: bytes
    """32 bytes over both stores after the block."""


@dataclass(frozen=True, slots=True)
class Access:
    """What one transaction read and wrote, as (store, key)."""

    reads: frozenset[tuple[str, bytes]]
    writes: frozenset[tuple[str, bytes]]
