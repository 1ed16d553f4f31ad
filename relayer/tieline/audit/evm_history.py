"""
What an EVM ledger's contracts told, folded into the records of our own contract, and compared with
what their storage is proved to hold at the end.

The contracts' byte code is pinned, not executed again: that a transaction ran as it should is what
the seals stand for, and what it came to is what the proofs show.
"""

from __future__ import annotations

from collections.abc import Callable

from tieline.audit.evm_chain import CheckedBlock, EvmChain
from tieline.audit.findings import Check, Findings, Place
from tieline.audit.ledger_history import LedgerEvent, LedgerHistory, issued_pay, money_holds
from tieline.contract.books import audit_books
from tieline.contract.store import TIELINE
from tieline.contract.twin.final_slots import WantedSlot, final_slots
from tieline.contract.twin.state import TwinOf
from tieline.contract.twin.twin import Twin
from tieline.light_clients.evm.trie import (
    ProofNodes,
    ProofRefused,
    look_up_account,
    look_up_word,
)
from tieline.wire.errors import Malformed
from tieline.wire.evm.logs import LoggedBlock, LoggedTransaction
from tieline.wire.hashes import keccak

BOOKS_EVERY = 64
_FAILED = 1
_FIRST = 1

Tell = Callable[[int, int], None]
"""Told blocks done and blocks in all."""


def fold_history(chain: EvmChain, findings: Findings, tell: Tell) -> LedgerHistory | None:
    """
    Fold all logs of *chain*.

    Args:
        chain: Checked by ``check_evm_chain``.
        findings: Takes the first block whose logs cannot be, and every slot that holds other than
            what was told.
        tell: Progress.

    Returns:
        The ledger at its end; None if a finding says why there is none.
    """
    app = _application(chain, findings)
    if app is None:
        return None
    genesis, total = chain.genesis, len(chain.blocks)
    twin = Twin(TwinOf(genesis, chain.chain_tag, chain.roots.host, app))
    events: list[LedgerEvent] = []
    counts = [0, 0]
    for height, block in enumerate(chain.blocks, start=_FIRST):
        place = Place(genesis.chain_id, height)
        try:
            told = twin.fold(_logged(height, block))
        except (Malformed, KeyError, ValueError, AssertionError, OverflowError) as error:
            findings.refuse(place, Check.STATE, "logs", "those of our contracts", repr(error))
            return None
        for transaction in told.transactions:
            counts[bool(transaction.code)] += 1
            events.extend(LedgerEvent(height, event) for event in transaction.events)
        is_due = height % BOOKS_EVERY == 0 or height == total
        if is_due and not money_holds(
            place, lambda prefix: twin.scan(TIELINE, prefix), issued_pay(genesis), findings
        ):
            return None
        tell(height, total)
    _check_storage(chain, app, twin, findings)
    return LedgerHistory(
        genesis=genesis,
        state=twin,
        chain_tag=chain.chain_tag,
        state_root=chain.blocks[-1].header.state_root,
        headers=tuple(block.header for block in chain.blocks),
        events=tuple(events),
        transaction_count=sum(counts),
        failed_count=counts[1],
        books=audit_books(lambda prefix: twin.scan(TIELINE, prefix)),
    )


def _application(chain: EvmChain, findings: Findings) -> bytes | None:
    """Return the pinned contract that told what the application tells: modules tell nothing."""
    pinned = {address for address, _ in chain.roots.pinned} - {chain.roots.host}
    tellers = {
        log.address
        for block in chain.blocks
        for receipt in block.receipts
        for log in receipt.logs
        if log.address in pinned
    }
    place = Place(chain.genesis.chain_id, file="validators.bin")
    if not findings.expect(
        place, Check.STATE, "pinned contracts that tell, beside the host", 1, len(tellers)
    ):
        return None
    return tellers.pop()


def _logged(height: int, block: CheckedBlock) -> LoggedBlock:
    return LoggedBlock(
        height,
        block.header.timestamp,
        tuple(
            LoggedTransaction(
                keccak(raw),
                0 if receipt.is_success else _FAILED,
                "",
                "",
                receipt.logs if receipt.is_success else (),
            )
            for raw, receipt in zip(block.transactions, block.receipts, strict=True)
        ),
    )


def _check_storage(chain: EvmChain, app: bytes, twin: Twin, findings: Findings) -> None:
    """Compare what was told with what the contracts' storage is proved to hold."""
    chain_id = chain.genesis.chain_id
    place = Place(chain_id, len(chain.blocks), file="proofs.bin")
    words = _proved_words(chain, place, findings)
    if words is None:
        return
    wanted = final_slots(twin.scan)
    asked = [(chain.roots.host if one.is_host else app, one.slot) for one in wanted]
    if not findings.expect(place, Check.STATE, "proved slots", sorted(asked), sorted(words)):
        return
    for key, one in zip(asked, wanted, strict=True):
        _compare(place, one, words[key], findings)


def _compare(place: Place, wanted: WantedSlot, word: bytes | None, findings: Findings) -> None:
    findings.require(
        place,
        Check.STATE,
        f"storage: {wanted.what}",
        holds=wanted.fits(word),
        expected=wanted.word.hex(),
        found=(word or bytes(32)).hex(),
    )


def _proved_words(
    chain: EvmChain, place: Place, findings: Findings
) -> dict[tuple[bytes, bytes], bytes | None] | None:
    """Return what each proved slot holds; None if a finding says why a proof shows nothing."""
    state_root = chain.blocks[-1].header.state_root
    words: dict[tuple[bytes, bytes], bytes | None] = {}
    try:
        accounts = ProofNodes(chain.last.account_nodes)
        storage: dict[bytes, bytes] = {}
        for address, _ in chain.roots.pinned:
            account = look_up_account(state_root, address, accounts)
            if account is not None:
                storage[address] = account.storage_root
        for group in chain.proofs.groups:
            nodes = ProofNodes(group.nodes)
            for slot in group.slots:
                words[group.address, slot] = look_up_word(storage[group.address], slot, nodes)
            nodes.finish()
    except (ProofRefused, KeyError) as error:
        findings.refuse(place, Check.STATE, "proof of storage", "one that shows", repr(error))
        return None
    return words
