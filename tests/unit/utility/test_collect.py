"""The members' orders come onto the ledger, whatever is wrong with some of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fakes.microgrid import key
from fakes.trade_records import S, make_order
from fakes.trade_world import account

from tieline.contract.keys import order_key
from tieline.contract.records import OrderRecord, encode_order
from tieline.interfaces.errors import Rejected
from tieline.market.timeline import PROFILES, slot_timeline
from tieline.swap.messages import MsgPlaceOrders
from tieline.swap.order_escrow import OrderStatus
from tieline.swap.records import ZERO_HASH, Side, SignedOrder
from tieline.swap.secret import Preimage
from tieline.utility.cell import UtilityCell
from tieline.utility.phases.collect import (
    ORDERS_PER_MESSAGE,
    PLACINGS_MAX,
    close_book,
    place_orders,
)
from tieline.utility.slot_work import SlotWork
from tieline.wire.typed_data import order_id


def order(nonce: int) -> SignedOrder:
    household = account("ann")
    made = make_order(b"\x01" * 32, household, "ann meter", Side.BUY, 300, nonce=nonce)
    return SignedOrder(made, bytes(65))


@dataclass
class EagerLedger:
    """Runs a transaction before it takes it, as Fabric and Ethereum nodes do."""

    bad: set[bytes] = field(default_factory=set[bytes])
    """Orders that cannot stand."""
    is_poor: bool = False
    """Whether the cell's account has no gas."""
    orders_max: int = 250
    stored: set[bytes] = field(default_factory=set[bytes])
    taken: list[int] = field(default_factory=list[int])
    """Orders of each transaction that was taken."""

    records: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    """Orders that stand on it, as it keeps them."""

    async def query(self, store: str, name: bytes) -> bytes | None:
        del store
        return b"1" if name in self.stored else self.records.get(name)

    async def submit(self, lane: str, messages: Sequence[MsgPlaceOrders]) -> None:
        del lane
        ids = [order_id(signed.order) for message in messages for signed in message.orders]
        if self.is_poor:
            raise Rejected("evm", 2, "account has too little gas")
        if len(ids) > self.orders_max:
            raise Rejected("evm", 2, f"transaction too large: orders={len(ids)}")
        if self.bad & set(ids):
            raise Rejected("sdk", 5, "insufficient funds")
        self.stored |= {order_key(one) for one in ids}
        self.taken.append(len(ids))


class Book:
    """A cell with its ledger, and a slot's orders."""

    def __init__(self, count: int, **ledger: Any) -> None:
        self.orders = tuple(order(nonce) for nonce in range(count))
        self.ledger = EagerLedger(**ledger)
        own = SimpleNamespace(ledger=self.ledger)
        self.held: dict[bytes, Preimage] = {}
        source = SimpleNamespace(orders=self._orders_of, preimage=self._preimage_of)
        cell = SimpleNamespace(
            own=own, field_source=source, account=key("cell").address, lane="cell"
        )
        self.cell = cast("UtilityCell", cell)
        self.work = SlotWork(slot_timeline(PROFILES["fast"], S, 900))

    def _orders_of(self, slot_start: int) -> tuple[SignedOrder, ...]:
        assert slot_start == S
        return self.orders

    def _preimage_of(self, hash_lock: bytes) -> Preimage | None:
        return self.held.get(hash_lock)

    def id(self, place: int) -> bytes:
        return order_id(self.orders[place].order)

    def step(self) -> str:
        """Place once; why it was refused, as the cell says it."""
        try:
            asyncio.run(place_orders(self.cell, self.work))
        except Rejected as refused:
            return refused.log
        return ""


def test_an_order_that_cannot_stand_keeps_no_other_away() -> None:
    """A household has spent its money before its order came: nobody else waits for it."""
    book = Book(5)
    book.ledger.bad = {book.id(1)}
    assert book.step() == "insufficient funds"
    assert book.step() == "insufficient funds"
    assert book.ledger.stored == {order_key(book.id(place)) for place in (0, 2, 3, 4)}
    assert book.step() == ""
    assert book.work.has_placed
    assert book.work.placings == PLACINGS_MAX


@pytest.mark.parametrize("count", [1, 4])
def test_orders_are_brought_again_until_the_account_can_pay_for_them(count: int) -> None:
    book = Book(count, is_poor=True)
    for _ in range(4):
        assert "too little gas" in book.step()
    assert not book.work.has_placed
    book.ledger.is_poor = False
    assert book.step() == ""
    assert len(book.ledger.stored) == count


def test_a_book_of_hundreds_is_no_transaction_that_no_peer_takes() -> None:
    count = 2 * ORDERS_PER_MESSAGE + 51
    book = Book(count)
    assert book.step() == ""
    assert book.ledger.taken == [ORDERS_PER_MESSAGE, ORDERS_PER_MESSAGE, 51]
    assert book.step() == ""
    assert book.work.has_placed


def test_a_direct_sale_whose_seller_shows_no_preimage_is_in_no_book() -> None:
    """This cell would not sign it, and of three cells all must: nobody would trade in the slot."""
    shown, hidden = (Preimage(bytes([n]) * 32) for n in (1, 2))
    anchors = (ZERO_HASH, shown.hash_lock.digest, hidden.hash_lock.digest)
    book = Book(0)
    book.orders = tuple(
        SignedOrder(replace(order(nonce).order, side=Side.SELL, anchor=anchor), bytes(65))
        for nonce, anchor in enumerate(anchors)
    )
    book.held = {shown.hash_lock.digest: shown}
    for place, anchor in enumerate(anchors):
        record = OrderRecord(
            key("ann").address, OrderStatus.ORDERED, 1, 7, 1, S, 900, 300, 300, 9, 9, anchor
        )
        book.ledger.records[order_key(book.id(place))] = encode_order(record)
    standing = asyncio.run(close_book(book.cell, book.work))
    assert {signed.order.anchor for signed in standing} == set(anchors[:2])
