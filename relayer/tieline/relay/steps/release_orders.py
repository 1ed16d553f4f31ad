"""Free what no lock took of an order, from tau on: nothing can be received for it any more."""

from __future__ import annotations

from collections.abc import Iterator

from tieline.relay.effects import NO_SIGNER, Effect, StepName
from tieline.relay.published import Published
from tieline.relay.view import RelayView
from tieline.swap.messages import MsgReleaseOrder


def release_orders(view: RelayView, _board: Published) -> Iterator[Effect]:
    """Decide which orders can be released."""
    for ledger_id, ledger in view.ledgers.items():
        for slot_start in sorted(ledger.orders):
            if ledger.time_s < ledger.terms.tau_s(slot_start):
                break
            for order_id in ledger.orders[slot_start]:
                yield Effect(
                    StepName.RELEASE_ORDERS,
                    ledger_id,
                    f"release/{order_id.hex()[:16]}",
                    (MsgReleaseOrder(NO_SIGNER, order_id),),
                )
