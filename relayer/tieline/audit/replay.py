"""
A ledger's history made again: every block executed by the contract itself, every root compared.

The contract's light clients, proofs and rules run once more, so what a block was wrongly made of
cannot give the state that the next header names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tieline.audit.block_chain import BlockChain
from tieline.audit.findings import Check, Findings, Place
from tieline.contract.block import Application
from tieline.contract.books import Books, audit_books
from tieline.contract.genesis import Genesis
from tieline.contract.results import BlockInput, TxResult
from tieline.contract.store import TIELINE
from tieline.protocol.events import Event
from tieline.wire.blocks import results_hash
from tieline.wire.cometbft import Header

BOOKS_EVERY = 64
"""Blocks between two looks at all accounts: each look walks the whole state."""

Tell = Callable[[int, int], None]
"""Told blocks done and blocks in all."""


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
class LedgerHistory:
    """A ledger whose blocks were executed to the end."""

    genesis: Genesis
    application: Application
    """At its last height."""
    headers: tuple[Header, ...]
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
    def chain_tag(self) -> bytes:
        """32 bytes that name this very instance."""
        return self.application.chain_tag

    @property
    def height(self) -> int:
        """Of the last block."""
        return len(self.headers)

    def of_kind(self, *kinds: str) -> Iterator[LedgerEvent]:
        """Yield the events of some types, in block order."""
        return (event for event in self.events if event.kind in kinds)

    def query(self, key: bytes) -> bytes | None:
        """Return a value of store ``tieline`` as it is at the end."""
        return self.application.query(TIELINE, key)

    def scan(self, prefix: bytes) -> list[tuple[bytes, bytes]]:
        """Return all pairs of store ``tieline`` under *prefix* as they are at the end."""
        return self.application.scan(TIELINE, prefix)


def replay(chain: BlockChain, findings: Findings, tell: Tell) -> LedgerHistory | None:
    """
    Execute all blocks of *chain*.

    Args:
        chain: Checked by ``check_chain``.
        findings: Takes the first height whose roots differ; what follows means nothing then.
        tell: Progress.

    Returns:
        The ledger at its end; None if a finding says why there is none.
    """
    application = Application(chain.genesis)
    issued = sum(amount for _, amount in (*chain.genesis.balances, *chain.genesis.vaults))
    results: tuple[TxResult, ...] = ()
    events: list[LedgerEvent] = []
    counts = [0, 0]
    total = len(chain.blocks)
    for stored in chain.blocks:
        header = stored.block.header
        if not _roots_hold(application, results, header, findings):
            return None
        block = BlockInput(
            header.height,
            header.time_ns,
            stored.seen_commit.block_id.hash,
            stored.block.transactions,
        )
        outcome = application.finalize_block(block)
        application.commit()
        results = outcome.tx_results
        place = Place(chain.genesis.chain_id, header.height)
        known = chain.app_hashes.get(header.height, outcome.app_hash)
        if not findings.expect(
            place, Check.STATE, "app hash in the index", outcome.app_hash, known
        ):
            return None
        for result in results:
            counts[bool(result.code)] += 1
            if not result.code:
                events.extend(LedgerEvent(header.height, event) for event in result.events)
        if (header.height % BOOKS_EVERY == 0 or header.height == total) and not _money_holds(
            application, issued, findings
        ):
            return None
        tell(header.height, total)
    return LedgerHistory(
        chain.genesis,
        application,
        tuple(stored.block.header for stored in chain.blocks),
        tuple(events),
        sum(counts),
        counts[1],
        audit_books(_scan(application)),
    )


def _roots_hold(
    application: Application, results: Iterable[TxResult], header: Header, findings: Findings
) -> bool:
    """Compare what a header says of the block before with what executing that one gave."""
    place = Place(application.genesis.chain_id, max(header.height - 1, 1))
    expected = results_hash((one.code, one.data, one.gas_wanted, one.gas_used) for one in results)
    holds = findings.expect(
        place, Check.STATE, "app hash in the next header", application.app_hash, header.app_hash
    )
    return holds & findings.expect(
        place, Check.STATE, "results in the next header", expected, header.last_results_hash
    )


def _money_holds(application: Application, issued: int, findings: Findings) -> bool:
    books = audit_books(_scan(application))
    place = Place(application.genesis.chain_id, application.height)
    holds = findings.expect(place, Check.MONEY, "sum of PAY, nano-EUR", issued, books.total)
    for each in books.vouchers:
        name = f"voucher {each.voucher_hash.hex()[:16]}, base units"
        holds &= findings.expect(place, Check.MONEY, name, each.issued, each.held)
    # Nothing mints energy with an origin yet, so there must be none.
    return holds & findings.expect(place, Check.MONEY, "sum of KWH, Wh", 0, books.kwh)


def _scan(application: Application) -> Callable[[bytes], list[tuple[bytes, bytes]]]:
    return lambda prefix: application.scan(TIELINE, prefix)
