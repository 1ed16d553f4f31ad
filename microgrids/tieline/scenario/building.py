"""
From a scenario to a world that stands: keys, ledgers, setup, cells, relayer.

A folder that holds an earlier start is taken up where it stands: ledgers read their blocks, what
is on them already is not done again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from tieline.contract.genesis import Genesis, Parameters
from tieline.hub.bootstrap import HubWorld, build_runner
from tieline.hub.config import HubConfig, LedgerConfig
from tieline.interfaces.errors import ConfigError, Rejected
from tieline.interfaces.ledger import Ledger, Message
from tieline.market.clearing import ClearingRules, clear_slot
from tieline.market.timeline import PROFILES, SlotProfile, slot_timeline
from tieline.power.network_bytes import network_bytes, network_epoch
from tieline.power.settings import Limits, Margins, margins_of
from tieline.scenario.config import ScenarioConfig
from tieline.scenario.driven_clock import DrivenClock
from tieline.scenario.driven_world import World
from tieline.scenario.field import Member, ZoneField
from tieline.scenario.households import Households
from tieline.scenario.network_source import Wires, read_wires
from tieline.scenario.parties import (
    CELL_LANE,
    CONNECTOR_LANE,
    NANO_EUR_PER_EUR,
    RELAYER_LANES,
    RICH_FACTOR,
    Party,
    attestor_key,
    member,
    member_of,
    parties_of,
    wallet_of,
)
from tieline.scenario.run_folder import RunFolder
from tieline.scenario.truth_of_slot import Truth
from tieline.swap.evidence import SignedCellSet
from tieline.swap.ladder import PRESETS
from tieline.swap.records import DeliveryKind, Role, Side
from tieline.swap.topology import (
    CellEntry,
    GateTerms,
    NamedAccount,
    RouteEntry,
    SignedAttestorKey,
    Topology,
)
from tieline.utility import setup
from tieline.utility.attestor import CellAttestor, FollowedLedger
from tieline.utility.board import SlotBoard, write_durably
from tieline.utility.bootstrap import (
    InProcessLedger,
    light_client_of_embedded,
    open_embedded_ledger,
)
from tieline.utility.cell import MarketTerms, UtilityCell
from tieline.utility.journal import SigningJournal
from tieline.utility.keys import KeyRing
from tieline.utility.ledger_index import LedgerIndex
from tieline.utility.network_check import NetworkCheck
from tieline.utility.phases.clear import book_orders
from tieline.utility.phases.forecast import coin_secret
from tieline.utility.preimages import PreimageStore
from tieline.utility.service import CellService
from tieline.wire.canonical_json import canonical
from tieline.wire.typed_data import domain_separator, order_id

SETUP_LEAD_S = 900
"""Before the first slot's freeze: room for cell sets and clients."""
MANDATE_EUR = 1_000_000
FUEL_EUR = 10
"""In each account that signs for an operator."""
PPM = 1_000_000
SLACK_STEP_PPM = 100
"""Slack voltages are reported in these steps, so that 1 % corners of them are whole ppm."""
TRUST_HEIGHT = 1
"""Light clients begin at the first header: its validators stand in genesis."""


@dataclass(slots=True)
class Ground:
    """What stands before any cell does."""

    config: ScenarioConfig
    folder: RunFolder
    ring: KeyRing
    network_id: bytes
    profile: SlotProfile
    parties: tuple[Party, ...]
    wires: Wires
    households: Households
    ledgers: Mapping[str, InProcessLedger]
    clock: DrivenClock

    @property
    def domain(self) -> bytes:
        """EIP-712 separator of the network."""
        return domain_separator(self.network_id)


async def build_world(config: ScenarioConfig, folder: RunFolder, ring: KeyRing) -> World:
    """
    Put a world together in *folder*, or take up the one that is there.

    Raises:
        ConfigError: The scenario asks for something that cannot be.
    """
    if config.slot_minutes != 15:
        raise ConfigError(
            f"slots of {config.slot_minutes} minutes are not run yet",
            file=str(folder.scenario_yaml),
            key="slot_minutes",
            instead="write slot_minutes: 15",
        )
    ground = _lay_ground(config, folder, ring)
    topology = await _set_up(ground)
    write_durably(folder.path / "topology.json", canonical(topology))
    return _put_together(ground, topology)


