"""
What a cell checks before it signs. Each function returns None for yes, or rule and first
difference.

A cell makes every integer again; of the power flow it checks the proofs, within tolerance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tieline.interfaces.cell_link import ProposeClearing, ProposeDelivery, ProposeVerdict
from tieline.market.clearing import clear_slot
from tieline.market.position import Position as ClearedPosition
from tieline.protocol.errors import ProtocolError
from tieline.swap.evidence import SignedReading, SlotEvidence, Zone
from tieline.utility.cell import UtilityCell
from tieline.utility.phases import clear, verdict
from tieline.utility.phases.forecast import committed_zone, open_coin
from tieline.utility.phases.statement import (
    build_statement,
    hashlock_of,
    locked_caps,
    sellers_tag,
)
from tieline.utility.slot_work import SlotWork
from tieline.utility.trade_records import build_clearings, build_positions
from tieline.wire.errors import Malformed
from tieline.wire.keys import cosmos_account_of
from tieline.wire.typed_data import order_id, recover_signer, recover_signer_address

Objection = tuple[str, str]
"""Rule, first difference."""


async def clearing(
    cell: UtilityCell, work: SlotWork, proposal: ProposeClearing
) -> Objection | None:
    """Check orders, the clearing, its records, and that the network holds it."""
    objection = _orders(cell, work, proposal) or _own_zone(cell, work, proposal.baseline)
    if objection:
        return objection
    coin = await open_coin(cell, work)
    book = clear.book_orders(cell, proposal.evidence.orders)
    caps = {row.order_id: row.cap_wh for row in proposal.caps}
    cleared = clear_slot(book, cell.terms.rules, coin, caps).positions
    objection = _positions(cell, work, proposal.evidence, cleared)
    if objection:
        return objection
    trades = cell.check.order_trades(book, cleared)
    wrong = cell.check.objection(proposal.baseline, trades, proposal.gate)
    return ("network", wrong) if wrong else None


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
    objection = _own_zone(cell, work, proposal.verdict.baseline)
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


def statement(cell: UtilityCell, work: SlotWork, proposal: ProposeDelivery) -> Objection | None:
    """Check signatures of all meters, the own readings, and every delivered Wh."""
    evidence = cell.board.slot(work.slot_start)
    if evidence is None or evidence.verdict is None:
        return "verdict", "no verdict here"
    theirs = proposal.delivery
    objection = _readings(cell, (*theirs.readings, *theirs.boundary))
    if objection:
        return objection
    own = cell.field_source.readings(work.slot_start)
    shown = {signed.reading.meter_id: signed for signed in theirs.readings}
    for signed in own:
        if shown.get(signed.reading.meter_id) != signed:
            return "readings", f"meter {signed.reading.meter_id.hex()}"
    mine = build_statement(
        cell,
        work,
        evidence,
        locked_caps(cell, evidence),
        theirs.readings,
        theirs.boundary,
        theirs.estimates,
    )
    if mine != theirs:
        return "delivered energy", _first_difference(mine.leaves, theirs.leaves)
    return None


def _orders(cell: UtilityCell, work: SlotWork, proposal: ProposeClearing) -> Objection | None:
    evidence = proposal.evidence
    tags = {entry.chain_tag for entry in cell.topology.cells}
    previous = b""
    for signed in evidence.orders:
        order, key = signed.order, order_id(signed.order)
        if key <= previous:
            return "orders", f"not ascending at {key.hex()}"
        previous = key
        if order.chain_tag not in tags or order.slot_start != work.slot_start:
            return "orders", f"ledger or slot of {key.hex()}"
        try:
            account = cosmos_account_of(recover_signer(cell.domain, order, signed.signature))
        except Malformed as error:
            return "orders", f"signature of {key.hex()}: {error}"
        if account != order.account:
            return "orders", f"signature of {key.hex()}"
    own = tuple(s for s in evidence.orders if s.order.chain_tag == cell.entry.chain_tag)
    if work.book is not None and own != work.book:
        return "orders", f"own book has {len(work.book)} orders, {len(own)} shown"
    return None


def _own_zone(cell: UtilityCell, work: SlotWork, baseline: Sequence[Zone]) -> Objection | None:
    shown = [zone for zone in baseline if zone.zone_tag == cell.entry.chain_tag]
    if shown != [committed_zone(cell, work.slot_start)]:
        return "baseline", "own zone differs from what was committed"
    if [zone.zone_tag for zone in baseline] != sorted(e.chain_tag for e in cell.topology.cells):
        return "baseline", "not one zone a cell"
    return None


async def _check_proofs(cell: UtilityCell, work: SlotWork, proposal: ProposeVerdict) -> None:
    """
    Prove every claim about a packet with the own light clients.

    Raises:
        ProtocolError: A header or proof does not convince, or is about something else.
    """
    evidence = cell.board.slot(work.slot_start)
    assert evidence is not None, "the caller looked"
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


def _readings(cell: UtilityCell, readings: Sequence[SignedReading]) -> Objection | None:
    known = {
        meter.meter_id: meter.key
        for meter in (*cell.topology.meters, *cell.topology.boundary_meters)
    }
    for signed in readings:
        key = known.get(signed.reading.meter_id)
        if key != recover_signer_address(cell.domain, signed.reading, signed.signature):
            return "readings", f"signature of meter {signed.reading.meter_id.hex()}"
    if len({signed.reading.meter_id for signed in readings}) != len(known):
        return "readings", f"{len(readings)} readings of {len(known)} meters"
    return None


def _first_difference(mine: Sequence[object], theirs: Sequence[object]) -> str:
    for left, right in zip(mine, theirs, strict=False):
        if left != right:
            return f"{right} instead of {left}"
    return f"{len(theirs)} leaves instead of {len(mine)}"
