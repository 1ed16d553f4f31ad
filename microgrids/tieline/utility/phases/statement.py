"""
After delivery: readings, what was delivered under each trade, the statement, and the reveal of
the preimages it frees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tieline.interfaces.cell_link import ProposeDelivery, Refusal
from tieline.interfaces.errors import Unavailable
from tieline.market.delivery import Attribution, CappedPosition, delivered
from tieline.market.position import Position as ClearedPosition
from tieline.protocol.quorum import byzantine_majority
from tieline.swap.evidence import (
    Position,
    PublishedDelivery,
    SignedReading,
    SlotEvidence,
)
from tieline.swap.records import Decision, Delivery, DeliveryKind, DeliveryLeaf, Level
from tieline.utility.board import level_of, local_chain_tag
from tieline.utility.cell import TICK_S, UtilityCell
from tieline.utility.phases.clear import publish
from tieline.utility.slot_work import SlotWork
from tieline.wire.abi import encode_delivery_leaf, encode_id_leaf
from tieline.wire.hashes import keccak
from tieline.wire.merkle import merkle_root
from tieline.wire.typed_data import order_id, struct_hash

FIRST_COUNTER = 1
"""Of a meter's first reading."""


async def propose(cell: UtilityCell, work: SlotWork) -> bool:
    """Make the statement and ask for signatures; say whether it was published (or none is due)."""
    evidence = cell.board.slot(work.slot_start)
    if evidence is None or evidence.verdict is None:
        return True
    locked = locked_caps(cell, evidence)
    if not locked:
        return True
    readings: list[SignedReading] = []
    boundary: list[SignedReading] = []
    estimates: list[tuple[bytes, int]] = []
    for link in cell.links:
        metered = await link.metered(work.slot_start)
        readings.extend(metered.readings)
        boundary.extend(metered.boundary)
        estimates.extend(metered.estimates)
    await remember_earlier(cell, (*readings, *boundary))
    proposal = ProposeDelivery(
        build_statement(cell, work, evidence, locked, readings, boundary, estimates)
    )
    signed: dict[bytes, bytes] = {}
    for link in cell.links:
        try:
            answer = await link.propose_delivery(proposal)
        except Unavailable as silence:
            work.refusals.append(f"{link.cell.hex()}: {silence}")
            continue
        if isinstance(answer, Refusal):
            work.refusals.append(f"{link.cell.hex()}: {answer.rule}: {answer.first_difference}")
        else:
            signed[answer.cell] = answer.signatures[0]
    if len(signed) < byzantine_majority(len(cell.addresses)):
        return False
    signatures = tuple(signed[signer] for signer in sorted(signed))
    published = replace(proposal.delivery, signatures=signatures)
    await publish(cell, replace(evidence, delivery=published))
    return True


async def remember_earlier(cell: UtilityCell, readings: Sequence[SignedReading]) -> None:
    """
    Ask for the registers of the slot before where the board lacks them: nothing was stated then,
    so nobody published them.
    """
    missing = {
        reading.period_start - reading.period_length
        for reading in (signed.reading for signed in readings)
        if reading.counter > FIRST_COUNTER
        and cell.board.reading(reading.period_start - reading.period_length, reading.meter_id)
        is None
    }
    for slot_start in sorted(missing):
        for link in cell.links:
            metered = await link.metered(slot_start)
            cell.board.keep_readings(slot_start, (*metered.readings, *metered.boundary))


def build_statement(
    cell: UtilityCell,
    work: SlotWork,
    evidence: SlotEvidence,
    locked: Mapping[bytes, int],
    readings: Sequence[SignedReading],
    boundary: Sequence[SignedReading],
    estimates: Sequence[tuple[bytes, int]],
) -> PublishedDelivery:
    """Return the statement on the trades that are locked, without signatures."""
    assert evidence.verdict is not None, "delivery follows a verdict"
    readings = sorted(readings, key=lambda signed: signed.reading.meter_id)
    boundary = sorted(boundary, key=lambda signed: signed.reading.meter_id)
    rows = tuple(sorted(estimates))
    leaves = delivery_leaves(cell, evidence, locked, readings, boundary)
    record = Delivery(
        cell.cell_set_id,
        cell.cell_set_epoch,
        work.slot_start,
        TICK_S,
        struct_hash(evidence.verdict.verdict),
        merkle_root(encode_id_leaf(struct_hash(signed.reading)) for signed in readings),
        merkle_root(encode_id_leaf(struct_hash(signed.reading)) for signed in boundary),
        keccak(b"".join(key + wh.to_bytes(8, "big", signed=True) for key, wh in rows)),
        merkle_root(map(encode_delivery_leaf, leaves)),
    )
    return PublishedDelivery(record, (), leaves, tuple(readings), tuple(boundary), rows)


def delivery_leaves(
    cell: UtilityCell,
    evidence: SlotEvidence,
    locked: Mapping[bytes, int],
    readings: Sequence[SignedReading],
    boundary: Sequence[SignedReading],
) -> tuple[DeliveryLeaf, ...]:
    """
    Return one leaf a locked trade, in the order of the clearing: metered export of its sellers,
    given to INTRA, then INTER, then GRID, never above the cap.

    Args:
        cell: For its topology and earlier readings.
        evidence: The slot's positions and orders.
        locked: Cap in Wh by trade id, of the trades that are locked.
        readings: Of all members' meters, this slot.
        boundary: Of the points of common coupling, this slot.
    """
    positions = locked_positions(evidence, locked)
    exported = {
        signed.reading.meter_id: exported_wh(cell, signed) for signed in (*readings, *boundary)
    }
    result = attribution(evidence, [row for _, row in positions], exported)
    return tuple(
        DeliveryLeaf(trade, result.by_position[row.position.key]) for trade, row in positions
    )


