"""
Evidence that a trade was cleared, and whose orders it fills here.

What another bringer could cure (missing or false proofs) is *not yet*; what lies in the orders
themselves is a reason to refuse. Mixing the two would let any relayer refuse any trade.

Sources:
    ``docs/spec/bytes.md`` (TradeEvidence); ``docs/spec/trade.md`` 4 (B1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from tieline.contract.context import Context
from tieline.contract.errors import InvalidMessage, NotYetPosted
from tieline.contract.order_book import order_of, take_from_order
from tieline.contract.records import OrderRecord
from tieline.contract.registry import clearing
from tieline.swap.messages import MsgTradeEvidence
from tieline.swap.order_escrow import OrderStatus
from tieline.swap.records import ZERO_HASH, Allocation, Clearing, EnergyTrade, Side, TradeEvidence
from tieline.wire.abi import encode_allocation, encode_id_leaf
from tieline.wire.errors import Malformed
from tieline.wire.ids import pool_account
from tieline.wire.merkle import verify

LEAVES_MAX = 128
"""A side; a pair with more households splits into positions."""
PROOF_LENGTH_MAX = 32
"""Deeper than any tree of a slot; bounds the work of a false proof."""
_HASH_GAS = 30


@dataclass(frozen=True, slots=True)
class Position:
    """What evidence must show of one side of a trade on this ledger."""

    trade_id: bytes
    side: Side
    level: int
    slot_start: int
    slot_length: int
    allocations_root: bytes
    hash_lock: bytes
    energy_wh: int
    price: int
    party: bytes
    """The account or pool that the trade names for this side."""


def position_of(trade: EnergyTrade, side: Side) -> Position:
    """Return one side of a trade between two ledgers."""
    is_buy = side is Side.BUY
    return Position(
        trade_id=trade.trade_id,
        side=side,
        level=trade.level,
        slot_start=trade.slot_start,
        slot_length=trade.slot_length,
        allocations_root=trade.allocations_root,
        hash_lock=trade.hashlock,
        energy_wh=trade.energy_wh,
        price=trade.price_in if is_buy else trade.price_out,
        party=trade.buyer if is_buy else trade.seller,
    )


@dataclass(frozen=True, slots=True)
class Fill:
    """One order's part of a position."""

    order_id: bytes
    order: OrderRecord
    wh: int


@dataclass(frozen=True, slots=True)
class Fills:
    """All parts of a position on this ledger, ascending by order id."""

    position: Position
    parts: tuple[Fill, ...]
    is_pool: bool


def handle_trade_evidence(ctx: Context, message: MsgTradeEvidence) -> None:
    """Keep evidence for later messages of this transaction."""
    if len(message.evidence.own_leaves) > 2 * LEAVES_MAX:
        raise InvalidMessage("too many leaves", leaves=len(message.evidence.own_leaves))
    ctx.transient[_transient_key(message.evidence.trade_id)] = message.evidence


def _transient_key(trade_id: bytes) -> bytes:
    return b"evidence/" + trade_id


def require_evidence(ctx: Context, trade_id: bytes, clearing_root: bytes) -> TradeEvidence:
    """
    Return the evidence beside this message, its trade shown to lie in the clearing.

    Raises:
        NotYetPosted: None was brought, or the trade is not in the clearing by its proof.
    """
    evidence = cast("TradeEvidence | None", ctx.transient.get(_transient_key(trade_id)))
    if evidence is None:
        raise NotYetPosted("no evidence beside this trade", trade_id=trade_id.hex())
    if not _holds(ctx, clearing_root, encode_id_leaf(trade_id), evidence.clearing_proof):
        raise NotYetPosted("trade is not in the clearing by this proof", trade_id=trade_id.hex())
    return evidence


def require_clearing(ctx: Context, clearing_root: bytes) -> Clearing:
    """Return the clearing with this root. Raises NotYetPosted if it is not stored here."""
    stored = clearing(ctx.state, clearing_root)
    if stored is None:
        raise NotYetPosted("clearing not posted here", clearing_root=clearing_root.hex())
    return stored


def _holds(ctx: Context, root: bytes, encoded: bytes, proof: tuple[bytes, ...]) -> bool:
    ctx.charge(_HASH_GAS * (len(proof) + 2))
    return len(proof) <= PROOF_LENGTH_MAX and verify(root, encoded, proof)


