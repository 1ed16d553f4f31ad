"""
From tau on: judge what was really received, before anything is acknowledged.

The pending set is proved at each ledger's closing height; the gate solves the joint network for
it and for every subset that can still come true. The proposer leads, every cell checks
(``review``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tieline.interfaces.cell_link import (
    ClosingHeight,
    PendingProof,
    ProposeVerdict,
)
from tieline.interfaces.errors import NotYet
from tieline.interfaces.limits import PPM
from tieline.power.evidence import gate_evidence
from tieline.power.flow_proof import flow_proof_hash
from tieline.protocol.commitment import (
    acknowledgement_key,
    packet_commitment_key,
    packet_receipt_key,
)
from tieline.protocol.errors import ProtocolError
from tieline.protocol.quorum import more_than_two_thirds
from tieline.swap.evidence import (
    GateDecision,
    GateEvidence,
    Position,
    PublishedVerdict,
    SlotEvidence,
    Zone,
)
from tieline.swap.records import (
    LOCAL_CLIENT,
    ZERO_HASH,
    Decision,
    PendingLeaf,
    Reason,
    Role,
    Verdict,
    VerdictLeaf,
)
from tieline.utility.asking import gather_signatures
from tieline.utility.board import local_chain_tag
from tieline.utility.cell import UtilityCell
from tieline.utility.network_check import explain
from tieline.utility.packets import packet_commitment
from tieline.utility.phases.clear import publish
from tieline.utility.set_points import set_points
from tieline.utility.slot_work import SlotWork
from tieline.utility.sufficiency import baseline_hash
from tieline.wire.abi import (
    encode_pending_leaf,
    encode_verdict_leaf,
)
from tieline.wire.hashes import keccak, tag
from tieline.wire.ids import setpoints_hash
from tieline.wire.merkle import merkle_root


@dataclass(frozen=True, slots=True)
class Received:
    """A sealed position that was pending when the batch closed."""

    position: Position
    leaf: PendingLeaf


async def propose(cell: UtilityCell, work: SlotWork) -> bool:
    """Judge the batch and ask for signatures; say whether a verdict was published (or none due)."""
    evidence = cell.board.slot(work.slot_start)
    assert evidence is not None, "a verdict follows a seal"
    closings = await closing_heights(cell, evidence, work.timeline.tau)
    receipts = await prove_receipts(cell, evidence, closings)
    received = received_positions(cell, evidence, receipts)
    if not received:
        return True
    zones = [await link.zone(work.slot_start) for link in cell.links]
    baseline = tuple(sorted(zones, key=lambda zone: zone.zone_tag))
    trades = cell.check.position_trades([row.position for row in received], evidence)
    slack_ppm = await measured_slack_ppm(cell, work)
    result = cell.check.judge(baseline, trades, slack_ppm)
    gate = gate_evidence(result, trades, slack_ppm)
    verdict = published(cell, work, evidence, received, baseline, gate)
    verdict = replace(verdict, explanation=explain(result))
    proposal = ProposeVerdict(verdict, closings, receipts)
    signed = await gather_signatures(
        cell, work, [verdict.verdict], lambda link: link.propose_verdict(proposal)
    )
    if len(signed) < more_than_two_thirds(len(cell.addresses)):
        return False
    if any(not is_owner_signed(cell, leaf, set(signed)) for leaf in verdict.leaves):
        return False
    signatures = tuple(signed[signer][0] for signer in sorted(signed))
    await publish(cell, replace(evidence, verdict=replace(verdict, signatures=signatures)))
    return True


async def measured_slack_ppm(cell: UtilityCell, work: SlotWork) -> int:
    """Return the slack voltage as the grid operator's cell measured it last."""
    for link, entry in zip(cell.links, cell.topology.cells, strict=True):
        if entry.role == Role.GRID:
            return await link.slack_ppm(work.slot_start)
    return PPM


