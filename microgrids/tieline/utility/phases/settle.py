"""
What a slot comes to in the end: energy by account, losses, deviations and money, from signed
readings, the joint power flow at the estimate, and what the ledgers paid.

Nobody signs it: every cell can make it again from the same evidence, and the identities of
``market.identities`` tell whether it holds.

Sources:
    ``docs/spec/market.md`` 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tieline.contract.keys import lock_key
from tieline.contract.records import decode_lock
from tieline.interfaces.limits import PPM
from tieline.market.accounts import AccountKind, NamedAccount, operator, participant
from tieline.market.rationing import share_pro_rata
from tieline.market.settlement import (
    Claimed,
    NetworkEnergy,
    ParticipantEnergy,
    SettledTrade,
    SlotStatement,
    settle_slot,
    settled_trade,
)
from tieline.power.evidence import network_at
from tieline.power.gate_result import TradeInjection
from tieline.power.losses import loss_shares
from tieline.power.operating_point import operating_point
from tieline.swap.evidence import SignedReading, SlotEvidence, Zone
from tieline.swap.records import DeliveryKind, Role
from tieline.units.energy import floor_to_milliwatt, nearest_wh
from tieline.utility.cell import UtilityCell
from tieline.utility.phases.statement import (
    attribution,
    locked_caps,
    locked_positions,
)
from tieline.utility.phases.verdict import measured_slack_ppm
from tieline.utility.readings import exported_wh, imported_wh, remember_earlier

CONNECTOR = NamedAccount(AccountKind.CONNECTOR, "connector")
MILLIWATT_PER_MEGAWATT = 1_000_000_000
FIT_ROUNDS = 6
"""Losses hardly move with the backbone's loads: two rounds are enough, six never miss."""

Injections = Mapping[int, tuple[int, int]]
"""bus -> (milliwatt, millivar) into the network."""


@dataclass(frozen=True, slots=True)
class SlotMeters:
    """Energy of a slot by meter id, Wh into the network; of the operator: over the slack."""

    members: Mapping[bytes, int]
    estimates: Mapping[bytes, int]
    exported: Mapping[bytes, int]
    """Of members and coupling points: the export register alone."""
    boundary: Mapping[bytes, int]
    """By chain tag of the zone."""


@dataclass(frozen=True, slots=True)
class _Estimate:
    """The injections that settle, and who is behind them."""

    injections: Injections
    unmetered: Mapping[bytes, int]
    """Wh by chain tag: the zone's loads without a meter."""


def unmetered(chain_tag: bytes) -> NamedAccount:
    """Return the account of all loads of a zone that have no meter: one residual participant."""
    return NamedAccount(AccountKind.PARTICIPANT, f"{chain_tag.hex()}/unmetered")


async def settle(cell: UtilityCell, slot_start: int, imbalance_price: int) -> SlotStatement | None:
    """
    Settle a slot whose locks have ended; None if nothing was cleared in it.

    Args:
        cell: Any cell: all make the same statement.
        slot_start: Unix seconds.
        imbalance_price: Lambda, micro-EUR per kWh.

    Raises:
        NotConverged: The estimate has no certified power flow.
        MissingReading: A seller's meter has none.
    """
    evidence = cell.board.slot(slot_start)
    if evidence is None:
        return None
    meters = await slot_meters(cell, slot_start)
    zones = [await link.zone(slot_start) for link in cell.links]
    slack_ppm = await measured_slack_ppm(cell, cell.slot(slot_start))
    locked = {} if evidence.verdict is None else locked_caps(cell, evidence)
    trades = await _settled_trades(cell, evidence, locked, meters)
    estimate = _fit(cell, meters, zones, slack_ppm)
    network, losses = _network_energy(cell, evidence, meters, estimate, slack_ppm)
    return settle_slot(
        _participants(cell, meters, estimate, losses),
        trades,
        network,
        operator(_grid_tag(cell)),
        imbalance_price,
    )


async def slot_meters(cell: UtilityCell, slot_start: int) -> SlotMeters:
    """Return a slot's energy: differences of each meter's registers to those of the slot before."""
    now = [await link.metered(slot_start) for link in cell.links]
    readings = [signed for part in now for signed in (*part.readings, *part.boundary)]
    await remember_earlier(cell, readings)
    return _differences(cell, readings, dict(row for part in now for row in part.estimates))


