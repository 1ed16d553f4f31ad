"""Orders, positions and what cells sign about them, in the forms in which messages carry them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from fakes.microgrid import key
from fakes.trade_records import (
    PRICE_IN,
    PRICE_OUT,
    Bargain,
    allocate,
    make_local_trade,
    make_mandate,
    make_order,
    make_trade,
)
from fakes.trade_world import DOMAIN
from fakes.twin.parties import CLIENT, TAG_Y, Cells, account
from tieline.contract.terms import lock_id_in, lock_id_local, lock_id_out
from tieline.swap.messages import MsgSetMandate
from tieline.swap.records import (
    Clearing,
    EnergyTrade,
    Level,
    LocalTrade,
    Order,
    OwnLeaf,
    Side,
    SignedOrder,
    TradeEvidence,
)
from tieline.wire.abi import encode_id_leaf
from tieline.wire.hashes import keccak
from tieline.wire.merkle import MerkleTree
from tieline.wire.typed_data import sign_record

PRICE_LOCAL = 180_000


@dataclass(frozen=True)
class Deal:
    """A trade with everything beside it, seen from ledger x."""

    name: str
    trade: EnergyTrade | LocalTrade
    preimage: bytes
    leaves: tuple[OwnLeaf, ...]
    """Of both sides."""
    own: tuple[OwnLeaf, ...]
    """Of orders on x; evidence."""
    lock_id: bytes
    """On x."""
    clearing_proof: tuple[bytes, ...] = ()

    @property
    def evidence(self) -> TradeEvidence:
        """What goes beside it on x."""
        return TradeEvidence(self.trade.trade_id, self.clearing_proof, self.own)

    @property
    def is_local(self) -> bool:
        """Whether both sides are on x."""
        return isinstance(self.trade, LocalTrade)

    @property
    def is_source(self) -> bool:
        """Whether x sends its packet."""
        return isinstance(self.trade, EnergyTrade) and self.trade.dest_chain_tag == TAG_Y

    @property
    def wire(self) -> EnergyTrade:
        """The trade of a packet."""
        assert isinstance(self.trade, EnergyTrade)
        return self.trade


class Book:
    """Makes orders and deals of one slot of ledger x, all with ids of their own."""

    def __init__(self, tag_x: bytes, cells: Cells) -> None:
        self.tag_x = tag_x
        self.cells = cells
        self.nonce = 0

    def order(self, name: str, side: Side, wh: int, **change: Any) -> Order:
        """An order of a name on x, unless another chain tag is given."""
        self.nonce += 1
        made = {"nonce": self.nonce, **change}
        return make_order(self.tag_x, account(name), f"{name} meter", side, wh, **made)

    def sign(self, name: str, order: Order) -> SignedOrder:
        """An order with a name's signature."""
        return SignedOrder(order, sign_record(key(name), DOMAIN, order))

    def mandate(self, signer: str = "connector", **change: Any) -> MsgSetMandate:
        """The connector's permission on x, for packets from y."""
        connector = account("connector")
        mandate = make_mandate(self.tag_x, TAG_Y, connector, CLIENT, **change)
        return MsgSetMandate(connector, mandate, sign_record(key(signer), DOMAIN, mandate))

    def deal(
        self,
        name: str,
        buys: Sequence[tuple[Order, int]],
        sells: Sequence[tuple[Order, int]],
        preimage: bytes,
        *,
        level: Level = Level.INTER,
        slot_length: int = 900,
        **change: Any,
    ) -> Deal:
        """
        A trade between x and y; which is the source follows from the buyers' orders. *change*
        spoils fields that the trade id does not cover.
        """
        source, dest = buys[0][0].chain_tag, sells[0][0].chain_tag
        root, leaves = allocate([(PRICE_IN, buys), (PRICE_OUT, sells)])
        bargain = Bargain(source, dest, buys, sells, preimage, level, slot_length)
        connector = account("connector")
        trade = make_trade(bargain, root, self.cells.set_id(), connector, **change)
        is_source = source == self.tag_x
        price = PRICE_IN if is_source else PRICE_OUT
        own = tuple(leaf for leaf in leaves if leaf.allocation.price == price)
        lock_id = lock_id_in(trade) if is_source else lock_id_out(trade)
        return Deal(name, trade, preimage, tuple(leaves), own, lock_id)

    def local(
        self,
        name: str,
        buys: Sequence[tuple[Order, int]],
        sells: Sequence[tuple[Order, int]],
        preimage: bytes,
        **change: Any,
    ) -> Deal:
        """An INTRA trade on x."""
        root, leaves = allocate([(PRICE_LOCAL, buys), (PRICE_LOCAL, sells)])
        tag_x = self.tag_x
        bargain = Bargain(tag_x, tag_x, buys, sells, preimage, Level.INTRA)
        trade = make_local_trade(bargain, root, self.cells.set_id(), PRICE_LOCAL, **change)
        both = tuple(leaves)
        return Deal(name, trade, preimage, both, both, lock_id_local(tag_x, trade))

    def cleared_together(self, *deals: Deal) -> tuple[Deal, ...]:
        """The same deals, of one slot and level, under one clearing."""
        leaves = [encode_id_leaf(deal.trade.trade_id) for deal in deals]
        tree = MerkleTree(leaves)
        return tuple(
            replace(
                deal,
                trade=replace(deal.trade, clearing_root=tree.root),
                clearing_proof=tree.proof(encode_id_leaf(deal.trade.trade_id)),
            )
            for deal in deals
        )

    def clearing(self, deal: Deal, **change: Any) -> Clearing:
        """The sealed clearing that a deal names."""
        trade = deal.trade
        level = trade.level if isinstance(trade, EnergyTrade) else Level.INTRA
        clearing = Clearing(
            self.cells.set_id(),
            1,
            trade.slot_start,
            trade.slot_length,
            level,
            keccak(b"orders"),
            trade.clearing_root,
        )
        return replace(clearing, **change)
