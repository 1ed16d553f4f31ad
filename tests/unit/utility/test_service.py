"""Steps wait for what is not there; peers that are silent or talk nonsense stop nobody."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes.cell_world import CellWorld

from tieline.interfaces.cell_link import ProposeVerdict, Refusal, Signature
from tieline.interfaces.errors import NotYet, Rejected, Unavailable
from tieline.market.timeline import slot_timeline
from tieline.utility.asking import gather_signatures
from tieline.utility.books import objection_to_orders
from tieline.utility.phases import clear, statement
from tieline.utility.preimages import PreimageStore
from tieline.utility.service import (
    BOOK_OPENING_S,
    STANDIN_S,
    VERDICT_LAG_S,
    CellService,
    proposer_index,
)
from tieline.utility.slot_work import SlotWork
from tieline.wire.typed_data import order_id


def fresh_work(cells: CellWorld, name: str = "A") -> SlotWork:
    cell = cells.cell(name)
    timeline = slot_timeline(cell.profile, cells.slot, cell.slot_length)
    return SlotWork(timeline)


@pytest.fixture
def service(cells: CellWorld, monkeypatch: pytest.MonkeyPatch) -> CellService:
    """Cell A with its slot begun anew; what it kept of it comes back after the test."""
    found = cells.service("A")
    monkeypatch.setattr(found.parts, "work", {cells.slot: fresh_work(cells)})
    return found


@pytest.mark.parametrize(
    "error", [NotYet("no such block"), Unavailable("no answer"), Rejected("trade", 1, "not now")]
)
def test_a_step_waits_for_what_is_not_there(
    service: CellService, cells: CellWorld, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: Any) -> None:
        raise error

    monkeypatch.setattr("tieline.utility.phases.forecast.set_bands", fails)
    work = service.parts.slot(cells.slot)
    asyncio.run(service.step(cells.slot, work.timeline.freeze))
    assert work.waits_for == str(error)
    assert not work.has_bands


def test_a_bug_is_not_waited_for(
    service: CellService, cells: CellWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("tieline.utility.phases.forecast.set_bands", fails)
    with pytest.raises(RuntimeError, match="a bug"):
        asyncio.run(service.step(cells.slot, service.parts.slot(cells.slot).timeline.freeze))


def test_a_silent_cell_does_nothing_and_says_nothing(
    service: CellService, cells: CellWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(service.parts.silent_slots, cells.slot, True)
    work = service.parts.slot(cells.slot)
    asyncio.run(service.step(cells.slot, work.timeline.freeze))
    assert not work.has_bands
    questions = (
        service.coin(cells.slot),
        service.coin_commitment(cells.slot),
        service.book(cells.slot),
        service.publish(cells.evidence),
        service.propose_verdict(cells.proposal(ProposeVerdict)),
    )
    for question in questions:
        with pytest.raises(Unavailable, match="down"):
            asyncio.run(question)


def test_no_coin_is_opened_while_the_gate_is(
    service: CellService, cells: CellWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Early:
        def now_s(self) -> int:
            return service.parts.slot(cells.slot).timeline.gate_closure - 1

    monkeypatch.setattr(service.parts, "clock", Early())
    with pytest.raises(NotYet, match="gate is open"):
        asyncio.run(service.coin(cells.slot))


class Peer:
    """Another cell that answers as it is told to."""

    def __init__(self, cell: bytes, answer: Any) -> None:
        self.cell = cell
        self.answer = answer

    async def propose_verdict(self, _: ProposeVerdict) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def gathered(
    cells: CellWorld, monkeypatch: pytest.MonkeyPatch, *answers: Any
) -> tuple[dict[bytes, tuple[bytes, ...]], list[str]]:
    cell, proposal = cells.cell("A"), cells.proposal(ProposeVerdict)
    peers = [Peer(address, answer) for address, answer in zip(cell.addresses, answers, strict=True)]
    monkeypatch.setattr(cell, "links", peers)
    work = fresh_work(cells)
    asked = gather_signatures(
        cell, work, [proposal.verdict.verdict], lambda link: link.propose_verdict(proposal)
    )
    return asyncio.run(asked), work.refusals


def answers_of(cells: CellWorld) -> list[Signature]:
    by_cell = {s.cell: s.parts.entry.name for s in cells.world.services}
    return [cells.answer(by_cell[a], ProposeVerdict) for a in cells.cell("A").addresses]


def test_every_cells_signature_counts_once(
    cells: CellWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed, refusals = gathered(cells, monkeypatch, *answers_of(cells))
    assert list(signed) == list(cells.cell("A").addresses)
    assert refusals == []


def test_silence_refusals_and_nonsense_are_told_apart_and_spoil_nothing(
    cells: CellWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, three = answers_of(cells)
    addresses = cells.cell("A").addresses
    cases: list[tuple[Any, str]] = [
        (Unavailable("no answer"), "no answer"),
        (NotYet("later"), "later"),
        (Refusal(addresses[1], "pending set", "left out"), "pending set: left out"),
        (replace(two, signatures=(bytes(65),)), "not its signature"),
        (replace(two, signatures=()), "not its signature"),
        (replace(two, signatures=two.signatures * 2), "not its signature"),
        (one, "not its signature"),
        (replace(one, cell=addresses[1]), "not its signature"),
    ]
    for answer, reason in cases:
        signed, refusals = gathered(cells, monkeypatch, one, answer, three)
        assert list(signed) == [addresses[0], addresses[2]]
        assert refusals == [f"{addresses[1].hex()}: {reason}"]


def test_a_bad_book_is_left_out_whole_and_the_others_trade(
    cells: CellWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell, work = cells.cell("A"), fresh_work(cells)
    liar = cells.service("B")
    honest = asyncio.run(liar.book(cells.slot))
    forged = (replace(honest[0], signature=bytes(65)), *honest[1:])
    assert objection_to_orders(cell, work, honest) is None
    assert objection_to_orders(cell, work, forged) is not None

    async def book(_: int) -> Any:
        return forged

    monkeypatch.setattr(liar, "book", book)
    gathered_orders = asyncio.run(clear._gather_books(cell, work))
    tags = {row.order.chain_tag for row in gathered_orders}
    assert liar.parts.entry.chain_tag not in tags
    assert cell.entry.chain_tag in tags
    assert len(work.refusals) == 1
    assert "book: signature" in work.refusals[0]
    assert [order_id(row.order) for row in gathered_orders] == sorted(
        order_id(row.order) for row in gathered_orders
    )


def test_proposers_take_turns_and_stand_ins_follow_a_minute_and_three_later(
    cells: CellWorld,
) -> None:
    start = 1_000_000
    services = cells.world.services
    first = proposer_index(cells.slot, len(services))
    for place, service in enumerate(services):
        work = fresh_work(cells, service.parts.entry.name)
        turn = (place - first) % len(services)
        due = start + (0, STANDIN_S, 3 * STANDIN_S)[turn]
        assert service._turn(work, due - 1, start) is None
        assert service._turn(work, due, start) == turn


def test_lags_follow_the_duties_of_the_specification() -> None:
    """F_max of the fast preset + 30 s; books 30 s after the gate; stand-ins a minute later."""
    assert (VERDICT_LAG_S, BOOK_OPENING_S, STANDIN_S) == (40, 30, 60)


def test_a_preimage_is_kept_until_every_lock_of_its_trade_has_ended(
    cells: CellWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell, work = cells.cell("grid"), fresh_work(cells, "grid")
    store = PreimageStore(tmp_path / "preimages.sqlite", bytes(32))
    monkeypatch.setattr(cell, "preimages", store)
    drawn = store.preimage("position")
    hash_lock = drawn.hash_lock.digest
    monkeypatch.setattr("tieline.utility.phases.statement.hashlock_of", lambda _: hash_lock)
    position = next(row for row in cells.evidence.positions if row.packet is not None)
    one = replace(cells.evidence, positions=(position,), verdict=None, delivery=None)
    monkeypatch.setattr(cell.board, "_evidence", {cells.slot: one})
    locks = [
        (index, lock.lock_id)
        for index in cell.indexes.values()
        for (trade, _), lock in index.locks.items()
        if trade == position.trade_id
    ]
    assert len(locks) == 2
    for index, lock_id in locks:
        statement.forget_closed(cell, work, work.timeline.expiry_out)
        assert store.find(hash_lock) == drawn
        monkeypatch.setattr(index, "closed", index.closed | {lock_id})
    statement.forget_closed(cell, work, work.timeline.expiry_out - 1)
    assert store.find(hash_lock) == drawn
    statement.forget_closed(cell, work, work.timeline.expiry_out)
    assert store.find(hash_lock) is None


def test_in_an_honest_slot_nobody_refuses_anything(cells: CellWorld) -> None:
    assert [s.parts.slot(cells.slot).refusals for s in cells.world.services] == [[], [], []]
    assert {type(answer) for _, answer in cells.heard} == {Signature}
