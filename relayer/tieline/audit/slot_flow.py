"""
Flow proofs of a verdict, checked again with numpy only: the injections are the signed forecast plus
the accepted trades at their caps, one solution lies near the posted voltages, and every limit holds
on that interval, for each posted scenario and for every subset that could have come true.

What the forecast alone already breaks, no accepted trade may break further. Forecast margins are
the cells' own caution and not judged here.

Sources:
    ``docs/spec/physics.md`` 2 and 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from tieline.audit.findings import Check, Findings
from tieline.audit.slot_view import SlotView, terms_of
from tieline.power.admission import Bar, columns_over, evaluate
from tieline.power.admittance import Floats, build_admittance_model
from tieline.power.corners import Corner, SlotQuestion
from tieline.power.errors import NetworkError
from tieline.power.flow_proof import FlowProof, check_flow_proof, proved_solution
from tieline.power.gate_result import TradeInjection
from tieline.power.limits import LimitTable
from tieline.power.network import Network
from tieline.power.settings import NO_MARGINS, Limits
from tieline.swap.evidence import PublishedVerdict, Scenario
from tieline.swap.records import Decision, DeliveryKind, Side
from tieline.wire.errors import Malformed

MILLIWATT_SECONDS_PER_WH = 3_600_000
WORSENING_MAX = 1e-7
"""Room that two machines may see differently, in a limit's unit."""


def check_flow(view: SlotView, published: PublishedVerdict, findings: Findings) -> None:
    """Check the power flow behind a verdict whose records hold."""
    flow = SlotFlow(view, published)
    recomputed = [
        (trade_id, bus, milliwatt)
        for trade_id, moved in flow.injections.items()
        for bus, milliwatt in moved.items()
    ]
    posted = [(row.trade_id, row.bus, row.p_milliwatt) for row in published.injections]
    findings.expect(
        view.place, Check.FLOW_PROOFS, "injections of the trades", sorted(recomputed), sorted(posted)
    )
    moving = sorted(flow.caps.keys() & flow.injections.keys())
    if not published.scenarios:
        findings.expect(
            view.place, Check.FLOW_PROOFS, "accepted trades without any proof", [], moving
        )
        return
    numbers = [scenario.number for scenario in published.scenarios]
    findings.expect(
        view.place, Check.FLOW_PROOFS, "scenario numbers", list(range(len(numbers))), numbers
    )
    _check_first(view, published, moving, findings)
    try:
        for scenario in published.scenarios:
            _check_scenario(view, flow, scenario, findings)
        _check_subsets(view, flow, findings)
    except (NetworkError, Malformed) as error:
        findings.refuse(view.place, Check.FLOW_PROOFS, "scenarios", "of this network", error)


