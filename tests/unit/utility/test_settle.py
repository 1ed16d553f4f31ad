"""What settlement asks of cells: registers of the slot before, even where nothing was stated."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tieline.interfaces.cell_link import MeteredSlot
from tieline.market.delivery import MissingReading
from tieline.swap.evidence import SignedReading
from tieline.swap.records import Reading
from tieline.swap.topology import MeterEntry
from tieline.utility.board import SlotBoard
from tieline.utility.cell import UtilityCell
from tieline.utility.readings import exported_wh, imported_wh, remember_earlier
from tieline.wire.keys import SecpKey
from tieline.wire.typed_data import domain_separator, sign_record

TAG, METER = b"\x01" * 32, b"\x02" * 32
KEY, STRANGER = SecpKey(b"\x03" * 32), SecpKey(b"\x04" * 32)
DOMAIN = domain_separator(b"\x05" * 32)
SLOT = 900


def reading(counter: int, imported: int, exported: int) -> SignedReading:
    start = counter * SLOT
    record = Reading(TAG, METER, start, SLOT, imported, exported, counter, 1)
    return SignedReading(record, sign_record(KEY, DOMAIN, record))


READINGS = {row.reading.period_start: row for row in (reading(1, 100, 5), reading(2, 180, 45))}


class Link:
    """A cell that has kept its meters' registers."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    async def metered(self, slot_start: int) -> MeteredSlot:
        self.asked.append(slot_start)
        return MeteredSlot((READINGS[slot_start],), (), ())


@pytest.fixture
def cell() -> UtilityCell:
    meter = MeterEntry("meter", METER, KEY.address, bytes(20), TAG, 1)
    topology = SimpleNamespace(meters=(meter,), boundary_meters=())
    board = SlotBoard(cast(Any, topology))
    parts = SimpleNamespace(board=board, links=[Link()], topology=topology, domain=DOMAIN)
    return cast(UtilityCell, parts)


def test_registers_of_a_slot_without_a_statement_are_asked_for(cell: UtilityCell) -> None:
    last = READINGS[2 * SLOT]
    asyncio.run(remember_earlier(cell, [last]))
    assert (exported_wh(cell, last), imported_wh(cell, last)) == (40, 80)
    assert cast(Link, cell.links[0]).asked == [SLOT]


def test_registers_that_the_board_has_are_not_asked_for_again(cell: UtilityCell) -> None:
    cell.board.keep_readings(SLOT, [READINGS[SLOT]])
    asyncio.run(remember_earlier(cell, [READINGS[2 * SLOT]]))
    assert cast(Link, cell.links[0]).asked == []


def test_a_meters_first_reading_counts_from_zero(cell: UtilityCell) -> None:
    asyncio.run(remember_earlier(cell, [READINGS[SLOT]]))
    assert cast(Link, cell.links[0]).asked == []
    assert (exported_wh(cell, READINGS[SLOT]), imported_wh(cell, READINGS[SLOT])) == (5, 100)


@pytest.mark.parametrize("lie", ["signature", "period", "counter"])
def test_a_false_register_of_the_slot_before_is_not_taken(
    cell: UtilityCell, lie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a cell could invent what its meter had counted, and be paid for the difference."""
    true = READINGS[SLOT]
    record = replace(true.reading, export_register_wh=0)
    if lie == "period":
        record = replace(record, period_start=0)
    if lie == "counter":
        record = replace(record, counter=0)
    signer = STRANGER if lie == "signature" else KEY
    false = SignedReading(record, sign_record(signer, DOMAIN, record))
    monkeypatch.setitem(READINGS, SLOT, false)
    asyncio.run(remember_earlier(cell, [READINGS[2 * SLOT]]))
    with pytest.raises(MissingReading, match="no reading before the slot"):
        exported_wh(cell, READINGS[2 * SLOT])
