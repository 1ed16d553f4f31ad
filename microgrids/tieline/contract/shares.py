"""
What members of a pool get when its lock has ended: pushed by anyone, order by order, exact to the
nano-EUR and without remainder.

Sources:
    ``docs/spec/trade.md`` 3 (A13) and 4 (B10); ``docs/spec/decisions.md`` 1.
"""

from __future__ import annotations

from dataclasses import dataclass

from tieline.contract import trade_events, vouchers
from tieline.contract.accounts import credit_pay
from tieline.contract.context import Context, Outcome
from tieline.contract.errors import InvalidMessage
from tieline.contract.keys import share_cursor_key
from tieline.contract.locks import require_lock
from tieline.contract.order_book import order_of
from tieline.contract.records import LockRecord, decode_wh, encode_wh
from tieline.contract.stock_locks import token_of
from tieline.contract.store import Readable
from tieline.contract.trade_errors import OrderRefused, ProofRefused, TooEarly
from tieline.swap.lock import TERMINAL
from tieline.swap.messages import MsgCollectShare
from tieline.swap.records import Allocation, Side
from tieline.units.rounding import floor_share
from tieline.wire.abi import encode_allocation
from tieline.wire.errors import Malformed
from tieline.wire.merkle import verify

PROOF_LENGTH_MAX = 32
_HASH_GAS = 30


@dataclass(frozen=True, slots=True)
class Share:
    """One leaf's part of an ended lock, Wh."""

    used_wh: int
    slashed_wh: int


def share_of(record: LockRecord, offset_wh: int, wh: int) -> Share:
    """
    Return the part of the leaf that covers [offset, offset + wh) of the position.

    Both numbers telescope: over all leaves they sum to what the lock paid and slashed. The
    rounding is down at every border, so a Wh goes to the leaf in which it becomes whole.
    """
    return Share(
        floor_share(record.paid_wh, offset_wh, wh, record.energy_wh),
        floor_share(record.slashed_wh, offset_wh, wh, record.energy_wh),
    )


def share_cursor(state: Readable, lock_id: bytes, side: int) -> int:
    """Return how many Wh of a side's leaves were collected."""
    value = state.get(share_cursor_key(lock_id, side))
    return 0 if value is None else decode_wh(value)


def handle_collect_share(ctx: Context, message: MsgCollectShare) -> Outcome:
    """
    Credit one order with its share of an ended lock; leaves come in ascending order.

    Raises:
        LockNotFound: No such lock.
        TooEarly: The lock has not ended, or an earlier leaf is missing.
        InvalidMessage: That side of the lock is not a pool here.
        ProofRefused, OrderRefused: The leaf or its order is not the pool's.
    """
    record = require_lock(ctx, message.lock_id)
    if record.status not in TERMINAL:
        raise TooEarly("a share is known when its lock has ended", lock_id=message.lock_id.hex())
    is_buy = message.side == Side.BUY
    if not (record.is_buyer_pool if is_buy else record.is_seller_pool):
        raise InvalidMessage("that side of the lock is not a pool here", side=message.side)
    leaf = message.allocation
    cursor_wh = share_cursor(ctx.state, message.lock_id, message.side)
    _require_leaf(ctx, record, message)
    if leaf.offset_wh < cursor_wh:
        return Outcome.ALREADY_DONE
    if leaf.offset_wh > cursor_wh:
        raise TooEarly("an earlier leaf is missing", collected=cursor_wh, offset=leaf.offset_wh)
    if leaf.energy_wh < 1 or cursor_wh + leaf.energy_wh > record.energy_wh:
        raise ProofRefused("leaf beyond the position", energy_wh=leaf.energy_wh)
    key = share_cursor_key(message.lock_id, message.side)
    ctx.state.set(key, encode_wh(cursor_wh + leaf.energy_wh))
    share = share_of(record, cursor_wh, leaf.energy_wh)
    money, bond = _credit_of(record, leaf, share, is_buy=is_buy)
    credited = money + bond
    if record.is_in_vouchers:
        vouchers.credit(ctx.state, leaf.account, token_of(record), money)
        credit_pay(ctx.state, leaf.account, bond)
    else:
        credit_pay(ctx.state, leaf.account, credited)
    ctx.emit(
        trade_events.share_collected(
            message.lock_id, message.side, leaf.order_id, share.used_wh, credited
        )
    )
    return Outcome.DONE


def _credit_of(
    record: LockRecord, leaf: Allocation, share: Share, *, is_buy: bool
) -> tuple[int, int]:
    """Return money and bond, base units of the lock's token and nano-EUR."""
    if is_buy:
        return (leaf.energy_wh - share.used_wh) * record.price, 0
    bond_wh = leaf.energy_wh - share.slashed_wh
    return share.used_wh * record.price, bond_wh * record.bond_price


def _require_leaf(ctx: Context, record: LockRecord, message: MsgCollectShare) -> None:
    leaf = message.allocation
    ctx.charge(_HASH_GAS * (len(message.proof) + 2))
    try:
        encoded = encode_allocation(leaf)
    except Malformed as exc:
        raise ProofRefused(f"leaf is malformed: {exc}") from exc
    if len(message.proof) > PROOF_LENGTH_MAX or not verify(
        record.allocations_root, encoded, message.proof
    ):
        raise ProofRefused("leaf is not in the allocations by this proof")
    if leaf.price != record.price:
        raise ProofRefused("leaf's price is not the lock's", price=leaf.price)
    order = order_of(ctx, leaf.order_id)
    if order is None or order.side != message.side or order.account != leaf.account:
        raise OrderRefused("leaf is not of an order of that pool", order_id=leaf.order_id.hex())
