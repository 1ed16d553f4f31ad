"""
Orders on this ledger: placed with escrow, cancelled, released, and filled by positions.

Nothing here clears a market; it keeps what households authorised with their signatures.
"""

from __future__ import annotations

from dataclasses import replace

from tieline.contract.accounts import credit_pay, debit_pay
from tieline.contract.context import Context, Outcome
from tieline.contract.errors import InvalidMessage, NotPermitted
from tieline.contract.keys import order_key, orders_count_key
from tieline.contract.limits import SIGNATURE_GAS
from tieline.contract.records import OrderRecord, decode_order, encode_order
from tieline.contract.registry import require_slot
from tieline.contract.slots import bands_of, deadlines_of
from tieline.contract.trade_errors import OrderRefused, TooEarly, TooLate
from tieline.contract.trade_events import order_cancelled, order_placed, order_released
from tieline.swap import order_escrow
from tieline.swap.lock_events import Outcome as Moved
from tieline.swap.messages import MsgCancel, MsgPlaceOrders, MsgReleaseOrder
from tieline.swap.order_escrow import CancelAsked, OrderEscrow, OrderFilled, ReleaseAsked
from tieline.swap.records import Cancel, DeliveryKind, Levels, Order, Side, SignedOrder
from tieline.wire.accounts import account_of
from tieline.wire.errors import Malformed
from tieline.wire.keys import recover
from tieline.wire.typed_data import digest_of_struct_hash, recover_signer, struct_hash


def order_of(ctx: Context, order_id: bytes) -> OrderRecord | None:
    """Return a stored order."""
    value = ctx.state.get(order_key(order_id))
    return None if value is None else decode_order(value)


def handle_place_orders(ctx: Context, message: MsgPlaceOrders) -> Outcome:
    """
    Place signed orders (A1, B0); each escrows its worst cost or its bond. Orders that are here
    already are skipped: an order's id is its replay protection, for ever.

    Raises:
        OrderRefused: Another ledger's, out of range, outside the band, or too many of one account.
        NotPermitted: The signature is not the account's.
        NotYetPosted: The slot has no price band.
        TooLate: From gate closure on.
        InsufficientFunds: The account holds less than the worst cost.
    """
    if not message.orders:
        raise InvalidMessage("no orders")
    is_any_new = False
    for signed in message.orders:
        is_any_new |= _place(ctx, signed)
    return Outcome.DONE if is_any_new else Outcome.ALREADY_DONE


def _place(ctx: Context, signed: SignedOrder) -> bool:
    order = signed.order
    order_id = _id_of(order)
    if ctx.state.get(order_key(order_id)) is not None:
        return False
    _require_fields(ctx, order)
    _require_signature(ctx, signed, order_id)
    bands = bands_of(ctx, order.slot_start, order.slot_length)
    is_buy = order.side == Side.BUY
    limit = order.price_max if is_buy else order.price_min
    if not bands.price_min <= limit <= bands.price_max:
        raise OrderRefused("price outside the band", limit=limit)
    money = order.energy_wh * (limit if is_buy else bands.bond_price)
    points = deadlines_of(ctx, order.slot_start, order.slot_length)
    placed = order_escrow.place(points.gate_closure, points.tau, order.energy_wh, money, ctx.now_s)
    if placed.outcome is Moved.REFUSED:
        raise TooLate(placed.refusal, gate_closure=points.gate_closure)
    _count(ctx, order)
    debit_pay(ctx.state, order.account, money)
    record = OrderRecord(
        account=order.account,
        status=placed.next_state.status,
        side=order.side,
        levels=order.levels,
        delivery=order.delivery,
        slot_start=order.slot_start,
        slot_length=order.slot_length,
        energy_wh=order.energy_wh,
        energy_left_wh=order.energy_wh,
        price_limit=limit,
        money_left=money,
        anchor=order.anchor,
    )
    ctx.state.set(order_key(order_id), encode_order(record))
    ctx.emit(order_placed(order_id, record))
    return True


def _id_of(order: Order) -> bytes:
    try:
        return struct_hash(order)
    except Malformed as exc:
        raise OrderRefused(f"order is malformed: {exc}") from exc


def _require_fields(ctx: Context, order: Order) -> None:
    if order.chain_tag != ctx.chain_tag:
        raise OrderRefused("order of another ledger", chain_tag=order.chain_tag.hex())
    require_slot(order.slot_start, order.slot_length)
    if order.side not in tuple(Side) or order.delivery not in tuple(DeliveryKind):
        raise OrderRefused("unknown side or delivery", side=order.side, delivery=order.delivery)
    if not 0 < order.levels <= Levels.ALL:
        raise OrderRefused("unknown levels", levels=order.levels)
    if order.price_min > order.price_max:
        raise OrderRefused("empty price range", low=order.price_min, high=order.price_max)
    if order.energy_wh < ctx.parameters.order_energy_wh_min:
        raise OrderRefused("energy below the minimum", energy_wh=order.energy_wh)


