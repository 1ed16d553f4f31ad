"""Account numbers, sequences and balances as ``x/auth`` and ``x/bank`` answer them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tieline.interfaces.errors import Unavailable
from tieline.wire.attestation_proofs import decode_any
from tieline.wire.errors import Malformed
from tieline.wire.fields import amount_from_text
from tieline.wire.proto_fields import Fields, bytes_field

ACCOUNT_PATH: Final = "/cosmos.auth.v1beta1.Query/Account"
BALANCE_PATH: Final = "/cosmos.bank.v1beta1.Query/Balance"
NO_ACCOUNT: Final = "key not found"
"""In the answer for an account that never held anything."""
UNKNOWN_ADDRESS: Final = ("sdk", 9)
_BASE_ACCOUNT_URL: Final = "/cosmos.auth.v1beta1.BaseAccount"


@dataclass(frozen=True, slots=True)
class Account:
    """What a signature on this chain is over, besides the transaction."""

    number: int
    sequence: int
    """Of the next transaction."""


def account_query(address: str) -> bytes:
    """Return ``QueryAccountRequest``."""
    return bytes_field(1, address.encode())


def decode_account(data: bytes) -> Account:
    """Read ``QueryAccountResponse`` with a plain account in it. Raises Unavailable."""
    try:
        found = decode_any(Fields(data, known=1).octets(1))
        if found.type_url != _BASE_ACCOUNT_URL:
            raise Unavailable(f"not a plain account: {found.type_url}")
        account = Fields(found.value, known=4)
        return Account(account.uint(3), account.uint(4))
    except Malformed as exc:
        raise Unavailable(f"not an account: {exc}") from exc


def balance_query(address: str, denom: str) -> bytes:
    """Return ``QueryBalanceRequest``."""
    return bytes_field(1, address.encode()) + bytes_field(2, denom.encode())


def decode_balance(data: bytes) -> int:
    """Read ``QueryBalanceResponse``, base units. Raises Unavailable."""
    try:
        return amount_from_text(Fields(Fields(data, known=1).octets(1), known=2).text(2))
    except Malformed as exc:
        raise Unavailable(f"not a balance: {exc}") from exc
