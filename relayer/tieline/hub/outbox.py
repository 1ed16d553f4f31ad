"""
Sends what was decided: batches, proofs, the journal, and only then the ledger.

A batch that fails is halved until the guilty message stands alone; that one is named and put
aside, the others go on.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tieline.hub.health import Health
from tieline.hub.lanes import Lanes, UnderWay
from tieline.hub.prover import ProvedBatch, Prover
from tieline.hub.refusals import Refusal, sort_refusal
from tieline.hub.settings import RunnerSettings
from tieline.interfaces.errors import NotYet, Rejected, Unavailable
from tieline.interfaces.journal import Intent, IntentStatus, JournalStore
from tieline.interfaces.ledger import Ledger, Message
from tieline.relay.effects import Effect, complete
from tieline.relay.retry import LATE_AFTER, RetryBook
from tieline.relay.scheduler import Bisection, fill_batches, take_turns

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Sent:
    """What one sending came to, in effects."""

    submitted: int = 0
    failed: int = 0
    deferred: int = 0


class Outbox:
    """
    The performing half of the runner.

    Args:
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
        ledgers: Mapping[str, Ledger],
        lanes: Mapping[str, Lanes],
        prover: Prover,
        journal: JournalStore,
        retry: RetryBook,
        health: Health,
        settings: RunnerSettings,
    ) -> None:
        self._ledgers = ledgers
        self._lanes = lanes
        self._prover = prover
        self._journal = journal
        self._retry = retry
        self._health = health
        self._settings = settings
        self._bisections = {ledger_id: Bisection() for ledger_id in ledgers}

    async def send(self, ledger_id: str, effects: Sequence[Effect], height: int) -> Sent:
        """
        Send as many of *effects* as the ledger's free lanes carry.

        Args:
            ledger_id: Of all effects.
            effects: In the order of the pipeline.
            height: The ledger's last observed height.
        """
        sent = Sent()
        free = self._lanes[ledger_id].free()
        bisection = self._bisections[ledger_id]
        halves, rest = bisection.take(effects)
        for half in halves[len(free) :]:
            bisection.give_back(half)
        batches = halves[: len(free)]
        batches += self._fill(rest, len(free) - len(batches))
        for lane, batch in zip(free, batches, strict=False):
            if self._health.is_silent(ledger_id, self._retry.now_s):
                break
            await self._send_batch(ledger_id, lane, batch, height, sent)
        return sent

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

    async def _send_batch(
        self, ledger_id: str, lane: str, batch: Sequence[Effect], height: int, sent: Sent
    ) -> None:
        proved = await self._prover.prove(batch)
        for effect, error in proved.deferred:
            sent.deferred += 1
            self._defer(effect.name, str(error))
        put_off = {effect.name for effect, _ in proved.deferred}
        ready = [effect for effect in batch if effect.name not in put_off]
        if not ready:
            return
        ledger = self._ledgers[ledger_id]
        messages = _messages(ready, proved, ledger.lane_account(lane))
        names = tuple(effect.name for effect in ready)
        intent_ids = tuple(self._write(ledger_id, lane, ready))
        for name in names:
            self._retry.start(name)
        try:
            result = await ledger.submit(lane, messages)
        except Unavailable as error:
            # It may be in the ledger all the same; every message is a no-op when repeated.
            self._health.note_silence(ledger_id, self._retry.now_s, error)
            self._journal.record_outcome(intent_ids, IntentStatus.UNKNOWN, detail=str(error))
            for name in names:
                self._retry.release(name)
            return
        except Rejected as error:
            sent.failed += len(names)
            self.fail(ledger_id, names, intent_ids, error)
            return
        except NotYet as error:
            sent.deferred += len(names)
            self._journal.record_outcome(intent_ids, IntentStatus.NOT_YET, detail=str(error))
            for name in names:
                self._defer(name, str(error))
            return
        self._journal.record_outcome(intent_ids, IntentStatus.SUBMITTED, tx_hash=result.tx_hash)
        self._lanes[ledger_id].start(
            UnderWay(ledger_id, lane, result.tx_hash, names, intent_ids, height, self._retry.now_s)
        )
        sent.submitted += len(names)

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
    ) -> None:
        """Take note of a refused transaction: halve it, or put its one effect aside."""
        refusal = sort_refusal(error.codespace, error.code)
        is_wrong = refusal is Refusal.WRONG
        status = IntentStatus.REJECTED if is_wrong else IntentStatus.NOT_YET
        self._journal.record_outcome(intent_ids, status, detail=str(error))
        if refusal is Refusal.SEQUENCE or len(names) > 1:
            for name in names:
                self._retry.release(name)
            if refusal is not Refusal.SEQUENCE:
                self._bisections[ledger_id].split(names)
                _LOG.info("batch halved ledger=%s effects=%d %s", ledger_id, len(names), error)
            return
        name = names[0]
        if is_wrong:
            attempts = self._retry.refuse(name, str(error))
            _LOG.warning("put aside effect=%s attempts=%d %s", name, attempts, error)
        else:
            self._defer(name, str(error), is_suspect=True)

    def _defer(self, name: str, reason: str, *, is_suspect: bool = False) -> None:
        attempts = self._retry.defer(name, reason, is_suspect=is_suspect)
        level = logging.WARNING if attempts % LATE_AFTER == 0 else logging.DEBUG
        _LOG.log(level, "not yet effect=%s attempts=%d reason=%s", name, attempts, reason)


def _messages(ready: Sequence[Effect], proved: ProvedBatch, signer: bytes) -> list[Message]:
    """Return a transaction's messages: the updates that its proofs need, then the effects."""
    messages: list[Message] = [replace(update, signer=signer) for update in proved.updates]
    for effect in ready:
        messages.extend(complete(effect, signer, proved.proofs.get(effect.name)))
    return messages