def _lay_ground(config: ScenarioConfig, folder: RunFolder, ring: KeyRing) -> Ground:
    profile = PROFILES[config.preset.value]
    parties = parties_of(config, ring)
    wires = read_wires(config, {party.name: party.cell_key.address for party in parties})
    households = Households(config, wires.rated_loads)
    network_id = ring.derive("hub", "network id")
    ledgers: dict[str, InProcessLedger] = {}
    for party in parties:
        genesis = _genesis(config, ring, parties, party, network_id, households)
        path = folder.ledger(party.ledger_id)
        write_durably(path / "genesis.json", genesis.to_bytes())
        ledgers[party.ledger_id] = open_embedded_ledger(
            genesis, party.validator_seeds, party.lanes, path
        )
    first = slot_timeline(profile, config.start_s, config.slot_length_s)
    clock = DrivenClock(first.freeze - SETUP_LEAD_S)
    return Ground(
        config, folder, ring, network_id, profile, parties, wires, households, ledgers, clock
    )


def _genesis(
    config: ScenarioConfig,
    ring: KeyRing,
    parties: Sequence[Party],
    party: Party,
    network_id: bytes,
    households: Households,
) -> Genesis:
    rich = config.opening_balance_eur * RICH_FACTOR * NANO_EUR_PER_EUR
    balances = {
        wallet_of(ring, cell.microgrid, cell.id).cosmos_account: (
            config.opening_balance_eur
            * NANO_EUR_PER_EUR
            * (RICH_FACTOR if cell.kind.value in {"device", "battery"} else 1)
        )
        for cell in households.cells
        if cell.chain_id == party.ledger_id
    }
    if party.role is Role.GRID:
        balances[wallet_of(ring, party.name, party.name).cosmos_account] = rich
    # Fuel: gas costs nothing here, but an account must exist before it can sign.
    balances |= {key.cosmos_account: FUEL_EUR * NANO_EUR_PER_EUR for key in party.lanes.values()}
    leads = PRESETS[config.preset.value][0]
    return Genesis(
        chain_id=party.ledger_id,
        network_id=network_id,
        cell_address=party.cell_key.address,
        founding_cells=tuple(sorted(other.cell_key.address for other in parties)),
        role=party.role,
        balances=tuple(sorted(balances.items())),
        vaults=((party.connector.cosmos_account, config.connector.deposit_eur * NANO_EUR_PER_EUR),),
        parameters=Parameters(
            tau_lead_s=leads.tau_lead_s,
            d_lead_s=leads.d_lead_s,
            lock_lead_s=leads.lock_lead_s,
            statement_lead_s=leads.statement_lead_s,
            min_claim_window_s=leads.min_claim_window_s,
            min_margin_s=leads.min_margin_s,
            gate_lead_s=leads.gate_lead_s,
        ),
    )


async def _set_up(ground: Ground) -> Topology:
    """Bring the ledgers to where trading can begin, and say who is who."""
    for ledger in ground.ledgers.values():
        resumed = await ledger.latest_time_s()
        if resumed > ground.clock.now_s():
            ground.clock.jump(resumed)
    land = _lander(ground)
    for ledger in ground.ledgers.values():
        while await ledger.latest_height() <= TRUST_HEIGHT:
            _tick(ground, everybody=True)
    cells = _cells(ground)
    routes = _routes(ground)
    keys = _attestor_keys(ground)
    first = slot_timeline(ground.profile, ground.config.start_s, ground.config.slot_length_s)
    signed = setup.sign_cell_set(
        ground.network_id,
        network_epoch(ground.wires.network),
        cells,
        {party.cell_key.address: party.cell_key for party in ground.parties},
        first.start,
    )
    for party in ground.parties:
        await setup.post_cell_set(ground.ledgers[party.ledger_id], CELL_LANE, signed, land)
    await _join(ground, routes, keys, land)
    return _topology(ground, cells, routes, keys, signed)


async def _join(
    ground: Ground,
    routes: Sequence[RouteEntry],
    keys: Sequence[SignedAttestorKey],
    land: setup.Land,
) -> None:
    """Create clients, name counterparties, set mandates."""
    by_tag = {ground.ledgers[p.ledger_id].chain_tag: p for p in ground.parties}
    for route in routes:
        host, tracked = by_tag[route.source_chain_tag], by_tag[route.dest_chain_tag]
        own = ground.ledgers[host.ledger_id]
        other = ground.ledgers[tracked.ledger_id]
        await setup.create_client(
            own,
            CELL_LANE,
            route.source_client,
            other.client_states(TRUST_HEIGHT),
            [key for key in keys if key.record.chain_tag == route.dest_chain_tag],
            host.cell_key.address,
            land,
        )
        await setup.register_counterparty(
            own,
            CELL_LANE,
            route.source_client,
            route.dest_client,
            other.capabilities.merkle_prefix,
            land,
        )
    terms = setup.MandateTerms(
        max_trade=MANDATE_EUR * NANO_EUR_PER_EUR,
        max_open=MANDATE_EUR * NANO_EUR_PER_EUR,
        min_fee=0,
        min_margin=ground.profile.leads.min_margin_s,
        expiry=2**62,
    )
    for route in routes:
        party = by_tag[route.dest_chain_tag]
        source = by_tag[route.source_chain_tag]
        await setup.set_mandate(
            ground.ledgers[party.ledger_id],
            CONNECTOR_LANE,
            route,
            source.connector,
            terms,
            ground.domain,
            land,
        )


