"""
From fresh ledgers to a hub: cell set, clients, counterparties, mandates, and who is who.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tieline.interfaces.errors import Rejected
from tieline.interfaces.ledger import ATTESTATIONS, Ledger, Message
from tieline.market.timeline import slot_timeline
from tieline.power.network_bytes import network_bytes, network_epoch
from tieline.power.settings import Margins
from tieline.protocol.messages import AnyMessage
from tieline.scenario.config import ScenarioConfig
from tieline.scenario.ground import Ground, boundary_of, members_of
from tieline.scenario.parties import (
    CELL_LANE,
    CONNECTOR_LANE,
    NANO_EUR_PER_EUR,
    RELAYER_LANES,
    attestor_key,
)
from tieline.swap.evidence import SignedCellSet
from tieline.swap.records import Role
from tieline.swap.topology import (
    CellEntry,
    GateTerms,
    NamedAccount,
    RouteEntry,
    SignedAttestorKey,
    Topology,
)
from tieline.utility import setup
from tieline.utility.bootstrap import DrivenLedger

MANDATE_EUR = 1_000_000
PPM = 1_000_000


async def set_up(ground: Ground) -> Topology:
    """Bring the ledgers to where trading can begin, and say who is who."""
    for ledger in ground.ledgers.values():
        ground.clock.jump(await ledger.latest_time_s())
    # A crash may have fallen between the first blocks of two ledgers.
    is_begun = any([await ledger.latest_height() for ledger in ground.ledgers.values()])
    if is_begun and not any([await ledger.latest_time_s() for ledger in ground.ledgers.values()]):
        ground.clock.step(is_busy=True)  # It fell into the first instant, before any had a time.
    for ledger in ground.ledgers.values() if is_begun else ():
        if await setup.first_provable(ledger) is None:
            await ledger.advance(ground.clock.now_s(), is_deadline=True)
    land = _lander(ground)
    for ledger in ground.ledgers.values():
        while await setup.first_provable(ledger) is None:
            await _tick(ground, everybody=True)
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
        attestors = [key for key in keys if key.record.chain_tag == route.dest_chain_tag]
        await setup.create_client(
            own,
            CELL_LANE,
            route.source_client,
            await _client_states(own, other, attestors, host.cell_key.address),
            land,
        )
        await setup.register_counterparty(
            own,
            CELL_LANE,
            route.source_client,
            route.dest_client,
            own.capabilities.client_prefix_for(other.capabilities),
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


async def _client_states(
    host: DrivenLedger,
    tracked: DrivenLedger,
    attestors: Sequence[SignedAttestorKey],
    own_cell: bytes,
) -> tuple[AnyMessage, AnyMessage]:
    """Return what *host* begins to trust *tracked* with."""
    first = await setup.first_provable(tracked)
    assert first is not None, "the caller waited for it"
    if host.capabilities.client_type_for(tracked.capabilities) == ATTESTATIONS:
        return setup.attested_states(attestors, first.height, first.time_s)
    return setup.paired_states(await tracked.trust_at(first.height), attestors, own_cell)


async def _tick(ground: Ground, *, everybody: bool = False) -> None:
    ground.clock.step(is_busy=True)
    now = ground.clock.now_s()
    await asyncio.gather(
        *(ledger.advance(now, is_deadline=everybody) for ledger in ground.ledgers.values())
    )


def _lander(ground: Ground) -> setup.Land:
    async def land(ledger: Ledger, lane: str, messages: Sequence[Message]) -> None:
        before = await ledger.latest_height()
        submitted = await ledger.submit(lane, messages)
        await _tick(ground)
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
    able = {name: ledger.capabilities for name, ledger in ground.ledgers.items()}

    def client(host: str, tracked: str) -> str:
        number = [name for name in names if name != host].index(tracked)
        return f"{able[host].client_type_for(able[tracked])}-{number}"

    return tuple(
        RouteEntry(
            ground.ledgers[source.ledger_id].chain_tag,
            ground.ledgers[destination.ledger_id].chain_tag,
            client(source.ledger_id, destination.ledger_id),
            client(destination.ledger_id, source.ledger_id),
            source.account(source.connector),
            destination.account(destination.connector),
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
        for entry in members_of(ground, party).values()
    ]
    by_tag = {ground.ledgers[p.ledger_id].chain_tag: p for p in ground.parties}
    return Topology(
        ground.network_id,
        cells,
        tuple(sorted(meters, key=lambda meter: meter.meter_id)),
        tuple(boundary_of(ground, by_tag[cell.chain_tag]).meter for cell in cells),
        routes,
        keys,
        (signed,),
        _named_accounts(ground),
        gate_terms(ground.config),
        network_bytes(ground.wires.network),
    )


def _named_accounts(ground: Ground) -> tuple[NamedAccount, ...]:
    named: list[NamedAccount] = []
    for party in ground.parties:
        tag = ground.ledgers[party.ledger_id].chain_tag
        named += [
            NamedAccount(tag, entry.meter.account, name)
            for name, entry in members_of(ground, party).items()
        ]
        named.append(NamedAccount(tag, party.account(party.connector), "connector"))
        named.append(NamedAccount(tag, party.account(party.cell_key), f"cell-{party.name}"))
        named += [
            NamedAccount(tag, party.account(party.lanes[lane]), lane) for lane in RELAYER_LANES
        ]
        if ground.engine == "native":
            named.append(NamedAccount(tag, party.account(party.heartbeat), "heartbeat"))
    return tuple(named)


def gate_terms(config: ScenarioConfig) -> GateTerms:
    """Return the scenario's margins; what it does not set is the gate's default."""
    default = Margins()
    return GateTerms(
        z_milli=round(config.gate.forecast_z * 1000),
        sigma_ppm=round(default.sigma_share * PPM),
        common_ppm=round(default.common_share * PPM),
        slack_corner_ppm=round(config.gate.slack_margin_percent * PPM / 100),
        unbalance_ppm=round(default.unbalance_pu * PPM),
    )
