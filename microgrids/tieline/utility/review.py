"""
What a cell checks before it signs. Each function returns None for yes, or rule and first
difference.

A cell makes every integer again; of the power flow it checks the proofs, within tolerance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tieline.interfaces.cell_link import ProposeClearing, ProposeDelivery, ProposeVerdict
from tieline.interfaces.limits import PPM
from tieline.market.clearing import NO_CAPS, clear_slot
from tieline.market.delivery import MissingReading
from tieline.market.position import Position as ClearedPosition
from tieline.protocol.errors import ProtocolError
from tieline.swap.evidence import PublishedDelivery, SlotEvidence, Zone
from tieline.utility.board import hashlock_of
from tieline.utility.books import book_orders, objection_to_orders
from tieline.utility.cell import UtilityCell
from tieline.utility.phases import clear, verdict
from tieline.utility.phases.forecast import committed_zone, open_coin
from tieline.utility.phases.statement import (
    build_statement,
    cleared_position,
    locked_caps,
    prove_locked,
    sellers_tag,
)
from tieline.utility.readings import objection_to_readings, remember_earlier
from tieline.utility.rounds import refused_rounds
from tieline.utility.slot_work import SlotWork
from tieline.utility.sufficiency import Objection
from tieline.utility.trade_records import build_clearings, build_positions
from tieline.wire.typed_data import order_id


async def clearing(
    cell: UtilityCell, work: SlotWork, proposal: ProposeClearing
) -> Objection | None:
    """Check orders, the clearing, its records, its caps, and that the network holds it."""
    if proposal.evidence.slot_length != work.slot_length:
        return "slot", f"{proposal.evidence.slot_length} s instead of {work.slot_length}"
    objection = _orders(cell, work, proposal) or await _zones(cell, work, proposal.baseline)
    if objection:
        return objection
    coin = await open_coin(cell, work)
    book = book_orders(cell, proposal.evidence.orders)
    rounds = [{row.order_id: row.cap_wh for row in caps} for caps in proposal.rounds]
    cleared = clear_slot(book, cell.terms.rules, coin, rounds[-1] if rounds else NO_CAPS).positions
    objection = _positions(cell, work, proposal.evidence, cleared)
    if objection:
        return objection
    if proposal.gate.slack_ppm != PPM:
        return "slack voltage", f"{proposal.gate.slack_ppm} ppm, but none is measured yet"
    trades = cell.check.order_trades(book, cleared)
    wrong = cell.check.objection(proposal.baseline, trades, proposal.gate)
    if wrong:
        return "network", wrong
    refused = [row.key.hex() for row in proposal.gate.decisions if row.cap_ppm != PPM]
    if refused:
        return "network", f"order {refused[0]} is cleared although the gate does not hold it"
    wrong = refused_rounds(cell, book, proposal.baseline, coin, rounds)
    return ("cuts", wrong) if wrong else None


def _positions(
    cell: UtilityCell,
    work: SlotWork,
    evidence: SlotEvidence,
    cleared: Sequence[ClearedPosition],
) -> Objection | None:
    """Check that the records are those of the positions that this cell cleared itself."""
    if len(cleared) != len(evidence.positions):
        return "clearing", f"{len(evidence.positions)} positions instead of {len(cleared)}"
    hashlocks = {
        mine.key: hashlock_of(theirs)
        for mine, theirs in zip(cleared, evidence.positions, strict=True)
    }
    if len(set(hashlocks.values())) != len(hashlocks):
        return "hash lock", "one for two positions"
    if any(mine.is_direct and hashlocks[mine.key] != mine.anchor for mine in cleared):
        return "anchor", "a direct sale is under another hash lock than its order's"
    terms = clear.slot_terms(cell, work)
    positions = build_positions(cleared, hashlocks, terms, cell.topology)
    for own, shown in zip(positions, evidence.positions, strict=True):
        if own != shown:
            return "clearing", f"trade {shown.trade_id.hex()} instead of {own.trade_id.hex()}"
    ids = [order_id(signed.order) for signed in evidence.orders]
    if build_clearings(positions, ids, terms) != evidence.clearings:
        return "clearing records", "roots differ"
    for position in positions:
        is_own = sellers_tag(evidence, position) == cell.entry.chain_tag
        if is_own and not _holds_preimage(cell, hashlock_of(position)):
            return "hash lock", f"trade {position.trade_id.hex()}"
    return None


def _holds_preimage(cell: UtilityCell, hashlock: bytes) -> bool:
    """Tell whether this cell, or the selling member, can open a hash lock."""
    if cell.preimages.find(hashlock) is not None:
        return True
    return cell.field_source.preimage(hashlock) is not None


async def judgement(
    cell: UtilityCell, work: SlotWork, proposal: ProposeVerdict
) -> Objection | None:
    """Check the pending set by proofs, every record, and the power flow by its flow proofs."""
    evidence = cell.board.slot(work.slot_start)
    if evidence is None or not evidence.clearings:
        return "clearing", "not sealed here"
    objection = await _zones(cell, work, proposal.verdict.baseline)
    if objection:
        return objection
    try:
        await _check_proofs(cell, work, proposal)
    except (ProtocolError, KeyError) as error:
        return "pending set", str(error)
    received = verdict.received_positions(cell, evidence, proposal.receipts)
    if tuple(row.leaf for row in received) != proposal.verdict.pending:
        return "pending set", "leaves differ from the proofs"
    theirs = proposal.verdict
    if theirs.gate.slack_ppm != await verdict.measured_slack_ppm(cell, work):
        return "slack voltage", f"{theirs.gate.slack_ppm} ppm is not what was measured"
    trades = cell.check.position_trades([row.position for row in received], evidence)
    wrong = cell.check.objection(theirs.baseline, trades, theirs.gate)
    if wrong:
        return "network", wrong
    mine = verdict.published(cell, work, evidence, received, theirs.baseline, theirs.gate)
    if mine.leaves != theirs.leaves:
        return "decisions", _first_difference(mine.leaves, theirs.leaves)
    if replace(mine, explanation=theirs.explanation) != theirs:
        return "verdict", f"{theirs.verdict} instead of {mine.verdict}"
    return None


async def statement(
    cell: UtilityCell, work: SlotWork, proposal: ProposeDelivery
) -> Objection | None:
    """Check all meters' signatures, the own readings, the locks by proof, every delivered Wh."""
    evidence = cell.board.slot(work.slot_start)
    if evidence is None or evidence.verdict is None:
        return "verdict", "no verdict here"
    theirs = proposal.delivery
    await remember_earlier(cell, (*theirs.readings, *theirs.boundary))
    objection = _readings(cell, work, theirs)
    if objection:
        return objection
    locked = locked_caps(cell, evidence)
    try:
        await prove_locked(cell, evidence, locked)
        mine = build_statement(
            cell, work, evidence, locked, theirs.readings, theirs.boundary, theirs.estimates
        )
    except ProtocolError as error:
        return "locked trades", str(error)
    except MissingReading as error:
        return "readings", str(error)
    if mine.leaves != theirs.leaves:
        return "delivered energy", _first_difference(mine.leaves, theirs.leaves)
    if mine != theirs:
        return "delivery statement", f"{theirs.delivery} instead of {mine.delivery}"
    return None


