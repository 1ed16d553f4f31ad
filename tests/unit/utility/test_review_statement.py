"""What a cell checks of a delivery statement before it signs: whose readings, which locks, Wh."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from fakes.cell_world import CellWorld

from tieline.interfaces.cell_link import ProposeDelivery
from tieline.protocol.errors import ProtocolError
from tieline.swap.evidence import PublishedDelivery, SignedReading
from tieline.utility.phases.statement import locked_caps, prove_locked
from tieline.wire.abi import encode_delivery_leaf
from tieline.wire.merkle import merkle_root
from tieline.wire.typed_data import sign_record


def of(cells: CellWorld) -> PublishedDelivery:
    return cells.proposal(ProposeDelivery).delivery


def told(delivery: PublishedDelivery) -> ProposeDelivery:
    return ProposeDelivery(delivery)


def with_reading(cells: CellWorld, place: int, signed: SignedReading) -> ProposeDelivery:
    readings = list(of(cells).readings)
    readings[place] = signed
    return told(replace(of(cells), readings=tuple(readings)))


def place_of(cells: CellWorld, name: str) -> int:
    """The first reading of a meter of a cell's."""
    tag = cells.cell(name).entry.chain_tag
    rows = of(cells).readings
    return next(i for i, row in enumerate(rows) if row.reading.chain_tag == tag)


def meter_key(cells: CellWorld, signed: SignedReading) -> Any:
    for service in cells.world.services:
        for member in service.parts.field_source.members.values():
            if member.meter.meter_id == signed.reading.meter_id:
                return member.meter_key
    raise AssertionError("a stranger's meter")


@pytest.mark.parametrize("name", ["A", "B", "grid"])
def test_an_honest_statement_gets_the_same_bytes_again(cells: CellWorld, name: str) -> None:
    proposal = cells.proposal(ProposeDelivery)
    assert any(leaf.delivered_wh for leaf in proposal.delivery.leaves)
    before = cells.journal(name)
    assert cells.ask(name, proposal) == cells.answer(name, ProposeDelivery)
    assert cells.journal(name) == before


@pytest.mark.parametrize("by", [-1, 1, 2**40])
def test_delivered_energy_is_what_the_meters_say_and_never_above_the_cap(
    cells: CellWorld, by: int
) -> None:
    leaves = list(of(cells).leaves)
    place = next(i for i, row in enumerate(leaves) if row.delivered_wh)
    leaves[place] = replace(leaves[place], delivered_wh=leaves[place].delivered_wh + by)
    root = merkle_root(map(encode_delivery_leaf, leaves))
    record = replace(of(cells).delivery, deliveries_root=root)
    refusal = cells.refusal(told(replace(of(cells), delivery=record, leaves=tuple(leaves))))
    assert refusal.rule == "delivered energy"
    assert "instead of" in refusal.first_difference


def test_a_locked_trade_left_out_is_counted(cells: CellWorld) -> None:
    leaves = of(cells).leaves
    refusal = cells.refusal(told(replace(of(cells), leaves=leaves[:-1])))
    expected = f"{len(leaves) - 1} leaves instead of {len(leaves)}"
    assert (refusal.rule, refusal.first_difference) == ("delivered energy", expected)


def test_a_reading_changed_after_its_signature_is_refused(cells: CellWorld) -> None:
    place = place_of(cells, "B")
    signed = of(cells).readings[place]
    more = replace(signed.reading, export_register_wh=signed.reading.export_register_wh + 1)
    refusal = cells.refusal(with_reading(cells, place, replace(signed, reading=more)))
    expected = f"signature of meter {signed.reading.meter_id.hex()}"
    assert (refusal.rule, refusal.first_difference) == ("readings", expected)


def test_a_reading_under_another_meters_key_is_refused(cells: CellWorld) -> None:
    cell, signed, other = cells.cell("A"), of(cells).readings[0], of(cells).readings[1]
    forged = sign_record(meter_key(cells, other), cell.domain, signed.reading)
    refusal = cells.refusal(with_reading(cells, 0, replace(signed, signature=forged)))
    assert refusal.first_difference.startswith("signature of meter")


def test_a_broken_signature_is_refused_not_a_crash(cells: CellWorld) -> None:
    forged = replace(of(cells).readings[0], signature=bytes(65))
    assert cells.refusal(with_reading(cells, 0, forged)).rule == "readings"


def test_a_true_reading_of_another_slot_is_refused(cells: CellWorld) -> None:
    """The meter signed it, but for the quarter of an hour after."""
    place = place_of(cells, "B")
    signed = of(cells).readings[place]
    later = replace(signed.reading, period_start=signed.reading.period_start + 900)
    key = meter_key(cells, signed)
    forged = SignedReading(later, sign_record(key, cells.cell("B").domain, later))
    refusal = cells.refusal(with_reading(cells, place, forged))
    assert refusal.first_difference.startswith("period of meter")


