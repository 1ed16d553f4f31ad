"""What the records of a run are made from: ledgers, settlements, judgements, names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tieline.interfaces.errors import HubError
from tieline.market.clearing import clear_slot
from tieline.market.delivery import MissingReading
from tieline.market.order import BookOrder
from tieline.market.position import Position as ClearedPosition
from tieline.market.settlement import SlotStatement, UnknownParty
from tieline.power.errors import NetworkError, NotConverged
from tieline.power.evidence import injections_of_zones, network_at
from tieline.power.gate_result import GateResult
from tieline.power.judgement import Judge
from tieline.power.network import Network
from tieline.scenario.driven_world import World
from tieline.scenario.results.history import LedgerHistory, read_history
from tieline.swap.evidence import SlotEvidence, Zone
from tieline.swap.records import ZERO_HASH, DeliveryKind, Order, Side
from tieline.utility.books import book_orders
from tieline.utility.phases.forecast import coin_secret, committed_zone
from tieline.utility.phases.settle import settle
from tieline.utility.rounds import clear_and_check
from tieline.utility.slot_work import CheckRound
from tieline.wire.typed_data import order_id, struct_hash

SETTLING_FAULTS = (HubError, MissingReading, UnknownParty, NetworkError, NotConverged, KeyError)
"""What a settlement may end in; it is reported as a failed check."""


@dataclass(frozen=True, slots=True)
class Material:
    """A finished world with what was read from it."""

    world: World
    histories: Mapping[bytes, LedgerHistory]
    """By chain tag, in the order of the scenario."""
    statements: Mapping[int, SlotStatement]
    """By slot start."""
    faults: Mapping[int, str]
    """By slot start: why it could not be settled."""
    judgements: Mapping[int, Judged]
    """By slot start: the verdict's question asked again."""
    names: Names

    def evidence(self, slot_start: int) -> SlotEvidence | None:
        """Return what the cells published about a slot."""
        return self.world.services[0].parts.notices.slot(slot_start)

    @property
    def network(self) -> Network:
        """All joined feeders."""
        return self.world.services[0].parts.check.network

    def verdict_hash(self, slot_start: int) -> bytes:
        """Return the hash under which ledgers know a slot's verdict; zeros where there is none."""
        evidence = self.evidence(slot_start)
        if evidence is None or evidence.verdict is None:
            return ZERO_HASH
        return struct_hash(evidence.verdict.verdict)


@dataclass(frozen=True, slots=True)
class Judged:
    """What the gate says of a verdict's set, solved again without the proposer's word."""

    judge: Judge
    result: GateResult
    is_same: bool
    """Whether the published verdict says the same, to the hash of the flow proofs."""


class Names:
    """What readers call ledgers, cells, accounts and orders."""

    def __init__(self, world: World) -> None:
        topology = world.topology
        self.ledger_of_tag = {cell.chain_tag: cell.ledger_id for cell in topology.cells}
        self.zone_of_tag = {cell.chain_tag: cell.name for cell in topology.cells}
        self.cell_of_address = {cell.address: cell.name for cell in topology.cells}
        self.account_of = {(row.chain_tag, row.account): row.name for row in topology.accounts}
        meters = (*topology.meters, *topology.boundary_meters)
        self._meters = {meter.meter_id: meter.name for meter in meters}

    def of_order(self, order: Order) -> str:
        """Return the energy cell of an order, or the operator's name."""
        return self._meters.get(order.meter_id, order.account.hex())


@dataclass(frozen=True)
class FreeClearing:
    """A slot's book cleared as if the network had no limits."""

    orders: Mapping[bytes, Order]
    positions: Sequence[ClearedPosition]

    @cached_property
    def filled(self) -> Mapping[bytes, int]:
        """Wh by order id."""
        return filled_wh(self.positions)

    def dispatchable(self) -> dict[bytes, int]:
        """Return signed Wh into the network by order id, of dispatchable orders, ascending id."""
        return {
            key: wh if self.orders[key].side == Side.SELL else -wh
            for key, wh in sorted(self.filled.items())
            if self.orders[key].delivery == DeliveryKind.DISPATCHABLE
        }


