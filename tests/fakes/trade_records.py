"""
Orders, trades, mandates and verdicts of one slot, alike on all ledgers that tests have; who an
account is differs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fakes.microgrid import key
from tieline.contract.terms import lock_id_in
from tieline.swap.messages import ProvedVerdictLeaf
from tieline.swap.records import (
    ZERO_HASH,
    Allocation,
    DeliveryKind,
    EnergyTrade,
    Level,
    LocalTrade,
    Mandate,
    Order,
    OwnLeaf,
    Side,
    Verdict,
    VerdictLeaf,
)
from tieline.wire import ids
from tieline.wire.abi import encode_allocation, encode_id_leaf, encode_verdict_leaf
from tieline.wire.hashes import sha256, tag
from tieline.wire.merkle import MerkleTree
from tieline.wire.typed_data import order_id

START_S = 1_767_225_600
S = START_S + 7200
"""Start of the slot that tests trade in."""
E = S + 900
TAU, D = S - 400, S - 100
T_B = E + 900
T_A = T_B + 900
NETWORK_EPOCH = b"\x51" * 32
CLIENT = "07-fake-0"
PRICE_IN, PRICE_OUT = 200_400, 200_000

Fills = Sequence[tuple[Order, int]]
"""Orders of one side, each with the Wh that it gets."""


def make_order(
    chain_tag: bytes, account: bytes, meter: str, side: Side, wh: int, /, **change: Any
) -> Order:
    """An order; *meter* names the key of the meter. *change* has the nonce, and what differs."""
    order = Order(
        chain_tag=chain_tag,
        account=account,
        meter_id=ids.meter_id(chain_tag, key(meter).address),
        side=side,
        levels=7,
        delivery=DeliveryKind.FIRM,
        slot_start=S,
        slot_length=900,
        energy_wh=wh,
        price_min=100_000 if side is Side.SELL else 0,
        price_max=300_000 if side is Side.BUY else 400_000,
        anchor=ZERO_HASH,
        nonce=0,
    )
    return replace(order, **change)


def make_mandate(
    chain_tag: bytes, source: bytes, connector: bytes, client: str, /, **change: Any
) -> Mandate:
    """A connector's permission on a ledger, for packets from *source* by *client*."""
    mandate = Mandate(
        chain_tag=chain_tag,
        source_chain_tag=source,
        client=tag(client),
        connector_in=connector,
        connector_out=connector,
        max_trade=10**13,
        max_open=10**14,
        min_fee=100,
        min_margin=600,
        expiry=START_S + 86_400,
        nonce=1,
    )
    return replace(mandate, **change)


def allocate(
    sides: Sequence[tuple[int, Fills]],
    forge: Callable[[Allocation], Allocation] = lambda leaf: leaf,
) -> tuple[bytes, list[OwnLeaf]]:
    """Root and leaves of fills: (price, (order, Wh)) a side; offsets by ascending order id."""
    leaves: list[Allocation] = []
    for price, fills in sides:
        offset = 0
        for order, wh in sorted(fills, key=lambda fill: order_id(fill[0])):
            leaves.append(forge(Allocation(order_id(order), order.account, wh, price, offset)))
            offset += wh
    tree = MerkleTree([encode_allocation(leaf) for leaf in leaves])
    return tree.root, [OwnLeaf(leaf, tree.proof(encode_allocation(leaf))) for leaf in leaves]


@dataclass(frozen=True)
class Bargain:
    """Who trades with whom, and under which secret."""

    source: bytes
    """Chain tag of the buyers' ledger."""
    dest: bytes
    buys: Fills
    sells: Fills
    preimage: bytes
    level: Level = Level.INTER
    slot_length: int = 900

    @property
    def hashlock(self) -> bytes:
        """The hash of the secret."""
        return sha256(self.preimage)

    def trade_id(self, root: bytes) -> bytes:
        """The trade's id under a root of allocations."""
        return ids.trade_id(
            *(self.source, self.dest, S, self.slot_length, self.level, root, self.hashlock)
        )

    def buyer(self, trade_id: bytes) -> bytes:
        """A single buyer's account, or the pool's."""
        if len(self.buys) == 1:
            return self.buys[0][0].account
        return ids.pool_account(self.source, trade_id, Side.BUY)

    def seller(self, trade_id: bytes) -> bytes:
        """A single seller's account if its order is anchored, else the pool's."""
        if len(self.sells) == 1 and self.sells[0][0].anchor == self.hashlock:
            return self.sells[0][0].account
        return ids.pool_account(self.dest, trade_id, Side.SELL)


