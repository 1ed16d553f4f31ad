"""
Bring the cells' decisions to the locks that wait for them, one whole group a time, before D.

Acceptances change both legs: this is the shortest window of a trade and goes before all else.
"""

from __future__ import annotations

from collections.abc import Iterator

from tieline.interfaces.bulletin import PublishedVerdict, VerdictGroup
from tieline.relay.effects import NO_SIGNER, Effect, StepName
from tieline.relay.ledger_view import LedgerView
from tieline.relay.published import Published
from tieline.relay.view import RelayView
from tieline.swap.lock import LockStatus
from tieline.swap.messages import MsgApplyVerdict


def apply_verdict(view: RelayView, board: Published) -> Iterator[Effect]:
    """Decide which groups are due: from tau, before D, while one of their locks is pending."""
    for ledger_id, ledger in view.ledgers.items():
        for slot_start in _slots_that_wait(ledger):
            if ledger.time_s < ledger.terms.tau_s(slot_start):
                continue
            deadline_s = ledger.terms.verdict_deadline_s(slot_start)
            published = board.verdict(slot_start) if ledger.time_s < deadline_s else None
            if published is None:
                continue
            for group in published.groups:
                if group.dest_chain_tag != ledger.terms.chain_tag:
                    continue
                if not _is_pending(ledger, group):
                    continue
                is_stored = _is_stored(ledger, slot_start, published, group)
                yield Effect(
                    StepName.APPLY_VERDICT,
                    ledger_id,
                    _key(slot_start, group),
                    (_message(slot_start, published, group, is_stored=is_stored),),
                    deadline_s=deadline_s,
                )


def _slots_that_wait(ledger: LedgerView) -> list[int]:
    slots = {
        lock.slot_start
        for tick in ledger.open_ticks
        for lock in ledger.open_locks(tick)
        if lock.status is LockStatus.PENDING
    }
    return sorted(slots)


def _is_pending(ledger: LedgerView, group: VerdictGroup) -> bool:
    for proved in group.leaves:
        lock_id = ledger.lock_by_trade.get(proved.leaf.trade_id)
        if lock_id is not None and ledger.locks[lock_id].status is LockStatus.PENDING:
            return True
    return False


def _is_stored(
    ledger: LedgerView, slot_start: int, published: PublishedVerdict, group: VerdictGroup
) -> bool:
    """
    Say whether the ledger holds the verdict with the signatures that the group needs.

    Anyone may post it with a bare quorum; without an owner's signature the group would be refused.
    """
    if ledger.verdict_hashes.get(slot_start) != published.verdict_hash:
        return False
    signers = ledger.verdict_signers.get(slot_start, 0)
    return not any(proved.leaf.owners & ~signers for proved in group.leaves)


def _key(slot_start: int, group: VerdictGroup) -> str:
    if group.group:
        return f"verdict/{slot_start}/{group.group}"
    return f"verdict/{slot_start}/refuse/{group.leaves[0].leaf.trade_id.hex()[:16]}"


def _message(
    slot_start: int, published: PublishedVerdict, group: VerdictGroup, *, is_stored: bool
) -> MsgApplyVerdict:
    root = published.verdict.decisions_root
    if is_stored:
        # Without signatures: a ledger that keeps only a hash of it must be brought it again.
        return MsgApplyVerdict(NO_SIGNER, slot_start, root, group.leaves, published.verdict)
    return MsgApplyVerdict(
        NO_SIGNER, slot_start, root, group.leaves, published.verdict, published.signatures
    )