def test_an_own_meter_said_to_have_counted_something_else_is_refused(cells: CellWorld) -> None:
    """Even where the meter signed both: this cell read it too."""
    place = place_of(cells, "A")
    signed = of(cells).readings[place]
    other = replace(signed.reading, import_register_wh=signed.reading.import_register_wh + 1)
    key = meter_key(cells, signed)
    forged = SignedReading(other, sign_record(key, cells.cell("A").domain, other))
    refusal = cells.refusal(with_reading(cells, place, forged))
    expected = f"meter {signed.reading.meter_id.hex()}"
    assert (refusal.rule, refusal.first_difference) == ("readings", expected)


def test_a_missing_reading_is_named(cells: CellWorld) -> None:
    first, *rest = of(cells).readings
    refusal = cells.refusal(told(replace(of(cells), readings=tuple(rest))))
    expected = f"no reading of meter {first.reading.meter_id.hex()}"
    assert (refusal.rule, refusal.first_difference) == ("readings", expected)


def test_a_reading_twice_is_named(cells: CellWorld) -> None:
    readings = of(cells).readings
    refusal = cells.refusal(told(replace(of(cells), readings=(readings[0], *readings))))
    assert refusal.first_difference.startswith("a second reading")


def test_a_missing_coupling_point_is_named(cells: CellWorld) -> None:
    refusal = cells.refusal(told(replace(of(cells), boundary=of(cells).boundary[1:])))
    assert refusal.first_difference.startswith("no reading of meter")


def test_an_own_estimate_changed_is_refused(cells: CellWorld) -> None:
    own = {meter for meter, _ in cells.cell("A").field_source.estimates(cells.slot)}
    rows = tuple((meter, wh + (meter in own)) for meter, wh in of(cells).estimates)
    assert cells.refusal(told(replace(of(cells), estimates=rows))).rule == "estimates"


@pytest.mark.parametrize(
    "field", ["verdict_hash", "readings_root", "boundary_root", "estimate_hash", "deliveries_root"]
)
def test_a_record_over_something_else_is_refused(cells: CellWorld, field: str) -> None:
    record = replace(of(cells).delivery, **{field: b"\x05" * 32})
    refusal = cells.refusal(told(replace(of(cells), delivery=record)))
    assert refusal.rule == "delivery statement"


def test_a_statement_for_a_slot_without_a_verdict_is_refused(cells: CellWorld) -> None:
    record = replace(of(cells).delivery, slot_start=cells.slot + 9000)
    refusal = cells.refusal(told(replace(of(cells), delivery=record)))
    assert (refusal.rule, refusal.first_difference) == ("verdict", "no verdict here")


def test_a_lock_is_proved_by_its_ledgers_answer_not_by_an_event(
    cells: CellWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An RPC that tells of a larger cap than the ledger applied."""
    cell = cells.cell("A")
    locked = locked_caps(cell, cells.evidence)
    asyncio.run(prove_locked(cell, cells.evidence, locked))
    trade = next(p.packet.trade_id for p in cells.evidence.positions if p.packet is not None)
    with pytest.raises(ProtocolError, match="not locked under this cap"):
        asyncio.run(prove_locked(cell, cells.evidence, {**locked, trade: locked[trade] - 1}))

    index = next(
        cell.indexes[p.packet.dest_chain_tag]
        for p in cells.evidence.positions
        if p.packet is not None and p.packet.trade_id == trade
    )
    lock = index.locks[trade, "out"].lock_id
    monkeypatch.setitem(index.accepted, lock, locked[trade] - 1)
    refusal = cells.refusal(told(of(cells)))
    assert refusal.rule == "locked trades"


def test_a_lying_ledger_convinces_nobody_of_a_lock(
    cells: CellWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The value is the expected one; the proof is of another."""
    cell = cells.cell("A")
    locked = locked_caps(cell, cells.evidence)
    packet = next(p.packet for p in cells.evidence.positions if p.packet is not None)
    index = cell.indexes[packet.dest_chain_tag]
    honest = index.ledger.prove

    async def prove(key: bytes, height: int) -> Any:
        entry = await honest(key, height)
        return replace(entry, proof=(await honest(key + b"\x01", height)).proof)

    monkeypatch.setattr(index, "ledger", _With(index.ledger, prove))
    with pytest.raises(ProtocolError):
        asyncio.run(prove_locked(cell, cells.evidence, locked))


class _With:
    """A ledger whose proofs come from somewhere else."""

    def __init__(self, ledger: Any, prove: Any) -> None:
        self._ledger = ledger
        self.prove = prove

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)
