"""Bring sealed clearings to the ledgers that their trades touch, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator

from tieline.relay.effects import NO_SIGNER, Effect, StepName
from tieline.relay.published import Published
from tieline.relay.view import RelayView
from tieline.swap.messages import MsgPostClearing


def post_clearing(view: RelayView, board: Published) -> Iterator[Effect]:
    """Decide which clearings go where; none whose batch has closed, for it can serve no more."""
    for slot_start in board.slots():
        waiting = [
            ledger
            for ledger in view.ledgers.values()
            if ledger.terms.has_cells and ledger.time_s < ledger.terms.tau_s(slot_start)
        ]
        if not waiting:
            continue
        for published in board.clearings(slot_start):
            clearing = published.clearing
            for ledger in waiting:
                if clearing.trades_root in ledger.clearing_roots:
                    continue
                if published.chain_tags and ledger.terms.chain_tag not in published.chain_tags:
                    continue
                yield Effect(
                    StepName.POST_CLEARING,
                    ledger.ledger_id,
                    f"clearing/{slot_start}/{clearing.trades_root.hex()[:16]}",
                    (MsgPostClearing(NO_SIGNER, clearing, published.signatures),),
                    deadline_s=ledger.terms.tau_s(slot_start),
                )
