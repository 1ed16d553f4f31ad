"""
A whole world from a scenario: ledgers, cells, meters and a relayer, driven by one clock.

It is put together by ``building`` and run by ``running``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tieline.hub.runner import Runner
from tieline.market.timeline import SlotProfile, SlotTimeline, slot_timeline
from tieline.scenario.config import ScenarioConfig
from tieline.scenario.driven_clock import DrivenClock
from tieline.scenario.households import Households
from tieline.scenario.run_folder import EngineName, RunFolder
from tieline.scenario.truth_of_slot import Truth
from tieline.swap.topology import Topology
from tieline.utility.bootstrap import DrivenLedger
from tieline.utility.ledger_index import LedgerIndex
from tieline.utility.phases.lock import POSTING_S
from tieline.utility.service import (
    BOOK_OPENING_S,
    METERING_S,
    STANDIN_S,
    VERDICT_LAG_S,
    CellService,
)

RUN_OUT_S = 120
"""After the last expiry: refunds and shares of the last slot."""
Progress = Callable[[int, int, str], None]
"""Slots done, slots in all, what is happening."""


def block_instants(timeline: SlotTimeline) -> tuple[int, ...]:
    """Return the instants at which every ledger makes a block, so that time is seen to pass."""
    return (
        timeline.tau,
        timeline.verdict_deadline,
        timeline.expiry_out,
        timeline.expiry_in,
    )


@dataclass(slots=True)
class World:
    """Everything of a scenario, put together by ``building``."""

    config: ScenarioConfig
    folder: RunFolder
    clock: DrivenClock
    profile: SlotProfile
    ledgers: Mapping[str, DrivenLedger]
    indexes: Mapping[bytes, LedgerIndex]
    services: Sequence[CellService]
    runner: Runner
    topology: Topology
    households: Households
    truth: Truth
    bus_names: Mapping[int, str]
    engine: EngineName = "embedded"
    run_out_s: int = RUN_OUT_S
    """From a slot's last expiry until nothing is left to do."""

    @property
    def slots(self) -> list[int]:
        """Starts of all slots."""
        return [self.config.slot_start_s(index) for index in range(self.config.slot_count)]

    @property
    def begins_s(self) -> int:
        """When work on the first slot begins, unix seconds."""
        return self._timeline(self.slots[0]).freeze

    async def advance_to_end(self, progress: Progress) -> None:
        """Step until every lock of the last slot has ended and nothing is left to do."""
        slots = self.slots
        for start in slots:
            self.clock.remember(self._instants(start))
        self.clock.remember(outage.stop for outage in self._relayer_outages())
        await self._catch_up()
        end = self._timeline(slots[-1]).expiry_in + self.run_out_s
        while self.clock.now_s() < end and self.clock.step(is_busy=self._is_busy()):
            await self.tick()
            now = self.clock.now_s()
            done = sum(self._timeline(start).end <= now for start in slots)
            progress(done, len(slots), f"{len(self.topology.cells)} ledgers at {now}")

    async def tick(self) -> None:
        """One instant of the grid: blocks, then everybody looks and acts."""
        now = self.clock.now_s()
        self.folder.write_clock(now)
        forced = any(now in block_instants(self._timeline(start)) for start in self.slots)
        await asyncio.gather(
            *(ledger.advance(now, is_deadline=forced) for ledger in self.ledgers.values())
        )
        for index in self.indexes.values():
            await index.follow()
        for start in self.slots:
            timeline = self._timeline(start)
            if timeline.freeze <= now <= timeline.expiry_in + self.run_out_s:
                self._hush(start)
                for service in self.services:
                    await service.step(start, now)
        if not self._is_relayer_down(now):
            await self.runner.step()
            wake_s = self.runner.waits_until_s
            self.clock.remember(() if wake_s is None else (wake_s,))

    async def _catch_up(self) -> None:
        """Read what the ledgers hold already; after a crash, take up each slot where it stands."""
        for index in self.indexes.values():
            await index.follow()
        now = self.clock.now_s()
        for start in self.slots:
            if self._timeline(start).verdict_deadline <= now:
                for service in self.services:
                    service.recall(start)
        await self.runner.start()
        # A crash may have fallen into an instant: what was done in it is not done again.
        await self.tick()

    def _instants(self, start: int) -> list[int]:
        """Return when something of a slot may be due, unix seconds."""
        t = self._timeline(start)
        proposals = (
            t.gate_closure + BOOK_OPENING_S,
            t.tau + VERDICT_LAG_S,
            t.end + METERING_S,
        )
        return [
            t.freeze,
            t.book_opens,
            t.gate_closure,
            t.seal,
            t.seal + POSTING_S,
            t.lock_deadline,
            *block_instants(t),
            *(moment + delay for moment in proposals for delay in (0, STANDIN_S, 3 * STANDIN_S)),
            t.start,
            t.end,
            t.last_reveal,
            t.expiry_in + self.run_out_s,
        ]

    def _timeline(self, start: int) -> SlotTimeline:
        return slot_timeline(self.profile, start, self.config.slot_length_s)

    def _hush(self, start: int) -> None:
        """Silence the cells that the scenario silences in this slot."""
        silent = self.households.silent_owners(start)
        for service in self.services:
            service.parts.silent_slots[start] = service.parts.entry.name in silent

    def _is_relayer_down(self, now_s: int) -> bool:
        return any(now_s in outage for outage in self._relayer_outages())

    def _relayer_outages(self) -> Sequence[range]:
        return self.households.relayer_outages(self.profile.leads.gate_lead_s)

    def _is_busy(self) -> bool:
        return any(ledger.wants_block for ledger in self.ledgers.values())

    def close(self) -> None:
        """Let go of files and databases."""
        self.runner.close()
        for service in self.services:
            service.parts.journal.close()
            service.parts.preimages.close()
        for ledger in self.ledgers.values():
            ledger.close()
