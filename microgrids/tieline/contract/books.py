"""
Where all money of a ledger is: accounts, escrows and bonds of orders, locks, vaults. Nothing is
made or burned after genesis, so the sum never changes.

Sources:
    ``docs/spec/trade.md`` 8; ``docs/spec/market.md`` 3 (E6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tieline.contract.records import (
    LockRecord,
    decode_amount,
    decode_lock,
    decode_order,
    decode_wh,
)
from tieline.contract.shares import share_of
from tieline.swap.lock import Leg
from tieline.swap.records import Side

Scan = Callable[[bytes], Iterable[tuple[bytes, bytes]]]
"""All pairs of store ``tieline`` whose key begins with the prefix."""

_PAY_KEY_BYTES = 22
_VAULT_KEY_BYTES = 22


@dataclass(frozen=True, slots=True)
class Books:
    """Sums of one ledger; money in nano-EUR, energy in Wh."""

    accounts: int
    escrows: int
    """In orders: escrow of buys, bond of sells."""
    locks: int
    """In locks: open money, bonds, and what pools have not collected."""
    vaults: int
    """Unreserved money of connectors, and the imbalance pool."""
    kwh: int
    """Energy with an origin. Nothing mints yet."""

    @property
    def total(self) -> int:
        """All money, nano-EUR: equal to what genesis issued."""
        return self.accounts + self.escrows + self.locks + self.vaults


def lock_holds(record: LockRecord, buyers_collected_wh: int, sellers_collected_wh: int) -> int:
    """
    Return the money that lies in a lock, nano-EUR, bonds included.

    Args:
        record: The lock.
        buyers_collected_wh: Share cursor of the buyers, 0 if they are no pool here.
        sellers_collected_wh: Share cursor of the sellers, 0 if they are no pool here.
    """
    held_wh = record.open_wh
    if record.is_buyer_pool:
        back_wh = buyers_collected_wh - share_of(record, 0, buyers_collected_wh).used_wh
        held_wh += record.refunded_wh - back_wh
    if record.is_seller_pool:
        held_wh += record.paid_wh - share_of(record, 0, sellers_collected_wh).used_wh
    if record.leg is Leg.IN:
        return held_wh * record.price
    bond_wh = record.open_wh
    if record.is_seller_pool:
        unslashed_wh = record.energy_wh - record.slashed_wh
        collected = sellers_collected_wh
        bond_wh = unslashed_wh - (collected - share_of(record, 0, collected).slashed_wh)
    return held_wh * record.price + bond_wh * record.bond_price


def audit_books(scan: Scan) -> Books:
    """Return where the money of a ledger is, from a scan of its whole state."""
    accounts = kwh = 0
    for key, value in scan(b"a"):
        if len(key) == _PAY_KEY_BYTES and key[-1] == 0:
            accounts += decode_amount(value)
        elif len(key) == _PAY_KEY_BYTES and key[-1] == 1:
            kwh += decode_amount(value)
    escrows = sum(decode_order(value).money_left for _, value in scan(b"o"))
    vaults = sum(decode_amount(value) for key, value in scan(b"w") if len(key) == _VAULT_KEY_BYTES)
    cursors = {key[1:]: decode_wh(value) for key, value in scan(b"y")}
    locks = 0
    for key, value in scan(b"l"):
        buyers = cursors.get(key[1:] + bytes((Side.BUY,)), 0)
        sellers = cursors.get(key[1:] + bytes((Side.SELL,)), 0)
        locks += lock_holds(decode_lock(value), buyers, sellers)
    return Books(accounts, escrows, locks, vaults, kwh)
