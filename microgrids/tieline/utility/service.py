"""
A utility cell in one process with the others: it steps through its slots and answers its peers.

Implements ``interfaces.cell_link.CellLink``; the same calls go over a network later.
"""

from __future__ import annotations

from collections.abc import Sequence

from tieline.interfaces.cell_link import (
    HashlockRequest,
    MeteredSlot,
    ProposeClearing,
    ProposeDelivery,
    ProposeVerdict,
    Refusal,
    Signature,
)
from tieline.interfaces.errors import NotYet, Rejected, Unavailable
from tieline.market.slot_machine import Event, Moved, Phase, advance, due_event
from tieline.swap.evidence import SlotEvidence, Zone
from tieline.swap.records import SignedOrder
from tieline.utility import review
from tieline.utility.cell import TICK_S, UtilityCell
from tieline.utility.journal import SigningConflict, Statement
from tieline.utility.phases import clear, collect, forecast, lock, statement, verdict
from tieline.utility.set_points import set_points
from tieline.utility.slot_work import SlotWork
from tieline.utility.sufficiency import Objection
from tieline.wire.hashes import keccak
from tieline.wire.typed_data import SignedRecord, digest, sign_record

BOOK_OPENING_S = 30
"""Books are opened so long after gate closure: nobody sees another's before it."""
VERDICT_LAG_S = 40
"""From tau to the proposal: finality of the slowest ledger, then 30 s."""
STANDIN_S = 60
"""A stand-in proposes so much later than the one before it."""
METERING_S = 60
"""From the slot's end to its readings."""


