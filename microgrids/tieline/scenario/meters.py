"""
An operator's own meter readings from CSV: columns ``time``, ``meter``, and ``kWh`` or ``kW``.

Everything that cannot be right is refused with its line: units, negative values, gaps, duplicates,
rows out of order, local times that did not exist. Nothing is filled in or guessed.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from typing import NoReturn
from zoneinfo import ZoneInfo

from tieline.interfaces.errors import ConfigError
from tieline.scenario.config import TICK_S

UNITS = {"kwh": "kWh", "kw": "kW"}
INTERVALS_S = (900, 1800, 3600)
"""Readings may be quarter-hourly, half-hourly or hourly; longer ones are spread evenly."""
MILLIWATT_PER_KW = 10**6
KW_MAX = 100_000
"""Above 100 MW a meter's unit was mistaken (Wh or W instead of kWh or kW)."""


@dataclass(frozen=True, slots=True)
class MeterSeries:
    """One meter's readings as mean power of quarter hours, draw or feed-in, at least 0."""

    start_s: int
    """Unix seconds of the first quarter hour."""
    milliwatt: tuple[int, ...]

    def at(self, time_s: int) -> int:
        """Return the mean power of the quarter hour at *time_s*. Raises KeyError outside."""
        tick = (time_s - self.start_s) // TICK_S
        if not 0 <= tick < len(self.milliwatt):
            raise KeyError(time_s)
        return self.milliwatt[tick]


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of the file."""

    line: int
    start_s: int
    value: Decimal


def read_meters(path: Path, unit: str, time_zone: str) -> dict[str, MeterSeries]:
    """
    Read meter readings.

    Args:
        path: CSV with a header line; separator comma or semicolon, decimal point.
        unit: ``kWh`` in each interval or mean ``kW``; the header must say the same.
        time_zone: IANA zone of stamps that carry no offset. Stamps mark the interval's start. In
            the hour that comes twice in autumn the first appearance is summer time.

    Returns:
        Series by meter id, in the order in which meters appear.

    Raises:
        ConfigError: With file, line, what is wrong and what to write instead.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as exc:  # a name with a NUL, or no UTF-8
        raise ConfigError(
            f"cannot be read: {exc}", file=str(path), instead="write the path of a CSV file"
        ) from exc
    lines = text.splitlines()
    if not lines:
        _refuse(path, 1, "the file is empty", "start with the header time,meter,kWh")
    separator = ";" if ";" in lines[0] else ","
    rows = csv.reader(lines, delimiter=separator)
    try:
        columns = _check_header(path, next(rows), unit)
        return _series(path, _parse(path, rows, columns, ZoneInfo(time_zone)), unit)
    except csv.Error as exc:
        _refuse(path, rows.line_num, f"cannot be read: {exc}", "write time, meter and value")


def check_coverage(path: Path, meters: Mapping[str, MeterSeries], first_s: int, end_s: int) -> None:
    """
    Refuse readings that do not reach over a run.

    Args:
        path: The file, for the message.
        meters: What ``read_meters`` returned.
        first_s: Start of the run, unix seconds.
        end_s: End of its last slot, unix seconds.

    Raises:
        ConfigError: Names the meter and what it covers.
    """
    for meter, series in meters.items():
        last_s = series.start_s + len(series.milliwatt) * TICK_S
        if series.start_s > first_s or last_s < end_s:
            raise ConfigError(
                f"readings of {meter!r} reach from {_utc(series.start_s)} to {_utc(last_s)}",
                file=str(path),
                key="profiles.meters_csv",
                instead=f"bring readings from {_utc(first_s)} to {_utc(end_s)}",
            )


def _check_header(path: Path, header: list[str], unit: str) -> tuple[int, int, int]:
    """Return the places of time, meter and value."""
    names = [name.strip().lower() for name in header]
    if len(set(names)) != len(names):
        _refuse(path, 1, f"a column stands twice in {header}", "keep one of them")
    value = next((name for name in names if name in UNITS), None)
    unknown = [name for name in names if name not in {"time", "meter", *UNITS}]
    if value is None or unknown or len(names) != 3:
        wrong = f"unknown columns {unknown}" if unknown else f"columns are {header}"
        _refuse(path, 1, wrong, f"write the header time,meter,{unit}")
    if UNITS[value] != unit:
        _refuse(
            path,
            1,
            f"the file is in {UNITS[value]}, the scenario says {unit}",
            f"write `meters_unit: {UNITS[value]}`, or convert the file",
        )
    return names.index("time"), names.index("meter"), names.index(value)


