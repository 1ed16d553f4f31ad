"""
Gate closure to seal: books, clearing, network check with cuts, hash locks, signatures.

All before anything is locked. The proposer leads; every cell makes the result again before it
signs (``review``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tieline.interfaces.cell_link import (
    HashlockRequest,
    OrderCap,
    ProposeClearing,
    Refusal,
)
from tieline.interfaces.errors import Unavailable
from tieline.interfaces.limits import PPM, LinearCut
from tieline.market.clearing import SlotClearing, clear_slot
from tieline.market.constrained import caps_under_cuts
from tieline.market.order import BookOrder, book_order
from tieline.market.position import Position as ClearedPosition
from tieline.power.evidence import gate_evidence
from tieline.power.gate_result import DecisionKind, GateKind, GateResult
from tieline.protocol.quorum import more_than_two_thirds
from tieline.swap.evidence import GateEvidence, SignedClearing, SlotEvidence, Zone
from tieline.swap.records import SignedOrder
from tieline.utility.cell import UtilityCell
from tieline.utility.phases.forecast import open_coin
from tieline.utility.slot_work import CheckRound, SlotWork
from tieline.utility.trade_records import SlotTerms, build_clearings, build_positions
from tieline.wire.typed_data import order_id


@dataclass(frozen=True, slots=True)
class CheckedClearing:
    """A clearing that the network holds."""

    clearing: SlotClearing
    caps: Mapping[bytes, int]
    gate: GateEvidence
    """Of the last round."""
    rounds: tuple[CheckRound, ...]


async def propose(cell: UtilityCell, work: SlotWork) -> None:
    """Clear, check and ask every cell for its signatures. The answers are in *work*."""
    orders = await _gather_books(cell, work)
    baseline = await _gather_zones(cell, work)
    coin = await open_coin(cell, work)
    book = book_orders(cell, orders)
    checked = clear_and_check(cell, book, baseline, coin)
    work.rounds = checked.rounds
    hashlocks = await _gather_hashlocks(cell, work, checked.clearing.positions)
    terms = slot_terms(cell, work)
    positions = build_positions(checked.clearing.positions, hashlocks, terms, cell.topology)
    ids = [order_id(signed.order) for signed in orders]
    evidence = SlotEvidence(
        work.slot_start,
        work.slot_length,
        orders=orders,
        positions=positions,
        clearings=build_clearings(positions, ids, terms),
    )
    caps = tuple(OrderCap(key, checked.caps[key]) for key in sorted(checked.caps))
    work.proposal = ProposeClearing(evidence, baseline, caps, checked.gate)
    if positions:
        await _gather_signatures(cell, work, work.proposal)


def clear_and_check(
    cell: UtilityCell, book: Sequence[BookOrder], baseline: tuple[Zone, ...], coin: bytes
) -> CheckedClearing:
    """
    Clear, ask the network, cut and clear again: at most ``rounds_max`` times; then drop trades by
    least welfare per unit of relief, which is how the gate refuses.
    """
    caps: dict[bytes, int] = {}
    cuts: list[LinearCut] = []
    rounds: list[CheckRound] = []
    while True:
        clearing = clear_slot(book, cell.terms.rules, coin, caps)
        trades = cell.check.order_trades(book, clearing.positions)
        result = cell.check.judge(baseline, trades)
        rounds.append(_round(clearing, result, caps, book))
        evidence = gate_evidence(result, trades, PPM)
        if result.kind is GateKind.FEASIBLE:
            return CheckedClearing(clearing, caps, evidence, tuple(rounds))
        if len(rounds) <= cell.terms.rounds_max and result.cuts:
            cuts.extend(result.cuts)
            under = caps_under_cuts(book, cell.terms.rules, cuts, cell.slot_length)
            caps = dict(under.caps_wh)
            continue
        fresh = _caps_of_refusals(result, clearing, caps)
        if fresh == caps:
            return CheckedClearing(clearing, caps, evidence, tuple(rounds))
        caps = fresh


def book_orders(cell: UtilityCell, orders: Sequence[SignedOrder]) -> list[BookOrder]:
    """Return signed orders as the market sees them; the meter's bus comes from the topology."""
    return [
        book_order(
            signed.order,
            order_id(signed.order),
            cell.check.bus_of(signed.order.meter_id),
            0,
        )
        for signed in orders
    ]