@dataclass(frozen=True)
class SlotFlow:
    """A verdict's electrical content, recomputed from signed data."""

    view: SlotView
    published: PublishedVerdict

    @property
    def network(self) -> Network:
        """The joint network as its table says."""
        return self.view.world.network

    @cached_property
    def caps(self) -> dict[bytes, int]:
        """Cap in Wh by accepted trade."""
        return {
            leaf.trade_id: leaf.cap_wh
            for leaf in self.published.leaves
            if leaf.decision == Decision.ACCEPT
        }

    @cached_property
    def injections(self) -> dict[bytes, dict[int, int]]:
        """Milliwatt by bus of each received trade at its full energy; firm ones move nothing."""
        found: dict[bytes, dict[int, int]] = {}
        for leaf in self.published.leaves:
            moved = self._moved(leaf.trade_id)
            if any(moved.values()):
                found[leaf.trade_id] = dict(sorted(moved.items()))
        return found

    @cached_property
    def baseline(self) -> dict[int, tuple[int, int]]:
        """Milliwatt and millivar by bus, over all zones."""
        found: dict[int, tuple[int, int]] = {}
        for zone in self.published.baseline:
            for leaf in zone.leaves:
                p, q = found.get(leaf.bus, (0, 0))
                found[leaf.bus] = (p + leaf.p_milliwatt, q + leaf.q_millivar)
        return found

    @cached_property
    def base_rows(self) -> list[tuple[int, int]]:
        """Milliwatt and millivar in the order of the flow proof."""
        rows = [[0, 0] for _ in self.network.load_buses]
        for bus, (p, q) in self.baseline.items():
            place = self.network.position(bus, "baseline")
            if place >= 0:
                rows[place][0] += p
                rows[place][1] += q
        return [(p, q) for p, q in rows]

    def bounds(self, trades: tuple[bytes, ...]) -> tuple[list[int], list[int]]:
        """
        Return the least and most milliwatt that *trades* add at each place, at their caps.

        Note:
            A cap is a whole Wh, and was found as a share of the energy: it fixes the power to
            within one Wh of the trade.
        """
        low, high = ([0] * len(self.network.load_buses) for _ in range(2))
        for trade in trades:
            energy = terms_of(self.view.positions[trade]).energy_wh
            cap = self.caps[trade]
            for bus, milliwatt in self.injections.get(trade, {}).items():
                place = self.network.position(bus, "trade")
                if place < 0:
                    continue
                size = abs(milliwatt)
                least = size * cap // energy
                most = size if cap == energy else min(size, -(-size * (cap + 1) // energy))
                signed = (least, most) if milliwatt > 0 else (-most, -least)
                low[place] += signed[0]
                high[place] += signed[1]
        return low, high

    def _moved(self, trade_id: bytes) -> dict[int, int]:
        moved: dict[int, int] = {}
        position = self.view.positions.get(trade_id)
        leaves = () if position is None else position.buyers + position.sellers
        for leaf in leaves:
            order = self.view.orders[leaf.order_id]
            bus = self.view.bus_of_meter[order.meter_id]
            if order.delivery != DeliveryKind.DISPATCHABLE or bus == self.network.slack.bus:
                continue
            power = leaf.energy_wh * MILLIWATT_SECONDS_PER_WH // self.view.evidence.slot_length
            moved[bus] = moved.get(bus, 0) + (power if order.side == Side.SELL else -power)
        return moved


@lru_cache(maxsize=8)
def limit_table(network: Network) -> LimitTable:
    """Return bands and ratings of a network's table, without margins."""
    return LimitTable(network, Limits(step_max=None), NO_MARGINS)


@lru_cache(maxsize=64)
def corner_of(network: Network, slack_ppm: int, taps: tuple[tuple[int, int], ...]) -> Corner:
    """Return slack voltage and taps of a scenario with their matrices. Raises NetworkError."""
    moved = network
    for transformer, tap in taps:
        moved = moved.with_tap(transformer, tap)
    return Corner("", slack_ppm, taps, build_admittance_model(moved))


def _check_first(
    view: SlotView, published: PublishedVerdict, moving: list[bytes], findings: Findings
) -> None:
    """Check that the forecast alone and the whole accepted set are among the scenarios."""
    first = published.scenarios[0]
    findings.expect(
        view.place, Check.FLOW_PROOFS, "trades of the forecast alone", (), first.trades
    )
    whole = [
        scenario
        for scenario in published.scenarios[1:]
        if sorted(scenario.trades) == moving
        and (scenario.slack_ppm, scenario.taps) == (first.slack_ppm, first.taps)
    ]
    findings.require(
        view.place,
        Check.FLOW_PROOFS,
        "whole accepted set",
        holds=bool(whole),
        expected="among the scenarios",
        found="not proved",
    )


def _check_scenario(
    view: SlotView, flow: SlotFlow, scenario: Scenario, findings: Findings
) -> None:
    """Check one posted operating point: its data, its proof, its limits."""
    name = f"scenario {scenario.number}"
    accepted = flow.caps.keys() & flow.injections.keys()
    strangers = sorted(set(scenario.trades) - accepted)
    if not findings.expect(
        view.place, Check.FLOW_PROOFS, f"{name}: trades that were not accepted", [], strangers
    ):
        return
    proof = FlowProof.from_bytes(scenario.flow_proof)
    if not _injections_hold(view, flow, scenario, proof, findings):
        return
    corner = corner_of(flow.network, scenario.slack_ppm, scenario.taps)
    wrong = check_flow_proof(corner.model, proof, corner.scale)
    if not findings.expect(view.place, Check.FLOW_PROOFS, f"{name}: flow proof", "", wrong):
        return
    solution = proved_solution(corner.model, proof, corner.scale)
    room = limit_table(flow.network).room(corner.model, solution)[:, 0]
    _check_room(view, flow, f"{name} ({scenario.name})", room - _need(flow, corner), findings)


def _injections_hold(
    view: SlotView, flow: SlotFlow, scenario: Scenario, proof: FlowProof, findings: Findings
) -> bool:
    """Check that S is the forecast plus the scenario's trades at their caps."""
    name = f"scenario {scenario.number}"
    posted = [(p, q) for p, q, _, _ in proof.rows]
    if not findings.expect(
        view.place, Check.FLOW_PROOFS, f"{name}: rows", len(flow.base_rows), len(posted)
    ):
        return False
    low, high = flow.bounds(scenario.trades)
    rows = zip(flow.network.load_buses, flow.base_rows, low, high, posted, strict=True)
    for bus, (p, q), least, most, (posted_p, posted_q) in rows:
        if not (p + least <= posted_p <= p + most and posted_q == q):
            findings.refuse(
                view.place,
                Check.FLOW_PROOFS,
                f"{name}: injection at bus {bus}, mW and mvar",
                f"{p + least}..{p + most} and {q}",
                f"{posted_p} and {posted_q}",
            )
            return False
    findings.hold(Check.FLOW_PROOFS)
    return True


def _need(flow: SlotFlow, corner: Corner) -> Floats:
    """Return the room that each limit must keep: none, or what the forecast alone leaves."""
    question = _question(flow, (corner,), {})
    empty = np.zeros((len(question.groups), 1))
    room = question.room(corner, empty)[:, 0]
    return np.asarray(np.minimum(room, 0.0) - WORSENING_MAX)


def _question(
    flow: SlotFlow, corners: tuple[Corner, ...], caps: Mapping[bytes, int]
) -> SlotQuestion:
    """Compile the forecast with trades at their caps."""
    groups = {leaf.trade_id: leaf.group for leaf in flow.published.leaves}
    trades = [
        TradeInjection(trade, dict(_capped(flow, trade)), groups[trade]) for trade in sorted(caps)
    ]
    table = limit_table(flow.network)
    return SlotQuestion(flow.network, corners, table, flow.baseline, trades, None)


def _capped(flow: SlotFlow, trade: bytes) -> Iterator[tuple[int, int]]:
    energy = terms_of(flow.view.positions[trade]).energy_wh
    for bus, milliwatt in flow.injections[trade].items():
        size = abs(milliwatt) * flow.caps[trade] // energy
        yield bus, size if milliwatt > 0 else -size


def _check_subsets(view: SlotView, flow: SlotFlow, findings: Findings) -> None:
    """Solve every union of groups (the worst ones of many) in every posted corner."""
    moving = {trade: flow.caps[trade] for trade in sorted(flow.caps.keys() & flow.injections.keys())}
    if not moving:
        return
    posted = {(row.slack_ppm, row.taps): None for row in flow.published.scenarios}
    corners = tuple(corner_of(flow.network, ppm, taps) for ppm, taps in posted)
    question = _question(flow, corners, moving)
    everyone = np.ones(len(question.groups))
    slopes = question.slopes(corners[0], everyone)
    if slopes is None:
        findings.refuse(
            view.place, Check.FLOW_PROOFS, "accepted set", "one certified solution", "none"
        )
        return
    bar = Bar(tuple(_need(flow, corner) for corner in corners), is_base_violated=False)
    columns = columns_over(question, question.per_group(slopes), everyone, exhaustive=True)
    excess = evaluate(question, bar, columns).excess
    _check_room(view, flow, "subsets of the accepted set", excess.min(axis=1), findings)
    findings.hold(Check.FLOW_PROOFS, columns.shape[1] * len(corners))


def _check_room(
    view: SlotView, flow: SlotFlow, name: str, excess: Floats, findings: Findings
) -> None:
    row = int(excess.argmin())
    limit = limit_table(flow.network).limits[row]
    findings.require(
        view.place,
        Check.FLOW_PROOFS,
        f"{name}: {limit.name}",
        holds=bool(excess[row] >= 0),
        expected="kept on the proved interval",
        found=f"missed by {-excess[row]:.3e}",
    )


