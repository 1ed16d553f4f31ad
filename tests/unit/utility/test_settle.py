"""What settlement asks of cells: registers of the slot before, even where nothing was stated."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tieline.interfaces.cell_link import MeteredSlot
from tieline.swap.evidence import SignedReading
from tieline.swap.records import Reading
from tieline.utility.board import SlotBoard
from tieline.utility.cell import UtilityCell
from tieline.utility.phases.statement import exported_wh, imported_wh, remember_earlier

TAG, METER = b"\x01" * 32, b"\x02" * 32
SLOT = 900


def reading(counter: int, imported: int, exported: int) -> SignedReading:
    start = counter * SLOT
    return SignedReading(
        Reading(TAG, METER, start, SLOT, imported, exported, counter, 1), b"s" * 65
    )


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
    board = SlotBoard(cast(Any, None))
    return cast(UtilityCell, SimpleNamespace(board=board, links=[Link()]))


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
