"""
Credit households with their share of a pool's lock once it is over.

Leaves of a side go in ascending order, many in one transaction: a cursor on the ledger counts them,
and a later leaf is refused before an earlier one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tieline.interfaces.bulletin import SidedLeaf
from tieline.relay.effects import NO_SIGNER, Effect, StepName
from tieline.relay.lock_watch import LockWatch
from tieline.relay.published import Published
from tieline.relay.view import RelayView
from tieline.swap.messages import MsgCollectShare

SHARES_PER_EFFECT_MAX = 32
"""About 20 kB with proofs; a side has at most 128 leaves."""


def collect_shares(view: RelayView, board: Published) -> Iterator[Effect]:
    """Decide which shares are next, per lock and side. A lock without any left is let go."""
    for ledger in view.ledgers.values():
        for lock_id in list(ledger.share_locks):
            lock = ledger.locks[lock_id]
            allocations = board.allocations(lock.trade_id)
            if not allocations:
                continue
            effects = [
                effect
                for side in lock.pool_sides
                if (effect := _next_shares(lock, side, allocations)) is not None
            ]
            if not effects:
                view.finish_shares(lock)
            yield from effects


def _next_shares(lock: LockWatch, side: int, allocations: Sequence[SidedLeaf]) -> Effect | None:
    waiting = [
        sided
        for sided in allocations
        if sided.side == side
        and sided.leaf.allocation.offset_wh >= lock.cursor_wh[side - 1]
        and (side, sided.leaf.allocation.order_id) not in lock.collected
    ]
    if not waiting:
        return None
    waiting.sort(key=lambda sided: sided.leaf.allocation.offset_wh)
    batch = waiting[:SHARES_PER_EFFECT_MAX]
    first = batch[0].leaf.allocation.offset_wh
    return Effect(
        StepName.COLLECT_SHARES,
        lock.ledger_id,
        f"shares/{lock.lock_id.hex()[:16]}/{side}/{first}",
        tuple(
            MsgCollectShare(NO_SIGNER, lock.lock_id, side, sided.leaf.allocation, sided.leaf.proof)
            for sided in batch
        ),
    )
