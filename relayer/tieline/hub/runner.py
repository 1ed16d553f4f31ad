"""
The running relayer: observe, decide, write to the journal, perform. One ``step`` at its own pace.

Nothing is performed that is not in the journal, and nothing in the journal is believed: after a
restart the view is made of the ledgers' events again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tieline.hub.health import Health
from tieline.hub.holds import Holds
from tieline.hub.inbox import Inbox, Outcome
from tieline.hub.journey_rows import changed_rows
from tieline.hub.lanes import Lanes
from tieline.hub.left_blocks import LeftBlocks
from tieline.hub.outbox import Outbox, Sent
from tieline.hub.pacing import Pacing
from tieline.hub.prover import Prover
from tieline.hub.reconcile import reconcile
from tieline.hub.settings import RunnerSettings
from tieline.interfaces.bulletin import Bulletin
from tieline.interfaces.clock import Clock
from tieline.interfaces.errors import NotYet, Rejected, Reorganised, Unavailable
from tieline.interfaces.journal import IntentStatus, JournalStore, StoredIntent
from tieline.interfaces.ledger import Ledger
from tieline.relay.effects import Effect, client_named
from tieline.relay.landed import has_taken_effect
from tieline.relay.pipeline import decide
from tieline.relay.published import Published
from tieline.relay.retry import RetryBook
from tieline.relay.view import RelayView

_LOG = logging.getLogger(__name__)

_SECONDS_PER_DAY = 86_400
_RETRY_MEMORY_S = 600
"""Longer than the longest delay between two tries."""
_PRUNE_EVERY_S = 3_600


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one step did. All zero: nothing is to be done until something changes."""

    blocks: int = 0
    landed: int = 0
    """Effects seen in a block."""
    failed: int = 0
    """Effects whose transaction was refused, in a block or at the door."""
    submitted: int = 0
    """Effects handed in."""
    deferred: int = 0
    """Effects that could not be proved yet."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing happened."""
        return not (self.blocks or self.submitted or self.failed or self.deferred)


IDLE = StepReport()