def make_trade(
    bargain: Bargain, root: bytes, cell_set_id: bytes, connector: bytes, /, **change: Any
) -> EnergyTrade:
    """A trade between two ledgers; *change* spoils fields that the trade id does not cover."""
    trade_id = bargain.trade_id(root)
    longer_s = bargain.slot_length - 900
    trade = EnergyTrade(
        version=1,
        level=bargain.level,
        trade_id=trade_id,
        cell_set_id=cell_set_id,
        cell_set_epoch=1,
        slot_start=S,
        slot_length=bargain.slot_length,
        source_chain_tag=bargain.source,
        dest_chain_tag=bargain.dest,
        allocations_root=root,
        buyer=bargain.buyer(trade_id),
        seller=bargain.seller(trade_id),
        connector_in=connector,
        connector_out=connector,
        energy_wh=sum(wh for _, wh in bargain.buys),
        price_in=PRICE_IN,
        price_out=PRICE_OUT,
        hashlock=bargain.hashlock,
        expiry_in=T_A + longer_s,
        expiry_out=T_B + longer_s,
        verdict_deadline=D,
        lock_id_in=ZERO_HASH,
        clearing_root=MerkleTree([encode_id_leaf(trade_id)]).root,
    )
    trade = replace(trade, **change)
    return trade if "lock_id_in" in change else replace(trade, lock_id_in=lock_id_in(trade))


def make_local_trade(
    bargain: Bargain, root: bytes, cell_set_id: bytes, price: int, /, **change: Any
) -> LocalTrade:
    """An INTRA trade."""
    trade_id = bargain.trade_id(root)
    trade = LocalTrade(
        trade_id=trade_id,
        cell_set_id=cell_set_id,
        cell_set_epoch=1,
        slot_start=S,
        slot_length=900,
        allocations_root=root,
        buyer=bargain.buyer(trade_id),
        seller=bargain.seller(trade_id),
        energy_wh=sum(wh for _, wh in bargain.buys),
        price=price,
        hashlock=bargain.hashlock,
        expiry=T_B,
        clearing_root=MerkleTree([encode_id_leaf(trade_id)]).root,
    )
    return replace(trade, **change)


def make_verdict(cell_set_id: bytes, leaves: Sequence[VerdictLeaf], /, **change: Any) -> Verdict:
    """The slot's verdict over leaves."""
    verdict = Verdict(
        cell_set_id=cell_set_id,
        epoch=1,
        slot_start=S,
        slot_length=900,
        network_epoch=NETWORK_EPOCH,
        baseline_hash=b"\x52" * 32,
        pending_root=b"\x53" * 32,
        decisions_root=MerkleTree([encode_verdict_leaf(leaf) for leaf in leaves]).root,
        flow_proof_hash=b"\x54" * 32,
        setpoints_hash=b"\x55" * 32,
    )
    return replace(verdict, **change)


def prove_leaves(
    leaves: Sequence[VerdictLeaf], chosen: Sequence[VerdictLeaf] | None = None
) -> tuple[ProvedVerdictLeaf, ...]:
    """Some leaves of a verdict (all unless said otherwise), each with its proof."""
    tree = MerkleTree([encode_verdict_leaf(leaf) for leaf in leaves])
    return tuple(
        ProvedVerdictLeaf(leaf, tree.proof(encode_verdict_leaf(leaf)))
        for leaf in (leaves if chosen is None else chosen)
    )
