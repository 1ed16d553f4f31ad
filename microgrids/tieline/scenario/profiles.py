"""
The shipped time series: a winter and a summer week of SimBench, in integers of 1e-4 of a rating.

Stamps are UTC and mark the start of a quarter hour. Load is positive as a draw, plants as feed-in;
the sign of an injection is made where cells are put together, in ``households``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tieline.interfaces.errors import ConfigError
from tieline.scenario.config import TICK_S, ScenarioConfig

PROFILES = Path(__file__).parent / "data" / "profiles.npz"
PER_UNIT = 10_000
"""A value of 10000 is the rating."""
FLAT = "flat"
"""Name of the series that is always 1."""


@dataclass(frozen=True)
class ProfileWeek:
    """
    One week of all series. Times outside the week take the value of the same time of week.
    """

    name: str
    start_s: int
    """Unix seconds of the first quarter hour (Monday 00:00 local time)."""
    index: Mapping[str, int]
    """Column name -> row."""
    values: NDArray[np.int16]
    """(columns, quarter hours), 1e-4 of the rating."""

    @property
    def load_names(self) -> list[str]:
        """Names of load series, ascending: each has active and most have reactive power."""
        return sorted(name.removesuffix("_pload") for name in self.index if name.endswith("_pload"))

    @property
    def plant_names(self) -> list[str]:
        """Names of PV, wind, biomass and hydro series, ascending."""
        return sorted(name for name in self.index if not name.endswith(("_pload", "_qload")))

    def draw(self, name: str, time_s: int) -> int:
        """Return the active draw of a load, 1e-4 of its rating. Raises KeyError for a stranger."""
        if name == FLAT:
            return PER_UNIT
        return self._value(f"{name}_pload", time_s)

    def reactive_draw(self, name: str, time_s: int) -> int:
        """Return the reactive draw of a load, 1e-4 of its reactive rating, inductive positive."""
        if name == FLAT:
            return PER_UNIT
        return self._value(f"{name}_qload", time_s)

    def feed_in(self, name: str, time_s: int) -> int:
        """Return the feed-in of a plant, 1e-4 of its rating, at least 0."""
        return self._value(name, time_s)

    def peak_draw(self, name: str, times_s: range) -> int:
        """Return the largest draw of a load at some times, 1e-4 of its rating, at least 1."""
        return max(1, *(self.draw(name, time_s) for time_s in times_s))

    def _value(self, column: str, time_s: int) -> int:
        tick = (time_s - self.start_s) // TICK_S % self.values.shape[1]
        return int(self.values[self.index[column], tick])


@cache
def shipped_weeks() -> tuple[ProfileWeek, ...]:
    """Return the weeks that come with tieline: winter, summer."""
    with np.load(PROFILES, allow_pickle=False) as packed:
        index = {str(name): row for row, name in enumerate(packed["columns"])}
        return tuple(
            ProfileWeek(str(name), int(start), index, packed[str(name)])
            for name, start in zip(packed["weeks"], packed["start_s"], strict=True)
        )


def week_of(config: ScenarioConfig) -> ProfileWeek:
    """
    Return the week a scenario takes its series from: the one it names, or that of its date.

    Raises:
        ConfigError: It names none, and its date lies in neither week.
    """
    for week in shipped_weeks():
        end_s = week.start_s + week.values.shape[1] * TICK_S
        if config.profiles.week == week.name:
            return week
        if config.profiles.week is None and week.start_s <= config.start_s < end_s:
            return week
    raise ConfigError(
        f"no profiles for {config.start_utc:%Y-%m-%d}",
        key="profiles.week",
        instead="write `winter` or `summer`, or a date of 2016-01-18..24 or 2016-07-04..10",
    )
