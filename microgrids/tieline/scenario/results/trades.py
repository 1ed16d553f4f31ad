"""One record a trade: its terms, what the cells said, what the ledgers did with its money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tieline.contract.records import LockRecord
from tieline.scenario.results.journey import Leg, journey
from tieline.scenario.results.material import Material
from tieline.scenario.results.notes import trade_note
from tieline.scenario.run_records import (
    DecisionName,
    LevelName,
    OutcomeName,
    TradeAllocation,
    TradeRecord,
)
from tieline.swap.evidence import Position, SlotEvidence
from tieline.swap.lock import TERMINAL, LockStatus
from tieline.swap.records import (
    ZERO_HASH,
    Allocation,
    Decision,
    DeliveryKind,
    Level,
    Order,
    Reason,
)
from tieline.utility.board import hashlock_of, level_of, local_chain_tag
from tieline.wire.typed_data import order_id

LEVEL_NAMES: Mapping[Level, LevelName] = {
    Level.INTRA: "INTRA",
    Level.INTER: "INTER",
    Level.GRID: "GRID",
}


def trade_records(material: Material) -> list[TradeRecord]:
    """Return all trades of the run by slot, in the order of each clearing."""
    records: list[TradeRecord] = []
    for start in material.world.slots:
        evidence = material.evidence(start)
        if evidence is None or not evidence.clearings:
            continue
        orders = {order_id(signed.order): signed.order for signed in evidence.orders}
        records += [
            _record(material, evidence, position, orders) for position in evidence.positions
        ]
    return records


def _record(
    material: Material,
    evidence: SlotEvidence,
    position: Position,
    orders: Mapping[bytes, Order],
) -> TradeRecord:
    legs = legs_of(material, evidence, position)
    first, last = _lock(legs, "in", "local"), _lock(legs, "out", "local")
    source, destination = _tags(evidence, position)
    energy_wh, price_in, price_out = _terms(position)
    decision, reason = _decision(material, evidence, position, legs)
    delivered = 0
    if evidence.delivery is not None:
        leaves = evidence.delivery.leaves
        delivered = sum(x.delivered_wh for x in leaves if x.trade_id == position.trade_id)
    names = material.names.ledger_of_tag
    return TradeRecord(
        trade_id=position.trade_id.hex(),
        level=LEVEL_NAMES[Level(level_of(position))],
        slot_start_s=evidence.slot_start,
        slot_length_s=evidence.slot_length,
        source_chain_id=names[source],
        dest_chain_id=names[destination],
        delivery="firm" if position.delivery == DeliveryKind.FIRM else "dispatchable",
        is_direct=any(orders[leaf.order_id].anchor != ZERO_HASH for leaf in position.sellers),
        energy_wh=energy_wh,
        cap_wh=0 if last is None or decision != "accept" else last.cap_wh,
        delivered_wh=delivered,
        price_in_micro_eur_per_kwh=price_in,
        price_out_micro_eur_per_kwh=price_out,
        paid_in_nano_eur=0 if first is None else first.paid_wh * first.price,
        paid_out_nano_eur=0 if last is None else last.paid_wh * last.price,
        refunded_in_nano_eur=0 if first is None else first.refunded_wh * first.price,
        refunded_out_nano_eur=0 if last is None else last.refunded_wh * last.price,
        decision=decision,
        reason=reason.name,
        outcome=_outcome(energy_wh, first, last, decision),
        hashlock=hashlock_of(position).hex(),
        lock_id_in=next((leg.lock_id.hex() for leg in legs if leg.name != "out"), ""),
        lock_id_out=next((leg.lock_id.hex() for leg in legs if leg.name == "out"), ""),
        packet_sequence=0 if first is None else first.sequence,
        allocations=_allocations(material, position, orders),
        physics=trade_note(material.judgements.get(evidence.slot_start), position.trade_id),
        steps=journey(material, evidence, position, legs),
    )


def legs_of(material: Material, evidence: SlotEvidence, position: Position) -> list[Leg]:
    """Return the locks of a trade that were opened, the buyers' first."""
    source, destination = _tags(evidence, position)
    places = [("in", source), ("out", destination)]
    if position.packet is None:
        places = [("local", source)]
    legs: list[Leg] = []
    for name, chain_tag in places:
        history = material.histories[chain_tag]
        seen = history.seen_locks.get((position.trade_id, name))
        if seen is not None:
            legs.append(Leg(name, seen.lock_id, history))
    return legs


