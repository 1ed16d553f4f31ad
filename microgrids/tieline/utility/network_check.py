"""
The network as a cell asks it: orders and positions in, the gate's answer out, in trade ids.

Only dispatchable orders move the network; firm ones are in the forecast already.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tieline.interfaces.limits import PPM
from tieline.market.order import BookOrder
from tieline.market.position import Position as ClearedPosition
from tieline.power.errors import NetworkError
from tieline.power.evidence import gate_evidence, injections_of_zones, network_at, result_of
from tieline.power.gate import Gate
from tieline.power.gate_result import DecisionKind, GateKind, GateResult, TradeInjection
from tieline.power.judgement import Judge
from tieline.power.network import Network
from tieline.power.settings import Limits, Margins
from tieline.power.verification import verify_result
from tieline.swap.evidence import GateEvidence, Position, SlotEvidence, Zone
from tieline.swap.records import DeliveryKind, Side
from tieline.swap.topology import Topology
from tieline.units.energy import floor_to_milliwatt
from tieline.wire.typed_data import order_id


class NetworkCheck:
    """
    One cell's view of the joint network.

    Args:
        network: The epoch in force.
        limits: Beside the network table's.
        margins: As all cells agreed.
        topology: Which meter hangs at which bus.
        slot_length: Seconds.
    """

    def __init__(
        self,
        network: Network,
        limits: Limits,
        margins: Margins,
        topology: Topology,
        slot_length: int,
    ) -> None:
        self._network = network
        self._limits = limits
        self._margins = margins
        self._gates: dict[int, Gate] = {}
        self._judges: dict[int, Judge] = {}
        self._buses = {meter.meter_id: meter.bus for meter in topology.meters}
        self._buses |= {meter.meter_id: meter.bus for meter in topology.boundary_meters}
        self._slack = network.slack.bus
        self._slot_length = slot_length

    @property
    def network(self) -> Network:
        """The epoch in force."""
        return self._network

    @property
    def margins(self) -> Margins:
        """What is kept free, as all cells agreed."""
        return self._margins

    @property
    def limits(self) -> Limits:
        """Limits beside the network table's."""
        return self._limits

    def bus_of(self, meter_id: bytes) -> int:
        """Return a meter's bus. Raises KeyError for a stranger's."""
        return self._buses[meter_id]

    def order_trades(
        self, book: Sequence[BookOrder], positions: Iterable[ClearedPosition]
    ) -> list[TradeInjection]:
        """Return what each dispatchable order would move, in merit order, keyed by order id."""
        orders = {order.order_id: order for order in book}
        filled: dict[bytes, int] = {}
        for position in positions:
            for leaf in position.buys + position.sells:
                filled[leaf.order_id] = filled.get(leaf.order_id, 0) + leaf.energy_wh
        moving = [
            orders[key]
            for key, wh in filled.items()
            if wh and orders[key].delivery is DeliveryKind.DISPATCHABLE and self._moves(orders[key])
        ]
        moving.sort(key=_welfare_rank)
        return [
            TradeInjection(
                order.order_id,
                {order.bus: self._milliwatt(order.side, filled[order.order_id])},
                divisible=not order.is_direct,
            )
            for order in moving
        ]

    def position_trades(
        self, positions: Iterable[Position], evidence: SlotEvidence
    ) -> list[TradeInjection]:
        """Return what each position moves, keyed by trade id; firm ones are left out."""
        orders = {order_id(signed.order): signed.order for signed in evidence.orders}
        trades: list[TradeInjection] = []
        for position in positions:
            moved: dict[int, int] = {}
            anchored = False
            for leaf in position.buyers + position.sellers:
                order = orders[leaf.order_id]
                bus = self.bus_of(order.meter_id)
                anchored = anchored or any(order.anchor)
                if order.delivery == DeliveryKind.DISPATCHABLE and bus != self._slack:
                    step = self._milliwatt(Side(order.side), leaf.energy_wh)
                    moved[bus] = moved.get(bus, 0) + step
            if any(moved.values()):
                trades.append(TradeInjection(position.trade_id, moved, divisible=not anchored))
        return trades

    def judge(
        self,
        baseline: Sequence[Zone],
        trades: Sequence[TradeInjection],
        slack_ppm: int = PPM,
    ) -> GateResult:
        """Ask the gate; *slack_ppm* is the measured slack voltage over the network table's."""
        if slack_ppm not in self._gates:
            self._gates[slack_ppm] = Gate(
                network_at(self._network, slack_ppm), self._limits, self._margins
            )
        return self._gates[slack_ppm].judge(injections_of_zones(baseline), trades)

    def own_judgement(
        self, baseline: Sequence[Zone], trades: Sequence[TradeInjection], slack_ppm: int = PPM
    ) -> GateResult:
        """Judge as the gate does, without the second solver: for those who check a proposal."""
        if slack_ppm not in self._judges:
            network = network_at(self._network, slack_ppm)
            self._judges[slack_ppm] = Judge(network, self._limits, self._margins)
        return self._judges[slack_ppm].judge(injections_of_zones(baseline), trades)

    def objection(
        self, baseline: Sequence[Zone], trades: Sequence[TradeInjection], shown: GateEvidence
    ) -> str | None:
        """Check what another cell says the gate said; None if it holds, else what does not."""
        try:
            network = network_at(self._network, shown.slack_ppm)
            result = result_of(shown, network)
        except (ValueError, NetworkError) as error:
            return f"unreadable: {error}"
        if gate_evidence(result, trades, shown.slack_ppm).injections != shown.injections:
            return "injections are not those of the trades"
        if result.kind is GateKind.NOT_CERTIFIED:
            # It refuses everything and proves nothing: believed only if the own gate says so too.
            own = self.judge(baseline, trades, shown.slack_ppm)
            if own.kind is not GateKind.NOT_CERTIFIED:
                return f"kind: posted={result.kind.value} own={own.kind.value}"
        findings = verify_result(
            network,
            self._limits,
            self._margins,
            injections_of_zones(baseline),
            trades,
            result,
        )
        return findings[0] if findings else None

    def _moves(self, order: BookOrder) -> bool:
        return order.bus != self._slack

    def _milliwatt(self, side: Side, wh: int) -> int:
        milliwatt = floor_to_milliwatt(wh, self._slot_length)
        return milliwatt if side is Side.SELL else -milliwatt


def explain(result: GateResult) -> str:
    """Say in one line which limit is the tightest, how much room it leaves, and to whom."""
    parts = [result.kind.value]
    parts += [
        f"{decision.kind.value.lower()} {decision.key.hex()[:16]} "
        f"{decision.reason.name} {decision.limit}"
        for decision in result.decisions
        if decision.kind is not DecisionKind.ACCEPT
    ]
    if result.tightest is not None:
        tightest = result.tightest
        parts.append(
            f"tightest {tightest.limit} in {tightest.scenario}: "
            f"{tightest.margin_percent:.3f} % left after margin {tightest.safety_margin:.4f}"
        )
        if tightest.margin_kw is not None and tightest.marginal_trade is not None:
            parts.append(f"{tightest.margin_kw:.0f} kW of {tightest.marginal_trade.hex()[:16]}")
    parts += list(result.alarms)
    return "; ".join(parts)


def _welfare_rank(order: BookOrder) -> tuple[int, bytes]:
    """Highest willingness first: the marginal trade is the last one."""
    price = -order.price_max if order.side is Side.BUY else order.price_min
    return (price, order.order_id)