def published(
    cell: UtilityCell,
    work: SlotWork,
    evidence: SlotEvidence,
    received: Sequence[Received],
    baseline: tuple[Zone, ...],
    gate: GateEvidence,
) -> PublishedVerdict:
    """Write down the decisions that the gate's answer means, without signatures."""
    decisions = {decision.key: decision for decision in gate.decisions}
    leaves = tuple(
        _leaf(cell, row, decisions.get(row.position.trade_id), group)
        for group, row in enumerate(received, start=1)
    )
    pending = tuple(row.leaf for row in received)
    points = set_points(evidence, {leaf.trade_id: leaf.cap_wh for leaf in leaves})
    proofs = [(row.number, keccak(row.flow_proof)) for row in gate.scenarios]
    record = Verdict(
        cell.cell_set_id,
        cell.cell_set_epoch,
        work.slot_start,
        work.slot_length,
        cell.topology.cell_sets[-1].cell_set.network_epoch,
        baseline_hash(baseline),
        merkle_root(map(encode_pending_leaf, pending)),
        merkle_root(map(encode_verdict_leaf, leaves)),
        flow_proof_hash(proofs) if proofs else ZERO_HASH,
        setpoints_hash(points) if points else ZERO_HASH,
    )
    return PublishedVerdict(record, (), leaves, pending, baseline, gate, points, "")


async def closing_heights(
    cell: UtilityCell, evidence: SlotEvidence, tau: int
) -> tuple[ClosingHeight, ...]:
    """
    Return the header that proves each touched ledger's state at its first block from tau on.

    Raises:
        NotYet: A ledger has no such block, or no header that proves it.
    """
    closings: list[ClosingHeight] = []
    for chain_tag in sorted(_packet_tags(evidence)):
        height = closing_height(cell, chain_tag, tau)
        trusted = cell.attestor.trusted_height(chain_tag, height)
        header = await cell.indexes[chain_tag].ledger.header(height, trusted)
        closings.append(ClosingHeight(chain_tag, height, header))
    return tuple(closings)


def closing_height(cell: UtilityCell, chain_tag: bytes, tau: int) -> int:
    """
    Return the height of the first header that proves a ledger's state at a block from tau on.

    Raises:
        NotYet: The ledger has no such block, or no header above it that a light client can hold.
        KeyError: It is no ledger of the set.
    """
    index = cell.indexes[chain_tag]
    closed = index.first_height_from(tau)
    if closed is None:
        raise NotYet(f"{index.ledger.ledger_id} has no block from {tau} on")
    height = index.first_provable_from(closed + index.ledger.capabilities.proof_lag)
    if height is None:
        raise NotYet(f"{index.ledger.ledger_id} has no header that proves its block {closed}")
    return height


async def prove_receipts(
    cell: UtilityCell, evidence: SlotEvidence, closings: Sequence[ClosingHeight]
) -> tuple[PendingProof, ...]:
    """Prove of each sent packet: its commitment, its receipt or none, that it is not answered."""
    at = {closing.chain_tag: closing.height for closing in closings}
    proofs: list[PendingProof] = []
    for position in evidence.positions:
        packet = position.packet
        if packet is None:
            continue
        sent = cell.indexes[packet.source_chain_tag].locks.get((packet.trade_id, "in"))
        if sent is None:
            continue  # Never sent: nothing to judge, its escrow comes back by release_order.
        route = cell.topology.route(packet.source_chain_tag, packet.dest_chain_tag)
        source = cell.indexes[packet.source_chain_tag].ledger
        destination = cell.indexes[packet.dest_chain_tag].ledger
        lag_source = source.capabilities.proof_lag
        lag = destination.capabilities.proof_lag
        closed = at[packet.dest_chain_tag] - lag
        proofs.append(
            PendingProof(
                packet.trade_id,
                sent.sequence,
                await source.prove(
                    packet_commitment_key(route.source_client, sent.sequence),
                    at[packet.source_chain_tag] - lag_source,
                ),
                await destination.prove(
                    packet_receipt_key(route.dest_client, sent.sequence), closed
                ),
                await destination.prove(
                    acknowledgement_key(route.dest_client, sent.sequence), closed
                ),
            )
        )
    return tuple(proofs)


