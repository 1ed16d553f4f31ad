"""
A slot's delivery statement: roots, signatures of cells and meters, registers that only rise, and
delivered Wh made again from them.

Sources:
    ``docs/spec/bytes.md`` (Delivery, Reading); ``docs/spec/trust.md`` 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tieline.audit.findings import Check, Findings, Place
from tieline.audit.signatures import Quorum, check_quorum
from tieline.audit.slot_view import (
    TICK_S,
    SlotView,
    check_cell_set,
    level_of,
    price_of,
    root_of,
    terms_of,
)
from tieline.contract.keys import lock_key
from tieline.contract.records import decode_delivery, decode_lock
from tieline.market.delivery import CappedPosition, MissingReading, delivered
from tieline.market.position import Position as ClearedPosition
from tieline.protocol.quorum import byzantine_majority
from tieline.swap.evidence import PublishedDelivery, SignedReading
from tieline.swap.records import Decision, DeliveryKind, Level, Side
from tieline.wire.abi import encode_delivery_leaf, encode_id_leaf
from tieline.wire.errors import Malformed
from tieline.wire.ids import estimate_hash
from tieline.wire.typed_data import recover_signer_address, struct_hash


def check_delivery(view: SlotView, published: PublishedDelivery, findings: Findings) -> None:
    """Check a delivery statement and all that it stands on."""
    record = published.delivery
    named = (record.cell_set_id, record.epoch)
    if check_cell_set(view, Check.DELIVERIES, named, "statement", findings):
        quorum = Quorum(view.world.domain, view.cells, byzantine_majority)
        check_quorum(view.place, Check.DELIVERIES, record, published.signatures, quorum, findings)
    for name, expected, found in _facts(view, published):
        findings.expect(view.place, Check.DELIVERIES, name, expected, found)
    for signed in (*published.readings, *published.boundary):
        _check_reading(view, signed, findings)
    _check_leaves(view, published, findings)


def _facts(view: SlotView, published: PublishedDelivery) -> Iterator[tuple[str, object, object]]:
    """Yield what the record must say: rule, recomputed, found."""
    record, verdict = published.delivery, view.evidence.verdict
    verdict_hash = None if verdict is None else struct_hash(verdict.verdict)
    yield (
        "tick of the statement",
        (view.slot_start, TICK_S),
        (record.slot_start, record.slot_length),
    )
    yield "verdict of the statement", verdict_hash, record.verdict_hash
    yield "readings root", _readings_root(published.readings), record.readings_root
    yield "boundary root", _readings_root(published.boundary), record.boundary_root
    yield "estimate hash", estimate_hash(published.estimates), record.estimate_hash
    leaves = root_of(map(encode_delivery_leaf, published.leaves))
    yield "deliveries root", leaves, record.deliveries_root
    topology = view.world.topology
    for name, meters, readings in (
        ("meters read", topology.meters, published.readings),
        ("boundary meters read", topology.boundary_meters, published.boundary),
    ):
        expected = sorted(meter.meter_id for meter in meters)
        yield name, expected, [signed.reading.meter_id for signed in readings]


def _readings_root(readings: tuple[SignedReading, ...]) -> bytes:
    return root_of(encode_id_leaf(struct_hash(signed.reading)) for signed in readings)


def _check_reading(view: SlotView, signed: SignedReading, findings: Findings) -> None:
    """Check a reading's signature, period, and that its registers follow the one before."""
    reading = signed.reading
    topology = view.world.topology
    meters = {meter.meter_id: meter for meter in (*topology.meters, *topology.boundary_meters)}
    meter = meters.get(reading.meter_id)
    name = f"reading of meter {reading.meter_id.hex()[:16] if meter is None else meter.name}"
    try:
        signer = recover_signer_address(view.world.domain, reading, signed.signature)
    except Malformed as error:
        findings.refuse(view.place, Check.DELIVERIES, f"{name}: signature", "one", error)
        return
    expected = (None, None) if meter is None else (meter.key, meter.chain_tag)
    findings.expect(
        view.place,
        Check.DELIVERIES,
        f"{name}: signer and ledger",
        expected,
        (signer, reading.chain_tag),
    )
    period = (view.slot_start, view.evidence.slot_length)
    found = (reading.period_start, reading.period_length)
    findings.expect(view.place, Check.DELIVERIES, f"{name}: period", period, found)
    earlier = _earlier(view, signed)
    if earlier is not None:
        before = earlier.reading
        rises = (
            reading.import_register_wh >= before.import_register_wh
            and reading.export_register_wh >= before.export_register_wh
        )
        findings.require(
            view.place,
            Check.DELIVERIES,
            f"{name}: registers",
            holds=rises and reading.period_start > before.period_start,
            expected=f"not below those of counter {before.counter}",
            found=f"{reading.import_register_wh} and {reading.export_register_wh} Wh",
        )


