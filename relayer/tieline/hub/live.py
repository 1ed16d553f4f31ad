"""
A relayer in real time: it looks for new blocks, does what can be done, and says what it waits for.
Nothing ends it but a stop that was asked for; a journal that does not answer only makes it wait.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

from tieline.hub.runner import Runner, StepReport
from tieline.hub.waiting import ledger_rows
from tieline.interfaces.errors import Unavailable
from tieline.interfaces.journal import JournalStore

_LOG = logging.getLogger(__name__)

ROWS_EVERY_S = 1.0
"""How often it is written down where the ledgers stand."""
AGAIN_S = 1.0
"""After a ledger or the journal did not answer."""
_PARTS = 10
"""Of a block's distance: so often one looks while none is due."""
_DUE, _LATE = 0.9, 1.5
"""In blocks' distances since the last one: between these the next is looked for all the time."""


class WallClock:
    """Implements ``interfaces.clock.Clock``."""

    @staticmethod
    def now_s() -> int:
        """Return unix seconds."""
        return int(time.time())


@dataclass(frozen=True, slots=True)
class LivePace:
    """How often one looks, and when a ledger is said to stand still."""

    poll_s_min: float = 0.02
    poll_s_max: float = 0.25
    halt_after_s: int = 15


class BlockPace:
    """How far apart the blocks of the quickest ledger come, by when they were seen."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, float]] = {}
        self._distances_s: dict[str, float] = {}

    def note(self, heights: Mapping[str, int], now_s: float) -> None:
        """Take in how high the ledgers are at *now_s*, a clock that never goes back."""
        for ledger_id, height in heights.items():
            last = self._last.get(ledger_id)
            if last is not None and height == last[0]:
                continue
            if last is not None and last[0]:
                distance_s = (now_s - last[1]) / (height - last[0])
                known = self._distances_s.get(ledger_id, distance_s)
                self._distances_s[ledger_id] = 0.8 * known + 0.2 * distance_s
            self._last[ledger_id] = (height, now_s)

    def poll_s(self, pace: LivePace, now_s: float) -> float:
        """Return how long to wait at *now_s* before the next look: shortly where a block is due."""
        rests = [
            _rest_s(now_s - self._last[ledger_id][1], distance_s)
            for ledger_id, distance_s in self._distances_s.items()
        ]
        return min(max(min(rests, default=0.0), pace.poll_s_min), pace.poll_s_max)


def _rest_s(since_s: float, distance_s: float) -> float:
    """Return how long a ledger can be left alone, so long after its last block."""
    until_due_s = _DUE * distance_s - since_s
    if until_due_s > 0:
        return min(distance_s / _PARTS, until_due_s)
    return distance_s / _PARTS if since_s > _LATE * distance_s else 0.0


class LiveRelay:
    """
    One relayer that runs until it is stopped.

    Args:
        runner: Not started.
        journal: The runner's own.
        pace: How often one looks.
    """

    def __init__(self, runner: Runner, journal: JournalStore, pace: LivePace) -> None:
        self._runner = runner
        self._journal = journal
        self._pace = pace
        self._blocks = BlockPace()
        self._rows_at = 0.0
        self.steps = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Relay until *stop* is set; what is being sent then comes to its end first."""
        try:
            while not await self._has_started(stop):
                if stop.is_set():
                    return
            while not stop.is_set():
                report = await self._step()
                await self._rest(report, stop)
        finally:
            await self._finish()

    async def _has_started(self, stop: asyncio.Event) -> bool:
        try:
            await self._runner.start()
        except Unavailable as error:
            _LOG.warning("cannot start yet: %s", error)
            self._note_rows(str(error))
            await _pause(AGAIN_S, stop)
            return False
        _LOG.info("relaying ledgers=%s", ",".join(self._runner.view.ledgers))
        return True

    async def _step(self) -> StepReport | None:
        try:
            report = await self._runner.step()
        except Unavailable as error:
            _LOG.warning("nothing is sent: %s", error)
            self._note_rows(str(error))
            return None
        self.steps += 1
        heights = {one: view.height for one, view in self._runner.view.ledgers.items()}
        self._blocks.note(heights, time.monotonic())
        self._note_rows()
        return report

    async def _rest(self, report: StepReport | None, stop: asyncio.Event) -> None:
        """Wait for the next look, for a sending that ends, or for the stop."""
        if report is None:
            await _pause(AGAIN_S, stop)
            return
        seconds = self._blocks.poll_s(self._pace, time.monotonic())
        sending = list(self._runner.sending)
        if sending:
            await asyncio.wait(sending, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        else:
            await _pause(seconds, stop)

    def _note_rows(self, reason: str = "") -> None:
        """Write down where the ledgers stand, now and then."""
        now = time.monotonic()
        if now < self._rows_at:
            return
        self._rows_at = now + ROWS_EVERY_S
        try:
            rows = ledger_rows(self._runner, WallClock.now_s(), self._pace.halt_after_s, reason)
            self._journal.save_ledgers(rows)
        except Unavailable as error:
            _LOG.warning("journal does not answer: %s", error)

    async def _finish(self) -> None:
        try:
            await self._runner.finish()
            self._runner.close()
        except Unavailable as error:
            _LOG.warning("stopped without a last word in the journal: %s", error)


async def _pause(seconds: float, stop: asyncio.Event) -> None:
    """Wait, but not longer than until *stop*."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