def _require_signature(ctx: Context, signed: SignedOrder, order_id: bytes) -> None:
    ctx.charge(SIGNATURE_GAS)
    try:
        public_key = recover(digest_of_struct_hash(ctx.domain, order_id), signed.signature)
    except Malformed as exc:
        raise NotPermitted(f"order's signature is malformed: {exc}") from exc
    if account_of(ctx.names.kind, public_key) != signed.order.account:
        raise NotPermitted("order is not signed by its account", order_id=order_id.hex())


def _count(ctx: Context, order: Order) -> None:
    key = orders_count_key(order.account, order.slot_start)
    placed = int.from_bytes(ctx.state.get(key) or b"", "big")
    if placed >= ctx.parameters.open_orders_per_account_max:
        raise OrderRefused("too many orders of one account in a slot", placed=placed)
    ctx.state.set(key, (placed + 1).to_bytes(4, "big"))


def handle_cancel(ctx: Context, message: MsgCancel) -> Outcome:
    """
    Take an order back before gate closure (A2, B0a).

    Raises:
        OrderRefused: No such order.
        NotPermitted: The Cancel is not signed by the order's account.
        TooLate: From gate closure on.
    """
    order_id = message.cancel.order_id
    record = _require_order(ctx, order_id)
    if record.status is order_escrow.OrderStatus.CANCELLED:
        return Outcome.ALREADY_DONE
    is_by_account = _signer_of_cancel(ctx, message.cancel, message.signature) == record.account
    if not is_by_account:
        raise NotPermitted("cancel is not signed by the order's account")
    moved = order_escrow.advance(_escrow(ctx, record), CancelAsked(is_by_account), ctx.now_s)
    if moved.outcome is Moved.REFUSED:
        raise TooLate(moved.refusal)
    _store(ctx, order_id, record, moved.next_state)
    credit_pay(ctx.state, record.account, moved.returned)
    ctx.emit(order_cancelled(order_id))
    return Outcome.DONE


def _signer_of_cancel(ctx: Context, cancel: Cancel, signature: bytes) -> bytes:
    ctx.charge(SIGNATURE_GAS)
    try:
        return account_of(ctx.names.kind, recover_signer(ctx.domain, cancel, signature))
    except Malformed as exc:
        raise NotPermitted(f"cancel's signature is malformed: {exc}") from exc


def handle_release_order(ctx: Context, message: MsgReleaseOrder) -> Outcome:
    """
    Free what no lock took of an order, from tau on (A4, B0b).

    Raises:
        OrderRefused: No such order.
        TooEarly: Before tau.
    """
    record = _require_order(ctx, message.order_id)
    moved = order_escrow.advance(_escrow(ctx, record), ReleaseAsked(), ctx.now_s)
    if moved.outcome is Moved.REFUSED:
        raise TooEarly(moved.refusal)
    if moved.outcome is Moved.ALREADY_DONE:
        return Outcome.ALREADY_DONE
    _store(ctx, message.order_id, record, moved.next_state)
    credit_pay(ctx.state, record.account, moved.returned)
    ctx.emit(order_released(message.order_id, moved.returned))
    return Outcome.DONE


def take_from_order(
    ctx: Context, order_id: bytes, record: OrderRecord, wh: int, money: int
) -> None:
    """Move *wh* and *money* nano-EUR of an order into a lock; the caller saw them there."""
    moved = order_escrow.advance(_escrow(ctx, record), OrderFilled(wh, money), ctx.now_s)
    assert moved.outcome is Moved.MOVED, moved.refusal
    _store(ctx, order_id, record, moved.next_state)


def _require_order(ctx: Context, order_id: bytes) -> OrderRecord:
    record = order_of(ctx, order_id)
    if record is None:
        raise OrderRefused("no such order", order_id=order_id.hex())
    return record


def _escrow(ctx: Context, record: OrderRecord) -> OrderEscrow:
    points = deadlines_of(ctx, record.slot_start, record.slot_length)
    return OrderEscrow(
        gate_closure=points.gate_closure,
        tau=points.tau,
        status=record.status,
        energy_left_wh=record.energy_left_wh,
        money_left=record.money_left,
    )


def _store(ctx: Context, order_id: bytes, record: OrderRecord, escrow: OrderEscrow) -> None:
    stored = replace(
        record,
        status=escrow.status,
        energy_left_wh=escrow.energy_left_wh,
        money_left=escrow.money_left,
    )
    ctx.state.set(order_key(order_id), encode_order(stored))
