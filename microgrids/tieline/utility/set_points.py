"""What dispatchable devices are told: mean watt over the slot, from what was accepted."""

from __future__ import annotations

from collections.abc import Mapping

from tieline.market.delivery import capped_shares
from tieline.swap.evidence import SlotEvidence
from tieline.swap.records import DeliveryKind, Order, Side
from tieline.units.energy import floor_to_watt
from tieline.wire.typed_data import order_id


def set_points(
    evidence: SlotEvidence, cap_wh_by_trade: Mapping[bytes, int]
) -> tuple[tuple[bytes, int], ...]:
    """
    Return order id and watt into the network of every dispatchable order, ascending id.

    Args:
        evidence: Orders and positions of the slot.
        cap_wh_by_trade: Accepted Wh by trade id; 0 or missing for a refused one.
    """
    orders = {order_id(signed.order): signed.order for signed in evidence.orders}
    wh: dict[bytes, int] = {
        key: 0 for key, order in orders.items() if order.delivery == DeliveryKind.DISPATCHABLE
    }
    for position in evidence.positions:
        cap = cap_wh_by_trade.get(position.trade_id, 0)
        for leaves in (position.buyers, position.sellers):
            energy = sum(leaf.energy_wh for leaf in leaves)
            for leaf, share in zip(leaves, capped_shares(leaves, cap, energy), strict=True):
                if leaf.order_id in wh:
                    wh[leaf.order_id] += _signed(orders[leaf.order_id], share)
    return tuple(
        (key, floor_to_watt(wh[key], evidence.slot_length)) for key in sorted(wh) if wh[key]
    )


def _signed(order: Order, wh: int) -> int:
    return wh if order.side == Side.SELL else -wh
