"""
What energy cells foresee, quarter hour by quarter hour: profiles or own readings, by bus.

Integers: milliwatt, millivar. Draw and feed-in are positive each; an injection is positive into the
network.

Note:
    Reactive power follows the load's own series; plants and dispatchable devices run at cos phi 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from tieline.interfaces.errors import ConfigError
from tieline.scenario.cells import EnergyCell, expand_cells
from tieline.scenario.config import (
    DEMAND,
    DISPATCHABLE,
    GENERATION,
    TICK_S,
    Kind,
    ScenarioConfig,
)
from tieline.scenario.draws import MILLI
from tieline.scenario.meters import MeterSeries, check_coverage, read_meters
from tieline.scenario.profiles import FLAT, PER_UNIT, ProfileWeek, week_of

BACKGROUND_METER = "bus-"
"""A meter of this name and a bus number replaces the background load of that bus."""
PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class BusForecast:
    """Committed injection of a bus over a quarter hour, traded or not."""

    p_milliwatt: int
    q_millivar: int
    sigma_milliwatt: int
    """Standard deviation of the bus's own part of the error; the common part is apart."""


@dataclass(frozen=True, slots=True)
class RatedLoad:
    """The network's own loads at a bus, before scaling: draw positive."""

    p_milliwatt: int
    q_millivar: int


