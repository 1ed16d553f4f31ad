"""Bring delivery statements to every ledger that holds a lock of their tick."""

from __future__ import annotations

from collections.abc import Iterator

from tieline.interfaces.bulletin import PublishedDelivery
from tieline.relay.effects import NO_SIGNER, Effect, StepName
from tieline.relay.ledger_view import LedgerView
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
                if root in stored and not _lacks_signers(ledger, tick, published):
                    continue
                message = MsgPostDelivery(NO_SIGNER, published.delivery, published.signatures)
                key = f"delivery/{tick}/{root.hex()[:16]}"
                if root in stored:
                    key += f"/{ledger.delivery_signers[tick][root]:x}"
                yield Effect(StepName.POST_DELIVERY, ledger_id, key, (message,))


def _lacks_signers(ledger: LedgerView, tick: int, published: PublishedDelivery) -> bool:
    """
    Say whether a cell's signature was published that is not stored.

    Anyone may post a statement with a bare quorum, also with one that is as large as the published
    and lacks a cell of it; a GRID trade needs two cells' by name.
    """
    stored = ledger.delivery_signers[tick][published.delivery.deliveries_root]
    return published.signers & ~stored != 0
