"""
Gate closure to seal: books, clearing, network check with cuts, hash locks, signatures.

All before anything is locked. The proposer leads; every cell makes the result again before it
signs (``review``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tieline.interfaces.cell_link import HashlockRequest, OrderCap, ProposeClearing
from tieline.interfaces.errors import NotYet, Unavailable
from tieline.market.position import Position as ClearedPosition
from tieline.protocol.quorum import more_than_two_thirds
from tieline.swap.evidence import SignedClearing, SlotEvidence, Zone
from tieline.swap.records import SignedOrder
from tieline.utility.asking import gather_signatures
from tieline.utility.books import book_orders, objection_to_orders
from tieline.utility.cell import UtilityCell
from tieline.utility.phases.forecast import open_coin
from tieline.utility.rounds import clear_and_check
from tieline.utility.slot_work import SlotWork
from tieline.utility.trade_records import SlotTerms, build_clearings, build_positions
from tieline.wire.typed_data import order_id


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
    rounds = tuple(tuple(OrderCap(key, caps[key]) for key in sorted(caps)) for caps in checked.caps)
    proposal = ProposeClearing(evidence, baseline, rounds, checked.gate)
    work.proposal = proposal
    if positions:
        records = [signed.clearing for signed in evidence.clearings]
        work.clearing_signatures = await gather_signatures(
            cell, work, records, lambda link: link.propose_clearing(proposal)
        )


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
            refusal = await link.publish(evidence)
        except Unavailable:
            continue  # A silent cell takes it from the notices when it is back.
        if refusal is not None:
            refused = f"{refusal.rule}: {refusal.first_difference}"
            cell.slot(evidence.slot_start).refusals.append(f"{link.cell.hex()}: {refused}")


async def _gather_books(cell: UtilityCell, work: SlotWork) -> tuple[SignedOrder, ...]:
    orders: list[SignedOrder] = []
    for link in cell.links:
        try:
            book = await link.book(work.slot_start)
        except (NotYet, Unavailable):
            work.refusals.append(f"{link.cell.hex()}: no book")
            continue
        wrong = objection_to_orders(cell, work, book)
        if wrong is not None:
            # One cell's bad book is left out whole; the others trade without it.
            work.refusals.append(f"{link.cell.hex()}: book: {wrong}")
            continue
        orders.extend(book)
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
