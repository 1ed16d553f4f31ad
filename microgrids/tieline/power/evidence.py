"""The gate's answer as it is published, and back: for cells that check it, and for audits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tieline.interfaces.limits import PPM
from tieline.power.flow_proof import FlowProof, flow_proof_hash
from tieline.power.gate_result import (
    DecisionKind,
    GateKind,
    GateResult,
    ProvedScenario,
    TradeDecision,
    TradeInjection,
)
from tieline.power.network import Network
from tieline.power.network_bytes import network_epoch
from tieline.swap.evidence import BusInjection, GateDecision, GateEvidence, Scenario, Zone
from tieline.swap.records import Reason


def gate_evidence(
    result: GateResult, trades: Sequence[TradeInjection], slack_ppm: int
) -> GateEvidence:
    """Return what is published of *result*, which was found at a measured slack voltage."""
    return GateEvidence(
        result.kind.value,
        slack_ppm,
        tuple(
            BusInjection(trade.key, bus, trade.injections_milliwatt[bus])
            for trade in trades
            for bus in sorted(trade.injections_milliwatt)
        ),
        tuple(
            GateDecision(row.key, row.cap_ppm, int(row.reason), row.limit, row.owners)
            for row in result.decisions
        ),
        tuple(
            Scenario(
                row.number, row.name, row.slack_ppm, row.taps, row.trades, row.proof.to_bytes()
            )
            for row in result.scenarios
        ),
    )


def result_of(evidence: GateEvidence, network: Network) -> GateResult:
    """
    Return published evidence as a result that ``verify_result`` can check.

    Args:
        evidence: As published.
        network: At the measured slack voltage (``network_at``).

    Raises:
        Malformed: A flow proof is not in its form.
        ValueError: An unknown kind or reason.
    """
    scenarios = tuple(
        ProvedScenario(
            row.number,
            row.name,
            row.slack_ppm,
            row.taps,
            row.trades,
            FlowProof.from_bytes(row.flow_proof),
        )
        for row in evidence.scenarios
    )
    proofs = [(row.number, row.proof.hash) for row in scenarios]
    return GateResult(
        kind=GateKind(evidence.kind),
        decisions=tuple(_decision(row) for row in evidence.decisions),
        scenarios=scenarios,
        flow_proof_hash=flow_proof_hash(proofs) if proofs else bytes(32),
        network_epoch=network_epoch(network),
    )


def network_at(network: Network, slack_ppm: int) -> Network:
    """Return the network with its slack at a measured voltage."""
    if slack_ppm == PPM:
        return network
    return network.with_slack_vm(network.slack.vm * slack_ppm // PPM)


def injections_of_zones(baseline: Sequence[Zone]) -> Mapping[int, tuple[int, int]]:
    """Return milliwatt and millivar by bus, over all zones."""
    found: dict[int, tuple[int, int]] = {}
    for zone in baseline:
        for leaf in zone.leaves:
            p, q = found.get(leaf.bus, (0, 0))
            found[leaf.bus] = (p + leaf.p_milliwatt, q + leaf.q_millivar)
    return dict(sorted(found.items()))


def _decision(row: GateDecision) -> TradeDecision:
    kind = DecisionKind.ACCEPT if row.cap_ppm == PPM else DecisionKind.CAP
    if row.cap_ppm == 0:
        kind = DecisionKind.REFUSE
    return TradeDecision(row.key, kind, row.cap_ppm, Reason(row.reason), row.limit, row.owners)
