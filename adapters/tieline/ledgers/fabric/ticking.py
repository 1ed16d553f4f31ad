"""
Who lets a ledger in real time have a time: whoever waits for one hands in a Tick, and losing that
race to another is no loss.

Only blocks with a Tick can be shown to others, and deadlines pass with Ticks only.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable

from tieline.contract.chaincode_errors import TickRefused
from tieline.interfaces.errors import Rejected, Unavailable
from tieline.ledgers.fabric.history import History
from tieline.ledgers.fabric.refusals import EXECUTED
from tieline.ledgers.fabric.settings import TICK_DRIFT_S, TICK_INTERVAL_S, FabricSettings
from tieline.ledgers.fabric.submitting import Submitter
from tieline.wire.fabric.invocations import tick_args

_LOG = logging.getLogger(__name__)
_TICK_REFUSED = (TickRefused.codespace, TickRefused.code)


class TickKeeper:
    """Hands in a Tick when one is due."""

    def __init__(
        self,
        history: History,
        submitter: Submitter,
        settings: FabricSettings,
        wall_s: Callable[[], int],
    ) -> None:
        """
        Wait for nothing yet.

        Args:
            history: Tells what the clock shows, and what was written since.
            submitter: The way in.
            settings: How long the clock may stand still.
            wall_s: This computer's clock, unix seconds.
        """
        self._history = history
        self._submitter = submitter
        self._settings = settings
        self._wall_s = wall_s
        self._instants: list[int] = []
        self._asked_s = 0
        self._handed_in: tuple[bytes, ...] = ()
        """Arguments of the last Tick; empty before the first."""

    def want(self, time_s: int) -> None:
        """Let the clock pass an instant, unix seconds, soon after it has come."""
        heapq.heappush(self._instants, time_s)

    def want_now(self) -> None:
        """Let the clock pass this computer's, as soon as it may."""
        self.want(self._wall_s())

    @property
    def is_due(self) -> bool:
        """Whether somebody waits for a time that the chaincode would take now."""
        clock_s, now_s = self._history.time_s, self._wall_s()
        while self._instants and self._instants[0] <= clock_s:
            heapq.heappop(self._instants)
        if not self._history.genesis or now_s < max(clock_s + TICK_INTERVAL_S, self._asked_s + 1):
            return False
        is_wanted = bool(self._instants) and self._instants[0] <= now_s
        is_idle = now_s - clock_s >= self._settings.idle_tick_s
        return is_wanted or is_idle or self._history.owes_tick

    async def keep_time(self) -> bool:
        """
        Hand in a Tick if one is due, and say whether that was done. While one is under way there is
        no other: when orderers are down for an hour, one waits for them, not thousands.

        Raises:
            ConfigError: The operator must act.
        """
        if not self.is_due or self._submitter.is_under_way(self._handed_in):
            return False
        self._asked_s = now_s = self._wall_s()
        self._handed_in = tick_args(now_s)
        try:
            await self._submitter.submit(self._handed_in)
        except Rejected as exc:
            self._explain(exc, now_s)
            return False
        except Unavailable as exc:
            _LOG.info("no Tick: %s", exc)
            return False
        return True

    def _explain(self, refused: Rejected, now_s: int) -> None:
        kind = (refused.codespace, refused.code)
        behind_s = now_s - self._history.time_s
        if kind == EXECUTED or (kind == _TICK_REFUSED and behind_s < 2 * TICK_INTERVAL_S):
            _LOG.debug("another was faster: %s", refused)  # the block is still to be read
            return
        _LOG.warning(
            "endorsers refuse a Tick of this computer's time %d: %s; if clocks are more than %d s "
            "apart, set this computer's or theirs by NTP: until then nothing can be proved",
            *(now_s, refused.log, TICK_DRIFT_S),
        )
