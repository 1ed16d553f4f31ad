"""
From a scenario to a world that stands. A folder that holds an earlier start is taken up where it
stands: ledgers read their blocks, what is on them already is not done again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from tieline.contract.genesis import Genesis, Parameters
from tieline.hub.bootstrap import HubWorld, build_runner
from tieline.hub.config import HubConfig, LedgerConfig
from tieline.interfaces.errors import ConfigError
from tieline.market.clearing import clear_slot
from tieline.scenario.cell_building import build_cell
from tieline.scenario.config import ScenarioConfig
from tieline.scenario.driven_world import RUN_OUT_S, World
from tieline.scenario.ground import Ground, lay_ground
from tieline.scenario.joining import set_up
from tieline.scenario.parties import (
    RELAYER_LANES,
    Party,
)
from tieline.scenario.run_folder import EngineName, RunFolder
from tieline.scenario.truth_of_slot import Truth
from tieline.swap.records import DeliveryKind, Side
from tieline.swap.topology import (
    Topology,
)
from tieline.utility.board import SlotBoard, write_durably
from tieline.utility.books import book_orders
from tieline.utility.keys import KeyRing
from tieline.utility.ledger_index import LedgerIndex
from tieline.utility.phases.forecast import coin_secret
from tieline.utility.service import CellService
from tieline.wire.canonical_json import canonical
from tieline.wire.typed_data import order_id

WINDOW_S = 15
"""On Ethereum a relayer's work waits so long for company: at most eight transactions a slot."""
PATIENCE_S = 240
"""The same for refunds, shares and releases."""


async def build_world(
    config: ScenarioConfig, folder: RunFolder, ring: KeyRing, engine: EngineName = "embedded"
) -> World:
    """
    Put a world together in *folder*, or take up the one that is there.

    Args:
        config: A checked scenario.
        folder: The run folder.
        ring: All keys.
        engine: What its ledgers run on.

    Raises:
        ConfigError: The scenario asks for something that cannot be, or an engine is missing.
        Unavailable: Native engines do not come up.
    """
    if config.slot_minutes != 15:
        raise ConfigError(
            f"slots of {config.slot_minutes} minutes are not run yet",
            file=str(folder.scenario_yaml),
            key="slot_minutes",
            instead="write slot_minutes: 15",
        )
    ground = await lay_ground(config, folder, ring, engine)
    with ExitStack() as undo:
        for ledger in ground.ledgers.values():
            undo.callback(ledger.close)  # after an interrupt too: no engine may be left running
        topology = await set_up(ground)
        write_durably(folder.path / "topology.json", canonical(topology))
        world = await _put_together(ground, topology)
        undo.pop_all()
    return world


async def _put_together(ground: Ground, topology: Topology) -> World:
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
    notices = SlotBoard(topology, ground.folder.path / "evidence")
    for party in _by_address(ground.parties):
        cell = await build_cell(ground, party, topology, indexes, notices, truth, tell)
        services.append(CellService(cell))
    for service in services:
        service.parts.links = services
        service.parts.board.take_over(notices)
    runner = build_runner(
        HubWorld(
            topology,
            {p.ledger_id: _parameters(ground, p) for p in ground.parties},
            ground.ledgers,
            [service.parts.attestor for service in services],
            notices,
            ground.clock,
        ),
        HubConfig(
            journal_url=f"sqlite:///{ground.folder.journal_sqlite}",
            ledgers={p.ledger_id: _ledger_config(ground, p) for p in ground.parties},
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
        engine=ground.engine,
        run_out_s=_run_out_s(ground),
    )


def _ledger_config(ground: Ground, party: Party) -> LedgerConfig:
    """Where the ledger takes few and dear transactions, work goes together."""
    if ground.ledgers[party.ledger_id].capabilities.verifies_headers:
        return LedgerConfig(lanes=RELAYER_LANES)
    return LedgerConfig(lanes=RELAYER_LANES, window_s=WINDOW_S, patience_s=PATIENCE_S)


def _run_out_s(ground: Ground) -> int:
    """Return how long the end takes: refunds may wait for company, and then their shares."""
    waits = any(not one.capabilities.verifies_headers for one in ground.ledgers.values())
    return RUN_OUT_S + (2 * PATIENCE_S if waits else 0)


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
    evidence = services[0].parts.notices.slot(slot_start)
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
