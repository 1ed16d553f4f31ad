"""
Three cells over one slot of a small scenario, and what they proposed to one another.

The slot is played once; tests take the proposals, change one thing, and ask a cell again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml

from tieline.interfaces.cell_link import (
    ProposeClearing,
    ProposeDelivery,
    ProposeVerdict,
    Refusal,
    Signature,
)
from tieline.scenario.building import build_world
from tieline.scenario.config import ScenarioConfig
from tieline.scenario.driven_world import World
from tieline.scenario.run_folder import RunFolder
from tieline.scenario.world import key_ring
from tieline.swap.evidence import SlotEvidence
from tieline.utility.cell import UtilityCell
from tieline.utility.service import CellService

Proposal = ProposeClearing | ProposeVerdict | ProposeDelivery
T = TypeVar("T")

CONFIG = """
scenario: cells
seed: 7
start_utc: 2016-01-18T13:00:00Z
slot_count: 2
reproducible_keys: true
network: {case: cigre_mv_feeder_1, load_scaling: 0.385}
profiles: {week: winter}
operator: {name: grid, chain_id: grid-1, buses: [1, 2, 3, 8]}
microgrids:
  - name: A
    chain_id: mg-a
    buses: [4, 5, 6]
    energy_cells:
      - {id: a-home, kind: household, count: 2, buses: [4, 5], rating_kw: [12, 24],
         profile: [H0-A, H0-B], price_max_micro_eur_per_kwh: [330000, 420000]}
      - {id: a-chp, kind: chp, buses: [4], rating_kw: 4, profile: [BM1],
         price_min_micro_eur_per_kwh: 130000}
      - {id: a-depot, kind: device, buses: [6], rating_kw: 1500}
  - name: B
    chain_id: mg-b
    buses: [7, 9, 10, 11]
    energy_cells:
      - {id: b-shop, kind: commercial, count: 2, buses: [7], rating_kw: [8, 20],
         profile: [G1-A, G2-A], price_max_micro_eur_per_kwh: [340000, 450000]}
      - {id: b-hydro, kind: hydro, buses: [10], rating_kw: 60, profile: [Hydro1],
         price_min_micro_eur_per_kwh: 100000}
      - {id: b-electrolyser, kind: device, buses: [7], rating_kw: 1500}
events:
  - {event: dispatch, slots: [0], cell: a-depot, power_kw: 1500, levels: [GRID],
     price_micro_eur_per_kwh: 450000}
  - {event: dispatch, slots: [0], cell: b-electrolyser, power_kw: 1500, levels: [GRID],
     price_micro_eur_per_kwh: 440000}
"""


class ListeningLink:
    """A cell as the others see it; keeps what it was asked to sign and what it answered."""

    def __init__(self, service: CellService, heard: list[tuple[Proposal, Any]]) -> None:
        self._service = service
        self._heard = heard

    def __getattr__(self, name: str) -> Any:
        return getattr(self._service, name)

    async def propose_clearing(self, proposal: ProposeClearing) -> Signature | Refusal:
        return await self._keep(proposal, self._service.propose_clearing(proposal))

    async def propose_verdict(self, proposal: ProposeVerdict) -> Signature | Refusal:
        return await self._keep(proposal, self._service.propose_verdict(proposal))

    async def propose_delivery(self, proposal: ProposeDelivery) -> Signature | Refusal:
        return await self._keep(proposal, self._service.propose_delivery(proposal))

    async def _keep(self, proposal: Any, answering: Coroutine[Any, Any, Any]) -> Any:
        answer = await answering
        self._heard.append((proposal, answer))
        return answer


@dataclass
class CellWorld:
    """The world after one slot was stated."""

    world: World
    heard: list[tuple[Proposal, Any]] = field(default_factory=list)

    @property
    def slot(self) -> int:
        """Start of the slot that was played."""
        return self.world.slots[0]

    @property
    def evidence(self) -> SlotEvidence:
        """What was published of it."""
        found = self.cell("A").board.slot(self.slot)
        assert found is not None
        return found

    def service(self, name: str) -> CellService:
        """The cell called A, B or grid."""
        return next(s for s in self.world.services if s.parts.entry.name == name)

    def cell(self, name: str) -> UtilityCell:
        """The parts of the cell called A, B or grid."""
        return self.service(name).parts

    def proposal(self, kind: type[T]) -> T:
        """The proposal of a kind that every cell signed."""
        return next(proposal for proposal, _ in self.heard if isinstance(proposal, kind))

    def answer(self, name: str, kind: type[Proposal]) -> Signature:
        """What a cell answered to it."""
        address = self.cell(name).entry.address
        return next(a for p, a in self.heard if isinstance(p, kind) and a.cell == address)

    def ask(self, name: str, proposal: Proposal) -> Signature | Refusal:
        """Ask a cell for its signature; the answer."""
        service = self.service(name)
        if isinstance(proposal, ProposeClearing):
            return asyncio.run(service.propose_clearing(proposal))
        if isinstance(proposal, ProposeVerdict):
            return asyncio.run(service.propose_verdict(proposal))
        return asyncio.run(service.propose_delivery(proposal))

    def journal(self, name: str) -> list[tuple[Any, ...]]:
        """All rows of a cell's signing journal."""
        rows = self.cell(name).journal._connection.execute("SELECT * FROM bound ORDER BY 1,2,3")
        return rows.fetchall()

    def refusal(self, proposal: Proposal, name: str = "A") -> Refusal:
        """Ask for a signature that must not be given: nothing is signed, nothing is written."""
        before = self.journal(name)
        answer = self.ask(name, proposal)
        assert isinstance(answer, Refusal), "a lie was signed"
        assert answer.cell == self.cell(name).entry.address
        assert answer.first_difference
        assert self.journal(name) == before
        return answer


def played_world(folder: Path) -> CellWorld:
    """Play one slot until its delivery is stated, in a new folder."""
    folder.mkdir(parents=True)
    run = RunFolder(folder)
    run.scenario_yaml.write_text(CONFIG, encoding="utf-8")
    return asyncio.run(_play(run))


async def _play(run: RunFolder) -> CellWorld:
    config = ScenarioConfig.model_validate(yaml.safe_load(CONFIG))
    world = await build_world(config, run, key_ring(config, run.keys))
    played = CellWorld(world)
    links = [ListeningLink(service, played.heard) for service in world.services]
    for service in world.services:
        service.parts.links = links
    for start in world.slots:
        world.clock.remember(world._instants(start))
    await world._catch_up()
    board = world.services[0].parts.board
    while (evidence := board.slot(world.slots[0])) is None or evidence.delivery is None:
        assert world.clock.step(is_busy=world._is_busy()), "the slot was never stated"
        await world.tick()
    return played