class CellSeries:
    """
    The energy cells of a scenario with their forecasts.

    Args:
        config: A checked scenario.
        rated_loads: The network's own loads by bus; with the scenario's ``load_scaling`` and
            ``background_profile`` they are the part that does not trade.

    Raises:
        ConfigError: A profile is unknown, the date has no series, or meter readings are refused.
    """

    def __init__(self, config: ScenarioConfig, rated_loads: Mapping[int, RatedLoad]) -> None:
        self._config = config
        self._week: ProfileWeek = week_of(config)
        self.cells: tuple[EnergyCell, ...] = expand_cells(config)
        """In the order of the scenario."""
        self._loads = dict(sorted(rated_loads.items()))
        self._scaling_ppm = round(config.network.load_scaling * PPM)
        _check_profiles(config, self.cells, self._week)
        run = range(config.start_s, config.slot_start_s(config.slot_count), TICK_S)
        self._peak = self._week.peak_draw(config.network.background_profile, run)
        self._meters = _read_own_meters(config, self.cells, self._loads)

    def ticks(self, slot_start_s: int) -> range:
        """Return the starts of a slot's quarter hours, unix seconds."""
        return range(slot_start_s, slot_start_s + self._config.slot_length_s, TICK_S)

    def forecast(self, cell: EnergyCell, tick_s: int) -> tuple[int, int]:
        """
        Return the committed injection (milliwatt, millivar) of a cell over a quarter hour.

        Dispatchable cells stand still in it: their trades are what moves the network.
        """
        load, reactive, plant = self.parts(cell, tick_s)
        return plant - load, -reactive

    def baseline(self, tick_s: int) -> dict[int, BusForecast]:
        """Return the base case of a quarter hour by bus, ascending: cells and background."""
        own_ppm = percent_ppm(self._config.errors.background_sigma_percent)
        power: dict[int, list[int]] = {}
        variance: dict[int, int] = {}
        for bus, (p, q) in self.background(tick_s).items():
            power[bus] = [p, q]
            variance[bus] = (p * own_ppm // PPM) ** 2
        for cell in self.cells:
            p, q = self.forecast(cell, tick_s)
            here = power.setdefault(cell.bus, [0, 0])
            here[0] += p
            here[1] += q
            sigma = self.sigma(cell, tick_s)
            variance[cell.bus] = variance.get(cell.bus, 0) + sigma**2
        return {
            bus: BusForecast(p, q, math.isqrt(variance[bus]))
            for bus, (p, q) in sorted(power.items())
        }

    def sigma(self, cell: EnergyCell, tick_s: int) -> int:
        """Return the own part of a cell's forecast error, milliwatt."""
        own_ppm = percent_ppm(self._config.errors.sigma_percent(cell.kind))
        pv_ppm = percent_ppm(self._config.errors.sigma_percent(Kind.PV))
        load, _, plant = self.parts(cell, tick_s)
        if cell.kind in GENERATION:
            return plant * own_ppm // PPM
        return math.isqrt((load * own_ppm // PPM) ** 2 + (plant * pv_ppm // PPM) ** 2)

    def own_share_ppm(self, tick_s: int) -> int:
        """
        Return one share of |P| that stands for the own errors of the microgrids' buses, millionths,
        rounded up: as large a sum of variances as the buses' own sigmas have.
        """
        buses = self.baseline(tick_s)
        owned = [buses[bus] for m in self._config.microgrids for bus in m.buses if bus in buses]
        variance = sum(bus.sigma_milliwatt**2 for bus in owned)
        power = sum(bus.p_milliwatt**2 for bus in owned)
        return math.isqrt(PPM**2 * variance // power) + 1 if power else 0

    def parts(self, cell: EnergyCell, tick_s: int) -> tuple[int, int, int]:
        """Return forecast draw (milliwatt), reactive draw (millivar) and feed-in (milliwatt)."""
        own = self._meters.get(cell.id)
        plant = 0
        if cell.pv_w:
            plant = cell.pv_w * MILLI * self._week.feed_in(cell.pv_profile, tick_s) // PER_UNIT
        if cell.kind in GENERATION:
            series = self._week.feed_in(cell.profile, tick_s)
            rated = cell.rating_w * MILLI * series // PER_UNIT
            return 0, 0, rated if own is None else own.at(tick_s)
        if cell.kind in DEMAND:
            load = cell.rating_w * MILLI * self._week.draw(cell.profile, tick_s) // PER_UNIT
            rated_var = cell.rating_w * cell.tan_phi_permille
            reactive = rated_var * self._week.reactive_draw(cell.profile, tick_s) // PER_UNIT
            return load if own is None else own.at(tick_s), reactive, plant
        return 0, 0, 0

    def background(self, tick_s: int) -> dict[int, tuple[int, int]]:
        """Return the injection of those who do not trade by bus, forecast."""
        name = self._config.network.background_profile
        shape = self._week.draw(name, tick_s)
        scaled: dict[int, tuple[int, int]] = {}
        for bus, load in self._loads.items():
            own = self._meters.get(f"{BACKGROUND_METER}{bus}")
            p = load.p_milliwatt * self._scaling_ppm * shape // (PPM * self._peak)
            q = load.q_millivar * self._scaling_ppm * shape // (PPM * self._peak)
            scaled[bus] = (-p if own is None else -own.at(tick_s), -q)
        return scaled


def percent_ppm(percent: float) -> int:
    """Return percent as millionths, rounded to the nearest."""
    return round(percent * PPM / 100)


def _check_profiles(
    config: ScenarioConfig, cells: tuple[EnergyCell, ...], week: ProfileWeek
) -> None:
    """Refuse names of series that do not exist."""
    loads, plants = {*week.load_names, FLAT}, set(week.plant_names)
    background = config.network.background_profile
    if background not in loads:
        raise ConfigError(
            f"unknown load profile {background!r}",
            key="network.background_profile",
            instead="write `flat` or a name of `tieline data list`",
        )
    for cell in cells:
        wanted = [(cell.pv_profile, plants)] if cell.pv_w else []
        if cell.kind in GENERATION:
            wanted.append((cell.profile, plants))
        elif cell.kind in DEMAND:
            wanted.append((cell.profile, loads))
        for name, known in wanted:
            if name not in known:
                raise ConfigError(
                    f"unknown profile {name!r} of energy cell {cell.id!r} ({cell.kind})",
                    key="microgrids[].energy_cells[].profile",
                    instead="write a name of `tieline data list`",
                )


def _read_own_meters(
    config: ScenarioConfig, cells: tuple[EnergyCell, ...], loads: Mapping[int, RatedLoad]
) -> dict[str, MeterSeries]:
    """Read the operator's readings, if the scenario names some; each meter must be known."""
    profiles = config.profiles
    if profiles.meters_csv is None or profiles.meters_unit is None:
        return {}
    meters = read_meters(profiles.meters_csv, profiles.meters_unit, profiles.meters_time_zone)
    known = {cell.id for cell in cells if cell.kind not in DISPATCHABLE}
    known |= {f"{BACKGROUND_METER}{bus}" for bus in loads}
    for meter in meters:
        if meter not in known:
            raise ConfigError(
                f"meter {meter!r} belongs to no energy cell",
                file=str(profiles.meters_csv),
                instead=f"write an energy cell's id, or `{BACKGROUND_METER}N` for bus N",
            )
    end_s = config.slot_start_s(config.slot_count)
    check_coverage(profiles.meters_csv, meters, config.start_s, end_s)
    return meters
