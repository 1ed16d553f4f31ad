"""What the application told of orders, seals, statements, mandates and money outside of locks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tieline.contract import trade_events
from tieline.contract.accounts import credit_pay, debit_pay
from tieline.contract.cell_sets import (
    NEWEST_CELL_SET_KEY,
    StoredCellSet,
    cell_set_key,
    cell_set_use_key,
    decode_cell_set,
    encode_cell_set,
)
from tieline.contract.keys import (
    bands_key,
    delivery_key,
    mandate_record_key,
    order_key,
    orders_count_key,
)
from tieline.contract.records import (
    BandsRecord,
    DeliveryRecord,
    MandateRecord,
    OrderRecord,
    decode_delivery,
    decode_order,
    encode_bands,
    encode_delivery,
    encode_mandate,
    encode_order,
)
from tieline.contract.registry import clearing_key, encode_clearing
from tieline.contract.twin.state import TwinState
from tieline.contract.vaults import credit_shard, debit_shard
from tieline.protocol.events import Event
from tieline.swap.order_escrow import OrderStatus
from tieline.swap.records import ZERO_HASH, Clearing, RegistryRow

Values = Mapping[str, Any]

SHARD = 0
"""An EVM ledger's vaults are in one piece; the first part holds it."""


def order_placed(state: TwinState, values: Values) -> None:
    """Rows A1, B0."""
    order = OrderRecord(
        account=values["account"],
        status=OrderStatus.ORDERED,
        side=values["side"],
        levels=values["levels"],
        delivery=values["delivery"],
        slot_start=values["slotStart"],
        slot_length=values["slotLength"],
        energy_wh=values["energyWh"],
        energy_left_wh=values["energyWh"],
        price_limit=values["priceLimit"],
        money_left=values["money"],
        anchor=values["anchor"],
    )
    debit_pay(state.trade, order.account, order.money_left)
    state.trade.set(order_key(values["orderId"]), encode_order(order))
    count_key = orders_count_key(order.account, order.slot_start)
    placed = int.from_bytes(state.trade.get(count_key) or b"", "big")
    state.trade.set(count_key, (placed + 1).to_bytes(4, "big"))
    state.emit(trade_events.order_placed(values["orderId"], order))


def order_cancelled(state: TwinState, values: Values) -> None:
    """Rows A2, B0a."""
    _end_order(state, values, OrderStatus.CANCELLED)
    state.emit(trade_events.order_cancelled(values["orderId"]))


def order_released(state: TwinState, values: Values) -> None:
    """Rows A4, B0b."""
    _end_order(state, values, OrderStatus.RELEASED)
    state.emit(trade_events.order_released(values["orderId"], values["amount"]))


def order_filled(state: TwinState, values: Values) -> None:
    """A lock took energy and money of an order; our contract tells nothing of it."""
    key = order_key(values["orderId"])
    order = decode_order(state.trade[key])
    filled = replace(
        order,
        energy_left_wh=order.energy_left_wh - values["wh"],
        money_left=order.money_left - values["money"],
    )
    state.trade.set(key, encode_order(filled))
    state.fills[values["lockId"], values["orderId"]] = values["wh"]


def bands_set(state: TwinState, values: Values) -> None:
    """A slot's price band and bond price."""
    bands = BandsRecord(values["priceMin"], values["priceMax"], values["bondPrice"])
    state.trade.set(bands_key(values["slotStart"], values["slotLength"]), encode_bands(bands))


def cell_set_posted(state: TwinState, values: Values) -> None:
    """Row A0."""
    rows = tuple(RegistryRow(*row) for row in values["rows"])
    posted = StoredCellSet(
        values["cellSetId"],
        values["previous"],
        values["networkEpoch"],
        values["epoch"],
        values["fromSlot"],
        ZERO_HASH,
        rows,
    )
    before = state.trade.get(cell_set_key(posted.previous))
    if before is not None:
        followed = replace(decode_cell_set(posted.previous, before), successor=posted.cell_set_id)
        state.trade.set(cell_set_key(posted.previous), encode_cell_set(followed))
    state.trade.set(cell_set_key(posted.cell_set_id), encode_cell_set(posted))
    state.trade.set(NEWEST_CELL_SET_KEY, posted.cell_set_id)
    state.emit(
        Event(
            "cell_set_posted",
            (
                ("cell_set_id", posted.cell_set_id.hex()),
                ("epoch", str(posted.epoch)),
                ("from_slot", str(posted.from_slot)),
            ),
        )
    )


