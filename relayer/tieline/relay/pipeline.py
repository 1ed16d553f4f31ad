"""
The order of the steps, and why each stands where it stands.

The order is the order inside a transaction and the order in which scarce room is given away; no
step relies on another having run, because each reads the ledgers' events and not the relayer's
plans.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator

from tieline.relay.effects import Effect
from tieline.relay.published import Published
from tieline.relay.steps.apply_verdict import apply_verdict
from tieline.relay.steps.claim_lock import claim_lock
from tieline.relay.steps.collect_shares import collect_shares
from tieline.relay.steps.deliver_acknowledgement import deliver_acknowledgement
from tieline.relay.steps.deliver_packet import deliver_packet
from tieline.relay.steps.deliver_timeout import deliver_timeout
from tieline.relay.steps.expire_pending import expire_pending
from tieline.relay.steps.post_cell_sets import post_cell_sets
from tieline.relay.steps.post_clearing import post_clearing
from tieline.relay.steps.post_delivery import post_delivery
from tieline.relay.steps.refund_lock import refund_lock
from tieline.relay.steps.release_orders import release_orders
from tieline.relay.steps.retry_owed import retry_owed
from tieline.relay.view import RelayView

Step = Callable[[RelayView, Published], Iterator[Effect]]

STEPS: tuple[Step, ...] = (
    # Every other record names a cell set; without it a ledger answers "not yet" to all.
    post_cell_sets,
    # Sends and receives are refused before their clearing is stored.
    post_clearing,
    # The shortest window: between tau and D, and both legs hang on it.
    apply_verdict,
    # Claims rest on a statement that is stored on the same ledger.
    post_delivery,
    # Money with a deadline: after it the payee has lost.
    claim_lock,
    # A packet that misses tau is refunded: liveness, not money.
    deliver_packet,
    # A success only narrows the cap, a refusal returns money: soon, but nobody loses by waiting.
    deliver_acknowledgement,
    deliver_timeout,
    # From here on nothing can be missed: each becomes possible at a time and stays so.
    expire_pending,
    refund_lock,
    release_orders,
    # What stock chains did not take: nobody waits for it with a deadline, it may fail again.
    retry_owed,
    # Only after a lock is over; by far the most messages, so it takes the room that is left.
    collect_shares,
)


def decide(
    view: RelayView, board: Published, blocked: Container[str], closed: Container[str] = ()
) -> list[Effect]:
    """
    Return what is to be done now, in the order of ``STEPS``.

    Args:
        view: What the ledgers told.
        board: What the cells published.
        blocked: Names of effects that are under way, or wait for another try.
        closed: Ledgers that take nothing now; packets for them are not decided about.
    """
    view.begin_round(blocked, closed)
    return [effect for step in STEPS for effect in step(view, board) if effect.name not in blocked]