def _tick(ground: Ground, *, everybody: bool = False) -> None:
    ground.clock.step(is_busy=True)
    for ledger in ground.ledgers.values():
        ledger.produce_block(ground.clock.now_s(), is_deadline=everybody)


def _lander(ground: Ground) -> setup.Land:
    async def land(ledger: Ledger, lane: str, messages: Sequence[Message]) -> None:
        before = await ledger.latest_height()
        submitted = await ledger.submit(lane, messages)
        _tick(ground)
        for block in await ledger.blocks_after(before):
            for transaction in block.transactions:
                if transaction.tx_hash == submitted.tx_hash and transaction.code:
                    raise Rejected("setup", transaction.code, transaction.log)

    return land


def _cells(ground: Ground) -> tuple[CellEntry, ...]:
    entries = [
        CellEntry(
            party.name,
            party.ledger_id,
            ground.ledgers[party.ledger_id].chain_tag,
            party.cell_key.address,
            int(party.role),
        )
        for party in ground.parties
    ]
    return tuple(sorted(entries, key=lambda entry: entry.address))


def _routes(ground: Ground) -> tuple[RouteEntry, ...]:
    """Return all ordered pairs; a ledger's clients are numbered in the order of the parties."""
    names = [party.ledger_id for party in ground.parties]

    def client(host: str, tracked: str) -> str:
        return f"07-tendermint-{[name for name in names if name != host].index(tracked)}"

    return tuple(
        RouteEntry(
            ground.ledgers[source.ledger_id].chain_tag,
            ground.ledgers[destination.ledger_id].chain_tag,
            client(source.ledger_id, destination.ledger_id),
            client(destination.ledger_id, source.ledger_id),
            source.connector.cosmos_account,
            destination.connector.cosmos_account,
        )
        for source in ground.parties
        for destination in ground.parties
        if source is not destination
    )


def _attestor_keys(ground: Ground) -> tuple[SignedAttestorKey, ...]:
    return tuple(
        setup.sign_attestor_key(
            ground.domain,
            ground.ledgers[attested.ledger_id].chain_tag,
            party.cell_key,
            attestor_key(ground.ring, party.name, attested.ledger_id),
        )
        for attested in ground.parties
        for party in ground.parties
    )


def _members(ground: Ground, party: Party) -> dict[str, Member]:
    """Return a zone's members; the operator trades under its own name, metered at the slack."""
    chain_tag = ground.ledgers[party.ledger_id].chain_tag
    if party.role is Role.GRID:
        return {party.name: _boundary(ground, party)}
    return {
        cell.id: member_of(ground.ring, cell, chain_tag)
        for cell in ground.households.cells
        if cell.chain_id == party.ledger_id
    }


def _boundary(ground: Ground, party: Party) -> Member:
    chain_tag = ground.ledgers[party.ledger_id].chain_tag
    if party.role is Role.GRID:
        slack = ground.wires.network.slack.bus
        return member(ground.ring, party.name, party.name, slack, chain_tag)
    return member(ground.ring, party.name, f"pcc-{party.name}", party.buses[0], chain_tag)


def _topology(
    ground: Ground,
    cells: tuple[CellEntry, ...],
    routes: tuple[RouteEntry, ...],
    keys: tuple[SignedAttestorKey, ...],
    signed: SignedCellSet,
) -> Topology:
    meters = [
        entry.meter
        for party in ground.parties
        if party.role is not Role.GRID
        for entry in _members(ground, party).values()
    ]
    by_tag = {ground.ledgers[p.ledger_id].chain_tag: p for p in ground.parties}
    return Topology(
        ground.network_id,
        cells,
        tuple(sorted(meters, key=lambda meter: meter.meter_id)),
        tuple(_boundary(ground, by_tag[cell.chain_tag]).meter for cell in cells),
        routes,
        keys,
        (signed,),
        _named_accounts(ground),
        _gate_terms(ground.config),
        network_bytes(ground.wires.network),
    )


