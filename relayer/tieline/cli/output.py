"""Text for people and JSON for programs: the forms in which commands print."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

NANO_PER_CENT = 10_000_000
WH_PER_KWH = 1000
ID_SHOWN = 12
"""Hex digits of an id in a table; commands take any prefix that is unique."""


def print_json(value: object) -> None:
    """Print a value as JSON, keys in their own order."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns, numbers to the right; no colours, so that it can be piped."""
    table = [list(header), *[list(row) for row in rows]]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    right = [
        bool(rows) and all(_is_number(row[column]) for row in rows) for column in range(len(header))
    ]
    for row in table:
        cells = [
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(row, widths, right, strict=True)
        ]
        print("  ".join(cells).rstrip())


def kwh(wh: int) -> str:
    """Return energy as kWh with three decimals, exact."""
    sign = "-" if wh < 0 else ""
    return f"{sign}{abs(wh) // WH_PER_KWH:,}.{abs(wh) % WH_PER_KWH:03d}"


def eur(nano_eur: int) -> str:
    """Return money as EUR with two decimals, rounded to the nearest cent for display only."""
    cents = (2 * abs(nano_eur) + NANO_PER_CENT) // (2 * NANO_PER_CENT)
    sign = "-" if nano_eur < 0 and cents else ""
    return f"{sign}{cents // 100:,}.{cents % 100:02d}"


def cents_per_kwh(micro_eur_per_kwh: int) -> str:
    """Return a price as cents a kWh, exact."""
    return f"{micro_eur_per_kwh // 10_000}.{micro_eur_per_kwh % 10_000:04d}".rstrip("0").rstrip(".")


def clock(time_s: int, zone: str = "UTC") -> str:
    """Return a time of day in a zone, with the zone's abbreviation."""
    return f"{datetime.fromtimestamp(time_s, UTC).astimezone(ZoneInfo(zone)):%H:%M:%S %Z}"


def day_clock(time_s: int, zone: str = "UTC") -> str:
    """Return date and time in a zone, to the minute."""
    return f"{datetime.fromtimestamp(time_s, UTC).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M %Z}"


def short(identifier: str) -> str:
    """Return the first digits of an id."""
    return identifier[:ID_SHOWN]


def _is_number(text: str) -> bool:
    return text in {"", "-"} or text.replace(",", "").replace(".", "").lstrip("-+").isdigit()
