"""Delivery leaves of a trade as a ledger takes them: with the index of the statement there."""

from __future__ import annotations

from tieline.relay.ledger_view import LedgerView
from tieline.relay.lock_watch import LockWatch
from tieline.relay.published import Published
from tieline.swap.messages import ProvedDeliveryLeaf


def stored_leaves(
    ledger: LedgerView, board: Published, lock: LockWatch
) -> tuple[ProvedDeliveryLeaf, ...]:
    """
    Return the lock's leaf out of every statement that is stored on *ledger*, ascending index.

    A statement without a leaf of this trade, or that the cells have not published, gives none.
    """
    roots = ledger.deliveries.get(lock.tick)
    if not roots:
        return ()
    leaves: list[ProvedDeliveryLeaf] = []
    for published in board.deliveries(lock.tick):
        index = roots.get(published.delivery.deliveries_root)
        item = None if index is None else board.leaf(published, lock.trade_id)
        if index is not None and item is not None:
            leaves.append(ProvedDeliveryLeaf(item.leaf, item.proof, index))
    return tuple(sorted(leaves, key=lambda proved: proved.index))
