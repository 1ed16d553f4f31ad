"""
Tokens of other ledgers on this one. A voucher is minted when it is received and burned when it goes
home; how much of it may exist is governed, because the attestors of its ledger could forge it.

Sources:
    ``docs/spec/trust.md`` 2 (limits); ibc-go v11 ``apps/transfer/keeper/relay.go``.
"""

from __future__ import annotations

from tieline.contract import accounts
from tieline.contract.accounts import PAY_DENOM
from tieline.contract.context import Context
from tieline.contract.errors import InsufficientFunds
from tieline.contract.keys import voucher_key, voucher_supply_key, voucher_trace_key
from tieline.contract.records import decode_amount, encode_amount
from tieline.contract.sharded_counters import (
    count_down,
    count_up,
    count_up_unbounded,
    counted,
)
from tieline.contract.store import KeyValues, Readable
from tieline.contract.transfer_errors import DenomNotTransferable, DenomUnknown
from tieline.protocol.denom import Denom, parse_denom_path, parse_voucher_name

PAY = Denom(PAY_DENOM)


def denom_of(state: Readable, name: str) -> Denom:
    """
    Return the token that balances call *name*: PAY, or a voucher that was here.

    Raises:
        DenomUnknown: No voucher of this hash was ever here.
        DenomNotTransferable: Neither PAY nor ``ibc/HASH``; KWH stays on its ledger.
    """
    if name == PAY_DENOM:
        return PAY
    voucher_hash = parse_voucher_name(name)
    if voucher_hash is None:
        raise DenomNotTransferable("unknown denomination", denom=repr(name), known=PAY_DENOM)
    path = state.get(voucher_trace_key(voucher_hash))
    if path is None:
        raise DenomUnknown("denomination not found", denom=name)
    return parse_denom_path(path.decode())


def balance(state: Readable, account: bytes, denom: Denom) -> int:
    """Return what an account may spend of a token, base units."""
    if denom == PAY:
        return accounts.pay_balance(state, account)
    value = state.get(voucher_key(account, denom.voucher_hash))
    return 0 if value is None else decode_amount(value)


def credit(state: KeyValues, account: bytes, denom: Denom, amount: int) -> None:
    """Add to an account's balance of a token that exists here."""
    if denom == PAY:
        accounts.credit_pay(state, account, amount)
        return
    assert denom.trace, "the only token of our own is PAY"
    key = voucher_key(account, denom.voucher_hash)
    state.set(key, encode_amount(balance(state, account, denom) + amount))
    # A receiver becomes an account that may sign, as with PAY.
    accounts.credit_pay(state, account, 0)


def debit(state: KeyValues, account: bytes, denom: Denom, amount: int) -> None:
    """
    Take from an account's balance.

    Raises:
        InsufficientFunds: It holds less; nothing is taken.
        DenomNotTransferable: Not a token of this ledger.
    """
    if denom == PAY:
        accounts.debit_pay(state, account, amount)
        return
    if not denom.trace:
        raise DenomNotTransferable("no such token here", denom=repr(denom.base))
    held = balance(state, account, denom)
    if held < amount:
        raise InsufficientFunds(
            "insufficient funds", account=account.hex(), held=held, needed=amount, denom=denom.name
        )
    key = voucher_key(account, denom.voucher_hash)
    if held == amount:
        state.delete(key)
    else:
        state.set(key, encode_amount(held - amount))


def _supply_keys(ctx: Context, denom: Denom) -> list[bytes]:
    shards = range(ctx.parameters.vault_shards)
    return [voucher_supply_key(denom.voucher_hash, shard) for shard in shards]


def supply(ctx: Context, denom: Denom) -> int:
    """Return how much of a voucher exists, pending locks included, base units."""
    return counted(ctx.state, _supply_keys(ctx, denom))


def issue(ctx: Context, denom: Denom, amount: int, start: int) -> bool:
    """
    Make vouchers exist, within the governed cap; the caller puts them somewhere.

    Args:
        ctx: The transaction.
        denom: The voucher; its path is remembered.
        amount: Base units.
        start: Where counting begins, such as the packet's sequence.

    Returns:
        False if the cap would be passed; nothing is changed.
    """
    keys = _supply_keys(ctx, denom)
    bound = ctx.parameters.voucher_supply_cap
    if not count_up(ctx.state, keys, start % len(keys), amount, bound):
        return False
    trace = voucher_trace_key(denom.voucher_hash)
    if ctx.state.get(trace) is None:
        ctx.state.set(trace, denom.path.encode())
    return True


def issue_again(ctx: Context, denom: Denom, amount: int, start: int) -> None:
    """Make vouchers exist that were burned for a send which failed; never refused by the cap."""
    keys = _supply_keys(ctx, denom)
    count_up_unbounded(ctx.state, keys[start % len(keys)], amount)


def withdraw_issue(ctx: Context, denom: Denom, amount: int, start: int) -> None:
    """Make vouchers cease to exist; the caller took them from somewhere."""
    keys = _supply_keys(ctx, denom)
    count_down(ctx.state, keys, start % len(keys), amount)
