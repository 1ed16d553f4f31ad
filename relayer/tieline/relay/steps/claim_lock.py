"""
Claim what was delivered: preimage, statement and time together, for whoever the payee is.

The destination's leg goes first. Its claim shows the preimage, and with it the source's leg is
claimed: from the other ledger's event, whatever the seller does.
"""

from __future__ import annotations

from collections.abc import Iterator

from tieline.relay.delivery_leaves import stored_leaves
from tieline.relay.effects import NO_SIGNER, Effect, StepName
from tieline.relay.ledger_view import LedgerView
from tieline.relay.lock_watch import LockWatch
from tieline.relay.published import Published
from tieline.relay.view import RelayView
from tieline.swap.lock import CLAIMABLE, Leg, LockStatus
from tieline.swap.messages import MsgClaim, ProvedDeliveryLeaf


def claim_lock(view: RelayView, board: Published) -> Iterator[Effect]:
    """Decide which locks can be claimed now: statement stored, preimage known, before expiry."""
    for ledger in view.ledgers.values():
        for tick in sorted(ledger.deliveries):
            for lock in ledger.open_locks(tick):
                if lock.status not in CLAIMABLE or ledger.time_s >= lock.expiry:
                    continue
                best = _best_leaf(ledger, board, lock)
                if best is None:
                    continue
                preimage = _preimage(view, board, ledger, lock)
                if preimage is None:
                    continue
                yield Effect(
                    StepName.CLAIM_LOCK,
                    ledger.ledger_id,
                    f"claim/{lock.lock_id.hex()[:16]}/{best.index}",
                    (MsgClaim(NO_SIGNER, lock.lock_id, preimage, best),),
                    deadline_s=lock.expiry,
                )


def _best_leaf(ledger: LedgerView, board: Published, lock: LockWatch) -> ProvedDeliveryLeaf | None:
    """Return the leaf that pays most; None if none pays more than was paid already."""
    leaves = stored_leaves(ledger, board, lock)
    best = max(leaves, key=lambda proved: proved.leaf.delivered_wh, default=None)
    if best is None or min(best.leaf.delivered_wh, lock.cap_wh) <= lock.paid_wh:
        return None
    return best


def _preimage(
    view: RelayView, board: Published, ledger: LedgerView, lock: LockWatch
) -> bytes | None:
    """
    Return the preimage if it may be shown.

    What a ledger has shown may always be shown again. A first reveal comes at the latest at R of
    the seller's leg, so that the source's leg can still be claimed by whoever sees it.
    """
    shown = view.preimages.get(lock.hashlock)
    if shown is not None:
        return shown
    if lock.leg is Leg.LOCAL:
        return board.preimage(lock.trade_id)
    sellers = lock if lock.leg is Leg.OUT else view.other_leg(lock)
    if sellers is None or not (sellers.status is LockStatus.LOCKED or sellers.paid_wh):
        # Not to be paid there, or not yet: shown here, the seller's secret would pay the connector.
        return None
    sellers_ledger = view.ledgers[sellers.ledger_id]
    last_reveal_s = sellers.expiry - sellers_ledger.terms.reveal_lead_s
    if max(ledger.time_s, sellers_ledger.time_s) >= last_reveal_s:
        return None
    return board.preimage(lock.trade_id)