def read_fills(ctx: Context, evidence: TradeEvidence, position: Position) -> Fills:
    """
    Return what the evidence shows of one side: proofs, sides, prices, offsets and sum all hold.

    Raises:
        NotYetPosted: Something in the evidence is missing or false.
    """
    parts: list[Fill] = []
    offset_wh = 0
    before = b""
    for own in evidence.own_leaves:
        leaf = own.allocation
        order = order_of(ctx, leaf.order_id)
        if order is None:
            raise NotYetPosted("leaf of an order unknown here", order_id=leaf.order_id.hex())
        if order.side != position.side:
            continue  # the other side of an INTRA trade; a missing one leaves the sum short
        if leaf.order_id <= before:
            raise NotYetPosted("leaves not ascending", order_id=leaf.order_id.hex())
        _require_leaf(ctx, leaf, own.proof, order, position, offset_wh)
        before = leaf.order_id
        offset_wh += leaf.energy_wh
        parts.append(Fill(leaf.order_id, order, leaf.energy_wh))
    if offset_wh != position.energy_wh or not 0 < len(parts) <= LEAVES_MAX:
        raise NotYetPosted(
            "leaves do not make up the position", sum_wh=offset_wh, energy_wh=position.energy_wh
        )
    return Fills(position, tuple(parts), _is_pool(parts, position))


def _require_leaf(
    ctx: Context,
    leaf: Allocation,
    proof: tuple[bytes, ...],
    order: OrderRecord,
    position: Position,
    offset_wh: int,
) -> None:
    try:
        encoded = encode_allocation(leaf)
    except Malformed as exc:
        raise NotYetPosted(f"leaf is malformed: {exc}") from exc
    facts = {"order_id": leaf.order_id.hex()}
    if not _holds(ctx, position.allocations_root, encoded, proof):
        raise NotYetPosted("leaf is not in the allocations by this proof", **facts)
    if leaf.account != order.account:
        raise NotYetPosted("leaf names another account than its order", **facts)
    if leaf.price != position.price or leaf.offset_wh != offset_wh or leaf.energy_wh < 1:
        raise NotYetPosted("leaf's price, offset or energy is not the position's", **facts)


def _is_pool(parts: list[Fill], position: Position) -> bool:
    if len(parts) != 1:
        return True
    # One seller is a party only if it holds the secret, which its order's anchor shows.
    return position.side == Side.SELL and parts[0].order.anchor != position.hash_lock


def order_refusal(ctx: Context, fills: Fills) -> str | None:
    """
    Say why the orders do not carry the position (reason ORDER), or None.

    An order may be gone, filled by another position, of another slot or level, or its limit may
    not allow the price; or the trade names another party than its leaves make.
    """
    position = fills.position
    party = fills.parts[0].order.account
    if fills.is_pool:
        party = pool_account(ctx.chain_tag, position.trade_id, position.side)
    if party != position.party:
        return "party is not the one its leaves make"
    for part in fills.parts:
        refusal = _part_refusal(part, position, is_only=len(fills.parts) == 1)
        if refusal is not None:
            return f"{refusal}: order_id={part.order_id.hex()}"
    return None


def _part_refusal(part: Fill, position: Position, *, is_only: bool) -> str | None:
    order = part.order
    if order.status is not OrderStatus.ORDERED or order.energy_left_wh < part.wh:
        return "order does not cover its leaf"
    if (order.slot_start, order.slot_length) != (position.slot_start, position.slot_length):
        return "order of another slot"
    if not order.levels & position.level:
        return "order is not for this level"
    is_buy = position.side == Side.BUY
    if position.price > order.price_limit if is_buy else position.price < order.price_limit:
        return "price beyond the order's limit"
    if order.anchor != ZERO_HASH:
        if is_buy or order.anchor != position.hash_lock:
            return "order is anchored to another secret"
        if not is_only or part.wh != order.energy_wh:
            return "anchored order is all or none, to one buyer"
    return None


def take_fills(ctx: Context, fills: Fills, money_per_wh: int) -> None:
    """Move energy, and *money_per_wh* nano-EUR for each Wh, from the orders into the lock."""
    for part in fills.parts:
        take_from_order(ctx, part.order_id, part.order, part.wh, part.wh * money_per_wh)