def clearing_posted(state: TwinState, values: Values) -> None:
    """Row A0."""
    clearing = Clearing(
        values["cellSetId"],
        values["epoch"],
        values["slotStart"],
        values["slotLength"],
        values["level"],
        values["ordersRoot"],
        values["clearingRoot"],
    )
    state.trade.set(clearing_key(clearing.trades_root), encode_clearing(clearing))
    mark_used(state, clearing.cell_set_id, clearing.slot_start)
    state.emit(
        Event(
            "clearing_posted",
            (
                ("slot_start", str(clearing.slot_start)),
                ("slot_length", str(clearing.slot_length)),
                ("level", str(clearing.level)),
                ("clearing_root", clearing.trades_root.hex()),
            ),
        )
    )


def delivery_posted(state: TwinState, values: Values) -> None:
    """Rows A8, B5."""
    tick, index, signers = values["slotStart"], values["index"], values["signers"]
    record = DeliveryRecord(values["cellSetId"], values["deliveriesRoot"], signers)
    state.trade.set(delivery_key(tick, index), encode_delivery(record))
    mark_used(state, record.cell_set_id, tick)
    state.emit(trade_events.delivery_posted(tick, index, record.deliveries_root, signers))


def delivery_signed(state: TwinState, values: Values) -> None:
    """A stored statement has more signers."""
    tick, index, signers = values["slotStart"], values["index"], values["signers"]
    key = delivery_key(tick, index)
    record = replace(decode_delivery(state.trade[key]), signers=signers)
    state.trade.set(key, encode_delivery(record))
    state.emit(trade_events.delivery_signed(tick, index, record.deliveries_root, signers))


def conflicting_delivery(state: TwinState, values: Values) -> None:
    """Evidence against cells."""
    state.emit(
        trade_events.conflicting_delivery(values["slotStart"], values["index"], values["signers"])
    )


def mandate_set(state: TwinState, values: Values) -> None:
    """A mandate as it stands from now on."""
    record = MandateRecord(
        max_trade=values["maxTrade"],
        max_open=values["maxOpen"],
        min_fee=values["minFee"],
        min_margin=values["minMargin"],
        expiry=values["expiry"],
        nonce=values["nonce"],
    )
    state.trade.set(mandate_record_key(values["mandateId"]), encode_mandate(record))


def vault_deposited(state: TwinState, values: Values) -> None:
    """Into a vault, from tokens or from an account."""
    if not values["isFromToken"]:
        debit_pay(state.trade, values["payer"], values["amount"])
    credit_shard(state.trade, values["account"], SHARD, values["amount"])


def vault_withdrawn(state: TwinState, values: Values) -> None:
    """From a vault to its owner's account."""
    debit_shard(state.trade, values["account"], SHARD, values["amount"])
    credit_pay(state.trade, values["account"], values["amount"])


def pay_deposited(state: TwinState, values: Values) -> None:
    """Tokens came in."""
    credit_pay(state.trade, values["account"], values["amount"])


def pay_withdrawn(state: TwinState, values: Values) -> None:
    """Tokens went out."""
    debit_pay(state.trade, values["account"], values["amount"])


def sent(state: TwinState, values: Values) -> None:
    """PAY moved between accounts."""
    debit_pay(state.trade, values["sender"], values["amount"])
    credit_pay(state.trade, values["recipient"], values["amount"])


def mark_used(state: TwinState, cell_set_id: bytes, slot_start: int) -> None:
    """Remember the latest slot for which a set has sealed anything."""
    key = cell_set_use_key(cell_set_id)
    if int.from_bytes(state.trade.get(key) or b"", "big") < slot_start:
        state.trade.set(key, slot_start.to_bytes(8, "big"))


def _end_order(state: TwinState, values: Values, status: OrderStatus) -> None:
    key = order_key(values["orderId"])
    order = decode_order(state.trade[key])
    ended = replace(order, status=status, energy_left_wh=0, money_left=0)
    state.trade.set(key, encode_order(ended))
    credit_pay(state.trade, values["account"], values["amount"])
