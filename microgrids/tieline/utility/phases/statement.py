"""
After delivery: readings, what was delivered under each trade, the statement, and the reveal of
the preimages it frees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tieline.contract.terms import lock_id_out
from tieline.interfaces.cell_link import ProposeDelivery
from tieline.interfaces.errors import NotYet
from tieline.market.delivery import Attribution, CappedPosition, delivered
from tieline.market.position import Position as ClearedPosition
from tieline.protocol.commitment import acknowledgement_key, commit_acknowledgement
from tieline.protocol.errors import ProtocolError
from tieline.protocol.packet import Acknowledgement
from tieline.protocol.quorum import byzantine_majority
from tieline.swap.evidence import (
    Position,
    PublishedDelivery,
    SignedReading,
    SlotEvidence,
)
from tieline.swap.records import (
    Decision,
    Delivery,
    DeliveryKind,
    DeliveryLeaf,
    Level,
    TradeAck,
)
from tieline.utility.asking import gather_signatures
from tieline.utility.board import hashlock_of, level_of, local_chain_tag
from tieline.utility.cell import TICK_S, UtilityCell
from tieline.utility.phases.clear import publish
from tieline.utility.readings import exported_wh, remember_earlier
from tieline.utility.slot_work import SlotWork
from tieline.utility.sufficiency import estimate_hash
from tieline.wire.abi import (
    TRADE_ACK_VERSION,
    encode_delivery_leaf,
    encode_id_leaf,
    encode_trade_ack,
)
from tieline.wire.merkle import merkle_root
from tieline.wire.typed_data import order_id, struct_hash

LEGS = ("in", "out", "local")


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
    signed = await gather_signatures(
        cell, work, [proposal.delivery.delivery], lambda link: link.propose_delivery(proposal)
    )
    if len(signed) < byzantine_majority(len(cell.addresses)):
        return False
    signatures = tuple(signed[signer][0] for signer in sorted(signed))
    published = replace(proposal.delivery, signatures=signatures)
    await publish(cell, replace(evidence, delivery=published))
    return True


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
        estimate_hash(rows),
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
            CappedPosition(cleared_position(evidence, position, place), locked[position.trade_id]),
        )
        for place, position in enumerate(positions)
    ]


def attribution(
    evidence: SlotEvidence, capped: Sequence[CappedPosition], exported: Mapping[bytes, int]
) -> Attribution:
    """Give what each meter fed in (Wh by meter id) to the trades of its orders."""
    meter_of = {order_id(signed.order): signed.order.meter_id for signed in evidence.orders}
    return delivered(capped, exported, meter_of)


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


async def prove_locked(
    cell: UtilityCell, evidence: SlotEvidence, locked: Mapping[bytes, int]
) -> None:
    """
    Prove with the own light clients that each packet's destination has locked it under this cap:
    its acknowledgement says so, and nobody writes that before the lock is there.

    A local trade has no acknowledgement; its own ledger's events must do.

    Raises:
        ProtocolError: A header or proof does not convince, or another answer was written.
        NotYet: The header that proves it is not there.
    """
    assert evidence.verdict is not None, "delivery follows a verdict"
    sequences = {leaf.trade_id: leaf.sequence for leaf in evidence.verdict.leaves}
    heights: dict[bytes, int] = {}
    for position in evidence.positions:
        packet = position.packet
        if packet is None or packet.trade_id not in locked:
            continue
        tag = packet.dest_chain_tag
        ledger = cell.indexes[tag].ledger
        lag = ledger.capabilities.proof_lag
        if tag not in heights:
            heights[tag] = _proving_height(cell, tag, locked)
            header = await ledger.header(
                heights[tag], cell.attestor.trusted_height(tag, heights[tag])
            )
            await cell.attestor.verified_time_s(tag, heights[tag], header)
        route = cell.topology.route(packet.source_chain_tag, tag)
        key = acknowledgement_key(route.dest_client, sequences[packet.trade_id])
        answer = TradeAck(
            TRADE_ACK_VERSION,
            packet.trade_id,
            lock_id_out(packet),
            evidence.verdict.verdict.decisions_root,
            locked[packet.trade_id],
            packet.expiry_out,
        )
        expected = commit_acknowledgement(Acknowledgement((encode_trade_ack(answer),)))
        entry = await ledger.prove(key, heights[tag] - lag)
        if entry.key != key or entry.value != expected:
            raise ProtocolError("not locked under this cap", trade=packet.trade_id.hex())
        await cell.attestor.verified_value(tag, heights[tag], entry)


def _proving_height(cell: UtilityCell, chain_tag: bytes, locked: Mapping[bytes, int]) -> int:
    """Return the newest header, one that proves where these trades were locked; or NotYet."""
    index = cell.indexes[chain_tag]
    height = index.newest_provable()
    locks = [lock for trade in locked if (lock := index.locks.get((trade, "out"))) is not None]
    applied = max((index.accepted_heights.get(lock.lock_id, 0) for lock in locks), default=0)
    if height < applied + index.ledger.capabilities.proof_lag:
        raise NotYet(f"{index.ledger.ledger_id} has no header that proves its block {applied}")
    return height


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


def forget_closed(cell: UtilityCell, work: SlotWork, now_s: int) -> None:
    """Drop the preimages of own sellers' trades whose locks have all ended: they open nothing."""
    if now_s < work.timeline.expiry_out:
        return
    evidence = cell.board.slot(work.slot_start)
    for position in () if evidence is None else evidence.positions:
        if all(
            lock.lock_id in index.closed
            for index in cell.indexes.values()
            for leg in LEGS
            if (lock := index.locks.get((position.trade_id, leg))) is not None
        ):
            cell.preimages.forget(hashlock_of(position))


def sellers_tag(evidence: SlotEvidence, position: Position) -> bytes:
    """Return the ledger of a position's sellers."""
    if position.packet is not None:
        return position.packet.dest_chain_tag
    return local_chain_tag(evidence, position)


def cleared_position(evidence: SlotEvidence, position: Position, index: int) -> ClearedPosition:
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
