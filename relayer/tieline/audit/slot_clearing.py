"""
A slot's orders, clearings and positions: signatures, roots, sums, limits, and that ledgers hold the
same.

Sources:
    ``docs/spec/bytes.md`` (Order, Clearing, Allocation, tradeId, lockId, pool).
"""

from __future__ import annotations

from collections.abc import Iterator

from tieline.audit.findings import Check, Findings
from tieline.audit.signatures import Quorum, check_quorum
from tieline.audit.slot_view import (
    SlotView,
    check_cell_set,
    leaves_of,
    level_of,
    price_of,
    root_of,
    terms_of,
    well_formed,
)
from tieline.contract.keys import order_key
from tieline.contract.records import OrderRecord, decode_order
from tieline.contract.registry import clearing_key, decode_clearing
from tieline.contract.terms import payload_refusal
from tieline.protocol.quorum import more_than_two_thirds
from tieline.swap.evidence import Position
from tieline.swap.order_escrow import OrderStatus
from tieline.swap.records import Clearing, Order, Side, SignedOrder
from tieline.wire import ids
from tieline.wire.abi import encode_allocation, encode_id_leaf
from tieline.wire.accounts import account_of
from tieline.wire.errors import Malformed
from tieline.wire.typed_data import order_id, recover_signer


def check_clearing(view: SlotView, findings: Findings) -> bool:
    """Check orders, positions and clearings; say whether other checks can build on them."""
    before = len(findings.rows)
    for position in view.evidence.positions:
        if not well_formed(position):
            expected = "a packet or a local trade"
            findings.refuse(view.place, Check.CLEARINGS, "position", expected, "both or none")
            return False
    _check_orders(view, findings)
    for position in view.evidence.positions:
        _check_position(view, position, findings)
    _check_fills(view, findings)
    _check_clearings(view, findings)
    return len(findings.rows) == before


def _check_orders(view: SlotView, findings: Findings) -> None:
    """Check every order's signature, and that exactly the ledgers' orders are there."""
    found = [order_id(signed.order) for signed in view.evidence.orders]
    findings.expect(
        view.place, Check.CLEARINGS, "orders ascending, each once", sorted(set(found)), found
    )
    for signed in view.evidence.orders:
        _check_order(view, signed, findings)
    for history in view.world.ledgers.values():
        for key, value in history.scan(b"o"):
            record = decode_order(value)
            if record.slot_start != view.slot_start or record.status is OrderStatus.CANCELLED:
                continue
            findings.require(
                view.place,
                Check.CLEARINGS,
                f"order {key[1:].hex()[:16]} of ledger {history.chain_id}",
                holds=key[1:] in view.orders,
                expected="in the clearing's orders",
                found="left out",
            )


def _check_order(view: SlotView, signed: SignedOrder, findings: Findings) -> None:
    order = signed.order
    identifier = order_id(order)
    name = f"order {identifier.hex()[:16]}"
    try:
        signer = recover_signer(view.world.domain, order, signed.signature)
    except Malformed as error:
        findings.refuse(view.place, Check.CLEARINGS, f"{name}: signature", "one", error)
        return
    history = view.world.ledgers.get(order.chain_tag)
    account = b"" if history is None else account_of(history.genesis.kind, signer)
    findings.expect(view.place, Check.CLEARINGS, f"{name}: signer", order.account, account)
    findings.expect(
        view.place,
        Check.CLEARINGS,
        f"{name}: slot",
        (view.slot_start, view.evidence.slot_length),
        (order.slot_start, order.slot_length),
    )
    owner = view.account_of_meter.get(order.meter_id)
    findings.expect(
        view.place, Check.CLEARINGS, f"{name}: account of its meter", owner, order.account
    )
    data = None if history is None else history.query(order_key(identifier))
    stored = None if data is None else _facts(decode_order(data))
    findings.expect(view.place, Check.CLEARINGS, f"{name}: on its ledger", stored, _terms(order))


def _facts(record: OrderRecord) -> tuple[object, ...]:
    return (
        record.account,
        record.side,
        record.levels,
        record.delivery,
        record.slot_start,
        record.slot_length,
        record.energy_wh,
        record.price_limit,
        record.anchor,
    )


def _terms(order: Order) -> tuple[object, ...]:
    return (
        order.account,
        order.side,
        order.levels,
        order.delivery,
        order.slot_start,
        order.slot_length,
        order.energy_wh,
        order.price_max if order.side == Side.BUY else order.price_min,
        order.anchor,
    )


def _check_position(view: SlotView, position: Position, findings: Findings) -> None:
    """Check one position's ids, roots, sums, prices and parties."""
    name = f"trade {position.trade_id.hex()[:16]}"
    for rule, expected, found in _facts_of(view, position):
        findings.expect(view.place, Check.CLEARINGS, f"{name}: {rule}", expected, found)
    if position.packet is not None:
        wrong = payload_refusal(position.packet)
        findings.expect(view.place, Check.CLEARINGS, f"{name}: what is wrong", None, wrong)
        _check_route(view, position, findings)
    for side in Side:
        _check_leaves(view, position, side, findings)


def _facts_of(view: SlotView, position: Position) -> Iterator[tuple[str, object, object]]:
    """Yield what a position must say: rule, recomputed, found."""
    terms = terms_of(position)
    source, destination = view.tags(position)
    slot = (view.slot_start, view.evidence.slot_length)
    root = root_of([encode_allocation(leaf) for leaf in position.buyers + position.sellers])
    own_id = b""
    if source:
        level = level_of(position)
        own_id = ids.trade_id(source, destination, *slot, level, root, terms.hashlock)
    yield "trade id", own_id, terms.trade_id
    yield "root of the allocations", root, terms.allocations_root
    yield "slot", slot, (terms.slot_start, terms.slot_length)
    for side, chain_tag, party in (
        (Side.BUY, source, terms.buyer),
        (Side.SELL, destination, terms.seller),
    ):
        filled = sum(leaf.energy_wh for leaf in leaves_of(position, side))
        yield f"Wh of the {side.name.lower()} side", terms.energy_wh, filled
        expected = _party(view, position, chain_tag, side)
        yield f"party of the {side.name.lower()} side", expected, party


