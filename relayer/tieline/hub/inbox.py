"""Reads new blocks of all ledgers into the view, and finds our own transactions in them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from tieline.hub.health import Health
from tieline.hub.lanes import Lanes, UnderWay
from tieline.hub.settings import RunnerSettings
from tieline.interfaces.errors import NotYet, Reorganised, Unavailable
from tieline.interfaces.ledger import BlockEvents, Ledger, TxEvents
from tieline.relay.view import RelayView

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a transaction of ours."""

    transaction: UnderWay
    codespace: str
    code: int
    """0: all of it took effect, but for what was skipped."""
    log: str
    skipped: tuple[str, ...] = ()
    """Ends of the names of effects that the ledger passed over; it takes the others."""


@dataclass(slots=True)
class Seen:
    """What one reading brought."""

    blocks: int = 0
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    reorganised: list[Reorganised] = field(default_factory=list[Reorganised])
    """Ledgers that left blocks which the view knows."""


class Inbox:
    """
    The observing half of the runner.

    Args:
        view: Filled with what is read.
        ledgers: By ledger id.
        lanes: By ledger id; freed when their transaction is seen.
        health: Whom to leave alone.
        settings: Bounds.
    """

    def __init__(
        self,
        view: RelayView,
        ledgers: Mapping[str, Ledger],
        lanes: Mapping[str, Lanes],
        health: Health,
        settings: RunnerSettings,
    ) -> None:
        self._view = view
        self._ledgers = ledgers
        self._lanes = lanes
        self._health = health
        self._settings = settings

    async def read(self, now_s: int) -> Seen:
        """Read at most ``blocks_per_read_max`` new blocks of each ledger that answers."""
        seen = Seen()
        asked = [one for one in self._ledgers if not self._health.is_silent(one, now_s)]
        if self._settings.is_concurrent:
            await asyncio.gather(*(self._read_one(one, now_s, seen) for one in asked))
        else:
            for ledger_id in asked:
                await self._read_one(ledger_id, now_s, seen)
        return seen

    async def _read_one(self, ledger_id: str, now_s: int, seen: Seen) -> None:
        height = self._view.ledgers[ledger_id].height
        try:
            blocks = await self._ledgers[ledger_id].blocks_after(
                height, self._settings.blocks_per_read_max
            )
        except NotYet:  # a block whose results are still being written
            return
        except Reorganised as error:
            seen.reorganised.append(error)
            return
        except Unavailable as error:
            self._health.note_silence(ledger_id, now_s, error)
            return
        self._health.note_answer(ledger_id)
        for block in blocks:
            self._take(ledger_id, block, seen)
        if blocks:
            _LOG.debug("blocks ledger=%s up to %d", ledger_id, blocks[-1].height)
            is_waited_for = len(self._lanes[ledger_id]) > 0
            self._health.note_block(ledger_id, now_s, is_waited_for=is_waited_for)

    async def catch_up(self, ledger_id: str) -> None:
        """Read all that a ledger has. Raises Unavailable."""
        ledger = self._ledgers[ledger_id]
        view = self._view.ledgers[ledger_id]
        while await ledger.latest_height() > view.height:
            blocks = await ledger.blocks_after(view.height, self._settings.blocks_per_read_max)
            if not blocks:
                raise Unavailable(f"blocks are missing: ledger={ledger_id} above={view.height}")
            for block in blocks:
                self._view.observe(ledger_id, block)

    def _take(self, ledger_id: str, block: BlockEvents, seen: Seen) -> None:
        self._view.observe(ledger_id, block)
        seen.blocks += 1
        lanes = self._lanes[ledger_id]
        for result in block.transactions if len(lanes) else ():
            transaction = lanes.end(result.tx_hash)
            if transaction is not None:
                outcome = Outcome(
                    *(transaction, result.codespace, result.code, result.log), _skipped(result)
                )
                seen.outcomes.append(outcome)

    def take_overdue(self, now_s: int) -> list[UnderWay]:
        """Free the lanes of transactions that should have been seen, and return these."""
        overdue: list[UnderWay] = []
        for ledger_id, lanes in self._lanes.items():
            late = lanes.overdue(
                self._view.ledgers[ledger_id].height,
                now_s,
                self._settings.inclusion_blocks_max,
                self._settings.inclusion_s_max,
            )
            for transaction in late:
                lanes.end(transaction.tx_hash)
            overdue += late
        return overdue


def _skipped(result: TxEvents) -> tuple[str, ...]:
    """Return the packets of a batch that could not be received while the others were."""
    return tuple(
        f"/recv/{event.get('packet_dest_client')}/{event.get('packet_sequence')}"
        for event in result.events
        if event.type == "packet_skipped"
    )