class Runner:
    """
    One hub's relayer.

    Args:
        view: Empty; filled by ``start`` and kept by ``step``.
        ledgers: By ledger id, every ledger of the view's topology.
        bulletin: What the cells publish.
        prover: Makes proofs for the same view and ledgers.
        journal: Written before anything is performed.
        clock: For delays only; deadlines are judged by chain time.
        settings: Lanes and bounds.
    """

    def __init__(
        self,
        *,
        view: RelayView,
        ledgers: Mapping[str, Ledger],
        bulletin: Bulletin,
        prover: Prover,
        journal: JournalStore,
        clock: Clock,
        settings: RunnerSettings,
    ) -> None:
        self.view = view
        self.retry = RetryBook(settings.not_yet_delay_s)
        self._ledgers = ledgers
        self._published = Published(bulletin)
        self._prover = prover
        self._journal = journal
        self._clock = clock
        self._settings = settings
        self.health = Health()
        self.lanes = {
            ledger_id: Lanes(settings.lanes[ledger_id], ledger.capabilities.in_flight_max)
            for ledger_id, ledger in ledgers.items()
        }
        self._inbox = Inbox(view, ledgers, self.lanes, self.health, settings)
        self._outbox = Outbox(
            view=view,
            ledgers=ledgers,
            lanes=self.lanes,
            prover=prover,
            journal=journal,
            retry=self.retry,
            health=self.health,
            settings=settings,
        )
        self._revision = -1
        self._wake_s: int | None = None
        self._round = 0
        self._prune_at_s = 0
        self._pacing = Pacing(settings.windows)
        self._unsettled: list[Outcome] = []
        """What became of our transactions and is not noted yet."""
        self._left = LeftBlocks(journal)
        self._is_whole = False
        """Whether the view holds all that the ledgers told; else they are read before a step."""
        self._sending: dict[str, asyncio.Task[Sent]] = {}
        """By ledger: what is being sent side by side with the next steps."""

    async def start(self) -> None:
        """
        Read the ledgers up to now; what the journal left open is judged by what they say.

        Raises:
            Unavailable: A ledger or the journal does not answer, or left blocks that were shown;
                try again.
        """
        self._is_whole = False
        resume = self._left.resume_heights()
        try:
            differences = await reconcile(self.view, self._ledgers, self._inbox, resume)
        except Reorganised as error:
            # It is said once. What was read so far may be of the branch that was left.
            self._left.note(error)
            self.view.forget_all()
            raise
        except NotYet as error:
            raise Unavailable(f"a ledger cannot be read yet: {error}") from error
        self._left.apply(self.view)
        for difference in differences:
            _LOG.warning("reconciled %s", difference)
        left_open = self._journal.open_intents()
        if left_open:
            # Whether they went in is seen by their effect, not by their number: what is still
            # missing is decided again, what is there is not.
            self._journal.record_outcome(
                [stored.intent_id for stored in left_open],
                IntentStatus.UNKNOWN,
                detail="process ended; ledger state was read again",
            )
            _LOG.info("intents left open count=%d", len(left_open))
        self._prune(self._clock.now_s())
        self._save_rows()
        self._is_whole = True

    async def step(self) -> StepReport:
        """
        Do what can be done now, and return. Never sleeps.

        A ledger that does not answer is left alone for a while; the others go on.

        Raises:
            Unavailable: The journal does not answer, or a ledger while all is read again: nothing
                was performed since.
        """
        now_s = self.retry.now_s = self._clock.now_s()
        if not self._is_whole:  # the last try did not come to its end
            return await self._begin_again()
        seen = await self._inbox.read(now_s)
        for error in seen.reorganised:
            _LOG.error("reading all ledgers again: %s", error)
            self._left.note(error)
        if seen.reorganised or self._left.take_settled(self.view):
            return await self._begin_again()
        self._unsettled += seen.outcomes
        has_sent = any(task.done() for task in self._sending.values())
        revision, known = self._published.revision, self._revision
        self._revision = -1  # what fails below is decided again
        sent = self._take_sent()
        is_awake = self._wake_s is not None and now_s >= self._wake_s
        if not (seen.blocks or has_sent or is_awake) and revision == known:
            self._revision = known
            return IDLE
        landed, failed = self._settle()
        failed += self._give_up(now_s)
        closed = {one for one in self._ledgers if not self._room(one)}
        effects = decide(self.view, self._published, self.retry, closed)
        self._pacing.begin(closed.union(effect.ledger_id for effect in effects))
        more = await self._perform(effects)
        self._revision = revision
        self._save_rows()
        self.view.forget_ended()
        self._round += 1
        if self._round % self._settings.resume_save_rounds == 0:
            self.save_resume_heights()
            self.retry.forget_before(now_s - _RETRY_MEMORY_S)
            self._prune(now_s)
        self._wake_s = self._next_wake_s(now_s)
        sent.add(more)
        return StepReport(seen.blocks, landed, failed + sent.failed, sent.submitted, sent.deferred)

    @property
    def holds(self) -> Holds:
        """What is held back until somebody acts."""
        return self._outbox.holds

    @property
    def silent_attestors(self) -> Mapping[bytes, str]:
        """By cell: why its last request was met with silence."""
        return self._prover.silences

    def recent_failures(self, limit: int = 20) -> Sequence[StoredIntent]:
        """Return the latest effects that a ledger refused, newest first."""
        return self._journal.recent_failures(limit)

    @property
    def waits_until_s(self) -> int | None:
        """
        When a step may have something to do although no ledger has a new block by then: work waits
        for company, is tried again, or a ledger is asked again; None if nothing of the kind waits.
        """
        return self._wake_s

    def save_resume_heights(self) -> None:
        """Write from where the ledgers must be read again after a restart. Raises Unavailable."""
        if not self._is_whole:  # half a view does not know what is still under way
            self._left.resume_heights()
            return
        self._journal.save_resume_heights(
            {ledger_id: self.view.resume_height(ledger_id) for ledger_id in self.view.ledgers}
        )

    async def finish(self) -> None:
        """Let what is being sent come to its end; nothing new is begun. Raises Unavailable."""
        while self._sending:
            await asyncio.wait(self._sending.values())
            self._take_sent()

    def close(self) -> None:
        """Save where to resume, and let go of the journal."""
        self.save_resume_heights()
        self._journal.close()

    async def _begin_again(self) -> StepReport:
        """
        Forget what was learnt, and read the ledgers again from before the blocks that are gone, as
        after a restart. What took effect stands in the ledgers: nothing is sent twice or lost.

        Raises:
            Unavailable: A ledger or the journal does not answer; the next step tries again.
        """
        self._is_whole = False
        await self.finish()
        self.view.forget_all()
        self.retry.forget_all()
        self._prover.forget_all()
        self._unsettled.clear()
        for lanes in self.lanes.values():
            lanes.forget_all()
        await self.start()
        self._revision, self._wake_s = -1, self._clock.now_s()
        return StepReport(blocks=sum(view.height > 0 for view in self.view.ledgers.values()))

    async def _perform(self, effects: Sequence[Effect]) -> Sent:
        by_ledger: dict[str, list[Effect]] = {}
        for effect in effects:
            by_ledger.setdefault(effect.ledger_id, []).append(effect)
        total = Sent()
        for ledger_id, own in by_ledger.items():
            room = self._room(ledger_id)
            due = self._pacing.due(ledger_id, own, self.retry.now_s) if room else ()
            if not due:
                continue
            sending = self._outbox.send(ledger_id, due, room)
            if self._settings.is_concurrent:
                self._sending[ledger_id] = asyncio.create_task(sending)
            else:
                total.add(await sending)
        return total

    def _room(self, ledger_id: str) -> int:
        """Return how many transactions may be handed in now."""
        now_s, halt_s = self.retry.now_s, self._settings.halt_after_s
        if ledger_id in self._sending or self.health.is_silent(ledger_id, now_s):
            return 0
        if halt_s is not None and self.health.standstill_s(ledger_id, now_s) >= halt_s:
            # One transaction asks whether it goes on; what was sent may have been lost meanwhile.
            return 0 if len(self.lanes[ledger_id]) else 1
        return len(self._outbox.free(ledger_id))

    def _take_sent(self) -> Sent:
        """Return what sendings beside earlier steps have come to. Raises what they raised."""
        total = Sent()
        for ledger_id in [one for one, task in self._sending.items() if task.done()]:
            total.add(self._sending.pop(ledger_id).result())
        return total

    @property
    def sending(self) -> Collection[asyncio.Task[Sent]]:
        """What is being sent beside the steps; when one has ended, another step can do more."""
        return self._sending.values()

    def _settle(self) -> tuple[int, int]:
        """Take note of what became of our transactions; return how many effects took, and not."""
        landed = failed = 0
        while self._unsettled:
            outcome = self._unsettled[0]
            transaction = outcome.transaction
            self._outbox.withdraw(transaction.ledger_id, transaction.announced)
            if outcome.code == 0:
                self._journal.record_outcome(transaction.intent_ids, IntentStatus.DONE)
                landed += len(transaction.names)
                for name in transaction.names:
                    if has_taken_effect(self.view, name):
                        self.retry.forget(name)
                    elif name.endswith(outcome.skipped):  # soon again, and alone: it says why then
                        self.retry.refuse(name, "skipped by the ledger")
                    else:
                        self.retry.land(name)
                for client_id in {client_named(name) for name in transaction.names}:
                    self.holds.release(transaction.ledger_id, client_id)
            else:
                failed += len(transaction.names)
                self._outbox.fail(
                    transaction.ledger_id,
                    transaction.names,
                    transaction.intent_ids,
                    Rejected(outcome.codespace, outcome.code, outcome.log),
                    brings_update=bool(transaction.announced),
                )
            # Only now: a journal that did not answer is told again.
            self._unsettled.pop(0)
        return landed, failed

    def _give_up(self, now_s: int) -> int:
        """Look no longer for transactions that should have been seen; return their effects."""
        count = 0
        for transaction in self._inbox.take_overdue(now_s):
            self._journal.record_outcome(
                transaction.intent_ids, IntentStatus.UNKNOWN, detail="in no block"
            )
            self._outbox.withdraw(transaction.ledger_id, transaction.announced)
            for name in transaction.names:
                self.retry.release(name)
            count += len(transaction.names)
            _LOG.warning(
                "transaction in no block ledger=%s lane=%s effects=%d",
                transaction.ledger_id,
                transaction.lane,
                len(transaction.names),
            )
        return count

    def _prune(self, now_s: int) -> None:
        """Drop old entries of the journal, once in a while."""
        if now_s >= self._prune_at_s:
            self._prune_at_s = now_s + _PRUNE_EVERY_S
            self._journal.forget_before(now_s - self._settings.journal_days * _SECONDS_PER_DAY)

    def _next_wake_s(self, now_s: int) -> int | None:
        """Return when there may be something to do although no ledger has a new block."""
        times = [
            self.retry.next_wake_s(),
            self.health.next_wake_s(now_s),
            self.holds.next_wake_s(now_s),
            self._pacing.next_wake_s(),
        ]
        if any(len(lanes) for lanes in self.lanes.values()):
            times.append(now_s + self._settings.inclusion_s_max)
        return min((time for time in times if time is not None), default=None)

    def _save_rows(self) -> None:
        rows = changed_rows(self.view)
        if rows:
            self._journal.save_journeys(rows)
