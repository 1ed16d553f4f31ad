"""
Cuts the profiles that we ship out of the SimBench wheel: two weeks of load, PV and wind.

Only the two CSV files inside the wheel are read; the package itself is neither needed nor run.
``tieline data slice --wheel FILE`` is the command for it.
"""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tieline.interfaces.errors import ConfigError

FOLDER = "simbench/networks/1-complete_data-mixed-all-0-sw/"
"""The whole national data set, scenario 0 (today)."""
TABLES = ("LoadProfile.csv", "RESProfile.csv")
EXCLUDED_PREFIX = "hv_"
"""Stand-ins for high-voltage areas: beyond the range of 16 bits, and not of a microgrid's size."""
PER_UNIT = 10_000
"""Values are stored as int16 of 1e-4."""
TICKS = 7 * 96
SIZE_MAX = 400_000
"""Bytes that the repository and the wheel of tieline can carry."""
LOCAL_STAMP = "%d.%m.%Y %H:%M"


@dataclass(frozen=True, slots=True)
class Week:
    """One of the two weeks, Monday 00:00 local time to Monday 00:00."""

    name: str
    monday: datetime
    """As stamped in the file, with the offset that local time had then."""


WEEKS = (
    Week("winter", datetime(2016, 1, 18, tzinfo=timezone(timedelta(hours=1)))),
    Week("summer", datetime(2016, 7, 4, tzinfo=timezone(timedelta(hours=2)))),
)


def slice_wheel(wheel: Path, out: Path) -> int:
    """
    Cut the two weeks out of a SimBench wheel and write them as npz.

    Args:
        wheel: ``simbench-*.whl`` as ``pip download --no-deps simbench`` leaves it.
        out: The npz file to write.

    Returns:
        Size of the file in bytes, under ``SIZE_MAX``. The same wheel gives the same bytes.

    Raises:
        ConfigError: The wheel cannot be read or does not hold what we know of it.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            tables = [archive.read(FOLDER + name).decode() for name in TABLES]
    except (OSError, KeyError, zipfile.BadZipFile) as exc:
        raise ConfigError(
            f"not a SimBench wheel: {exc}",
            file=str(wheel),
            instead="fetch it with `pip download --no-deps simbench`",
        ) from exc
    return _write(tables, out, str(wheel))


def slice_installed_package(out: Path) -> int:
    """
    Do what ``slice_wheel`` does from an installed SimBench (dependency group ``data``).

    Raises:
        ConfigError: SimBench is not installed, or its files are not what we know of it.
    """
    try:
        package = metadata.distribution("simbench")
        tables = [
            Path(str(package.locate_file(FOLDER + name))).read_text(encoding="utf-8")
            for name in TABLES
        ]
    except (metadata.PackageNotFoundError, OSError) as exc:
        raise ConfigError(
            "SimBench is not installed",
            key="--from-package",
            instead="install the dependency group `data`, or name a wheel with --wheel",
        ) from exc
    return _write(tables, out, "simbench")


def _write(tables: list[str], out: Path, source: str) -> int:
    """Cut, pack and write."""
    names: list[str] = []
    weeks: dict[str, list[NDArray[np.int16]]] = {week.name: [] for week in WEEKS}
    for text in tables:
        header, rows = _rows_by_week(text, source)
        kept = [i for i, name in enumerate(header) if i and not name.startswith(EXCLUDED_PREFIX)]
        names += [header[i] for i in kept]
        for week in WEEKS:
            values = np.array(
                [[float(row[i]) for i in kept] for row in rows[week.name]], dtype=np.float64
            )
            weeks[week.name].append(_pack(values, source))
    arrays = {name: np.concatenate(parts) for name, parts in weeks.items()}
    starts = np.array([int(week.monday.astimezone(UTC).timestamp()) for week in WEEKS])
    packed = io.BytesIO()
    np.savez_compressed(
        packed,
        columns=np.array(names),
        weeks=np.array([week.name for week in WEEKS]),
        start_s=starts.astype(np.int64),
        winter=arrays["winter"],
        summer=arrays["summer"],
    )
    content = packed.getvalue()
    assert len(content) < SIZE_MAX, "the slice has outgrown the repository"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(content)
    return len(content)


def _pack(values: NDArray[np.float64], source: str) -> NDArray[np.int16]:
    """Turn per-unit values (ticks, columns) into int16 of 1e-4, (columns, ticks)."""
    scaled = np.rint(values * PER_UNIT)
    if not np.isfinite(scaled).all() or np.abs(scaled).max() > np.iinfo(np.int16).max:
        raise ConfigError(
            "a value does not fit int16 of 1e-4",
            file=source,
            instead="use SimBench 1.6",
        )
    # One column after the other compresses better than one tick after the other.
    return np.ascontiguousarray(scaled.T.astype(np.int16))


def _rows_by_week(text: str, source: str) -> tuple[list[str], dict[str, list[list[str]]]]:
    """Return the header, and the rows of each week, which must be complete and in order."""
    reader = csv.reader(io.StringIO(text), delimiter=";")
    header = next(reader)
    rows = list(reader)
    position = {row[0]: index for index, row in enumerate(rows)}
    weeks: dict[str, list[list[str]]] = {}
    for week in WEEKS:
        stamps = [
            (week.monday + timedelta(minutes=15 * tick)).strftime(LOCAL_STAMP)
            for tick in range(TICKS)
        ]
        first = position.get(stamps[0], len(rows))
        cut = rows[first : first + TICKS]
        if [row[0] for row in cut] != stamps:
            raise ConfigError(
                f"the week from {stamps[0]} is not complete",
                file=source,
                instead="use SimBench 1.6",
            )
        weeks[week.name] = cut
    return header, weeks