class CellService:
    """One utility cell at work."""

    def __init__(self, cell: UtilityCell) -> None:
        self._parts = cell

    @property
    def cell(self) -> bytes:
        """EVM address of the utility cell."""
        return self._parts.entry.address

    @property
    def parts(self) -> UtilityCell:
        """The cell itself, for the composition root and reports."""
        return self._parts

    async def step(self, slot_start: int, now_s: int) -> None:
        """
        Do what is due for a slot at chain time *now_s*; nothing twice.

        What is not there yet, does not answer, or is refused by a ledger that runs transactions
        before it takes them, is asked for again at the next step.
        """
        try:
            await self._step(slot_start, now_s)
        except (NotYet, Unavailable, Rejected) as waiting:
            self._parts.slot(slot_start).waits_for = str(waiting)

    async def _step(self, slot_start: int, now_s: int) -> None:
        cell = self._parts
        if cell.silent_slots.get(slot_start):
            return
        if any(cell.silent_slots.values()):
            cell.board.take_over(cell.notices)
        work = cell.slot(slot_start)
        timeline = work.timeline
        if not work.has_bands and timeline.freeze <= now_s < timeline.gate_closure:
            await forecast.set_bands(cell, work)
        if not work.has_placed and timeline.book_opens <= now_s < timeline.gate_closure:
            await forecast.gather_commitments(cell, work)
            await collect.place_orders(cell, work)
        if timeline.verdict_deadline <= now_s:
            self._send_set_points(work)
        while (due := due_event(work.state, timeline, now_s)) is not None:
            self._apply(work, due, now_s)
        await self._work(work, now_s)

    async def _work(self, work: SlotWork, now_s: int) -> None:
        """Run the phase the slot is in."""
        match work.state.phase:
            case Phase.GATE_CLOSED:
                await self._clear(work, now_s)
            case Phase.CHECKED:
                await self._seal(work, now_s)
            case Phase.SEALED:
                if await lock.lock_and_send(self._parts, work, now_s):
                    self._apply(work, Event.LOCKS_SENT, now_s)
            case Phase.BATCH_CLOSED:
                await self._judge(work, now_s)
            case Phase.DELIVERING:
                if now_s >= work.timeline.end + METERING_S:
                    self._apply(work, Event.READINGS_TAKEN, now_s)
            case Phase.METERED:
                await self._state(work, now_s)
            case Phase.STATED:
                await statement.reveal(self._parts, work, now_s)
                statement.forget_closed(self._parts, work, now_s)
            case _:
                pass

    def _apply(self, work: SlotWork, event: Event, now_s: int) -> None:
        outcome = advance(work.state, event, work.timeline, now_s)
        if isinstance(outcome, Moved):
            work.state = outcome.state

    async def _clear(self, work: SlotWork, now_s: int) -> None:
        """Propose when it is this cell's turn; otherwise wait for the seal."""
        await collect.close_book(self._parts, work)
        if self._is_sealed(work, now_s):
            return
        if work.has_signed_clearing and now_s <= work.timeline.seal:
            return  # It is for its proposer to seal; a stand-in has until the lock deadline.
        opening = work.timeline.gate_closure + BOOK_OPENING_S
        if work.proposal is None and self._turn(work, now_s, opening) is not None:
            await clear.propose(self._parts, work)
            assert work.proposal is not None, "proposing leaves a proposal"
            if not work.proposal.evidence.positions:
                self._apply(work, Event.NOTHING_CLEARED, now_s)
                return
            self._apply(work, Event.BOOKS_CLEARED, now_s)
            self._apply(work, Event.NETWORK_HOLDS, now_s)

    async def _seal(self, work: SlotWork, now_s: int) -> None:
        if now_s >= work.timeline.seal and await clear.seal(self._parts, work):
            self._apply(work, Event.CLEARING_SEALED, now_s)

    def _is_sealed(self, work: SlotWork, now_s: int) -> bool:
        """Follow a seal that another cell published."""
        evidence = self._parts.board.slot(work.slot_start)
        if evidence is None or not evidence.clearings:
            return False
        for event in (Event.BOOKS_CLEARED, Event.NETWORK_HOLDS, Event.CLEARING_SEALED):
            self._apply(work, event, now_s)
        return True

    async def _judge(self, work: SlotWork, now_s: int) -> None:
        evidence = self._parts.board.slot(work.slot_start)
        if evidence is None or evidence.verdict is not None:
            self._apply(work, Event.VERDICT_REACHED, now_s)
            return
        if self._turn(work, now_s, work.timeline.tau + VERDICT_LAG_S) is None:
            return
        if await verdict.propose(self._parts, work):
            self._apply(work, Event.VERDICT_REACHED, now_s)

    def recall(self, slot_start: int) -> None:
        """After a restart: tell the devices of a judged slot again what was locked."""
        self._send_set_points(self._parts.slot(slot_start))

    def _send_set_points(self, work: SlotWork) -> None:
        """From D on the set is final: devices get what the ledgers really locked."""
        if work.has_set_points:
            return
        evidence = self._parts.board.slot(work.slot_start)
        caps: dict[bytes, int] = {}
        if evidence is not None and evidence.verdict is not None:
            caps = statement.locked_caps(self._parts, evidence)
        points = {} if evidence is None else dict(set_points(evidence, caps))
        self._parts.field_source.set_points(work.slot_start, points)
        work.has_set_points = True

    async def _state(self, work: SlotWork, now_s: int) -> None:
        evidence = self._parts.board.slot(work.slot_start)
        if evidence is not None and evidence.delivery is not None:
            self._apply(work, Event.STATEMENT_SIGNED, now_s)
            return
        start = work.timeline.end + METERING_S
        if self._turn(work, now_s, start) is not None and await statement.propose(
            self._parts, work
        ):
            self._apply(work, Event.STATEMENT_SIGNED, now_s)

    def _turn(self, work: SlotWork, now_s: int, start: int) -> int | None:
        """Return whether it is this cell's turn to propose: the first, or a stand-in later."""
        for turn, delay in enumerate((0, STANDIN_S, STANDIN_S + 2 * STANDIN_S)):
            if now_s >= start + delay and self._parts.is_proposer(work.slot_start, turn):
                return turn
        return None

    # What other cells ask.

    def _listen(self, slot_start: int) -> None:
        if self._parts.silent_slots.get(slot_start):
            raise Unavailable("the cell is down")

    async def coin_commitment(self, slot_start: int) -> bytes:
        """Return keccak of the cell's part of the coin."""
        self._listen(slot_start)
        return keccak(forecast.coin_secret(self._parts, slot_start))

    async def coin(self, slot_start: int) -> bytes:
        """Return the cell's part of the coin, from gate closure on."""
        self._listen(slot_start)
        if self._parts.clock.now_s() < self._parts.slot(slot_start).timeline.gate_closure:
            raise NotYet("the gate is open")
        return forecast.coin_secret(self._parts, slot_start)

    async def book(self, slot_start: int) -> tuple[SignedOrder, ...]:
        """Return the own book."""
        self._listen(slot_start)
        return await collect.close_book(self._parts, self._parts.slot(slot_start))

    async def zone(self, slot_start: int) -> Zone:
        """Return the committed forecast; published before the gate, so a silent cell has one."""
        return forecast.committed_zone(self._parts, slot_start)

    async def slack_ppm(self, slot_start: int) -> int:
        """Return the slack voltage as measured last, over the network table's."""
        return self._parts.field_source.slack_ppm(slot_start)

    async def hashlock(self, request: HashlockRequest) -> bytes:
        """Return the hash lock of a position whose sellers are members."""
        self._listen(request.slot_start)
        return self._parts.preimages.preimage(request.position).hash_lock.digest

    async def metered(self, slot_start: int) -> MeteredSlot:
        """Return the members' readings."""
        source = self._parts.field_source
        return MeteredSlot(
            tuple(source.readings(slot_start)),
            tuple(source.boundary_readings(slot_start)),
            tuple(source.estimates(slot_start)),
        )

    async def propose_clearing(self, proposal: ProposeClearing) -> Signature | Refusal:
        """Check a clearing and sign its levels."""
        self._listen(proposal.evidence.slot_start)
        work = self._parts.slot(proposal.evidence.slot_start)
        await collect.close_book(self._parts, work)
        objection = await review.clearing(self._parts, work, proposal)
        records = [signed.clearing for signed in proposal.evidence.clearings]
        answer = self._answer("clearing", work.slot_start, records, objection)
        work.has_signed_clearing |= isinstance(answer, Signature)
        return answer

    async def propose_verdict(self, proposal: ProposeVerdict) -> Signature | Refusal:
        """Check a verdict and sign it."""
        self._listen(proposal.verdict.verdict.slot_start)
        record = proposal.verdict.verdict
        work = self._parts.slot(record.slot_start)
        objection = await review.judgement(self._parts, work, proposal)
        return self._answer("verdict", work.slot_start, [record], objection)

    async def propose_delivery(self, proposal: ProposeDelivery) -> Signature | Refusal:
        """Check a delivery statement and sign it."""
        self._listen(proposal.delivery.delivery.slot_start)
        record = proposal.delivery.delivery
        work = self._parts.slot(record.slot_start)
        objection = await review.statement(self._parts, work, proposal)
        return self._answer("delivery", work.slot_start, [record], objection)

    async def publish(self, evidence: SlotEvidence) -> Refusal | None:
        """Keep what reached its quorum; say why if it did not."""
        self._listen(evidence.slot_start)
        cell = self._parts
        wrong = cell.board.objection(evidence)
        wrong = wrong or review.published(cell, cell.slot(evidence.slot_start), evidence)
        if wrong is not None:
            return Refusal(self.cell, *wrong)
        cell.board.put(evidence)
        return None

    def _answer(
        self,
        kind: str,
        slot_start: int,
        records: Sequence[SignedRecord],
        objection: Objection | None,
    ) -> Signature | Refusal:
        """Write the journal, then sign; one answer a slot, for ever."""
        cell = self._parts
        if objection is not None:
            return Refusal(self.cell, *objection)
        # One subject a slot, not one a level: levels of two proposals never go together.
        content = keccak(b"".join(digest(cell.domain, record) for record in records))
        subject = slot_start.to_bytes(8, "big")
        try:
            cell.journal.bind([Statement(kind, cell.cell_set_id, subject, content)])
        except SigningConflict as conflict:
            return Refusal(self.cell, "signed before", str(conflict))
        signatures = tuple(sign_record(cell.key, cell.domain, record) for record in records)
        return Signature(self.cell, signatures)


def proposer_index(slot_start: int, cells: int) -> int:
    """Return the place of a slot's first proposer among *cells* by ascending address."""
    return slot_start // TICK_S % cells
