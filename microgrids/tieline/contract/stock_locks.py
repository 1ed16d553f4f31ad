"""
The money of a lock one of whose parties is on a stock chain: vouchers instead of PAY, and sends
instead of credits. A send that cannot be made now is owed; a lock's exit never waits for it.

Sources:
    ``docs/spec/trade.md`` 6 (X1, X2, X3).
"""

from __future__ import annotations

from tieline.contract import vouchers
from tieline.contract.context import Context
from tieline.contract.keys import stock_terms_key
from tieline.contract.records import LockRecord
from tieline.contract.transfer_moves import send_exit_or_owe
from tieline.contract.transfer_records import StockTerms, decode_stock_terms
from tieline.contract.vouchers import PAY
from tieline.protocol.denom import TRANSFER_PORT, Denom


def stock_terms(ctx: Context, lock_id: bytes) -> StockTerms:
    """Return which parties of a lock are on stock chains; the lock is marked so."""
    value = ctx.state.get(stock_terms_key(lock_id))
    assert value is not None, "a marked lock has its terms"
    return decode_stock_terms(value)


def token_of(record: LockRecord) -> Denom:
    """Return what a lock's money is: PAY, or the vouchers of the buyer's chain."""
    return PAY.through(TRANSFER_PORT, record.client) if record.is_in_vouchers else PAY


def dest_chain_tag(ctx: Context, lock_id: bytes, record: LockRecord) -> bytes:
    """Return the ledger that a lock's trade sells from: this one, but for X3 the next."""
    if record.is_in_vouchers and record.is_payee_abroad:
        return stock_terms(ctx, lock_id).dest_chain_tag
    return ctx.chain_tag


def _memo(lock_id: bytes) -> str:
    return f"tieline lock {lock_id.hex()}"


def pay_seller(ctx: Context, lock_id: bytes, record: LockRecord, amount: int) -> None:
    """Pay what was claimed: sent to a seller abroad, credited to one here, or kept for a pool."""
    if record.is_payee_abroad:
        seller = stock_terms(ctx, lock_id).seller
        assert seller is not None, "a payee abroad has an account there"
        send_exit_or_owe(
            ctx, seller.client, seller.account, token_of(record), amount, _memo(lock_id)
        )
    elif amount and not record.is_seller_pool:
        vouchers.credit(ctx.state, record.payee, token_of(record), amount)


def return_home(ctx: Context, lock_id: bytes, record: LockRecord, amount: int) -> None:
    """Send vouchers back to the buyer that they came from."""
    buyer = stock_terms(ctx, lock_id).buyer
    assert buyer is not None, "vouchers in a lock came from a buyer abroad"
    send_exit_or_owe(ctx, buyer.client, buyer.account, token_of(record), amount, _memo(lock_id))


def forget_reserved(ctx: Context, record: LockRecord, amount: int) -> None:
    """Unmake vouchers of a refused lock: the sentinel frees the escrow they stood for."""
    vouchers.withdraw_issue(ctx, token_of(record), amount, record.sequence)
