"""What EVM contracts tell, as blocks hold it: undecoded logs of transactions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Log:
    """One entry of a receipt."""

    address: bytes
    """Of the contract, 20 bytes."""
    topics: tuple[bytes, ...]
    """32 bytes each; the first names the event."""
    data: bytes


@dataclass(frozen=True, slots=True)
class LoggedTransaction:
    """One transaction of a final block, as the twin reads it."""

    tx_hash: bytes
    code: int
    """0 when it took effect; what it told counts only then."""
    log: str
    """Why it did not."""
    codespace: str
    logs: tuple[Log, ...]


@dataclass(frozen=True, slots=True)
class LoggedBlock:
    """One final block."""

    height: int
    time_s: int
    """Unix seconds."""
    transactions: tuple[LoggedTransaction, ...]
