"""
The power flow behind a verdict, checked again with numpy only: what the trades move is made again
from signed orders and the topology's meters, then ``power.verification`` checks proofs, limits on
proved intervals, and every subset that could have come true, under the margins of the topology.

Sources:
    ``docs/spec/physics.md`` 2 and 3.
"""

from __future__ import annotations

from tieline.audit.findings import Check, Findings
from tieline.audit.slot_view import SlotView, terms_of
from tieline.interfaces.limits import PPM
from tieline.power.errors import NetworkError
from tieline.power.evidence import gate_evidence, injections_of_zones, network_at, result_of
from tieline.power.gate_result import TradeInjection
from tieline.power.settings import Limits, margins_of
from tieline.power.verification import verify_result
from tieline.swap.evidence import GateDecision, PublishedVerdict
from tieline.swap.records import Decision, DeliveryKind, Side, VerdictLeaf
from tieline.units.energy import floor_to_milliwatt


def check_flow(view: SlotView, published: PublishedVerdict, findings: Findings) -> None:
    """Check the power flow behind a verdict whose records hold."""
    gate = published.gate
    _check_decisions(view, published, findings)
    trades = received_trades(view, published)
    try:
        network = network_at(view.world.network, gate.slack_ppm)
        result = result_of(gate, network)
    except (ValueError, NetworkError) as error:
        findings.refuse(view.place, Check.FLOW_PROOFS, "the gate's answer", "readable", error)
        return
    own = gate_evidence(result, trades, gate.slack_ppm).injections
    if not findings.expect(
        view.place, Check.FLOW_PROOFS, "injections of the trades", own, gate.injections
    ):
        return
    try:
        wrong = verify_result(
            network,
            Limits(),
            margins_of(view.world.topology.gate_terms),
            injections_of_zones(published.baseline),
            trades,
            result,
        )
    except (ValueError, NetworkError) as error:
        findings.refuse(view.place, Check.FLOW_PROOFS, "scenarios", "of this network", error)
        return
    for what in wrong:
        findings.refuse(view.place, Check.FLOW_PROOFS, "flow proofs and limits", "hold", what)
    if not wrong:
        findings.hold(Check.FLOW_PROOFS, len(gate.scenarios))


def received_trades(view: SlotView, published: PublishedVerdict) -> list[TradeInjection]:
    """Return what each received trade moves, in the order of the clearing; firm ones nothing."""
    received = {leaf.trade_id for leaf in published.leaves}
    trades: list[TradeInjection] = []
    for position in view.evidence.positions:
        if position.trade_id not in received:
            continue
        moved: dict[int, int] = {}
        is_direct = False
        for leaf in position.buyers + position.sellers:
            order = view.orders[leaf.order_id]
            bus = view.bus_of_meter[order.meter_id]
            is_direct |= any(order.anchor)
            if order.delivery != DeliveryKind.DISPATCHABLE or bus == view.world.network.slack.bus:
                continue
            power = floor_to_milliwatt(leaf.energy_wh, view.evidence.slot_length)
            moved[bus] = moved.get(bus, 0) + (power if order.side == Side.SELL else -power)
        if any(moved.values()):
            trades.append(TradeInjection(position.trade_id, moved, divisible=not is_direct))
    return trades


def _check_decisions(view: SlotView, published: PublishedVerdict, findings: Findings) -> None:
    """Check that the leaves say what the gate said: caps rounded down, owners named."""
    decisions = {row.key: row for row in published.gate.decisions}
    for leaf in published.leaves:
        name = f"decision on trade {leaf.trade_id.hex()[:16]}: cap, reason, owners left out"
        decision = decisions.get(leaf.trade_id)
        energy = terms_of(view.positions[leaf.trade_id]).energy_wh
        cap, reason, owners = energy, 0, 0
        if decision is not None:
            cap = energy * decision.cap_ppm // PPM
            reason = decision.reason
            owners = _bits(view, decision)
        found = (leaf.cap_wh, _reason(leaf, reason), owners & ~leaf.owners)
        findings.expect(view.place, Check.FLOW_PROOFS, name, (cap, reason, 0), found)


def _reason(leaf: VerdictLeaf, expected: int) -> int:
    """Return a leaf's reason; an accept has none, whatever capped it."""
    return expected if leaf.decision == Decision.ACCEPT and not leaf.reason else leaf.reason


def _bits(view: SlotView, decision: GateDecision) -> int:
    return sum(1 << place for place, cell in enumerate(view.cells) if cell in decision.owners)
