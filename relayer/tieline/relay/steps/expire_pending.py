"""Refuse what no verdict came for, from D on: what was received cannot time out any more."""

from __future__ import annotations

from collections.abc import Iterator

from tieline.relay.effects import NO_SIGNER, Effect, StepName
from tieline.relay.published import Published
from tieline.relay.view import RelayView
from tieline.swap.lock import LockStatus
from tieline.swap.messages import MsgExpirePending


def expire_pending(view: RelayView, _board: Published) -> Iterator[Effect]:
    """Decide which pending locks have waited past D."""
    for ledger_id, ledger in view.ledgers.items():
        for tick in sorted(ledger.open_ticks):
            for lock in ledger.open_locks(tick):
                if lock.status is not LockStatus.PENDING:
                    continue
                if ledger.time_s < ledger.terms.verdict_deadline_s(lock.slot_start):
                    continue
                yield Effect(
                    StepName.EXPIRE_PENDING,
                    ledger_id,
                    f"expire/{lock.lock_id.hex()[:16]}",
                    (MsgExpirePending(NO_SIGNER, lock.lock_id),),
                )