def _party(view: SlotView, position: Position, chain_tag: bytes, side: Side) -> bytes:
    """Return who stands on a side: the one leaf's account, or the pool."""
    leaves = leaves_of(position, side)
    order = view.orders.get(leaves[0].order_id) if len(leaves) == 1 else None
    hashlock = terms_of(position).hashlock
    if order is not None and (side is Side.BUY or order.anchor == hashlock):
        return order.account
    return ids.pool_account(chain_tag, position.trade_id, int(side)) if chain_tag else b""


def _check_route(view: SlotView, position: Position, findings: Findings) -> None:
    packet = position.packet
    assert packet is not None, "the caller looked"
    try:
        route = view.world.topology.route(packet.source_chain_tag, packet.dest_chain_tag)
    except KeyError:
        expected = None
    else:
        expected = (route.source_client, route.connector_in, route.connector_out)
    found = (position.source_client, packet.connector_in, packet.connector_out)
    name = f"trade {position.trade_id.hex()[:16]}: client and connectors of its route"
    findings.expect(view.place, Check.CLEARINGS, name, expected, found)


def _check_leaves(view: SlotView, position: Position, side: Side, findings: Findings) -> None:
    """Check the allocations of one side against their orders."""
    leaves = leaves_of(position, side)
    chain_tag = view.tags(position)[0 if side is Side.BUY else 1]
    price, level = price_of(position, side), level_of(position)
    name = f"trade {position.trade_id.hex()[:16]}: {side.name.lower()} allocation"
    previous, offset = b"", 0
    for leaf in leaves:
        order = view.orders.get(leaf.order_id)
        expected = (chain_tag, side, True, True, True, price, offset, True)
        found: tuple[object, ...] | None = None
        if order is not None:
            within = price <= order.price_max if side is Side.BUY else price >= order.price_min
            found = (
                order.chain_tag,
                order.side,
                bool(order.levels & level),
                within,
                leaf.account == order.account,
                leaf.price,
                leaf.offset_wh,
                leaf.order_id > previous,
            )
        findings.expect(
            view.place,
            Check.CLEARINGS,
            f"{name} of order {leaf.order_id.hex()[:16]}",
            expected,
            found,
        )
        previous, offset = leaf.order_id, offset + leaf.energy_wh


def _check_fills(view: SlotView, findings: Findings) -> None:
    """Check that no order gives more than it has, over all its positions."""
    filled: dict[bytes, int] = {}
    for position in view.evidence.positions:
        for leaf in position.buyers + position.sellers:
            filled[leaf.order_id] = filled.get(leaf.order_id, 0) + leaf.energy_wh
    for identifier, wh in filled.items():
        order = view.orders.get(identifier)
        findings.require(
            view.place,
            Check.CLEARINGS,
            f"order {identifier.hex()[:16]}: Wh filled",
            holds=order is not None and wh <= order.energy_wh,
            expected=f"at most {0 if order is None else order.energy_wh}",
            found=wh,
        )


def _check_clearings(view: SlotView, findings: Findings) -> None:
    """Check roots and signatures, one clearing a level with trades, and what ledgers hold."""
    levels = sorted({level_of(position) for position in view.evidence.positions})
    found = [signed.clearing.level for signed in view.evidence.clearings]
    findings.expect(view.place, Check.CLEARINGS, "levels with a clearing", levels, found)
    orders_root = root_of([encode_id_leaf(identifier) for identifier in view.orders])
    known: dict[bytes, Clearing] = {}
    for signed in view.evidence.clearings:
        record = signed.clearing
        known[record.trades_root] = record
        trades = [
            encode_id_leaf(position.trade_id)
            for position in view.evidence.positions
            if level_of(position) == record.level
        ]
        name = f"clearing of level {record.level}"
        slot = (view.slot_start, view.evidence.slot_length)
        for rule, expected, value in (
            ("root of the orders", orders_root, record.orders_root),
            ("root of the trades", root_of(trades), record.trades_root),
            ("slot", slot, (record.slot_start, record.slot_length)),
        ):
            findings.expect(view.place, Check.CLEARINGS, f"{name}: {rule}", expected, value)
        named = (record.cell_set_id, record.epoch)
        if check_cell_set(view, Check.CLEARINGS, named, name, findings):
            quorum = Quorum(view.world.domain, view.cells, more_than_two_thirds)
            check_quorum(view.place, Check.CLEARINGS, record, signed.signatures, quorum, findings)
    for position in view.evidence.positions:
        level, root = level_of(position), terms_of(position).clearing_root
        sealed = [record.trades_root for record in known.values() if record.level == level]
        name = f"trade {position.trade_id.hex()[:16]}: clearing root"
        findings.expect(view.place, Check.CLEARINGS, name, sealed, [root])
    for history in view.world.ledgers.values():
        for event in history.of_kind("clearing_posted"):
            if int(event["slot_start"]) == view.slot_start:
                root = bytes.fromhex(event["clearing_root"])
                data = history.query(clearing_key(root))
                stored = None if data is None else decode_clearing(data)
                name = f"clearing on ledger {history.chain_id} at height {event.height}"
                findings.expect(view.place, Check.CLEARINGS, name, stored, known.get(root))
