"""
One utility cell of a scenario with all its parts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

from tieline.market.clearing import ClearingRules
from tieline.power.settings import Limits, margins_of
from tieline.scenario.field import ZoneField
from tieline.scenario.ground import Ground, boundary_of, members_of
from tieline.scenario.parties import (
    CELL_LANE,
    Party,
    attestor_key,
)
from tieline.scenario.truth_of_slot import Truth
from tieline.swap.records import Role
from tieline.swap.topology import (
    Topology,
)
from tieline.utility.attestor import CellAttestor, FollowedLedger
from tieline.utility.board import SlotBoard
from tieline.utility.bootstrap import light_client_of
from tieline.utility.cell import MarketTerms, UtilityCell
from tieline.utility.journal import SigningJournal
from tieline.utility.ledger_index import LedgerIndex
from tieline.utility.network_check import NetworkCheck
from tieline.utility.preimages import PreimageStore
from tieline.utility.setup import first_provable

PPM = 1_000_000
SLACK_STEP_PPM = 100
"""Slack voltages are reported in these steps, so that 1 % corners of them are whole ppm."""


async def build_cell(
    ground: Ground,
    party: Party,
    topology: Topology,
    indexes: Mapping[bytes, LedgerIndex],
    notices: SlotBoard,
    truth: Truth,
    tell: Callable[[int, Mapping[str, int]], None],
) -> UtilityCell:
    """
    Build one cell; its links are set once all cells are there.

    Args:
        ground: What stands already.
        party: Whose cell.
        topology: Who is who.
        indexes: Every ledger, by chain tag.
        notices: What all cells published.
        truth: What its meters will show.
        tell: Takes set points for its members' devices.
    """
    ledger = ground.ledgers[party.ledger_id]
    folder = ground.folder.path / "cells" / party.name
    folder.mkdir(parents=True, exist_ok=True)
    journal = SigningJournal(folder / "signing.sqlite")
    return UtilityCell(
        entry=topology.cell_of(ledger.chain_tag),
        key=party.cell_key,
        derive=lambda purpose: ground.ring.derive(f"cell-{party.name}", purpose),
        lane=CELL_LANE,
        topology=topology,
        indexes=indexes,
        links=(),
        field_source=_field(ground, party, truth, tell),
        board=SlotBoard(topology),
        notices=notices,
        clock=ground.clock,
        journal=journal,
        preimages=_preimages(ground, party),
        attestor=await _attestor(ground, party, topology, journal),
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
        members=members_of(ground, party),
        boundary_meter=boundary_of(ground, party),
        domain=ground.domain,
        energy_of=truth.zone(party.ledger_id),
        slack_of=_slack_of(ground),
        tell_set_points=tell,
    )


def _slack_of(ground: Ground) -> Callable[[int], int]:
    """Return what the operator's meter at the slack says before a slot."""
    rated = ground.wires.network.slack.vm / 1000

    def measured(slot_start: int) -> int:
        voltage = ground.households.actual(slot_start, {}).slack_voltage_ppm
        return round(voltage / rated * PPM / SLACK_STEP_PPM) * SLACK_STEP_PPM

    return measured


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


async def _attestor(
    ground: Ground, party: Party, topology: Topology, journal: SigningJournal
) -> CellAttestor:
    attestor = CellAttestor(party.cell_key.address, journal, ground.clock)
    for cell in topology.cells:
        ledger = ground.ledgers[cell.ledger_id]
        first = await first_provable(ledger)
        assert first is not None, "all ledgers are set up"
        states = await ledger.trust_at(first.height)
        attestor.follow(
            FollowedLedger(
                ledger,
                cell.chain_tag,
                light_client_of(ledger.capabilities.kind, ground.engine),
                attestor_key(ground.ring, party.name, cell.ledger_id),
            ),
            *states,
        )
    return attestor


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
