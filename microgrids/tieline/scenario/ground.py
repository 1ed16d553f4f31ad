"""
What stands before any cell does: keys, wires, households, ledgers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tieline.contract.genesis import Genesis, Parameters
from tieline.market.timeline import PROFILES, SlotProfile, slot_timeline
from tieline.scenario.config import ScenarioConfig
from tieline.scenario.driven_clock import GRID_S, DrivenClock
from tieline.scenario.field import Member
from tieline.scenario.households import Households
from tieline.scenario.network_source import Wires, read_wires
from tieline.scenario.parties import (
    NANO_EUR_PER_EUR,
    RICH_FACTOR,
    Party,
    member,
    member_of,
    parties_of,
    wallet_of,
)
from tieline.scenario.run_folder import EngineName, RunFolder
from tieline.swap.ladder import PRESETS
from tieline.swap.records import Role
from tieline.utility.bootstrap import (
    DrivenLedger,
    NativePlan,
    open_embedded_ledger,
    open_native_ledgers,
)
from tieline.utility.keys import KeyRing
from tieline.wire.accounts import FABRIC_KIND
from tieline.wire.fabric.invocations import CHAINCODE_NAME
from tieline.wire.hashes import tag
from tieline.wire.typed_data import domain_separator

SETUP_LEAD_S = 900
"""At least so long before the first slot's freeze the world begins."""
FABRIC_VAULT_SHARDS = 16
FUEL_EUR = 10
"""In each account that signs for an operator."""


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
    ledgers: Mapping[str, DrivenLedger]
    clock: DrivenClock
    engine: EngineName

    @property
    def domain(self) -> bytes:
        """EIP-712 separator of the network."""
        return domain_separator(self.network_id)


async def lay_ground(
    config: ScenarioConfig, folder: RunFolder, ring: KeyRing, engine: EngineName
) -> Ground:
    """
    Read the wires, draw the keys, write each genesis and open the ledgers.

    Raises:
        ConfigError: The scenario cannot be, or an engine is missing.
        Unavailable: Native engines do not come up.
    """
    profile = PROFILES[config.preset.value]
    parties = parties_of(config, ring)
    wires = read_wires(config, {party.name: party.cell_key.address for party in parties})
    households = Households(config, wires.rated_loads)
    network_id = ring.derive("hub", "network id")
    first = slot_timeline(profile, config.start_s, config.slot_length_s)
    clock = DrivenClock(first.freeze - _setup_lead_s(len(parties)))
    born = {
        party.ledger_id: _genesis(config, ring, parties, party, network_id, households, engine)
        for party in parties
    }
    if engine == "native":
        plans = [_native_plan(folder, party, born[party.ledger_id], clock) for party in parties]
        opened = await open_native_ledgers(plans)
    else:
        opened = [
            open_embedded_ledger(
                born[party.ledger_id],
                party.validator_seeds,
                party.lanes,
                folder.ledger(party.ledger_id),
            )
            for party in parties
        ]
    ledgers = {one.ledger_id: one for one in opened}
    clock.jump(folder.read_clock())
    return Ground(
        config,
        folder,
        ring,
        network_id,
        profile,
        parties,
        wires,
        households,
        ledgers,
        clock,
        engine,
    )


def _native_plan(
    folder: RunFolder, party: Party, genesis: Genesis, clock: DrivenClock
) -> NativePlan:
    return NativePlan(
        genesis=genesis,
        lanes=party.lanes,
        seeds=party.validator_seeds,
        heartbeat=party.heartbeat,
        validator_count=party.native_validators,
        start_s=clock.now_s(),
        export=folder.ledger(party.ledger_id),
        home=folder.engines(party.ledger_id),
    )


def _setup_lead_s(ledgers: int) -> int:
    """Return room for cell sets, clients, counterparties and mandates: one a block."""
    blocks = ledgers + 3 * ledgers * (ledgers - 1)
    return max(SETUP_LEAD_S, 2 * GRID_S * blocks)


def _genesis(
    config: ScenarioConfig,
    ring: KeyRing,
    parties: Sequence[Party],
    party: Party,
    network_id: bytes,
    households: Households,
    engine: EngineName,
) -> Genesis:
    rich = config.opening_balance_eur * RICH_FACTOR * NANO_EUR_PER_EUR
    balances = {
        party.account(wallet_of(ring, cell.microgrid, cell.id)): (
            config.opening_balance_eur
            * NANO_EUR_PER_EUR
            * (RICH_FACTOR if cell.kind.value in {"device", "battery"} else 1)
        )
        for cell in households.cells
        if cell.chain_id == party.ledger_id
    }
    if party.role is Role.GRID:
        balances[party.account(wallet_of(ring, party.name, party.name))] = rich
    # Fuel: gas costs nothing here, but an account must exist before it can sign.
    balances |= {party.account(key): FUEL_EUR * NANO_EUR_PER_EUR for key in party.lanes.values()}
    if engine == "native":
        balances[party.account(party.heartbeat)] = FUEL_EUR * NANO_EUR_PER_EUR
    leads = PRESETS[config.preset.value][0]
    return Genesis(
        chain_id=party.ledger_id,
        network_id=network_id,
        cell_address=party.cell_key.address,
        founding_cells=tuple(sorted(other.cell_key.address for other in parties)),
        role=party.role,
        balances=tuple(sorted(balances.items())),
        kind=party.kind,
        host_id=tag(CHAINCODE_NAME) if party.kind == FABRIC_KIND else bytes(32),
        vaults=((party.account(party.connector), config.connector.deposit_eur * NANO_EUR_PER_EUR),),
        parameters=Parameters(
            tau_lead_s=leads.tau_lead_s,
            d_lead_s=leads.d_lead_s,
            lock_lead_s=leads.lock_lead_s,
            statement_lead_s=leads.statement_lead_s,
            min_claim_window_s=leads.min_claim_window_s,
            min_margin_s=leads.min_margin_s,
            gate_lead_s=leads.gate_lead_s,
            # Where transactions run one after the other there is no need to split vaults; Fabric's
            # are simulated side by side, and two that write one key undo each other.
            vault_shards=FABRIC_VAULT_SHARDS if party.kind == FABRIC_KIND else 1,
        ),
    )


def members_of(ground: Ground, party: Party) -> dict[str, Member]:
    """Return a zone's members; the operator trades under its own name, metered at the slack."""
    chain_tag = ground.ledgers[party.ledger_id].chain_tag
    if party.role is Role.GRID:
        return {party.name: boundary_of(ground, party)}
    return {
        cell.id: member_of(ground.ring, cell, party, chain_tag)
        for cell in ground.households.cells
        if cell.chain_id == party.ledger_id
    }


def boundary_of(ground: Ground, party: Party) -> Member:
    """Return the meter at a zone's point of common coupling; the operator's sits at the slack."""
    chain_tag = ground.ledgers[party.ledger_id].chain_tag
    if party.role is Role.GRID:
        slack = ground.wires.network.slack.bus
        return member(ground.ring, party, party.name, slack, chain_tag)
    return member(ground.ring, party, f"pcc-{party.name}", party.buses[0], chain_tag)
