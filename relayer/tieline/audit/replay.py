"""
A ledger's history made again: every block executed by the contract itself, every root compared.

The contract's light clients, proofs and rules run once more, so what a block was wrongly made of
cannot give the state that the next header names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tieline.audit.block_chain import BlockChain
from tieline.audit.findings import Check, Findings, Place
from tieline.audit.ledger_history import LedgerEvent, LedgerHistory, issued_pay, money_holds
from tieline.contract.block import Application
from tieline.contract.books import audit_books
from tieline.contract.results import BlockInput, TxResult
from tieline.contract.store import TIELINE
from tieline.wire.blocks import results_hash
from tieline.wire.cometbft import Header

BOOKS_EVERY = 64
"""Blocks between two looks at all accounts: each look walks the whole state."""

Tell = Callable[[int, int], None]
"""Told blocks done and blocks in all."""


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
    issued = issued_pay(chain.genesis)
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
        if (header.height % BOOKS_EVERY == 0 or header.height == total) and not money_holds(
            place, _scan(application), issued, findings
        ):
            return None
        tell(header.height, total)
    return LedgerHistory(
        chain.genesis,
        application,
        application.chain_tag,
        application.app_hash,
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


def _scan(application: Application) -> Callable[[bytes], list[tuple[bytes, bytes]]]:
    return lambda prefix: application.scan(TIELINE, prefix)
