"""
Where the trade application stores what: keys of store ``tieline``, one prefix a kind.

Nothing that every transaction writes: vaults, open mandates and outflows are split by the first
byte of the trade id.

Sources:
    ``docs/spec/bytes.md`` (stores).
"""

from __future__ import annotations

from tieline.wire.hashes import tag

_LOCAL = tag("local")


def _be8(number: int) -> bytes:
    return number.to_bytes(8, "big")


def order_key(order_id: bytes) -> bytes:
    """'o': an order."""
    return b"o" + order_id


def orders_count_key(account: bytes, slot_start: int) -> bytes:
    """'a' account 0x03 BE8(slot): how many orders an account placed for a slot, 4 bytes."""
    return b"a" + account + b"\x03" + _be8(slot_start)


def lock_key(lock_id: bytes) -> bytes:
    """'l': a lock."""
    return b"l" + lock_id


def hash_lock_key(hash_lock: bytes) -> bytes:
    """'h': the lock that used this H; an H is used once a ledger."""
    return b"h" + hash_lock


def pending_key(client_tag: bytes, sequence: int) -> bytes:
    """'p' T(client) BE8(sequence): the lock of a received packet, by this ledger's client."""
    return b"p" + client_tag + _be8(sequence)


def local_pending_key(trade_id: bytes) -> bytes:
    """'p' T("local") trade id: the lock of an INTRA trade."""
    return b"p" + _LOCAL + trade_id


def verdict_key(slot_start: int) -> bytes:
    """'v': the first valid verdict of a slot."""
    return b"v" + _be8(slot_start)


def delivery_key(tick_start: int, index: int) -> bytes:
    """'d': a delivery statement; indices of a tick are 0.. without gaps."""
    return b"d" + _be8(tick_start) + _be8(index)


def bands_key(slot_start: int, slot_length: int) -> bytes:
    """'z' BE8(slot) BE4(length): price band and bond price."""
    return b"z" + _be8(slot_start) + slot_length.to_bytes(4, "big")


def shard_of(trade_id: bytes, shards: int) -> int:
    """Return which part of a vault a trade uses."""
    return trade_id[0] % shards


def vault_key(account: bytes, shard: int) -> bytes:
    """'w' address u8: a part of a connector's vault, nano-EUR."""
    return b"w" + account + bytes((shard,))


def outflow_key(client: str, slot_start: int, shard: int) -> bytes:
    """'w' T(client) BE8(slot) u8: what packets of a client took from vaults for a slot."""
    return b"w" + tag(client) + _be8(slot_start) + bytes((shard,))


def mandate_record_key(mandate_id: bytes) -> bytes:
    """'q': a mandate."""
    return b"q" + mandate_id


def mandate_open_key(mandate_id: bytes, shard: int) -> bytes:
    """'q' mandate u8: what locks under a mandate hold open, nano-EUR."""
    return b"q" + mandate_id + bytes((shard,))


def stock_chain_key(chain_tag: bytes) -> bytes:
    """'b': the client of a stock chain, and how its accounts are spelled."""
    return b"b" + chain_tag


def stock_terms_key(lock_id: bytes) -> bytes:
    """'j': which parties of a lock are on stock chains."""
    return b"j" + lock_id


def owed_key(account: bytes, owed_id: bytes) -> bytes:
    """'u' account 32 bytes: what could not be sent to an account of a stock chain."""
    return b"u" + account + owed_id


def voucher_key(account: bytes, voucher_hash: bytes) -> bytes:
    """'a' account 0x04 hash: vouchers of an account."""
    return b"a" + account + b"\x04" + voucher_hash


def voucher_trace_key(voucher_hash: bytes) -> bytes:
    """'t': the path of a voucher."""
    return b"t" + voucher_hash


def voucher_supply_key(voucher_hash: bytes, shard: int) -> bytes:
    """'n' hash u8: a part of what exists of a voucher, pending locks included."""
    return b"n" + voucher_hash + bytes((shard,))


def share_cursor_key(lock_id: bytes, side: int) -> bytes:
    """'y': Wh of a side's leaves that were collected."""
    return b"y" + lock_id + bytes((side,))
