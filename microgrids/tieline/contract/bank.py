"""The handler of the bank's ``MsgSend``: PAY and vouchers between accounts of this ledger."""

from __future__ import annotations

from tieline.contract import vouchers
from tieline.contract.context import Context
from tieline.contract.errors import InvalidAddress, InvalidCoins
from tieline.contract.limits import AMOUNT_MAX
from tieline.contract.transfer_errors import TransferError
from tieline.swap.messages import MsgSend


def handle_send(ctx: Context, message: MsgSend) -> None:
    """
    Move tokens between two accounts.

    Raises:
        InvalidCoins: An unknown denomination, or an amount out of range.
        InvalidAddress: The recipient is no account.
        InsufficientFunds: The sender holds less.
    """
    if not 0 < message.amount_nano_eur <= AMOUNT_MAX:
        raise InvalidCoins("amount out of range", amount=message.amount_nano_eur)
    if len(message.recipient) != 20:
        raise InvalidAddress("recipient must have 20 bytes", length=len(message.recipient))
    try:
        denom = vouchers.denom_of(ctx.state, message.denom)
    except TransferError as exc:
        raise InvalidCoins(str(exc)) from exc
    vouchers.debit(ctx.state, message.sender, denom, message.amount_nano_eur)
    vouchers.credit(ctx.state, message.recipient, denom, message.amount_nano_eur)