def _named_accounts(ground: Ground) -> tuple[NamedAccount, ...]:
    named: list[NamedAccount] = []
    for party in ground.parties:
        tag = ground.ledgers[party.ledger_id].chain_tag
        named += [
            NamedAccount(tag, entry.meter.account, name)
            for name, entry in _members(ground, party).items()
        ]
        named.append(NamedAccount(tag, party.connector.cosmos_account, "connector"))
        named.append(NamedAccount(tag, party.cell_key.cosmos_account, f"cell-{party.name}"))
        named += [
            NamedAccount(tag, party.lanes[lane].cosmos_account, lane) for lane in RELAYER_LANES
        ]
    return tuple(named)


def _put_together(ground: Ground, topology: Topology) -> World:
    indexes = {ledger.chain_tag: LedgerIndex(ledger) for ledger in ground.ledgers.values()}
    accepted: dict[int, dict[str, int]] = {}

    def tell(slot_start: int, wh: Mapping[str, int]) -> None:
        accepted.setdefault(slot_start, {}).update(wh)

    services: list[CellService] = []
    truth = Truth(
        ground.config,
        ground.wires.network,
        ground.households,
        ground.parties,
        lambda slot_start: accepted.get(slot_start, {}),
        lambda slot_start: _cleared_freely(services, slot_start, accepted),
    )
    boards: list[SlotBoard] = []
    for party in _by_address(ground.parties):
        cell = _cell(ground, party, topology, indexes, truth, tell)
        boards.append(cell.board)
        services.append(CellService(cell))
    for service in services:
        service.parts.links = services
        service.parts.board.take_over(boards[0])
    runner = build_runner(
        HubWorld(
            topology,
            {p.ledger_id: _parameters(ground, p) for p in ground.parties},
            ground.ledgers,
            [service.parts.attestor for service in services],
            boards[0],
            ground.clock,
        ),
        HubConfig(
            journal_url=f"sqlite:///{ground.folder.journal_sqlite}",
            ledgers={p.ledger_id: LedgerConfig(lanes=RELAYER_LANES) for p in ground.parties},
        ),
    )
    return World(
        config=ground.config,
        folder=ground.folder,
        clock=ground.clock,
        profile=ground.profile,
        ledgers=ground.ledgers,
        indexes=indexes,
        services=services,
        runner=runner,
        topology=topology,
        households=ground.households,
        truth=truth,
        bus_names=ground.wires.bus_names,
    )


def _cell(
    ground: Ground,
    party: Party,
    topology: Topology,
    indexes: Mapping[bytes, LedgerIndex],
    truth: Truth,
    tell: Callable[[int, Mapping[str, int]], None],
) -> UtilityCell:
    ledger = ground.ledgers[party.ledger_id]
    folder = ground.folder.path / "cells" / party.name
    folder.mkdir(parents=True, exist_ok=True)
    journal = SigningJournal(folder / "signing.sqlite")
    is_first = topology.cells[0].chain_tag == ledger.chain_tag
    evidence = ground.folder.path / "evidence"
    return UtilityCell(
        entry=topology.cell_of(ledger.chain_tag),
        key=party.cell_key,
        derive=lambda purpose: ground.ring.derive(f"cell-{party.name}", purpose),
        lane=CELL_LANE,
        topology=topology,
        indexes=indexes,
        links=(),
        field_source=_field(ground, party, truth, tell),
        board=SlotBoard(topology, evidence if is_first else None),
        journal=journal,
        preimages=_preimages(ground, party),
        attestor=_attestor(ground, party, topology, journal),
        check=NetworkCheck(
            ground.wires.network,
            Limits(),
            margins_of(topology.gate_terms),
            topology,
            ground.config.slot_length_s,
        ),
        terms=_market_terms(ground),
        profile=ground.profile,
        slot_length=ground.config.slot_length_s,
    )


def _field(
    ground: Ground,
    party: Party,
    truth: Truth,
    tell: Callable[[int, Mapping[str, int]], None],
) -> ZoneField:
    config = ground.config
    return ZoneField(
        chain_tag=ground.ledgers[party.ledger_id].chain_tag,
        ledger_id=party.ledger_id,
        buses=frozenset(party.buses),
        slots=[config.slot_start_s(index) for index in range(config.slot_count)],
        slot_length=config.slot_length_s,
        households=ground.households,
        members=_members(ground, party),
        boundary_meter=_boundary(ground, party),
        domain=ground.domain,
        energy_of=truth.zone(party.ledger_id),
        slack_of=_slack_of(ground),
        tell_set_points=tell,
    )