def filled_wh(positions: Sequence[ClearedPosition]) -> dict[bytes, int]:
    """Return how many Wh each order got, by order id."""
    filled: dict[bytes, int] = {}
    for position in positions:
        for leaf in position.buys + position.sells:
            filled[leaf.order_id] = filled.get(leaf.order_id, 0) + leaf.energy_wh
    return filled


async def gather(world: World) -> Material:
    """Read ledgers, settle every slot, judge every verdict again."""
    histories = {
        ledger.chain_tag: await read_history(ledger, world.indexes[ledger.chain_tag], world.folder)
        for ledger in world.ledgers.values()
    }
    statements: dict[int, SlotStatement] = {}
    faults: dict[int, str] = {}
    cell = world.services[0].parts
    price = world.config.prices.imbalance_price_micro_eur_per_kwh
    for start in world.slots:
        try:
            statement = await settle(cell, start, price)
        except SETTLING_FAULTS as fault:
            faults[start] = f"{type(fault).__name__}: {fault}"
            continue
        if statement is not None:
            statements[start] = statement
    return Material(world, histories, statements, faults, _judge_again(world), Names(world))


def _judge_again(world: World) -> dict[int, Judged]:
    check = world.services[0].parts.check
    judges: dict[int, Judge] = {}
    found: dict[int, Judged] = {}
    for start in world.slots:
        evidence = world.services[0].parts.notices.slot(start)
        if evidence is None or evidence.verdict is None:
            continue
        verdict = evidence.verdict
        slack_ppm = verdict.gate.slack_ppm
        if slack_ppm not in judges:
            network = network_at(check.network, slack_ppm)
            judges[slack_ppm] = Judge(network, check.limits, check.margins)
        received = {leaf.trade_id for leaf in verdict.leaves}
        positions = [row for row in evidence.positions if row.trade_id in received]
        result = judges[slack_ppm].judge(
            injections_of_zones(verdict.baseline), check.position_trades(positions, evidence)
        )
        is_same = (
            result.kind.value == verdict.gate.kind
            and result.flow_proof_hash == verdict.verdict.flow_proof_hash
        )
        found[start] = Judged(judges[slack_ppm], result, is_same)
    return found


def zones_of(world: World, slot_start: int) -> tuple[Zone, ...]:
    """Return the forecasts that all cells committed to, ascending zone tag."""
    zones = [committed_zone(service.parts, slot_start) for service in world.services]
    return tuple(sorted(zones, key=lambda zone: zone.zone_tag))


def free_clearing(world: World, evidence: SlotEvidence) -> FreeClearing:
    """Clear a slot's book again without asking the network."""
    cell = world.services[0].parts
    book = _book(world, evidence)
    cleared = clear_slot(book, cell.terms.rules, _coin(world, evidence.slot_start))
    orders = {order_id(signed.order): signed.order for signed in evidence.orders}
    return FreeClearing(orders, cleared.positions)


def rounds_of(world: World, evidence: SlotEvidence) -> tuple[CheckRound, ...]:
    """Return clearings and network checks before the seal; made again where nobody remembers."""
    for service in world.services:
        work = service.parts.work.get(evidence.slot_start)
        if work is not None and work.rounds:
            return work.rounds
    return clear_and_check(
        world.services[0].parts,
        _book(world, evidence),
        zones_of(world, evidence.slot_start),
        _coin(world, evidence.slot_start),
    ).rounds


def _book(world: World, evidence: SlotEvidence) -> list[BookOrder]:
    return book_orders(world.services[0].parts, evidence.orders)


def _coin(world: World, slot_start: int) -> bytes:
    """Return the slot's coin: the secrets of all cells that were not silent."""
    silent = world.households.silent_owners(slot_start)
    coin = bytes(32)
    for service in world.services:
        if service.parts.entry.name not in silent:
            secret = coin_secret(service.parts, slot_start)
            coin = bytes(a ^ b for a, b in zip(coin, secret, strict=True))
    return coin
