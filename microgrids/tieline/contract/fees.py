"""
Fees: what a transaction offers is paid when it runs, whatever becomes of its messages. How much is
enough is each peer's own setting and no rule of the ledger.

Fees go to the account that every Cosmos chain calls the fee collector; the utility cell may send
from it (``docs/adr/0024-cosmos-tools.md``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import Final

from tieline.contract import accounts
from tieline.contract.accounts import PAY_DENOM
from tieline.contract.errors import InsufficientFee, InsufficientFunds
from tieline.contract.store import KeyValues, Readable
from tieline.wire.bech32 import account_to_text

FEE_COLLECTOR: Final = sha256(b"fee_collector").digest()[:20]
"""A module account as the Cosmos SDK names them: no key signs for it."""

_DIGITS: Final = 18
"""Places of a gas price behind the point, as the Cosmos SDK has them."""

Coins = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class GasPrice:
    """What one unit of gas costs at least, in units of 10**-18 nano-EUR."""

    attoneur: int = 0

    @classmethod
    def parse(cls, text: str) -> GasPrice:
        """
        Read a price as Cosmos peers write it, such as ``0.025neur``; empty is zero.

        Raises:
            ValueError: Another denomination, below zero, or more than 18 places.
        """
        if not text:
            return cls()
        amount = text.removesuffix(PAY_DENOM)
        try:
            price = Decimal(amount)
        except InvalidOperation:
            price = Decimal("NaN")
        scaled = price.scaleb(_DIGITS) if price.is_finite() else price
        if amount == text or not scaled.is_finite() or scaled < 0 or scaled % 1:
            message = f"minimum gas price must look like 0.025{PAY_DENOM}, not {text!r}"
            raise ValueError(message)
        return cls(int(scaled))

    def __str__(self) -> str:
        whole, part = divmod(self.attoneur, 10**_DIGITS)
        return f"{whole}.{part:0{_DIGITS}}{PAY_DENOM}"

    def require(self, fee: Coins, gas_limit: int) -> None:
        """Raise InsufficientFee unless *fee* pays for *gas_limit*."""
        needed = -(-gas_limit * self.attoneur // 10**_DIGITS)
        if dict(fee).get(PAY_DENOM, 0) < needed:
            raise InsufficientFee(
                f"insufficient fees; got: {coins_to_text(fee)} required: {needed}{PAY_DENOM}"
            )


def coins_to_text(coins: Iterable[tuple[str, int]]) -> str:
    """Return coins as Cosmos logs and events write them, such as ``5neur``; zeros are left out."""
    return ",".join(f"{amount}{denom}" for denom, amount in coins if amount)


def require_payable(state: Readable, payer: bytes, fee: Coins, waiting: int = 0) -> int:
    """
    Return what *fee* takes from the payer's PAY, nano-EUR.

    Args:
        state: Store ``tieline``.
        payer: Account.
        fee: Denominations and amounts.
        waiting: Fees of the payer's transactions that run before this one.

    Raises:
        InsufficientFunds: The payer holds less, or the coin is none of this ledger.
    """
    due = 0
    for denom, amount in fee:
        held = accounts.pay_balance(state, payer) if denom == PAY_DENOM else 0
        if amount > max(held - waiting, 0):
            raise InsufficientFunds(
                f"spendable balance {held}{denom} is smaller than {amount}{denom}",
                fee_payer=account_to_text(payer),
            )
        due += amount
    return due


def pay_fee(state: KeyValues, payer: bytes, fee: Coins) -> None:
    """Move the fee to the fee collector. Raises InsufficientFunds; then nothing has moved."""
    due = require_payable(state, payer, fee) if any(amount for _, amount in fee) else 0
    if due:
        accounts.debit_pay(state, payer, due)
        accounts.credit_pay(state, FEE_COLLECTOR, due)