def _differences(
    cell: UtilityCell, readings: Sequence[SignedReading], estimates: Mapping[bytes, int]
) -> SlotMeters:
    exported = {signed.reading.meter_id: exported_wh(cell, signed) for signed in readings}
    net = {
        signed.reading.meter_id: exported[signed.reading.meter_id] - imported_wh(cell, signed)
        for signed in readings
    }
    meters = cell.topology.meters
    boundary = zip(cell.topology.cells, cell.topology.boundary_meters, strict=True)
    return SlotMeters(
        members={meter.meter_id: net[meter.meter_id] for meter in meters},
        estimates=estimates,
        exported=exported,
        boundary={entry.chain_tag: net[meter.meter_id] for entry, meter in boundary},
    )


async def _settled_trades(
    cell: UtilityCell, evidence: SlotEvidence, locked: Mapping[bytes, int], meters: SlotMeters
) -> list[SettledTrade]:
    positions = locked_positions(evidence, locked)
    deliveries = attribution(evidence, [row for _, row in positions], meters.exported)
    grid = _grid_tag(cell)
    trades: list[SettledTrade] = []
    for trade, row in positions:
        claimed = await _claimed(cell, trade, row.position.source, row.position.destination)
        trades.append(settled_trade(row, deliveries, claimed, CONNECTOR, grid))
    return trades


async def _claimed(cell: UtilityCell, trade: bytes, source: bytes, destination: bytes) -> Claimed:
    """Return what both ledgers paid, Wh."""
    if source == destination:
        paid = await _paid(cell, source, trade, "local")
        return Claimed(paid, paid)
    return Claimed(
        await _paid(cell, source, trade, "in"), await _paid(cell, destination, trade, "out")
    )


async def _paid(cell: UtilityCell, chain_tag: bytes, trade: bytes, leg: str) -> int:
    index = cell.indexes[chain_tag]
    seen = index.locks.get((trade, leg))
    if seen is None:
        return 0
    stored = await index.ledger.query("tieline", lock_key(seen.lock_id))
    return 0 if stored is None else decode_lock(stored).paid_wh


def _fit(cell: UtilityCell, meters: SlotMeters, zones: Sequence[Zone], slack_ppm: int) -> _Estimate:
    """
    Estimate what has no meter: in a microgrid, its coupling point less its members; in the
    backbone, what the meter at the slack leaves over once losses are solved.
    """
    grid = _grid_tag(cell)
    unmetered_wh = {tag: wh - _members_wh(cell, meters, tag) for tag, wh in meters.boundary.items()}
    forecast = {zone.zone_tag: zone for zone in zones}
    unmetered_wh[grid] = _wh(cell, sum(leaf.p_milliwatt for leaf in forecast[grid].leaves))
    network = network_at(cell.check.network, slack_ppm)
    for _ in range(FIT_ROUNDS):
        injections = _injections(cell, meters, forecast, unmetered_wh)
        point = operating_point(network, injections)
        imported = _wh(cell, round(point.slack_p_mw * MILLIWATT_PER_MEGAWATT))
        missing = imported - meters.boundary[grid]
        if not missing:
            break
        unmetered_wh[grid] += missing
    return _Estimate(_injections(cell, meters, forecast, unmetered_wh), unmetered_wh)


def _injections(
    cell: UtilityCell,
    meters: SlotMeters,
    forecast: Mapping[bytes, Zone],
    unmetered_wh: Mapping[bytes, int],
) -> dict[int, tuple[int, int]]:
    """Return members at their buses; a zone's residual is spread as its forecast is."""
    power: dict[int, list[int]] = {}
    for tag in sorted(forecast):
        leaves = forecast[tag].leaves
        weights = [abs(leaf.p_milliwatt) for leaf in leaves]
        if not any(weights):
            weights = [1] * len(leaves)
        total = unmetered_wh[tag]
        shares = share_pro_rata(abs(total), weights, lambda place: place)
        sign = 1 if total >= 0 else -1
        for leaf, share in zip(leaves, shares, strict=True):
            here = power.setdefault(leaf.bus, [0, 0])
            here[0] += sign * _milliwatt(cell, share)
            here[1] += leaf.q_millivar
    for meter in cell.topology.meters:
        here = power.setdefault(meter.bus, [0, 0])
        here[0] += _milliwatt(cell, meters.estimates[meter.meter_id])
    return {bus: (p, q) for bus, (p, q) in sorted(power.items())}