def slot_terms(cell: UtilityCell, work: SlotWork) -> SlotTerms:
    """Return what all trades of the slot have in common."""
    return SlotTerms(
        work.slot_start,
        work.slot_length,
        cell.cell_set_id,
        cell.cell_set_epoch,
        work.timeline.verdict_deadline,
        work.timeline.expiry_out,
        work.timeline.expiry_in,
    )


def position_name(slot_start: int, key: bytes) -> str:
    """Return the name under which a position's preimage is kept."""
    return f"{slot_start} {key.hex()}"


async def seal(cell: UtilityCell, work: SlotWork) -> bool:
    """Publish the clearing if more than two thirds signed it; say whether they did."""
    assert work.proposal is not None, "sealing follows proposing"
    signed = work.clearing_signatures
    if len(signed) < more_than_two_thirds(len(cell.addresses)):
        return False
    signers = sorted(signed)
    clearings = tuple(
        SignedClearing(record.clearing, tuple(signed[signer][place] for signer in signers))
        for place, record in enumerate(work.proposal.evidence.clearings)
    )
    await publish(cell, replace(work.proposal.evidence, clearings=clearings))
    return True


async def publish(cell: UtilityCell, evidence: SlotEvidence) -> None:
    """Put evidence up for relayers, then hand it to every cell that listens."""
    cell.notices.put(evidence)
    for link in cell.links:
        try:
            await link.publish(evidence)
        except Unavailable:
            continue  # A silent cell takes it from the notices when it is back.


async def _gather_books(cell: UtilityCell, work: SlotWork) -> tuple[SignedOrder, ...]:
    orders: list[SignedOrder] = []
    for link in cell.links:
        try:
            orders.extend(await link.book(work.slot_start))
        except Unavailable:
            work.refusals.append(f"{link.cell.hex()}: no book")
    return tuple(sorted(orders, key=lambda signed: order_id(signed.order)))


async def _gather_zones(cell: UtilityCell, work: SlotWork) -> tuple[Zone, ...]:
    zones = [await link.zone(work.slot_start) for link in cell.links]
    return tuple(sorted(zones, key=lambda zone: zone.zone_tag))


async def _gather_hashlocks(
    cell: UtilityCell, work: SlotWork, positions: Sequence[ClearedPosition]
) -> dict[bytes, bytes]:
    by_address = {link.cell: link for link in cell.links}
    hashlocks: dict[bytes, bytes] = {}
    for position in positions:
        if position.is_direct:
            hashlocks[position.key] = position.anchor
            continue
        sellers = by_address[cell.topology.cell_of(position.destination).address]
        request = HashlockRequest(work.slot_start, position_name(work.slot_start, position.key))
        hashlocks[position.key] = await sellers.hashlock(request)
    return hashlocks


async def _gather_signatures(cell: UtilityCell, work: SlotWork, proposal: ProposeClearing) -> None:
    for link in cell.links:
        try:
            answer = await link.propose_clearing(proposal)
        except Unavailable as silence:
            work.refusals.append(f"{link.cell.hex()}: {silence}")
            continue
        if isinstance(answer, Refusal):
            work.refusals.append(f"{link.cell.hex()}: {answer.rule}: {answer.first_difference}")
        else:
            work.clearing_signatures[answer.cell] = answer.signatures


def _round(
    clearing: SlotClearing,
    result: GateResult,
    caps: Mapping[bytes, int],
    book: Sequence[BookOrder],
) -> CheckRound:
    energy = {order.order_id: order.energy_wh for order in book}
    return CheckRound(
        sum(position.energy_wh for position in clearing.positions),
        result.kind.value,
        tuple(violation.limit for violation in result.violations),
        sum(energy[key] - cap for key, cap in caps.items()),
    )


def _caps_of_refusals(
    result: GateResult, clearing: SlotClearing, caps: Mapping[bytes, int]
) -> dict[bytes, int]:
    """
    Return caps that leave out what the gate refused, and no more than it accepted of the rest.
    """
    traded: dict[bytes, int] = {}
    for position in clearing.positions:
        for leaf in position.buys + position.sells:
            traded[leaf.order_id] = traded.get(leaf.order_id, 0) + leaf.energy_wh
    fresh = dict(caps)
    for decision in result.decisions:
        if decision.kind is DecisionKind.REFUSE:
            fresh[decision.key] = 0
        elif decision.kind is DecisionKind.CAP:
            fresh[decision.key] = traded[decision.key] * decision.cap_ppm // 1_000_000
    return fresh
