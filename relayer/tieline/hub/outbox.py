"""
Sends what was decided: batches, proofs, the journal, and only then the ledger.

A batch that fails is halved until the guilty message stands alone; that one is named and put
aside, the others go on.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from tieline.hub.health import Health
from tieline.hub.holds import WHOLE_LEDGER, Holds
from tieline.hub.lanes import Lanes, UnderWay
from tieline.hub.prover import ProvedBatch, Prover
from tieline.hub.refusals import Refusal, held_because, sort_refusal
from tieline.hub.settings import RunnerSettings
from tieline.interfaces.errors import NotYet, Rejected, Unavailable
from tieline.interfaces.journal import Intent, IntentStatus, JournalStore
from tieline.interfaces.ledger import Ledger, Message
from tieline.protocol.errors import ClientNotActive
from tieline.relay.effects import Effect, client_named, complete
from tieline.relay.retry import LATE_AFTER, RetryBook
from tieline.relay.scheduler import Bisection, fill_batches, take_turns
from tieline.relay.view import RelayView

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Sent:
    """What one sending came to, in effects."""

    submitted: int = 0
    failed: int = 0
    deferred: int = 0

    def add(self, other: Sent) -> None:
        """Add what another sending came to."""
        self.submitted += other.submitted
        self.failed += other.failed
        self.deferred += other.deferred


class Outbox:
    """
    The performing half of the runner.

    Args:
        view: Told which updates are on their way.
        ledgers: By ledger id.
        lanes: By ledger id.
        prover: Makes proofs.
        journal: Written before a transaction is handed in.
        retry: Told what is under way and what waits.
        health: Told who does not answer.
        settings: Bounds.
    """

    def __init__(
        self,
        *,
        view: RelayView,
        ledgers: Mapping[str, Ledger],
        lanes: Mapping[str, Lanes],
        prover: Prover,
        journal: JournalStore,
        retry: RetryBook,
        health: Health,
        settings: RunnerSettings,
    ) -> None:
        self._view = view
        self._ledgers = ledgers
        self._lanes = lanes
        self._prover = prover
        self._journal = journal
        self._retry = retry
        self._health = health
        self._settings = settings
        self.holds = Holds()
        self._bisections = {ledger_id: Bisection() for ledger_id in ledgers}

    async def send(self, ledger_id: str, effects: Sequence[Effect], room: int) -> Sent:
        """
        Send as many of *effects* as the ledger's free lanes carry.

        Args:
            ledger_id: Of all effects.
            effects: In the order of the pipeline.
            room: Transactions at most.
        """
        sent = Sent()
        now_s = self._retry.now_s
        effects = [
            effect
            for effect in effects
            if not self.holds.is_held(ledger_id, client_named(effect.name), now_s)
        ]
        bisection = self._bisections[ledger_id]
        halves, rest = bisection.take(effects)
        for half in halves[room:]:
            bisection.give_back(half)
        batches = halves[:room]
        batches += self._fill(rest, room - len(batches))
        await self._send_batches(ledger_id, batches, sent)
        return sent

    def free(self, ledger_id: str) -> list[str]:
        """Return a lane for each transaction that a ledger takes now."""
        lanes = self._lanes[ledger_id]
        if self._ledgers[ledger_id].capabilities.in_flight_max <= 1:
            return lanes.free()
        return lanes.free(self._view.ledgers[ledger_id].height)

    def _fill(self, effects: Sequence[Effect], room: int) -> list[tuple[Effect, ...]]:
        """Return at most *room* batches; what was refused before goes alone, after the others."""
        if not room:
            return []
        suspects = [effect for effect in effects if self._retry.is_suspect(effect.name)]
        if not suspects:
            return fill_batches(take_turns(effects), self._settings.limits, room)
        others = [effect for effect in effects if not self._retry.is_suspect(effect.name)]
        # One lane of several is theirs even under load.
        room_for_others = room - 1 if room > 1 else room
        batches = fill_batches(take_turns(others), self._settings.limits, room_for_others)
        return batches + [(suspect,) for suspect in suspects[: room - len(batches)]]

    async def _send_batches(
        self, ledger_id: str, batches: Sequence[tuple[Effect, ...]], sent: Sent
    ) -> None:
        """Prove and hand in, in order; side by side the next one's proofs are fetched meanwhile."""
        ahead: asyncio.Task[None] | None = None
        try:
            for number, batch in enumerate(batches):
                if self._health.is_silent(ledger_id, self._retry.now_s):
                    break
                if ahead is not None:
                    await ahead
                    ahead = None
                proved = await self._prover.prove(batch)
                if self._settings.is_concurrent and number + 1 < len(batches):
                    ahead = asyncio.create_task(self._prover.prefetch(batches[number + 1]))
                if not await self._hand_in(ledger_id, batch, proved, sent):
                    break
        finally:
            if ahead is not None:
                ahead.cancel()

    def withdraw(self, ledger_id: str, announced: Sequence[tuple[str, int]]) -> None:
        """The updates of a transaction did not come."""
        for client_id, height in announced:
            self._view.ledgers[ledger_id].withdraw_client_height(client_id, height)

    async def _hand_in(
        self, ledger_id: str, batch: Sequence[Effect], proved: ProvedBatch, sent: Sent
    ) -> bool:
        """Hand in what could be proved of a batch; return whether the ledger may take another."""
        for effect, error in proved.deferred:
            sent.deferred += 1
            self._defer(effect.name, str(error))
        put_off = {effect.name for effect, _ in proved.deferred}
        ready = [effect for effect in batch if effect.name not in put_off]
        if not ready:
            return True
        for effect in ready:
            self._retry.start(effect.name)
        with ExitStack() as undo:
            # Released where no lane took them, or the journal does not answer.
            for effect in ready:
                undo.callback(self._retry.release, effect.name)
            for lane in dict.fromkeys(self.free(ledger_id)):
                may_go_on = await self._submit(ledger_id, lane, ready, proved, sent)
                if may_go_on is not None:
                    undo.pop_all()
                    return may_go_on
        # Every lane waits for a block; nothing is wrong with these.
        sent.deferred += len(ready)
        return False

    async def _submit(
        self,
        ledger_id: str,
        lane: str,
        ready: Sequence[Effect],
        proved: ProvedBatch,
        sent: Sent,
    ) -> bool | None:
        """
        Hand in one transaction. Return whether the ledger may take another; None if this lane has
        to wait for a block, and another may try.
        """
        ledger, seen = self._ledgers[ledger_id], self._view.ledgers[ledger_id]
        messages = _messages(ready, proved, ledger.lane_account(lane))
        names = tuple(effect.name for effect in ready)
        intent_ids = tuple(self._write(ledger_id, lane, ready))
        try:
            result = await ledger.submit(lane, messages)
        except Unavailable as error:
            # It may be in the ledger all the same; every message is a no-op when repeated.
            self._health.note_silence(ledger_id, self._retry.now_s, error)
            self._journal.record_outcome(intent_ids, IntentStatus.UNKNOWN, detail=str(error))
            for name in names:
                self._retry.release(name)
            return False
        except Rejected as error:
            sent.failed += len(names)
            self.fail(ledger_id, names, intent_ids, error, brings_update=bool(proved.heights))
            return True
        except NotYet as error:
            _LOG.debug("lane waits ledger=%s lane=%s %s", ledger_id, lane, error)
            self._journal.record_outcome(intent_ids, IntentStatus.NOT_YET, detail=str(error))
            self._lanes[ledger_id].refuse(lane, seen.height)
            return None
        self._journal.record_outcome(intent_ids, IntentStatus.SUBMITTED, tx_hash=result.tx_hash)
        announced = tuple(proved.heights) if ledger.capabilities.in_flight_max > 1 else ()
        for client_id, height in announced:
            seen.announce_client_height(client_id, height)
        now_s = self._retry.now_s
        under_way = UnderWay(
            ledger_id, lane, result.tx_hash, names, intent_ids, seen.height, now_s, announced
        )
        self._lanes[ledger_id].start(under_way)
        self._health.note_submitted(ledger_id, now_s)
        sent.submitted += len(names)
        _LOG.debug("handed in ledger=%s effects=%d updates=%s", ledger_id, len(names), announced)
        return True

    def _write(self, ledger_id: str, lane: str, ready: Sequence[Effect]) -> Sequence[int]:
        now_s = self._retry.now_s
        return self._journal.write_intents(
            [Intent(ledger_id, lane, str(effect.step), effect.key, now_s) for effect in ready]
        )

    def fail(
        self,
        ledger_id: str,
        names: Sequence[str],
        intent_ids: Sequence[int],
        error: Rejected,
        *,
        brings_update: bool,
    ) -> None:
        """
        Take note of a refused transaction, by its cause.

        Args:
            ledger_id: Who refused it.
            names: Of its effects.
            intent_ids: Theirs in the journal.
            error: What the ledger said.
            brings_update: Whether it updates clients itself.
        """
        refusal = sort_refusal(error.codespace, error.code)
        self._journal.record_outcome(intent_ids, _STATUS_OF[refusal], detail=str(error))
        if refusal is Refusal.REDUNDANT:
            for name in names:
                self._retry.leave(name)
        elif refusal is Refusal.BUSY or (refusal is Refusal.CLIENT_BEHIND and brings_update):
            # It says nothing about any of the messages.
            for name in names:
                self._defer(name, str(error))
        elif self._may_go_again(ledger_id, names, error, refusal):
            for name in names:
                self._retry.release(name)
        else:
            self._find_guilty(ledger_id, names, error, is_later=refusal is Refusal.NOT_YET)

    def _may_go_again(
        self, ledger_id: str, names: Sequence[str], error: Rejected, refusal: Refusal
    ) -> bool:
        """Return whether all of a refused transaction may be decided again as it is."""
        if refusal is Refusal.CLIENT_BEHIND:
            # The update that it rests on waits from before a block: bring another one.
            self._view.ledgers[ledger_id].announced.clear()
            return True
        if refusal is Refusal.HELD:
            return self._hold(ledger_id, names, error)
        return refusal is Refusal.SEQUENCE

    def _find_guilty(
        self, ledger_id: str, names: Sequence[str], error: Rejected, *, is_later: bool
    ) -> None:
        """Halve a batch that failed for one of its effects; put aside one that stood alone."""
        if len(names) > 1:
            for name in names:
                self._retry.release(name)
            self._bisections[ledger_id].split(names)
            _LOG.info("batch halved ledger=%s effects=%d %s", ledger_id, len(names), error)
        elif is_later:
            self._defer(names[0], str(error), is_suspect=True)
        else:
            attempts = self._retry.refuse(names[0], str(error))
            _LOG.warning("put aside effect=%s attempts=%d %s", names[0], attempts, error)

    def _hold(self, ledger_id: str, names: Sequence[str], error: Rejected) -> bool:
        """Hold what a refusal is about; return False if that cannot be told."""
        reason = held_because(error.codespace, error.code, error.log)
        if error.codespace != ClientNotActive.codespace:
            self.holds.hold(ledger_id, WHOLE_LEDGER, reason, self._retry.now_s)
            return True
        clients = {client_named(name) for name in names} - {""}
        named = {one for one in clients if re.search(rf"{re.escape(one)}(?!\d)", error.log)}
        guilty = clients if len(clients) == 1 else named
        for client_id in guilty:
            self.holds.hold(ledger_id, client_id, reason, self._retry.now_s)
        return bool(guilty)

    def _defer(self, name: str, reason: str, *, is_suspect: bool = False) -> None:
        attempts = self._retry.defer(name, reason, is_suspect=is_suspect)
        level = logging.WARNING if attempts % LATE_AFTER == 0 else logging.DEBUG
        _LOG.log(level, "not yet effect=%s attempts=%d reason=%s", name, attempts, reason)


_STATUS_OF = {
    refusal: IntentStatus.REJECTED if refusal is Refusal.WRONG else IntentStatus.NOT_YET
    for refusal in Refusal
} | {Refusal.REDUNDANT: IntentStatus.DONE}


def _messages(ready: Sequence[Effect], proved: ProvedBatch, signer: bytes) -> list[Message]:
    """Return a transaction's messages: the updates that its proofs need, then the effects."""
    messages: list[Message] = [replace(update, signer=signer) for update in proved.updates]
    for effect in ready:
        messages.extend(complete(effect, signer, proved.proofs.get(effect.name)))
    return messages