def _earlier(view: SlotView, signed: SignedReading) -> SignedReading | None:
    """Return the latest known reading of the same meter with a lower counter."""
    meter = signed.reading.meter_id
    for counter in range(signed.reading.counter - 1, 0, -1):
        known = view.readings.get((meter, counter))
        if known is not None:
            return known
    return None


@dataclass(frozen=True, slots=True)
class _Exports:
    """What meters fed in during the slot, Wh, and whether that is known to the Wh."""

    wh: Mapping[bytes, int]
    is_exact: bool
    """Without the reading just before it is only a bound from above."""


def _exports(view: SlotView, published: PublishedDelivery) -> _Exports:
    wh: dict[bytes, int] = {}
    exact = True
    for signed in (*published.readings, *published.boundary):
        earlier = _earlier(view, signed)
        counter = 0 if earlier is None else earlier.reading.counter
        register = 0 if earlier is None else earlier.reading.export_register_wh
        exact &= counter + 1 == signed.reading.counter
        wh[signed.reading.meter_id] = max(0, signed.reading.export_register_wh - register)
    return _Exports(wh, exact)


def _check_leaves(view: SlotView, published: PublishedDelivery, findings: Findings) -> None:
    """Check that exactly the locked trades have a leaf, with the Wh that their meters show."""
    caps = _locked_caps(view)
    found = {leaf.trade_id: leaf.delivered_wh for leaf in published.leaves}
    findings.expect(view.place, Check.DELIVERIES, "trades with a leaf", sorted(caps), sorted(found))
    for trade, wh in found.items():
        name = f"trade {trade.hex()[:16]}: Wh delivered"
        findings.require(
            view.place,
            Check.DELIVERIES,
            name,
            holds=0 <= wh <= caps.get(trade, 0),
            expected=f"at most its cap {caps.get(trade, 0)}",
            found=wh,
        )
    exports = _exports(view, published)
    rows = [
        CappedPosition(_cleared(view, trade, place), cap)
        for place, (trade, cap) in enumerate(caps.items())
    ]
    meter_of = {identifier: order.meter_id for identifier, order in view.orders.items()}
    try:
        result = delivered(rows, exports.wh, meter_of)
    except MissingReading as error:
        findings.refuse(view.place, Check.DELIVERIES, "readings", "of every seller", error)
        return
    for trade, row in zip(caps, rows, strict=True):
        own, posted = result.by_position[row.position.key], found.get(trade, -1)
        name = f"trade {trade.hex()[:16]}: Wh delivered, by the registers"
        if exports.is_exact:
            findings.expect(view.place, Check.DELIVERIES, name, own, posted)
        else:
            findings.require(
                view.place,
                Check.DELIVERIES,
                name,
                holds=posted <= own,
                expected=f"at most {own}",
                found=posted,
            )


def _locked_caps(view: SlotView) -> dict[bytes, int]:
    """Return the applied cap of each accepted trade on its destination, in clearing order."""
    applied: dict[bytes, int] = {}
    for history in view.world.ledgers.values():
        for event in history.of_kind("verdict_applied"):
            data = history.query(lock_key(bytes.fromhex(event["lock_id"])))
            assert data is not None, "locks are never deleted"
            lock = decode_lock(data)
            if lock.slot_start == view.slot_start and event["decision"] == Decision.ACCEPT.name:
                applied[lock.trade_id] = int(event["cap_wh"])
    return {
        position.trade_id: applied[position.trade_id]
        for position in view.evidence.positions
        if position.trade_id in applied
    }


def _cleared(view: SlotView, trade: bytes, index: int) -> ClearedPosition:
    """Return a position in the market's own form, for attribution."""
    position = view.positions[trade]
    source, destination = view.tags(position)
    return ClearedPosition(
        Level(level_of(position)),
        source,
        destination,
        DeliveryKind(position.delivery),
        index,
        terms_of(position).energy_wh,
        price_of(position, Side.BUY),
        price_of(position, Side.SELL),
        position.buyers,
        position.sellers,
    )


def check_stored_deliveries(view: SlotView, findings: Findings) -> None:
    """Check that every statement that a ledger holds of this tick is the evidence's."""
    published = view.evidence.delivery
    expected = None if published is None else published.delivery.deliveries_root
    for history in view.world.ledgers.values():
        heights = [
            event.height
            for event in history.of_kind("delivery_posted")
            if int(event["slot_start"]) == view.slot_start
        ]
        for key, value in history.scan(b"d" + view.slot_start.to_bytes(8, "big")):
            index = int.from_bytes(key[9:], "big")
            height = heights[index] if index < len(heights) else 0
            place = Place(history.chain_id, height, view.slot_start)
            stored = decode_delivery(value)
            findings.expect(
                place,
                Check.DELIVERIES,
                f"statement {index} on the ledger",
                expected,
                stored.deliveries_root,
            )
