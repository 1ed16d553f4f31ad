"""
Where all money of a ledger is: accounts (escrow of transfers among them), escrows and bonds of
orders, locks, vaults, and what is owed to accounts of stock chains. PAY is neither made nor burned
after genesis, so its sum never changes; of each voucher exactly what was issued is held.

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
from tieline.contract.stock_locks import token_of
from tieline.contract.transfer_records import decode_owed
from tieline.contract.vouchers import PAY
from tieline.protocol.denom import VOUCHER_HASH_BYTES, Denom, parse_denom_path
from tieline.swap.lock import Leg
from tieline.swap.records import Side

Scan = Callable[[bytes], Iterable[tuple[bytes, bytes]]]
"""All pairs of store ``tieline`` whose key begins with the prefix."""

_PAY_KEY_BYTES = 22
_VAULT_KEY_BYTES = 22
_VOUCHER_KEY_BYTES = _PAY_KEY_BYTES + VOUCHER_HASH_BYTES


@dataclass(frozen=True, slots=True)
class VoucherBooks:
    """Sums of one voucher, base units."""

    voucher_hash: bytes
    issued: int
    """Minted and not burned, with what pending locks have reserved."""
    held: int
    """In accounts (escrow of onward transfers among them) and locks, and owed."""


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
    owed: int = 0
    """PAY that could not be sent to its owners on stock chains."""
    vouchers: tuple[VoucherBooks, ...] = ()
    """Tokens of other ledgers, ascending by hash."""

    @property
    def total(self) -> int:
        """All money, nano-EUR: equal to what genesis issued."""
        return self.accounts + self.escrows + self.locks + self.vaults + self.owed

    @property
    def are_vouchers_conserved(self) -> bool:
        """Whether of each voucher as much is held as was issued and not burned."""
        return all(each.issued == each.held for each in self.vouchers)


def _money_held_wh(record: LockRecord, buyers_collected_wh: int, sellers_collected_wh: int) -> int:
    held_wh = record.open_wh
    if record.is_buyer_pool:
        back_wh = buyers_collected_wh - share_of(record, 0, buyers_collected_wh).used_wh
        held_wh += record.refunded_wh - back_wh
    if record.is_seller_pool:
        held_wh += record.paid_wh - share_of(record, 0, sellers_collected_wh).used_wh
    return held_wh


def lock_holds(record: LockRecord, buyers_collected_wh: int, sellers_collected_wh: int) -> int:
    """
    Return the PAY that lies in a lock, nano-EUR, bonds included.

    Args:
        record: The lock.
        buyers_collected_wh: Share cursor of the buyers, 0 if they are no pool here.
        sellers_collected_wh: Share cursor of the sellers, 0 if they are no pool here.
    """
    money = _money_held_wh(record, buyers_collected_wh, sellers_collected_wh) * record.price
    if record.leg is Leg.IN:
        return money
    bond_wh = record.open_wh
    if record.is_seller_pool:
        unslashed_wh = record.energy_wh - record.slashed_wh
        collected = sellers_collected_wh
        bond_wh = unslashed_wh - (collected - share_of(record, 0, collected).slashed_wh)
    bond = bond_wh * record.bond_price
    return bond if record.is_in_vouchers else money + bond


def vouchers_in_lock(record: LockRecord, sellers_collected_wh: int) -> int:
    """Return the vouchers that lie in a lock, or are reserved for it while it is pending."""
    return _money_held_wh(record, 0, sellers_collected_wh) * record.price


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
    locks = owed = 0
    held: dict[bytes, int] = {}
    for key, value in scan(b"l"):
        buyers = cursors.get(key[1:] + bytes((Side.BUY,)), 0)
        sellers = cursors.get(key[1:] + bytes((Side.SELL,)), 0)
        lock = decode_lock(value)
        locks += lock_holds(lock, buyers, sellers)
        if lock.is_in_vouchers:
            _add(held, token_of(lock), vouchers_in_lock(lock, sellers))
    for _, value in scan(b"u"):
        debt = decode_owed(value)
        denom = parse_denom_path(debt.denom_path)
        if denom == PAY:
            owed += debt.amount
        else:
            _add(held, denom, debt.amount)
    return Books(accounts, escrows, locks, vaults, kwh, owed, _voucher_books(scan, held))


def _add(held: dict[bytes, int], denom: Denom, amount: int) -> None:
    held[denom.voucher_hash] = held.get(denom.voucher_hash, 0) + amount


def _voucher_books(scan: Scan, held: dict[bytes, int]) -> tuple[VoucherBooks, ...]:
    """Return the sums of each voucher; *held* has what is not in accounts, and gets the rest."""
    issued: dict[bytes, int] = {}
    for key, value in scan(b"n"):
        voucher_hash = key[1:-1]
        issued[voucher_hash] = issued.get(voucher_hash, 0) + decode_amount(value)
    for key, value in scan(b"a"):
        if len(key) == _VOUCHER_KEY_BYTES:
            voucher_hash = key[-VOUCHER_HASH_BYTES:]
            held[voucher_hash] = held.get(voucher_hash, 0) + decode_amount(value)
    return tuple(
        VoucherBooks(voucher_hash, issued.get(voucher_hash, 0), held.get(voucher_hash, 0))
        for voucher_hash in sorted(issued.keys() | held.keys())
    )