def published(cell: UtilityCell, work: SlotWork, evidence: SlotEvidence) -> Objection | None:
    """
    Check what no signature covers of published trades: accounts, connectors, expiries, lock ids.

    The clearing is signed over trade ids, which stand for allocations and hash locks only.
    """
    cleared = [
        cleared_position(evidence, position, place)
        for place, position in enumerate(evidence.positions)
    ]
    hashlocks = {
        mine.key: hashlock_of(shown)
        for mine, shown in zip(cleared, evidence.positions, strict=True)
    }
    anchors = {order_id(signed.order): signed.order.anchor for signed in evidence.orders}
    rows = [
        replace(row, anchor=anchors[row.sells[0].order_id]) if len(row.sells) == 1 else row
        for row in cleared
    ]
    own = build_positions(rows, hashlocks, clear.slot_terms(cell, work), cell.topology)
    for mine, shown in zip(own, evidence.positions, strict=True):
        if mine != shown:
            return "trade", f"{shown.trade_id.hex()} is not on the agreed terms"
    return None


def _orders(cell: UtilityCell, work: SlotWork, proposal: ProposeClearing) -> Objection | None:
    orders = proposal.evidence.orders
    wrong = objection_to_orders(cell, work, orders)
    if wrong is not None:
        return "orders", wrong
    own = tuple(s for s in orders if s.order.chain_tag == cell.entry.chain_tag)
    if work.book is not None and own != work.book:
        return "orders", f"own book has {len(work.book)} orders, {len(own)} shown, or others"
    return None


