"""
Paying what is owed to accounts of stock chains: sent again by anyone, or taken here by its owner.

Sources:
    ``docs/spec/trade.md`` 6 (X1, X2); ``docs/adr/0021``.
"""

from __future__ import annotations

from tieline.contract import transfer_events, vouchers
from tieline.contract.context import Context, Outcome
from tieline.contract.keys import owed_key
from tieline.contract.transfer_moves import owed, send_exit
from tieline.protocol.denom import parse_denom_path
from tieline.swap.messages import MsgRetryOwed, MsgTakeOwed

RETRY_MEMO = "tieline owed"


def handle_retry_owed(ctx: Context, message: MsgRetryOwed) -> Outcome:
    """
    Send all that is owed under an id to its account; nothing owed is a no-op.

    Raises:
        ProtocolError: The client cannot send now; it stays owed.
    """
    record = owed(ctx, message.account, message.owed_id)
    if record is None:
        return Outcome.ALREADY_DONE
    ctx.state.delete(owed_key(message.account, message.owed_id))
    denom = parse_denom_path(record.denom_path)
    send_exit(ctx, record.client, record.receiver, denom, record.amount, RETRY_MEMO)
    ctx.emit(transfer_events.owed_sent(message.account, message.owed_id, record))
    return Outcome.DONE


def handle_take_owed(ctx: Context, message: MsgTakeOwed) -> Outcome:
    """
    Credit the signer here with what it is owed on a stock chain, whose client may be dead.

    An account is the hash of its key on both ledgers, so whoever signs for it here owns it there.
    """
    record = owed(ctx, ctx.signer, message.owed_id)
    if record is None:
        return Outcome.ALREADY_DONE
    ctx.state.delete(owed_key(ctx.signer, message.owed_id))
    denom = parse_denom_path(record.denom_path)
    vouchers.credit(ctx.state, ctx.signer, denom, record.amount)
    ctx.emit(transfer_events.owed_taken(ctx.signer, message.owed_id, record))
    return Outcome.DONE
