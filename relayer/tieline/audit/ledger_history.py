"""
What an audit knows of a ledger at its end, made again from its blocks: events, state, headers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from tieline.audit.findings import Check, Findings, Place
from tieline.contract.books import Books, audit_books
from tieline.contract.genesis import Genesis
from tieline.contract.store import TIELINE
from tieline.protocol.events import Event
from tieline.wire.cometbft import Header
from tieline.wire.evm.header import EvmHeader


class LedgerState(Protocol):
    """The stores of a ledger, as our contract keeps them."""

    def query(self, store: str, key: bytes) -> bytes | None:
        """Return a value of store ``ibc`` or ``tieline``."""
        ...

    def scan(self, store: str, prefix: bytes) -> Sequence[tuple[bytes, bytes]]:
        """Return all pairs under *prefix*, ascending."""
        ...


@dataclass(frozen=True, slots=True)
class LedgerEvent:
    """What a transaction told, and in which block."""

    height: int
    event: Event

    @property
    def kind(self) -> str:
        """Type of the event."""
        return self.event.type

    def __getitem__(self, name: str) -> str:
        """Return an attribute. Raises KeyError if there is none."""
        return dict(self.event.attributes)[name]


@dataclass(frozen=True, slots=True)
class FabricHeader:
    """A block of a Fabric channel, as far as others believe anything of it."""

    time_s: int
    """What the channel's clock showed after it, unix seconds."""
    block_hash: bytes
    is_provable: bool
    """Whether it holds a valid Tick: light clients believe no other."""


@dataclass(frozen=True, slots=True)
class LedgerHistory:
    """A ledger whose blocks were executed, logs folded or transactions run again, to the end."""

    genesis: Genesis
    state: LedgerState
    """At its last height."""
    chain_tag: bytes
    """32 bytes that name this very instance."""
    state_root: bytes
    """After the last block."""
    headers: tuple[Header, ...] | tuple[EvmHeader, ...] | tuple[FabricHeader, ...]
    """From height 1."""
    events: tuple[LedgerEvent, ...]
    """In block order, of transactions that did not fail."""
    transaction_count: int
    failed_count: int
    books: Books

    @property
    def chain_id(self) -> str:
        """The ledger's name."""
        return self.genesis.chain_id

    @property
    def height(self) -> int:
        """Of the last block."""
        return len(self.headers)

    def of_kind(self, *kinds: str) -> Iterator[LedgerEvent]:
        """Yield the events of some types, in block order."""
        return (event for event in self.events if event.kind in kinds)

    def query(self, key: bytes) -> bytes | None:
        """Return a value of store ``tieline`` as it is at the end."""
        return self.state.query(TIELINE, key)

    def scan(self, prefix: bytes) -> Sequence[tuple[bytes, bytes]]:
        """Return all pairs of store ``tieline`` under *prefix* as they are at the end."""
        return self.state.scan(TIELINE, prefix)


def issued_pay(genesis: Genesis) -> int:
    """Return what genesis put on a ledger, nano-EUR."""
    return sum(amount for _, amount in (*genesis.balances, *genesis.vaults))


def money_holds(
    place: Place,
    scan: Callable[[bytes], Sequence[tuple[bytes, bytes]]],
    issued: int,
    findings: Findings,
) -> bool:
    """
    Check that all PAY and all vouchers are there.

    Args:
        place: Ledger and height.
        scan: Returns all pairs of store ``tieline`` under a prefix.
        issued: What genesis issued, nano-EUR.
        findings: Takes what is missing.
    """
    books = audit_books(scan)
    holds = findings.expect(place, Check.MONEY, "sum of PAY, nano-EUR", issued, books.total)
    for each in books.vouchers:
        name = f"voucher {each.voucher_hash.hex()[:16]}, base units"
        holds &= findings.expect(place, Check.MONEY, name, each.issued, each.held)
    # Nothing mints energy with an origin yet, so there must be none.
    return holds & findings.expect(place, Check.MONEY, "sum of KWH, Wh", 0, books.kwh)