def _lock(legs: Sequence[Leg], *names: str) -> LockRecord | None:
    """Return the final record of the leg called so."""
    for leg in legs:
        if leg.name in names:
            return leg.history.locks[leg.lock_id]
    return None


def _tags(evidence: SlotEvidence, position: Position) -> tuple[bytes, bytes]:
    """Return the ledgers of buyers and sellers."""
    packet = position.packet
    if packet is not None:
        return packet.source_chain_tag, packet.dest_chain_tag
    own = local_chain_tag(evidence, position)
    return own, own


def _terms(position: Position) -> tuple[int, int, int]:
    """Return energy and both prices."""
    if position.packet is not None:
        packet = position.packet
        return packet.energy_wh, packet.price_in, packet.price_out
    assert position.local is not None, "a position is a packet or local"
    return position.local.energy_wh, position.local.price, position.local.price


def _decision(
    material: Material, evidence: SlotEvidence, position: Position, legs: Sequence[Leg]
) -> tuple[DecisionName, Reason]:
    """Return what the cells, or the destination's ledger at once, said; and why."""
    if evidence.verdict is not None:
        for leaf in evidence.verdict.leaves:
            if leaf.trade_id == position.trade_id:
                said: DecisionName = "accept" if leaf.decision == Decision.ACCEPT else "refuse"
                applied = any(
                    row.kind == "verdict_applied"
                    for leg in legs
                    for row in leg.history.of_lock.get(leg.lock_id, ())
                )
                if applied:
                    return said, Reason(leaf.reason)
                return "none", Reason.NO_VERDICT
    refused = _refused_at_once(material, position, legs)
    if refused is not None:
        return "refuse", refused
    return "none", Reason.NO_VERDICT


def _refused_at_once(material: Material, position: Position, legs: Sequence[Leg]) -> Reason | None:
    """Return why the destination did not even lock."""
    packet = position.packet
    sent = next((leg for leg in legs if leg.name == "in"), None)
    if packet is None or sent is None:
        return None
    route = material.world.topology.route(packet.source_chain_tag, packet.dest_chain_tag)
    sequence = sent.history.locks[sent.lock_id].sequence
    for row in material.histories[packet.dest_chain_tag].events("receive_refused"):
        if row.text("client") == route.dest_client and row.number("sequence") == sequence:
            return Reason[row.text("reason")]
    return None


def _outcome(
    energy_wh: int, first: LockRecord | None, last: LockRecord | None, decision: str
) -> OutcomeName:
    """Say how a trade ended, by the money on both ledgers."""
    locks = [lock for lock in (first, last) if lock is not None]
    if any(lock.status not in TERMINAL for lock in locks):
        return "open"
    paid_wh = 0 if last is None else last.paid_wh
    if paid_wh:
        return "settled" if paid_wh == energy_wh else "partly_settled"
    if decision == "refuse" or any(lock.status is LockStatus.REFUSED for lock in locks):
        return "refused"
    return "refunded"


def _allocations(
    material: Material, position: Position, orders: Mapping[bytes, Order]
) -> tuple[TradeAllocation, ...]:
    def rows(side: str, leaves: Sequence[Allocation]) -> list[TradeAllocation]:
        return [
            TradeAllocation.model_validate(
                {
                    "order_id": leaf.order_id.hex(),
                    "cell": material.names.of_order(orders[leaf.order_id]),
                    "side": side,
                    "energy_wh": leaf.energy_wh,
                    "price_micro_eur_per_kwh": leaf.price,
                }
            )
            for leaf in leaves
        ]

    return tuple(rows("buy", position.buyers) + rows("sell", position.sellers))