async def check_pending_proof(
    cell: UtilityCell,
    work: SlotWork,
    position: Position,
    proof: PendingProof,
    closings: Mapping[bytes, ClosingHeight],
) -> None:
    """
    Prove what is said of one packet with the own light clients.

    A header with time >= tau closes the state below it: no later block can hold a receipt.

    Raises:
        ProtocolError: Header or proof do not convince, or are about another key or packet.
        KeyError: A ledger has no closing height.
    """
    packet = position.packet
    evidence = cell.board.slot(work.slot_start)
    assert packet is not None, "local trades have no packet"
    assert evidence is not None, "the caller looked"
    route = cell.topology.route(packet.source_chain_tag, packet.dest_chain_tag)
    rows = (
        (packet.source_chain_tag, proof.commitment, packet_commitment_key, route.source_client),
        (packet.dest_chain_tag, proof.receipt, packet_receipt_key, route.dest_client),
        (packet.dest_chain_tag, proof.acknowledgement, acknowledgement_key, route.dest_client),
    )
    for chain_tag, entry, key_of, client in rows:
        closing = closings[chain_tag]
        if entry.key != key_of(client, proof.sequence):
            raise ProtocolError("proof of another key", key=entry.key.hex())
        time_s = await cell.attestor.verified_time_s(chain_tag, closing.height, closing.header)
        if time_s.value < work.timeline.tau:
            raise ProtocolError("the batch was not closed", time_s=time_s.value)
        await cell.attestor.verified_value(chain_tag, closing.height, entry)
    expected = packet_commitment(route, packet, proof.sequence, evidence, cell.profile.leads)
    if proof.commitment.value != expected:
        raise ProtocolError("another packet", trade=position.trade_id.hex())


def received_positions(
    cell: UtilityCell, evidence: SlotEvidence, receipts: Sequence[PendingProof]
) -> tuple[Received, ...]:
    """
    Return the pending positions, in the order of the clearing: what was received and not answered,
    and every local trade.
    """
    by_trade = {proof.trade_id: proof for proof in receipts}
    received: list[Received] = []
    for position in evidence.positions:
        packet = position.packet
        if packet is None:
            own_tag = local_chain_tag(evidence, position)
            leaf = PendingLeaf(own_tag, tag(LOCAL_CLIENT), 0, position.trade_id)
            received.append(Received(position, leaf))
            continue
        proof = by_trade.get(position.trade_id)
        if proof is None or proof.receipt.value is None or proof.acknowledgement.value is not None:
            continue
        route = cell.topology.route(packet.source_chain_tag, packet.dest_chain_tag)
        commitment = packet_commitment(route, packet, proof.sequence, evidence, cell.profile.leads)
        leaf = PendingLeaf(
            packet.dest_chain_tag, tag(route.dest_client), proof.sequence, commitment
        )
        received.append(Received(position, leaf))
    return tuple(received)


def is_owner_signed(cell: UtilityCell, leaf: VerdictLeaf, signers: set[bytes]) -> bool:
    """Tell whether every owner that an accept leaf names is among the signers."""
    if leaf.decision != Decision.ACCEPT:
        return True
    return all(
        address in signers
        for place, address in enumerate(cell.addresses)
        if leaf.owners >> place & 1
    )


def _leaf(
    cell: UtilityCell, row: Received, decision: GateDecision | None, group: int
) -> VerdictLeaf:
    """Return the leaf of one position; a firm one is in the forecast, so the gate lets it be."""
    energy = _energy(row.position)
    cap, reason = energy, int(Reason.NONE)
    touched: tuple[bytes, ...] = ()
    if decision is not None:
        cap = energy * decision.cap_ppm // PPM
        reason, touched = decision.reason, decision.owners
    accepted = cap > 0
    owners = _owner_bits(cell, row, touched)
    return VerdictLeaf(
        row.leaf.dest_chain_tag,
        row.leaf.dest_client,
        row.leaf.sequence,
        row.leaf.packet_commitment,
        row.position.trade_id,
        int(Decision.ACCEPT if accepted else Decision.REFUSE),
        cap,
        0 if accepted else reason or int(Reason.MARGINAL),
        group if accepted else 0,
        1 if accepted else 0,
        owners,
    )


def _owner_bits(cell: UtilityCell, row: Received, touched: Sequence[bytes]) -> int:
    """Return the cells of source, destination, grid and every touched zone as bits."""
    packet = row.position.packet
    tags = {row.leaf.dest_chain_tag}
    if packet is not None:
        tags.add(packet.source_chain_tag)
    bits = 0
    for place, entry in enumerate(cell.topology.cells):
        is_grid = entry.role == Role.GRID
        if entry.chain_tag in tags or is_grid or entry.address in touched:
            bits |= 1 << place
    return bits


def _energy(position: Position) -> int:
    if position.packet is not None:
        return position.packet.energy_wh
    assert position.local is not None, "a position is a packet or local"
    return position.local.energy_wh


def _packet_tags(evidence: SlotEvidence) -> set[bytes]:
    tags: set[bytes] = set()
    for position in evidence.positions:
        if position.packet is not None:
            tags |= {position.packet.source_chain_tag, position.packet.dest_chain_tag}
    return tags