async def _zones(cell: UtilityCell, work: SlotWork, baseline: Sequence[Zone]) -> Objection | None:
    """Check every zone against what its cell committed to: one false zone makes others unsafe."""
    tags = sorted(entry.chain_tag for entry in cell.topology.cells)
    if [zone.zone_tag for zone in baseline] != tags:
        return "baseline", "not one zone a cell, ascending"
    committed = {entry.address: entry.chain_tag for entry in cell.topology.cells}
    zones = {zone.zone_tag: zone for zone in baseline}
    if zones[cell.entry.chain_tag] != committed_zone(cell, work.slot_start):
        return "baseline", "own zone differs from what was committed"
    for link in cell.links:
        if zones[committed[link.cell]] != await link.zone(work.slot_start):
            return "baseline", f"zone of {link.cell.hex()} differs from what it committed to"
    return None


async def _check_proofs(cell: UtilityCell, work: SlotWork, proposal: ProposeVerdict) -> None:
    """
    Prove every claim about a packet with the own light clients.

    Raises:
        ProtocolError: A header or proof does not convince, or is about something else.
    """
    evidence = cell.board.slot(work.slot_start)
    assert evidence is not None, "the caller looked"
    for closing in proposal.closings:
        expected = verdict.closing_height(cell, closing.chain_tag, work.timeline.tau)
        if closing.height != expected:
            raise ProtocolError("closing height", posted=closing.height, own=expected)
    closings = {closing.chain_tag: closing for closing in proposal.closings}
    shown = {proof.trade_id: proof for proof in proposal.receipts}
    for position in evidence.positions:
        packet = position.packet
        if packet is None:
            continue
        proof = shown.get(position.trade_id)
        if proof is None:
            if (position.trade_id, "in") in cell.indexes[packet.source_chain_tag].locks:
                raise ProtocolError(f"left out: {position.trade_id.hex()}")
            continue
        await verdict.check_pending_proof(cell, work, position, proof, closings)


def _readings(cell: UtilityCell, work: SlotWork, theirs: PublishedDelivery) -> Objection | None:
    """Check every meter's reading, and that the own meters' are as this cell read them."""
    topology, source = cell.topology, cell.field_source
    members = {meter.meter_id for meter in topology.meters}
    boundary = {meter.meter_id for meter in topology.boundary_meters}
    wrong = objection_to_readings(cell, work, theirs.readings, members)
    wrong = wrong or objection_to_readings(cell, work, theirs.boundary, boundary)
    if wrong is not None:
        return "readings", wrong
    shown = {signed.reading.meter_id: signed for signed in (*theirs.readings, *theirs.boundary)}
    own = (*source.readings(work.slot_start), *source.boundary_readings(work.slot_start))
    for signed in own:
        if shown.get(signed.reading.meter_id) != signed:
            return "readings", f"meter {signed.reading.meter_id.hex()}"
    estimated = dict(theirs.estimates)
    for meter_id, wh in source.estimates(work.slot_start):
        if estimated.get(meter_id) != wh:
            return "estimates", f"meter {meter_id.hex()}: {estimated.get(meter_id)} instead of {wh}"
    return None


def _first_difference(mine: Sequence[object], theirs: Sequence[object]) -> str:
    for left, right in zip(mine, theirs, strict=False):
        if left != right:
            return f"{right} instead of {left}"
    return f"{len(theirs)} leaves instead of {len(mine)}"
