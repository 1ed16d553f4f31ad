"""
The application's storage, read slot by slot as ``docs/ethereum.md`` lays it out, beside what the
Python contract holds: no view, no event and no index lies between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fakes.artifact import artifact
from fakes.bare_evm import BareEvm
from tieline.contract.deliveries import last_begin
from tieline.contract.keys import share_cursor_key
from tieline.contract.records import (
    LockRecord,
    OrderRecord,
    decode_amount,
    decode_bands,
    decode_delivery,
    decode_lock,
    decode_order,
    decode_verdict,
)
from tieline.contract.registry import SLOT_LENGTHS_S, cell_set_of_slot
from tieline.swap.lock import Leg, LockStatus
from tieline.swap.order_escrow import OrderStatus
from tieline.swap.records import Side
from tieline.wire.hashes import keccak

SLOTS = {row["label"]: row["slot"] for row in artifact("App")["storageLayout"]}
ACCOUNTS, VAULTS, ORDERS, LOCKS, VERDICTS, DELIVERIES, BANDS, MANDATE_OPEN = (
    SLOTS[label]
    for label in (
        "_accounts",
        "_vaults",
        "_orders",
        "_locks",
        "_verdicts",
        "_deliveries",
        "_bands",
        "_mandateOpen",
    )
)
WH_BITS = 40
PAY_KEY_BYTES = 22
_ORDER_STATUS = {OrderStatus.ORDERED: 1, OrderStatus.CANCELLED: 2, OrderStatus.RELEASED: 3}
Store = Mapping[bytes, bytes]


def mapping_slot(place: int, key: bytes) -> int:
    """Where a mapping at *place* keeps a key of one word."""
    hashed = keccak(key.rjust(32, b"\0") + place.to_bytes(32, "big"))
    return int.from_bytes(hashed, "big")


def differences(evm: BareEvm, app: bytes, store: Store) -> Iterator[str]:
    """Say where the storage of *app* is not what store ``tieline`` holds."""
    for key, value in store.items():
        if key[:1] == b"a" and key[-1:] == b"\0" and len(key) == PAY_KEY_BYTES:
            held = balance(evm, app, key[1:21])
            if held != decode_amount(value):
                yield f"balance {key.hex()}: byte code {held}, Python {decode_amount(value)}"
        if key[:1] == b"l":
            seen, lock = lock_state(evm, app, decode_lock(value)), decode_lock(value)
            cursors = [_cursor(store, key[1:], lock, side) for side in Side]
            wanted = (int(lock.status), lock.cap_wh, lock.paid_wh, lock.slashed_wh, *cursors)
            if seen != wanted:
                yield f"lock {key.hex()}: byte code {seen}, Python {wanted}"
        for place, expected, what in _expected(store, key, value):
            stored = evm.storage(app, place)
            if stored != expected:
                yield f"{what} {key.hex()}: byte code {stored:#x}, Python {expected:#x}"


def _cursor(store: Store, lock_id: bytes, lock: LockRecord, side: Side) -> int:
    """Wh of a side that were collected; of a destination's buyers the slot says something else."""
    if side is Side.BUY and lock.leg is Leg.OUT:
        return 0
    return int.from_bytes(store.get(share_cursor_key(lock_id, side), b""), "big")


def _expected(store: Store, key: bytes, value: bytes) -> Iterator[tuple[int, int, str]]:
    kind = key[:1]
    if kind == b"w" and len(key) == 22:
        yield mapping_slot(VAULTS, key[1:21]), decode_amount(value), "vault"
    elif kind == b"o":
        order = decode_order(value)
        yield mapping_slot(ORDERS, _order_key(key[1:], order)), _packed_order(order), "order"
    elif kind == b"l":
        lock = decode_lock(value)
        lock_id = int.from_bytes(key[1:], "big")
        if lock.status is LockStatus.REFUSED:
            lock_id ^= (1 << 256) - 1  # every bit turned, which is all that a refusal writes
        yield mapping_slot(LOCKS, lock.hash_lock), lock_id, "lock id"
    elif kind == b"v":
        verdict = decode_verdict(value)
        mark = keccak(verdict.verdict_hash + verdict.decisions_root)[:24]
        packed = int.from_bytes(mark + verdict.signers.to_bytes(8, "big"), "big")
        yield mapping_slot(VERDICTS, key[1:]), packed, "verdict"
    elif kind == b"d":
        delivery = decode_delivery(value)
        place = mapping_slot(DELIVERIES, key[1:9] + key[9:17])
        marks = _marks(store, int.from_bytes(key[1:9], "big"), delivery.cell_set_id)
        following = key[:9] + (int.from_bytes(key[9:17], "big") + 1).to_bytes(8, "big")
        marks |= 0x80 if store.get(following) is not None else 0
        packed = (
            delivery.deliveries_root[:23] + bytes((marks,)) + delivery.signers.to_bytes(8, "big")
        )
        yield place, int.from_bytes(packed, "big"), "delivery"
    elif kind == b"z" and len(key) == 13:
        bands = decode_bands(value)
        packed_bands = bands.price_min | bands.price_max << 64 | bands.bond_price << 128 | 1 << 176
        yield mapping_slot(BANDS, key[1:]), packed_bands, "bands"


def _marks(store: Store, tick_start: int, cell_set_id: bytes) -> int:
    """For which lengths of trades that end in a tick a set is the one of their first tick."""
    firsts = [last_begin(tick_start, length) for length in SLOT_LENGTHS_S]
    sets = [cell_set_of_slot(store, first) for first in firsts]
    return sum(
        1 << place
        for place, found in enumerate(sets)
        if found is not None and found.cell_set_id == cell_set_id
    )


def balance(evm: BareEvm, app: bytes, account: bytes) -> int:
    """PAY of an account: the low half of its slot."""
    return evm.storage(app, mapping_slot(ACCOUNTS, account)) & ((1 << 128) - 1)


def lock_state(evm: BareEvm, app: bytes, lock: LockRecord) -> tuple[int, int, int, int, int, int]:
    """Status, cap, paid, slashed and both cursors of a lock."""
    packed = evm.storage(app, mapping_slot(LOCKS, lock.hash_lock) + 1)
    if not packed and lock.status is LockStatus.REFUSED:
        return int(LockStatus.REFUSED), 0, 0, 0, 0, 0
    if not packed:
        status = LockStatus.OPEN if lock.leg is Leg.IN else LockStatus.PENDING
        return int(status), lock.energy_wh, 0, 0, 0, 0
    mask = (1 << WH_BITS) - 1
    cap, paid, slashed, buy, sell = (packed >> shift & mask for shift in range(8, 208, WH_BITS))
    return packed & 0xFF, cap, paid, slashed, 0 if lock.leg is Leg.OUT else buy, sell


def _order_key(order_id: bytes, order: OrderRecord) -> bytes:
    words = (
        order_id,
        order.account.rjust(32, b"\0"),
        order.slot_start.to_bytes(32, "big"),
        order.slot_length.to_bytes(32, "big"),
        order.anchor,
    )
    return keccak(b"".join(words))


def _packed_order(order: OrderRecord) -> int:
    return (
        order.energy_left_wh
        | order.price_limit << 64
        | order.money_left << 128
        | order.side << 192
        | order.levels << 200
        | order.delivery << 208
        | _ORDER_STATUS[order.status] << 216
    )
