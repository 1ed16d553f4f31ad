"""
What accounts hold: PAY in nano-EUR and KWH in Wh, each balance a key of its own, so that two
transactions meet only where they touch the same account. There are no totals as keys.

Store ``tieline``: ``a`` account 0x00 -> PAY, ``a`` account 0x01 -> KWH, 16 bytes big-endian each;
``a`` account 0x02 -> next sequence, 8 bytes; ``a`` account 0x04 are vouchers
(``tieline.contract.vouchers``). A PAY balance of zero stays, as a sign that the account was here.
"""

from __future__ import annotations

from tieline.contract.errors import InsufficientFunds
from tieline.contract.limits import AMOUNT_MAX
from tieline.contract.store import KeyValues, Readable
from tieline.wire.bech32 import account_to_text

PAY_DENOM = "neur"

_PREFIX = b"a"
_PAY = b"\x00"
_KWH = b"\x01"
_SEQUENCE = b"\x02"


def pay_key(account: bytes) -> bytes:
    """Return the key of an account's PAY."""
    return _PREFIX + account + _PAY


def kwh_key(account: bytes) -> bytes:
    """Return the key of an account's KWH."""
    return _PREFIX + account + _KWH


def sequence_key(account: bytes) -> bytes:
    """Return the key of an account's next sequence."""
    return _PREFIX + account + _SEQUENCE


def pay_balance(state: Readable, account: bytes) -> int:
    """Return the PAY an account may spend, nano-EUR; what is escrowed or locked is not in it."""
    return _amount(state.get(pay_key(account)))


def kwh_balance(state: Readable, account: bytes) -> int:
    """Return the KWH of an account, Wh."""
    return _amount(state.get(kwh_key(account)))


def credit_pay(state: KeyValues, account: bytes, amount: int) -> None:
    """Add nano-EUR to an account. Zero only marks that the account is known."""
    _credit(state, pay_key(account), amount)


def debit_pay(state: KeyValues, account: bytes, amount: int) -> None:
    """
    Take nano-EUR from an account.

    Raises:
        InsufficientFunds: It holds less; nothing is taken.
    """
    _debit(state, pay_key(account), account, amount, PAY_DENOM)


def credit_kwh(state: KeyValues, account: bytes, wh: int) -> None:
    """Add Wh to an account."""
    _credit(state, kwh_key(account), wh)


def debit_kwh(state: KeyValues, account: bytes, wh: int) -> None:
    """
    Take Wh from an account.

    Raises:
        InsufficientFunds: It holds less; nothing is taken.
    """
    _debit(state, kwh_key(account), account, wh, "kwh")


def is_known(state: Readable, account: bytes) -> bool:
    """Say whether the account ever held PAY here or sent a transaction."""
    return state.get(pay_key(account)) is not None or state.get(sequence_key(account)) is not None


def next_sequence(state: Readable, account: bytes) -> int:
    """Return the sequence that the account's next transaction must carry."""
    return _amount(state.get(sequence_key(account)))


def set_next_sequence(state: KeyValues, account: bytes, sequence: int) -> None:
    """Remember the sequence of the account's next transaction, at least 1."""
    state.set(sequence_key(account), sequence.to_bytes(8, "big"))


def _amount(value: bytes | None) -> int:
    return 0 if value is None else int.from_bytes(value, "big")


def _credit(state: KeyValues, key: bytes, amount: int) -> None:
    assert amount >= 0, "a credit is not negative"
    total = _amount(state.get(key)) + amount
    assert total <= AMOUNT_MAX, "issuance is bounded far below 2^128"
    state.set(key, total.to_bytes(16, "big"))


def _debit(state: KeyValues, key: bytes, account: bytes, amount: int, denom: str) -> None:
    assert amount >= 0, "a debit is not negative"
    held = _amount(state.get(key))
    if held < amount:
        raise InsufficientFunds(
            f"spendable balance {held}{denom} is smaller than {amount}{denom}",
            account=account_to_text(account),
        )
    state.set(key, (held - amount).to_bytes(16, "big"))
