"""Bring every cell set to every ledger that does not hold it: nothing else is taken without."""

from __future__ import annotations

from collections.abc import Iterator

from tieline.relay.effects import NO_SIGNER, Effect, StepName
from tieline.relay.published import Published
from tieline.relay.view import RelayView
from tieline.swap.messages import MsgPostCellSet


def post_cell_sets(view: RelayView, board: Published) -> Iterator[Effect]:
    """Decide which cell sets go where, lowest epoch first."""
    for published in board.cell_sets():
        epoch = published.cell_set.epoch
        for ledger_id, ledger in view.ledgers.items():
            if not ledger.terms.has_cells or epoch in ledger.cell_set_epochs:
                continue
            message = MsgPostCellSet(
                NO_SIGNER, published.cell_set, published.rows, published.signatures
            )
            yield Effect(StepName.POST_CELL_SETS, ledger_id, f"cell_set/{epoch}", (message,))
