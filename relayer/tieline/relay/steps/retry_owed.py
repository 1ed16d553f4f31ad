"""Send again what a ledger owes to accounts of stock chains; it goes to no other."""

from __future__ import annotations

from collections.abc import Iterator

from tieline.relay.effects import NO_SIGNER, Effect, StepName
from tieline.relay.published import Published
from tieline.relay.view import RelayView
from tieline.swap.messages import MsgRetryOwed


def retry_owed(view: RelayView, _board: Published) -> Iterator[Effect]:
    """Decide which debts are worth another try."""
    for ledger_id, ledger in view.ledgers.items():
        for owed in ledger.owed.values():
            if ledger.time_s < owed.due_s:
                continue
            yield Effect(
                StepName.RETRY_OWED,
                ledger_id,
                f"owed/{owed.account.hex()}/{owed.owed_id.hex()[:16]}",
                (MsgRetryOwed(NO_SIGNER, owed.account, owed.owed_id),),
            )
