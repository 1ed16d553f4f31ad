"""The clock of chaincode on a scenario's time: eight bytes in a file, read at every look."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_NS_PER_S: Final = 10**9


def set_clock(file: Path, time_s: int) -> None:
    """
    Let a clock show *time_s*, unix seconds. It may go back: a run that is resumed begins where
    its ledger stands, not where its clock was.
    """
    # Renamed, so that nobody reads half of it.
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_bytes((time_s * _NS_PER_S).to_bytes(8, "little"))
    fresh.replace(file)


def clock_s(file: Path) -> int:
    """Return what a clock shows, unix seconds."""
    return int.from_bytes(file.read_bytes(), "little") // _NS_PER_S
