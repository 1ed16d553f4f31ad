"""
Return what an expired lock still holds to its payer.

On the destination a refund before T_A shows one leaf of the trade from every stored statement, so
that the seller's bond answers for what was not delivered, and only for that.
"""

from __future__ import annotations

from collections.abc import Iterator

from tieline.relay.delivery_leaves import stored_leaves
from tieline.relay.effects import NO_SIGNER, Effect, StepName
from tieline.relay.ledger_view import LedgerView
from tieline.relay.lock_watch import LockWatch
from tieline.relay.published import Published
from tieline.relay.view import RelayView
from tieline.swap.lock import CLAIMABLE, Leg
from tieline.swap.messages import MsgRefund, ProvedDeliveryLeaf


def refund_lock(view: RelayView, board: Published) -> Iterator[Effect]:
    """Decide which locks are past their expiry and can be refunded now."""
    for ledger_id, ledger in view.ledgers.items():
        for tick in sorted(ledger.open_ticks):
            for lock in ledger.open_locks(tick):
                if lock.status not in CLAIMABLE or ledger.time_s < lock.expiry:
                    continue
                leaves = _leaves(view, board, ledger, lock)
                if leaves is None:
                    continue
                yield Effect(
                    StepName.REFUND_LOCK,
                    ledger_id,
                    f"refund/{lock.lock_id.hex()[:16]}",
                    (MsgRefund(NO_SIGNER, lock.lock_id, leaves),),
                )


def _leaves(
    view: RelayView, board: Published, ledger: LedgerView, lock: LockWatch
) -> tuple[ProvedDeliveryLeaf, ...] | None:
    """Return the leaves to show; None while a stored statement lacks one and T_A has not come."""
    if lock.leg is Leg.IN:
        return ()
    leaves = stored_leaves(ledger, board, lock)
    stored_count = len(ledger.deliveries.get(lock.tick, {}))
    if len(leaves) == stored_count:
        return leaves
    return leaves if ledger.time_s >= _late_expiry(view, ledger, lock) else None


def _late_expiry(view: RelayView, ledger: LedgerView, lock: LockWatch) -> int:
    """Return T_A of the trade: the source lock's expiry, or the least it can be."""
    # The ledger lets an INTRA lock go without leaves at once, and a seller's shortfall with it: a
    # statement that is stored gets as long here as on any other leg.
    other = None if lock.leg is Leg.LOCAL else view.other_leg(lock)
    return lock.expiry + ledger.terms.min_margin_s if other is None else other.expiry