def _parse(
    path: Path, rows: Iterable[list[str]], columns: tuple[int, int, int], zone: ZoneInfo
) -> dict[str, list[_Row]]:
    """Parse the lines of each meter; stamps must rise."""
    meters: dict[str, list[_Row]] = {}
    time_column, meter_column, value_column = columns
    for line, row in enumerate(rows, start=2):
        if not row:
            continue
        if len(row) != 3:
            _refuse(path, line, f"{len(row)} values", "write time, meter and value")
        meter = row[meter_column].strip()
        if not meter:
            _refuse(path, line, "the meter's id is missing", "name an energy cell")
        known = meters.setdefault(meter, [])
        start_s = _stamp(path, line, row[time_column].strip(), zone, known)
        if known and start_s == known[-1].start_s:
            _refuse(
                path,
                line,
                f"{meter!r} has a reading of {row[time_column]} on line {known[-1].line} already",
                "keep one of them",
            )
        if known and start_s < known[-1].start_s:
            _refuse(
                path,
                line,
                f"{row[time_column]} of {meter!r} comes after a later reading (line "
                f"{known[-1].line})",
                "sort the file by time",
            )
        known.append(_Row(line, start_s, _value(path, line, row[value_column].strip())))
    if not meters:
        _refuse(path, 2, "no readings", "write one line a meter and quarter hour")
    return meters


def _stamp(path: Path, line: int, text: str, zone: ZoneInfo, known: list[_Row]) -> int:
    """Return a stamp as unix seconds; both daylight-saving days are looked after."""
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError:
        _refuse(path, line, f"{text!r} is not a time", "write it as 2016-01-18 14:00")
    if stamp.tzinfo is None:
        local = stamp.replace(tzinfo=zone)
        if local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != stamp:
            _refuse(
                path,
                line,
                f"{text} does not exist in {zone.key}: clocks were put forward over it",
                "leave the hour out, or write UTC",
            )
        is_second = bool(known) and int(local.timestamp()) <= known[-1].start_s
        later = local.replace(fold=1)
        if is_second and later.utcoffset() != local.utcoffset():
            # The repeated hour of autumn: what was there before is now an hour later.
            local = later
        stamp = local
    seconds = int(stamp.timestamp())
    if seconds % TICK_S or stamp.microsecond:
        _refuse(
            path,
            line,
            f"{text} is not the start of a quarter hour",
            "write stamps at minutes 00, 15, 30, 45",
        )
    return seconds


def _value(path: Path, line: int, text: str) -> Decimal:
    """Return a reading, at least 0."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        _refuse(path, line, f"{text!r} is not a number", "write a decimal point and no unit")
    if not value.is_finite():
        _refuse(path, line, f"{text!r} is not a number", "leave no reading out")
    if value < 0:
        _refuse(
            path,
            line,
            f"{text} is negative",
            "write draw and feed-in as positive numbers; the cell's kind gives the direction",
        )
    return value


def _series(path: Path, meters: dict[str, list[_Row]], unit: str) -> dict[str, MeterSeries]:
    """Check that nothing is missing between the readings, and spread them over quarter hours."""
    series: dict[str, MeterSeries] = {}
    for meter, rows in meters.items():
        step_s = rows[1].start_s - rows[0].start_s if len(rows) > 1 else TICK_S
        if step_s not in INTERVALS_S:
            _refuse(
                path,
                rows[1].line,
                f"{step_s // 60} minutes after the reading before it",
                "write readings of 15, 30 or 60 minutes",
            )
        for before, row in pairwise(rows):
            if row.start_s - before.start_s != step_s:
                _refuse(
                    path,
                    row.line,
                    f"gap: the reading of {meter!r} at {_utc(before.start_s + step_s)} is missing",
                    "fill it in from your own records",
                )
        power = [_milliwatt(path, row, unit, step_s) for row in rows]
        ticks = tuple(value for value in power for _ in range(step_s // TICK_S))
        series[meter] = MeterSeries(rows[0].start_s, ticks)
    return series


def _milliwatt(path: Path, row: _Row, unit: str, step_s: int) -> int:
    """Turn a reading into mean power, rounded to the nearest milliwatt."""
    kilowatt = row.value * 3600 / step_s if unit == "kWh" else row.value
    if kilowatt > KW_MAX:
        _refuse(path, row.line, f"{row.value} {unit} is beyond 100 MW", f"check that it is {unit}")
    return round(kilowatt * MILLIWATT_PER_KW)


def _utc(seconds: int) -> str:
    """Write a time as a person reads it."""
    return f"{datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds):%Y-%m-%dT%H:%MZ}"


def _refuse(path: Path, line: int, what: str, instead: str) -> NoReturn:
    raise ConfigError(what, file=f"{path}:{line}", instead=instead)
