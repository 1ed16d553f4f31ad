"""
Registers of meters: whose they are, that they only rise, and the energy between two of them.

Nothing counts before its meter's signature was checked, whoever hands it over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tieline.market.delivery import MissingReading
from tieline.swap.evidence import SignedReading
from tieline.swap.records import Reading
from tieline.swap.topology import MeterEntry
from tieline.utility.cell import UtilityCell
from tieline.utility.slot_work import SlotWork
from tieline.wire.errors import Malformed
from tieline.wire.typed_data import recover_signer_address

FIRST_COUNTER = 1
"""Of a meter's first reading."""


def objection_to_readings(
    cell: UtilityCell, work: SlotWork, readings: Sequence[SignedReading], expected: set[bytes]
) -> str | None:
    """
    Check that each expected meter shows one reading of the slot, under its own key.

    Returns:
        None if so, else what is wrong and of which meter.
    """
    meters = _meters(cell)
    seen: set[bytes] = set()
    for signed in readings:
        meter_id = signed.reading.meter_id
        wrong = _objection(cell, signed, meters.get(meter_id))
        if (signed.reading.period_start, signed.reading.period_length) != (
            work.slot_start,
            work.slot_length,
        ):
            wrong = wrong or "period"
        if meter_id in seen or meter_id not in expected:
            wrong = wrong or "a second reading"
        wrong = wrong or _fell(cell, signed.reading)
        if wrong is not None:
            return f"{wrong} of meter {meter_id.hex()}"
        seen.add(meter_id)
    if missing := sorted(expected - seen):
        return f"no reading of meter {missing[0].hex()}"
    return None


async def remember_earlier(cell: UtilityCell, readings: Sequence[SignedReading]) -> None:
    """
    Ask for the registers of the slot before where the board lacks them: nothing was stated then,
    so nobody published them. What does not fit its meter and its successor is not taken.
    """
    missing = {
        (reading.period_start - reading.period_length, reading.meter_id): reading.counter
        for reading in (signed.reading for signed in readings)
        if reading.counter > FIRST_COUNTER and _before(cell, reading) is None
    }
    meters = _meters(cell) if missing else {}
    for slot_start in sorted({start for start, _ in missing}):
        for link in cell.links:
            metered = await link.metered(slot_start)
            kept = [
                signed
                for signed in (*metered.readings, *metered.boundary)
                if missing.get((slot_start, signed.reading.meter_id)) == signed.reading.counter + 1
                and signed.reading.period_start == slot_start
                and _objection(cell, signed, meters.get(signed.reading.meter_id)) is None
            ]
            cell.board.keep_readings(slot_start, kept)


def exported_wh(cell: UtilityCell, signed: SignedReading) -> int:
    """
    Return what a meter says was fed in during its period: the difference of the export registers.
    A meter's first reading counts from zero.

    Raises:
        MissingReading: The register of the period before is not known.
    """
    reading = signed.reading
    before = _required(cell, reading)
    return reading.export_register_wh - (0 if before is None else before.export_register_wh)


def imported_wh(cell: UtilityCell, signed: SignedReading) -> int:
    """Return what a meter says was drawn in its period, as ``exported_wh``."""
    reading = signed.reading
    before = _required(cell, reading)
    return reading.import_register_wh - (0 if before is None else before.import_register_wh)


def _required(cell: UtilityCell, reading: Reading) -> Reading | None:
    before = _before(cell, reading)
    if before is None and reading.counter > FIRST_COUNTER:
        # From zero it would pay for everything that the meter ever counted.
        raise MissingReading(f"meter {reading.meter_id.hex()}: no reading before the slot")
    return before


def _before(cell: UtilityCell, reading: Reading) -> Reading | None:
    found = cell.board.reading(reading.period_start - reading.period_length, reading.meter_id)
    return None if found is None else found.reading


def _objection(cell: UtilityCell, signed: SignedReading, meter: MeterEntry | None) -> str | None:
    if meter is None or meter.chain_tag != signed.reading.chain_tag:
        return "a stranger's reading"
    try:
        signer = recover_signer_address(cell.domain, signed.reading, signed.signature)
    except Malformed:
        return "signature"
    return None if signer == meter.key else "signature"


def _fell(cell: UtilityCell, reading: Reading) -> str | None:
    """Return what is wrong with a register that did not follow the one before."""
    before = _before(cell, reading)
    if before is None:
        return None
    if reading.counter != before.counter + 1:
        return "counter"
    exported = reading.export_register_wh - before.export_register_wh
    imported = reading.import_register_wh - before.import_register_wh
    return "a fallen register" if min(exported, imported) < 0 else None


def _meters(cell: UtilityCell) -> dict[bytes, MeterEntry]:
    rows: Iterable[MeterEntry] = (*cell.topology.meters, *cell.topology.boundary_meters)
    return {row.meter_id: row for row in rows}
