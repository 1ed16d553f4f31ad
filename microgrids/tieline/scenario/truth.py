"""
What energy cells and the main grid really do: forecasts with their errors, and what meters show.

This is the only place where errors are drawn, by hashing, so that nothing else can know them.
Integers: milliwatt, millivar, Wh; injections positive into the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tieline.scenario.cells import EnergyCell
from tieline.scenario.config import (
    DISPATCHABLE,
    GENERATION,
    TICK_S,
    Kind,
    NonDeliveryEvent,
    ScenarioConfig,
    SlackVoltageEvent,
)
from tieline.scenario.draws import MILLI, draw_normal_milli
from tieline.scenario.series import BACKGROUND_METER, PPM, CellSeries, percent_ppm

TICKS_PER_HOUR = 3600 // TICK_S


@dataclass(frozen=True, slots=True)
class CellEnergy:
    """What one cell did in a slot."""

    true_wh: int
    """Injection that flowed, rounded to the nearest Wh."""
    metered_wh: int
    """Injection that its meter shows."""


@dataclass(frozen=True, slots=True)
class ActualTick:
    """What really flows in a quarter hour."""

    buses: Mapping[int, tuple[int, int]]
    """bus -> injection (milliwatt, millivar), ascending bus."""
    cells: Mapping[str, int]
    """Energy cell -> injection, milliwatt, in the order of the scenario."""
    slack_voltage_ppm: int
    """Voltage of the main grid, millionths of the rated one."""


class Truth:
    """Draws what happens; the same scenario always gets the same."""

    def __init__(self, config: ScenarioConfig, series: CellSeries) -> None:
        self._config = config
        self._series = series

    def actual(self, tick_s: int, setpoints_wh: Mapping[str, int]) -> ActualTick:
        """
        Return what flows in a quarter hour, errors drawn.

        Args:
            tick_s: Start of the quarter hour, unix seconds.
            setpoints_wh: Energy cell -> injection over the whole slot in Wh, for the dispatchable
                positions that the verdict accepted; cells without one stand still.
        """
        cells = {
            cell.id: self._actual_of(cell, tick_s, setpoints_wh.get(cell.id, 0))
            for cell in self._series.cells
        }
        buses: dict[int, list[int]] = {}
        own = percent_ppm(self._config.errors.background_sigma_percent)
        for bus, (p, q) in self._series.background(tick_s).items():
            error_ppm = self._error_ppm(own, "background", tick_s, f"{BACKGROUND_METER}{bus}")
            buses[bus] = [_scaled(p, error_ppm), _scaled(q, error_ppm)]
        for cell in self._series.cells:
            here = buses.setdefault(cell.bus, [0, 0])
            here[0] += cells[cell.id]
            here[1] += self._series.forecast(cell, tick_s)[1]
        return ActualTick(
            MappingProxyType({bus: (p, q) for bus, (p, q) in sorted(buses.items())}),
            MappingProxyType(cells),
            self.slack_voltage_ppm(tick_s),
        )

    def energy(self, slot_start_s: int, setpoints_wh: Mapping[str, int]) -> dict[str, CellEnergy]:
        """
        Return the energy of each cell over a slot, true and metered, in the scenario's order.

        Args:
            slot_start_s: Start of the slot, unix seconds.
            setpoints_wh: As in ``actual``.
        """
        sigma_ppm = percent_ppm(self._config.errors.meter_sigma_percent)
        totals = dict.fromkeys((cell.id for cell in self._series.cells), 0)
        for tick_s in self._series.ticks(slot_start_s):
            for name, milliwatt in self.actual(tick_s, setpoints_wh).cells.items():
                totals[name] += milliwatt
        energies: dict[str, CellEnergy] = {}
        for name, total in totals.items():
            error = draw_normal_milli(self._config.seed, "meter", slot_start_s, name)
            metered = _scaled(total, PPM + error * sigma_ppm // MILLI)
            energies[name] = CellEnergy(_nearest_wh(total), _nearest_wh(metered))
        return energies

    def slack_voltage_ppm(self, tick_s: int) -> int:
        """Return the main grid's voltage as it turns out, millionths of the rated one."""
        voltage = self._config.network.slack_voltage_pu
        slot = self._config.slot_index(tick_s)
        for event in self._config.events:
            if isinstance(event, SlackVoltageEvent) and slot in event.slots:
                voltage = event.voltage_pu
        return round(voltage * PPM)

    def _actual_of(self, cell: EnergyCell, tick_s: int, setpoint_wh: int) -> int:
        """Return the true injection of a cell, milliwatt."""
        errors = self._config.errors
        own_ppm = percent_ppm(errors.sigma_percent(cell.kind))
        delivered = self._delivered_ppm(cell.id, tick_s)
        if cell.kind in DISPATCHABLE:
            planned = setpoint_wh * MILLI * 3600 // self._config.slot_length_s
            own = self._error_ppm(own_ppm, cell.kind.value, tick_s, cell.id)
            return _scaled(_scaled(planned, own), delivered)
        load, _, plant = self._series.parts(cell, tick_s)
        if cell.kind in GENERATION:
            own = self._error_ppm(own_ppm, cell.kind.value, tick_s, cell.id)
            ceiling = max(cell.rating_w * MILLI, plant)
            return _scaled(min(_scaled(plant, own), ceiling), delivered)
        own = self._error_ppm(own_ppm, cell.kind.value, tick_s, cell.id)
        pv_ppm = percent_ppm(errors.sigma_percent(Kind.PV))
        sun = self._error_ppm(pv_ppm, Kind.PV.value, tick_s, f"{cell.id}/pv")
        roof = min(_scaled(plant, sun), max(cell.pv_w * MILLI, plant))
        return _scaled(roof, delivered) - _scaled(load, own)

    def _error_ppm(self, own_ppm: int, kind: str, tick_s: int, name: str) -> int:
        """Return truth over forecast with own and common error, millionths, at least 0."""
        seed = self._config.seed
        common_ppm = percent_ppm(self._config.errors.common_sigma_percent)
        own = draw_normal_milli(seed, "error", tick_s, name) * own_ppm // MILLI
        common = draw_normal_milli(seed, "common", tick_s, kind) * common_ppm // MILLI
        return max(0, PPM + own + common)

    def _delivered_ppm(self, name: str, tick_s: int) -> int:
        """Return how much of its feed-in a cell really delivers, millionths."""
        slot = self._config.slot_index(tick_s)
        for event in self._config.events:
            if isinstance(event, NonDeliveryEvent) and event.cell == name and slot in event.slots:
                return percent_ppm(event.delivered_percent)
        return PPM


def _scaled(value: int, ppm: int) -> int:
    """Return value * ppm / 10^6, towards zero on both sides."""
    scaled = abs(value) * ppm // PPM
    return scaled if value >= 0 else -scaled


def _nearest_wh(tick_milliwatt: int) -> int:
    """Return the Wh of a sum of quarter-hourly powers (milliwatt), halves away from zero."""
    unit = TICKS_PER_HOUR * MILLI
    nearest = (2 * abs(tick_milliwatt) + unit) // (2 * unit)
    return nearest if tick_milliwatt >= 0 else -nearest
