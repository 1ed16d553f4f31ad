"""The way of one trade: what happened to it on which ledger, at which height, proved by what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tieline.interfaces.ledger import PacketProof
from tieline.scenario.results.history import Happening, LedgerHistory
from tieline.scenario.results.material import Material
from tieline.scenario.run_records import JourneyStep
from tieline.swap.evidence import Position, SlotEvidence
from tieline.swap.records import Decision, Level, Side
from tieline.utility.board import level_of
from tieline.utility.ledger_index import SeenLock
from tieline.wire.typed_data import SignedRecord, recover_signer_address

NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Leg:
    """One lock of a trade with its ledger."""

    name: str
    """in, out or local."""
    lock_id: bytes
    history: LedgerHistory


def journey(
    material: Material, evidence: SlotEvidence, position: Position, legs: Sequence[Leg]
) -> tuple[JourneyStep, ...]:
    """Return all steps of a trade, oldest first."""
    steps = [_sealed(material, evidence, position)]
    steps += _judged(material, evidence, position)
    steps += _stated(material, evidence, position, legs)
    for leg in legs:
        steps += _lock_steps(leg)
    steps += _refusals(material, position, legs)
    # Steps of one instant keep the order above: cells first, then leg by leg; a lock closes last.
    return tuple(sorted(steps, key=lambda step: (step.time_s, step.step == "close")))


def _sealed(material: Material, evidence: SlotEvidence, position: Position) -> JourneyStep:
    timeline = material.world.services[0].parts.slot(evidence.slot_start).timeline
    level = level_of(position)
    clearing = next(row for row in evidence.clearings if row.clearing.level == level)
    signers = _signers(material, clearing.clearing, clearing.signatures)
    orders = len(position.buyers) + len(position.sellers)
    return JourneyStep(
        time_s=timeline.seal,
        step="seal",
        detail=f"{Level(level).name} clearing of {orders} orders signed by {signers}",
    )


def _judged(material: Material, evidence: SlotEvidence, position: Position) -> list[JourneyStep]:
    """Return the verdict; it is told no later than it first stood on a ledger."""
    verdict = evidence.verdict
    if verdict is None:
        return []
    leaf = next((row for row in verdict.leaves if row.trade_id == position.trade_id), None)
    if leaf is None:
        return []
    posted = _first(material, "verdict_posted", evidence.slot_start)
    timeline = material.world.services[0].parts.slot(evidence.slot_start).timeline
    said = "accept" if leaf.decision == Decision.ACCEPT else "refuse"
    signers = _signers(material, verdict.verdict, verdict.signatures)
    detail = (
        f"{said}, cap {leaf.cap_wh} Wh; {verdict.gate.kind} from {len(verdict.gate.scenarios)} "
        f"flow proofs; signed by {signers}"
    )
    return [
        JourneyStep(
            time_s=timeline.tau if posted is None else posted.time_s,
            step="verdict",
            detail=detail,
        )
    ]


def _stated(
    material: Material, evidence: SlotEvidence, position: Position, legs: Sequence[Leg]
) -> list[JourneyStep]:
    delivery = evidence.delivery
    if delivery is None:
        return []
    leaf = next((row for row in delivery.leaves if row.trade_id == position.trade_id), None)
    if leaf is None:
        return []
    signers = _signers(material, delivery.delivery, delivery.signatures)
    steps: list[JourneyStep] = []
    for leg in legs:
        posted = leg.history.postings.get(("delivery_posted", evidence.slot_start))
        if posted is not None:
            detail = f"{leaf.delivered_wh} Wh delivered; statement signed by {signers}"
            steps.append(_step(posted, "statement", detail))
    return steps


def _lock_steps(leg: Leg) -> list[JourneyStep]:
    """Return what happened to one lock."""
    rows = leg.history.of_lock.get(leg.lock_id, ())
    steps: list[JourneyStep] = []
    seen = next((s for s in leg.history.seen_locks.values() if s.lock_id == leg.lock_id), None)
    for row in rows:
        match row.kind:
            case "lock_opened":
                steps.append(_opened(leg, row))
            case "verdict_applied":
                detail = f"{row.text('decision').lower()}, cap {row.number('cap_wh')} Wh"
                steps.append(_step(row, "apply_verdict", detail))
            case "lock_confirmed":
                detail = f"final, cap {row.number('cap_wh')} Wh"
                steps.append(_proved(leg, row, "acknowledge", detail, "ack", seen))
            case "claimed":
                detail = (
                    f"{row.number('wh')} Wh, {_eur(row.number('amount'))} EUR against the preimage"
                )
                steps.append(_step(row, "claim", detail))
            case "waived" | "refunded":
                detail = f"{row.number('wh')} Wh, {_eur(row.number('amount'))} EUR back"
                steps.append(_given_back(leg, row, detail, seen))
            case "pending_expired" | "alarm":
                steps.append(_step(row, row.kind, row.text("reason")))
            case "lock_closed":
                detail = (
                    f"{row.number('paid_wh')} Wh paid, {row.number('refunded_wh')} Wh given back"
                )
                steps.append(_step(row, "close", detail))
            case _:
                pass
    return steps + _shares(rows)


def _opened(leg: Leg, row: Happening) -> JourneyStep:
    money = row.number("energy_wh") * row.number("price")
    detail = f"{row.number('energy_wh')} Wh for {_eur(money)} EUR under the hash lock"
    if leg.name == "local":
        return _step(row, "open_local", detail)
    packet = f", packet {row.text('client')}/{row.number('sequence')}"
    if leg.name == "in":
        return _step(row, "lock_and_send", detail + packet)
    key = ("recv", row.text("client"), row.number("sequence"))
    return _with_proof(_step(row, "receive", detail + packet), leg.history.proofs.get(key))


def _given_back(leg: Leg, row: Happening, detail: str, seen: SeenLock | None) -> JourneyStep:
    """Return money that went back: by a refusing answer, a timeout, or because time was over."""
    if row.kind == "waived":
        return _step(row, "waive", detail)
    is_confirmed = any(
        other.kind == "lock_confirmed" for other in leg.history.of_lock.get(leg.lock_id, ())
    )
    if leg.name == "in" and seen is not None and not is_confirmed:
        for kind, name in (("ack", "acknowledge"), ("timeout", "timeout")):
            if (kind, seen.client, seen.sequence) in leg.history.proofs:
                return _proved(leg, row, name, f"refused; {detail}", kind, seen)
    return _step(row, "refund", detail)


def _proved(
    leg: Leg, row: Happening, step: str, detail: str, kind: str, seen: SeenLock | None
) -> JourneyStep:
    """Return a step that a proof of the other ledger brought about."""
    made = _step(row, step, detail)
    if seen is None:
        return made
    return _with_proof(made, leg.history.proofs.get((kind, seen.client, seen.sequence)))


def _with_proof(step: JourneyStep, proof: PacketProof | None) -> JourneyStep:
    if proof is None:
        return step
    return step.model_copy(update={"proof_height": proof.height, "proof_bytes": proof.size})


def _shares(rows: Iterable[Happening]) -> list[JourneyStep]:
    """Return one step a side and lock for all households that collected from a pool."""
    by_side: dict[int, list[Happening]] = {}
    for row in rows:
        if row.kind == "share_collected":
            by_side.setdefault(row.number("side"), []).append(row)
    steps: list[JourneyStep] = []
    for side, shares in sorted(by_side.items()):
        total = sum(row.number("credited") for row in shares)
        detail = f"{len(shares)} sellers got {_eur(total)} EUR with their bonds"
        if side == Side.BUY:
            detail = f"{len(shares)} buyers were served, {_eur(total)} EUR went back to them"
        steps.append(_step(shares[-1], "collect_shares", detail))
    return steps


def _refusals(material: Material, position: Position, legs: Sequence[Leg]) -> list[JourneyStep]:
    """Return the receive that a destination refused at once."""
    packet = position.packet
    sent = next((leg for leg in legs if leg.name == "in"), None)
    if packet is None or sent is None or any(leg.name == "out" for leg in legs):
        return []
    topology = material.world.topology
    route = topology.route(packet.source_chain_tag, packet.dest_chain_tag)
    sequence = sent.history.seen_locks[position.trade_id, "in"].sequence
    destination = material.histories[packet.dest_chain_tag]
    return [
        _step(row, "receive_refused", f"{row.text('reason')}: {row.text('detail')}")
        for row in destination.events("receive_refused")
        if row.text("client") == route.dest_client and row.number("sequence") == sequence
    ]


def _first(material: Material, kind: str, slot_start: int) -> Happening | None:
    """Return the earliest posting on any ledger."""
    found = [
        row
        for history in material.histories.values()
        if (row := history.postings.get((kind, slot_start))) is not None
    ]
    return min(found, key=lambda row: row.time_s, default=None)


def _signers(material: Material, record: SignedRecord, signatures: Sequence[bytes]) -> str:
    domain = material.world.services[0].parts.domain
    names = sorted(
        material.names.cell_of_address.get(recover_signer_address(domain, record, row), "?")
        for row in signatures
    )
    return f"{', '.join(names)} ({len(names)} of {len(material.names.cell_of_address)})"


def _step(row: Happening, step: str, detail: str) -> JourneyStep:
    return JourneyStep(
        time_s=row.time_s, step=step, chain_id=row.chain_id, height=row.height, detail=detail
    )


def _eur(nano_eur: int) -> str:
    """Return EUR to four decimals, towards zero; display only."""
    return f"{nano_eur // NANO}.{nano_eur % NANO // 100_000:04d}"
