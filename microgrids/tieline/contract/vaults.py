"""
What connectors keep on a ledger to pay sellers from, split into parts so that trades meet only
by chance. The imbalance pool is a vault without an owner.
"""

from __future__ import annotations

from tieline.contract.accounts import credit_pay, debit_pay
from tieline.contract.context import Context
from tieline.contract.errors import InsufficientFunds, InvalidCoins
from tieline.contract.keys import vault_key
from tieline.contract.records import decode_amount, encode_amount
from tieline.contract.store import KeyValues, Readable
from tieline.swap.messages import MsgDeposit, MsgWithdraw
from tieline.wire.hashes import keccak, tag

_AMOUNT_MAX = (1 << 128) - 1


def imbalance_account(chain_tag: bytes) -> bytes:
    """Return the 20-byte account of a ledger's imbalance pool, to which bonds are slashed."""
    return keccak(tag("tieline/imbalance/v1") + chain_tag)[-20:]


def shard_balance(state: Readable, account: bytes, shard: int) -> int:
    """Return what one part of a vault holds unreserved, nano-EUR."""
    value = state.get(vault_key(account, shard))
    return 0 if value is None else decode_amount(value)


def vault_balance(state: Readable, account: bytes, shards: int) -> int:
    """Return what a vault holds unreserved, nano-EUR."""
    return sum(shard_balance(state, account, shard) for shard in range(shards))


def credit_shard(state: KeyValues, account: bytes, shard: int, amount: int) -> None:
    """Add nano-EUR to one part of a vault."""
    if amount:
        held = shard_balance(state, account, shard)
        state.set(vault_key(account, shard), encode_amount(held + amount))


def debit_shard(state: KeyValues, account: bytes, shard: int, amount: int) -> None:
    """Take nano-EUR from one part of a vault; the caller has looked that they are there."""
    held = shard_balance(state, account, shard)
    state.set(vault_key(account, shard), encode_amount(held - amount))


def credit_evenly(state: KeyValues, account: bytes, shards: int, amount: int) -> None:
    """Spread a deposit over all parts of a vault; the first takes what does not divide."""
    each, rest = divmod(amount, shards)
    for shard in range(shards):
        credit_shard(state, account, shard, each + (rest if shard == 0 else 0))


def handle_deposit(ctx: Context, message: MsgDeposit) -> None:
    """
    Move the signer's PAY into its vault.

    Raises:
        InvalidCoins: The amount is not positive.
        InsufficientFunds: The account holds less.
    """
    _check_amount(message.amount_nano_eur)
    debit_pay(ctx.state, ctx.signer, message.amount_nano_eur)
    credit_evenly(ctx.state, ctx.signer, ctx.parameters.vault_shards, message.amount_nano_eur)


def handle_withdraw(ctx: Context, message: MsgWithdraw) -> None:
    """
    Move PAY from the signer's vault to its account; what trades reserved is not there to take.

    Raises:
        InvalidCoins: The amount is not positive.
        InsufficientFunds: The vault holds less.
    """
    _check_amount(message.amount_nano_eur)
    left = message.amount_nano_eur
    for shard in range(ctx.parameters.vault_shards):
        taken = min(left, shard_balance(ctx.state, ctx.signer, shard))
        if taken:
            debit_shard(ctx.state, ctx.signer, shard, taken)
            left -= taken
    if left:
        held = message.amount_nano_eur - left
        raise InsufficientFunds(
            "insufficient funds in vault", held=held, needed=message.amount_nano_eur
        )
    credit_pay(ctx.state, ctx.signer, message.amount_nano_eur)


def _check_amount(amount: int) -> None:
    if not 0 < amount <= _AMOUNT_MAX:
        raise InvalidCoins("amount out of range", amount=amount)