def locked_positions(
    evidence: SlotEvidence, locked: Mapping[bytes, int]
) -> list[tuple[bytes, CappedPosition]]:
    """Return trade id, position and cap of each locked trade, in the order of the clearing."""
    positions = [position for position in evidence.positions if position.trade_id in locked]
    return [
        (
            position.trade_id,
            CappedPosition(_cleared(evidence, position, place), locked[position.trade_id]),
        )
        for place, position in enumerate(positions)
    ]


def attribution(
    evidence: SlotEvidence, capped: Sequence[CappedPosition], exported: Mapping[bytes, int]
) -> Attribution:
    """Give what each meter fed in (Wh by meter id) to the trades of its orders."""
    meter_of = {order_id(signed.order): signed.order.meter_id for signed in evidence.orders}
    return delivered(capped, exported, meter_of)


def exported_wh(cell: UtilityCell, signed: SignedReading) -> int:
    """
    Return what a meter says was fed in during its period: the difference of the export registers.

    Note:
        A meter's first reading counts from zero.
    """
    reading = signed.reading
    earlier = cell.board.reading(reading.period_start - reading.period_length, reading.meter_id)
    before = 0 if earlier is None else earlier.reading.export_register_wh
    return reading.export_register_wh - before


def imported_wh(cell: UtilityCell, signed: SignedReading) -> int:
    """Return what a meter says was drawn in its period, as ``exported_wh``."""
    reading = signed.reading
    earlier = cell.board.reading(reading.period_start - reading.period_length, reading.meter_id)
    before = 0 if earlier is None else earlier.reading.import_register_wh
    return reading.import_register_wh - before


def locked_caps(cell: UtilityCell, evidence: SlotEvidence) -> dict[bytes, int]:
    """Return the applied cap, Wh, of each trade that the destination's ledger has locked."""
    assert evidence.verdict is not None, "the caller looked"
    caps: dict[bytes, int] = {}
    for leaf in evidence.verdict.leaves:
        if leaf.decision != Decision.ACCEPT:
            continue
        found = cell.board.position(leaf.trade_id)
        assert found is not None, "a verdict is about positions of the board"
        leg = "local" if found[1].packet is None else "out"
        seen = cell.indexes[leaf.dest_chain_tag].locks.get((leaf.trade_id, leg))
        if seen is not None and seen.lock_id in cell.indexes[leaf.dest_chain_tag].accepted:
            caps[leaf.trade_id] = cell.indexes[leaf.dest_chain_tag].accepted[seen.lock_id]
    return caps


async def reveal(cell: UtilityCell, work: SlotWork, now_s: int) -> None:
    """
    Show the preimages of own sellers' positions once the statement stands on their ledger.

    Never first after R, the last moment from which a claim on both legs is safe.
    """
    evidence = cell.board.slot(work.slot_start)
    if evidence is None or evidence.delivery is None or now_s >= work.timeline.last_reveal:
        return
    if evidence.delivery.delivery.deliveries_root not in cell.own.deliveries:
        return
    for leaf in evidence.delivery.leaves:
        found = cell.board.position(leaf.trade_id)
        if leaf.trade_id in work.revealed or found is None:
            continue
        if leaf.delivered_wh and sellers_tag(evidence, found[1]) == cell.entry.chain_tag:
            hashlock = hashlock_of(found[1])
            preimage = cell.preimages.find(hashlock) or cell.field_source.preimage(hashlock)
            if preimage is not None:
                cell.notices.reveal(leaf.trade_id, preimage.secret)
                work.revealed.add(leaf.trade_id)


def sellers_tag(evidence: SlotEvidence, position: Position) -> bytes:
    """Return the ledger of a position's sellers."""
    if position.packet is not None:
        return position.packet.dest_chain_tag
    return local_chain_tag(evidence, position)


def hashlock_of(position: Position) -> bytes:
    """Return the hash lock of a position."""
    if position.packet is not None:
        return position.packet.hashlock
    assert position.local is not None, "a position is a packet or local"
    return position.local.hashlock


def _cleared(evidence: SlotEvidence, position: Position, index: int) -> ClearedPosition:
    """Return a position in the market's own form, for attribution."""
    packet = position.packet
    source = destination = b""
    if packet is not None:
        source, destination = packet.source_chain_tag, packet.dest_chain_tag
        energy, price_in, price_out = packet.energy_wh, packet.price_in, packet.price_out
    else:
        assert position.local is not None, "a position is a packet or local"
        source = destination = local_chain_tag(evidence, position)
        energy = position.local.energy_wh
        price_in = price_out = position.local.price
    return ClearedPosition(
        Level(level_of(position)),
        source,
        destination,
        DeliveryKind(position.delivery),
        index,
        energy,
        price_in,
        price_out,
        position.buyers,
        position.sellers,
    )
