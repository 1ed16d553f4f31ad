"""Bring delivery statements to every ledger that holds a lock of their tick."""

from __future__ import annotations

from collections.abc import Iterator

from tieline.relay.effects import NO_SIGNER, Effect, StepName
from tieline.relay.published import Published
from tieline.relay.view import RelayView
from tieline.swap.messages import MsgPostDelivery


def post_delivery(view: RelayView, board: Published) -> Iterator[Effect]:
    """
    Decide which statements go where.

    Every valid root is posted, a second one too: a claim may rest on either.
    """
    for ledger_id, ledger in view.ledgers.items():
        for tick in sorted(ledger.open_ticks):
            stored = ledger.deliveries.get(tick, {})
            for published in board.deliveries(tick):
                root = published.delivery.deliveries_root
                if root in stored:
                    continue
                message = MsgPostDelivery(NO_SIGNER, published.delivery, published.signatures)
                key = f"delivery/{tick}/{root.hex()[:16]}"
                yield Effect(StepName.POST_DELIVERY, ledger_id, key, (message,))
