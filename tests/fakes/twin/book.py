"""Orders, positions and what cells sign about them, in the forms in which messages carry them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from fakes.microgrid import key
from fakes.trade_world import (
    DOMAIN,
    PRICE_IN,
    PRICE_OUT,
    START_S,
    T_A,
    T_B,
    D,
    S,
    allocate,
)
from fakes.twin.parties import CLIENT, TAG_Y, Cells, account
from tieline.contract.terms import lock_id_in, lock_id_local, lock_id_out
from tieline.swap.messages import MsgSetMandate
from tieline.swap.records import (
    ZERO_HASH,
    Clearing,
    DeliveryKind,
    EnergyTrade,
    Level,
    LocalTrade,
    Mandate,
    Order,
    OwnLeaf,
    Side,
    SignedOrder,
    TradeEvidence,
)
from tieline.wire import ids
from tieline.wire.abi import encode_id_leaf
from tieline.wire.hashes import keccak, sha256, tag
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
        order = Order(
            chain_tag=self.tag_x,
            account=account(name),
            meter_id=ids.meter_id(self.tag_x, key(f"{name} meter").address),
            side=side,
            levels=7,
            delivery=DeliveryKind.FIRM,
            slot_start=S,
            slot_length=900,
            energy_wh=wh,
            price_min=100_000 if side is Side.SELL else 0,
            price_max=300_000 if side is Side.BUY else 400_000,
            anchor=ZERO_HASH,
            nonce=self.nonce,
        )
        return replace(order, **change)

    def sign(self, name: str, order: Order) -> SignedOrder:
        """An order with a name's signature."""
        return SignedOrder(order, sign_record(key(name), DOMAIN, order))

    def mandate(self, signer: str = "connector", **change: Any) -> MsgSetMandate:
        """The connector's permission on x, for packets from y."""
        connector = account("connector")
        mandate = Mandate(
            chain_tag=self.tag_x,
            source_chain_tag=TAG_Y,
            client=tag(CLIENT),
            connector_in=connector,
            connector_out=connector,
            max_trade=10**13,
            max_open=10**14,
            min_fee=100,
            min_margin=600,
            expiry=START_S + 86_400,
            nonce=1,
        )
        mandate = replace(mandate, **change)
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
        hashlock = sha256(preimage)
        trade_id = ids.trade_id(source, dest, S, slot_length, level, root, hashlock)
        is_direct = len(sells) == 1 and sells[0][0].anchor == hashlock
        trade = EnergyTrade(
            version=1,
            level=level,
            trade_id=trade_id,
            cell_set_id=self.cells.set_id(),
            cell_set_epoch=1,
            slot_start=S,
            slot_length=slot_length,
            source_chain_tag=source,
            dest_chain_tag=dest,
            allocations_root=root,
            buyer=_party(buys, source, trade_id, Side.BUY, is_direct=len(buys) == 1),
            seller=_party(sells, dest, trade_id, Side.SELL, is_direct=is_direct),
            connector_in=account("connector"),
            connector_out=account("connector"),
            energy_wh=sum(wh for _, wh in buys),
            price_in=PRICE_IN,
            price_out=PRICE_OUT,
            hashlock=hashlock,
            expiry_in=T_A + slot_length - 900,
            expiry_out=T_B + slot_length - 900,
            verdict_deadline=D,
            lock_id_in=ZERO_HASH,
            clearing_root=MerkleTree([encode_id_leaf(trade_id)]).root,
        )
        trade = replace(trade, **change)
        if "lock_id_in" not in change:
            trade = replace(trade, lock_id_in=lock_id_in(trade))
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
        hashlock = sha256(preimage)
        tag_x = self.tag_x
        trade_id = ids.trade_id(tag_x, tag_x, S, 900, Level.INTRA, root, hashlock)
        is_direct = len(sells) == 1 and sells[0][0].anchor == hashlock
        trade = LocalTrade(
            trade_id=trade_id,
            cell_set_id=self.cells.set_id(),
            cell_set_epoch=1,
            slot_start=S,
            slot_length=900,
            allocations_root=root,
            buyer=_party(buys, tag_x, trade_id, Side.BUY, is_direct=len(buys) == 1),
            seller=_party(sells, tag_x, trade_id, Side.SELL, is_direct=is_direct),
            energy_wh=sum(wh for _, wh in buys),
            price=PRICE_LOCAL,
            hashlock=hashlock,
            expiry=T_B,
            clearing_root=MerkleTree([encode_id_leaf(trade_id)]).root,
        )
        trade = replace(trade, **change)
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


def _party(
    fills: Sequence[tuple[Order, int]],
    chain_tag: bytes,
    trade_id: bytes,
    side: Side,
    *,
    is_direct: bool,
) -> bytes:
    if is_direct:
        return fills[0][0].account
    return ids.pool_account(chain_tag, trade_id, side)