def _preimages(ground: Ground, party: Party) -> PreimageStore:
    path = ground.folder.keys / f"preimages-{party.name}.sqlite"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    sealing_key = ground.ring.derive(f"cell-{party.name}", "preimage store")
    if not ground.config.reproducible_keys:
        return PreimageStore(path, sealing_key)
    return PreimageStore(
        path,
        sealing_key,
        lambda position: ground.ring.derive(f"cell-{party.name}", f"preimage {position}"),
    )


def _attestor(
    ground: Ground, party: Party, topology: Topology, journal: SigningJournal
) -> CellAttestor:
    attestor = CellAttestor(party.cell_key.address, journal, ground.clock)
    for cell in topology.cells:
        ledger = ground.ledgers[cell.ledger_id]
        states = ledger.client_states(TRUST_HEIGHT)
        attestor.follow(
            FollowedLedger(
                ledger,
                cell.chain_tag,
                light_client_of_embedded(),
                attestor_key(ground.ring, party.name, cell.ledger_id),
            ),
            *states,
        )
    return attestor


def _gate_terms(config: ScenarioConfig) -> GateTerms:
    """Return the scenario's margins; what it does not set is the gate's default."""
    default = Margins()
    return GateTerms(
        z_milli=round(config.gate.forecast_z * 1000),
        sigma_ppm=round(default.sigma_share * PPM),
        common_ppm=round(default.common_share * PPM),
        slack_corner_ppm=round(config.gate.slack_margin_percent * PPM / 100),
        unbalance_ppm=round(default.unbalance_pu * PPM),
    )


def _slack_of(ground: Ground) -> Callable[[int], int]:
    """Return what the operator's meter at the slack says before a slot."""
    rated = ground.wires.network.slack.vm / 1000

    def measured(slot_start: int) -> int:
        voltage = ground.households.actual(slot_start, {}).slack_voltage_ppm
        return round(voltage / rated * PPM / SLACK_STEP_PPM) * SLACK_STEP_PPM

    return measured


def _market_terms(ground: Ground) -> MarketTerms:
    config = ground.config
    grid = next(party for party in ground.parties if party.role is Role.GRID)
    fee = config.connector.fee_micro_eur_per_kwh
    rules = ClearingRules(
        grid=ground.ledgers[grid.ledger_id].chain_tag,
        inter_fee=fee,
        grid_fee=fee,
        kappa=Fraction(config.prices.pricing_k_percent, 100),
    )
    prices = config.prices
    return MarketTerms(
        rules,
        prices.band_min_micro_eur_per_kwh,
        prices.band_max_micro_eur_per_kwh,
        prices.bond_price_micro_eur_per_kwh,
        config.gate.rounds_max,
    )


def _parameters(ground: Ground, party: Party) -> Parameters:
    path = ground.folder.ledger(party.ledger_id) / "genesis.json"
    return Genesis.from_bytes(path.read_bytes()).parameters


def _by_address(parties: Sequence[Party]) -> list[Party]:
    return sorted(parties, key=lambda party: party.cell_key.address)


def _cleared_freely(
    services: Sequence[CellService], slot_start: int, accepted: Mapping[int, Mapping[str, int]]
) -> Mapping[str, int]:
    """
    Return Wh into the network by dispatchable energy cell, had the first clearing gone ahead
    without asking the network.
    """
    board = services[0].parts.board
    evidence = board.slot(slot_start)
    if evidence is None:
        return accepted.get(slot_start, {})
    coin = bytes(32)
    for service in services:
        secret = coin_secret(service.parts, slot_start)
        coin = bytes(a ^ b for a, b in zip(coin, secret, strict=True))
    cell = services[0].parts
    cleared = clear_slot(book_orders(cell, evidence.orders), cell.terms.rules, coin)
    orders = {order_id(signed.order): signed.order for signed in evidence.orders}
    names = {meter.meter_id: meter.name for meter in cell.topology.meters}
    freely: dict[str, int] = {}
    for position in cleared.positions:
        for leaf in position.buys + position.sells:
            order = orders[leaf.order_id]
            if order.delivery == DeliveryKind.DISPATCHABLE and order.meter_id in names:
                sign = 1 if order.side == Side.SELL else -1
                name = names[order.meter_id]
                freely[name] = freely.get(name, 0) + sign * leaf.energy_wh
    return freely
