"""
The energy cells of a scenario in one place: what they foresee, ask for, and then really do.

The world asks here; the parts are ``series`` (forecasts), ``order_intents`` and ``truth``.
"""

from __future__ import annotations

from collections.abc import Mapping

from tieline.scenario.cells import EnergyCell
from tieline.scenario.config import RelayerDownEvent, ScenarioConfig, SilentOwnerEvent
from tieline.scenario.order_intents import OrderBook, OrderIntent
from tieline.scenario.series import BusForecast, CellSeries, RatedLoad
from tieline.scenario.truth import ActualTick, CellEnergy, Truth

__all__ = [
    "ActualTick",
    "BusForecast",
    "CellEnergy",
    "EnergyCell",
    "Households",
    "OrderIntent",
    "RatedLoad",
]


class Households:
    """
    The energy cells of a scenario.

    Args:
        config: A checked scenario.
        rated_loads: The network's own loads by bus, before ``load_scaling``.

    Raises:
        ConfigError: A profile is unknown, the date has no series, or meter readings are refused.
    """

    def __init__(self, config: ScenarioConfig, rated_loads: Mapping[int, RatedLoad]) -> None:
        self._config = config
        self.series = CellSeries(config, rated_loads)
        """Forecasts."""
        self._book = OrderBook(config, self.series)
        self._truth = Truth(config, self.series)

    @property
    def cells(self) -> tuple[EnergyCell, ...]:
        """All energy cells, in the order of the scenario."""
        return self.series.cells

    def ticks(self, slot_start_s: int) -> range:
        """Return the starts of a slot's quarter hours, unix seconds."""
        return self.series.ticks(slot_start_s)

    def orders(self, slot_start_s: int) -> tuple[OrderIntent, ...]:
        """
        Return all orders of a slot: energy cells in the order of the scenario, then the operator.
        """
        return self._book.orders(slot_start_s)

    def baseline(self, tick_s: int) -> dict[int, BusForecast]:
        """Return the base case of a quarter hour by bus, ascending: cells and background."""
        return self.series.baseline(tick_s)

    def actual(self, tick_s: int, setpoints_wh: Mapping[str, int]) -> ActualTick:
        """
        Return what flows in a quarter hour, errors drawn.

        Args:
            tick_s: Start of the quarter hour, unix seconds.
            setpoints_wh: Energy cell -> injection over the whole slot in Wh, for the dispatchable
                positions that the verdict accepted; cells without one stand still.
        """
        return self._truth.actual(tick_s, setpoints_wh)

    def energy(self, slot_start_s: int, setpoints_wh: Mapping[str, int]) -> dict[str, CellEnergy]:
        """
        Return the energy of each cell over a slot, true and metered, in the scenario's order.

        Args:
            slot_start_s: Start of the slot, unix seconds.
            setpoints_wh: As in ``actual``.
        """
        return self._truth.energy(slot_start_s, setpoints_wh)

    def silent_owners(self, slot_start_s: int) -> frozenset[str]:
        """Return the names of the microgrids (or the operator) whose cell signs nothing."""
        slot = self._config.slot_index(slot_start_s)
        return frozenset(
            event.microgrid
            for event in self._config.events
            if isinstance(event, SilentOwnerEvent) and slot in event.slots
        )

    def relayer_outages(self, gate_lead_s: int) -> tuple[range, ...]:
        """
        Return the unix seconds in which the relayer stands still.

        Args:
            gate_lead_s: Gate closure lies so long before a slot's start.
        """
        starts = [
            (self._config.slot_start_s(event.slot) - gate_lead_s, event.seconds)
            for event in self._config.events
            if isinstance(event, RelayerDownEvent)
        ]
        return tuple(range(start, start + seconds) for start, seconds in sorted(starts))