def _network_energy(
    cell: UtilityCell,
    evidence: SlotEvidence,
    meters: SlotMeters,
    estimate: _Estimate,
    slack_ppm: int,
) -> tuple[NetworkEnergy, Mapping[bytes, int]]:
    """Return import and losses at the estimate, and each dispatchable meter's share of them, Wh."""
    network = network_at(cell.check.network, slack_ppm)
    point = operating_point(network, estimate.injections)
    moving = _moving(cell, evidence, meters)
    base = {bus: list(power) for bus, power in estimate.injections.items()}
    for meter in moving:
        bus = cell.check.bus_of(meter)
        base[bus][0] -= _milliwatt(cell, meters.estimates[meter])
    shares = loss_shares(
        network,
        {bus: (p, q) for bus, (p, q) in base.items()},
        [
            TradeInjection(
                meter, {cell.check.bus_of(meter): _milliwatt(cell, meters.estimates[meter])}
            )
            for meter in moving
        ],
        [PPM] * len(moving),
    )
    total = _wh(cell, round(point.losses_mw * MILLIWATT_PER_MEGAWATT))
    own = [_wh(cell, share) for share in shares.trades]
    return (
        NetworkEnergy(
            import_wh=_wh(cell, round(point.slack_p_mw * MILLIWATT_PER_MEGAWATT)),
            metered_import_wh=meters.boundary[_grid_tag(cell)],
            loss_wh=total,
            # The tariff takes the fraction of a Wh that whole shares leave.
            base_loss_wh=total - sum(own),
        ),
        dict(zip(moving, own, strict=True)),
    )


def _moving(cell: UtilityCell, evidence: SlotEvidence, meters: SlotMeters) -> list[bytes]:
    """Return the meters whose energy came on top of the forecast, ascending."""
    slack = cell.check.network.slack.bus
    return sorted(
        {
            signed.order.meter_id
            for signed in evidence.orders
            if signed.order.delivery == DeliveryKind.DISPATCHABLE
            and cell.check.bus_of(signed.order.meter_id) != slack
            and meters.estimates.get(signed.order.meter_id)
        }
    )


def _participants(
    cell: UtilityCell, meters: SlotMeters, estimate: _Estimate, losses: Mapping[bytes, int]
) -> list[ParticipantEnergy]:
    rows = [
        ParticipantEnergy(
            participant(meter.chain_tag, meter.account),
            meters.members[meter.meter_id],
            meters.estimates[meter.meter_id],
            losses.get(meter.meter_id, 0),
        )
        for meter in cell.topology.meters
    ]
    grid = _grid_tag(cell)
    for tag, wh in estimate.unmetered.items():
        # A backbone has no coupling point of its own: there the estimate stands for the meter.
        metered = wh
        if tag != grid:
            members = (m for m in cell.topology.meters if m.chain_tag == tag)
            metered = meters.boundary[tag] - sum(meters.members[m.meter_id] for m in members)
        rows.append(ParticipantEnergy(unmetered(tag), metered, wh))
    return rows


def _members_wh(cell: UtilityCell, meters: SlotMeters, chain_tag: bytes) -> int:
    return sum(
        meters.estimates[meter.meter_id]
        for meter in cell.topology.meters
        if meter.chain_tag == chain_tag
    )


def _grid_tag(cell: UtilityCell) -> bytes:
    return next(entry.chain_tag for entry in cell.topology.cells if entry.role == Role.GRID)


def _milliwatt(cell: UtilityCell, wh: int) -> int:
    return floor_to_milliwatt(wh, cell.slot_length)


def _wh(cell: UtilityCell, milliwatt: int) -> int:
    """Return mean milliwatt over a slot in Wh, to the nearest."""
    return nearest_wh(milliwatt, cell.slot_length)
