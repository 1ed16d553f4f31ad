"""
What energy cells and the operator ask for in a slot, as plain intents that signing makes orders of.

Load and plants trade their forecast, firm. Batteries and devices stand still unless a dispatchable
order of theirs is accepted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from tieline.scenario.cells import EnergyCell, levels_mask, watts
from tieline.scenario.config import (
    DISPATCHABLE,
    TICK_S,
    DispatchEvent,
    Kind,
    ScenarioConfig,
)
from tieline.scenario.draws import MILLI
from tieline.scenario.series import CellSeries
from tieline.swap.records import DeliveryKind, Levels, Side

ORDER_WH_MIN = 100
"""Smaller orders cost more to place than they move."""
TICKS_PER_HOUR = 3600 // TICK_S


@dataclass(frozen=True, slots=True)
class OrderIntent:
    """What an energy cell (or the operator) wants in a slot; signing makes an Order of it."""

    cell: str
    """Id of the energy cell; the operator's name for its own orders."""
    microgrid: str
    chain_id: str
    bus: int
    """Where the injection changes; of the operator's orders the first bus of its own, though the
    slack takes up what they move."""
    side: Side
    levels: Levels
    delivery: DeliveryKind
    energy_wh: int
    """Over the whole slot, at least ``ORDER_WH_MIN``."""
    price_min: int
    """Micro-EUR per kWh: the seller's limit; of a buyer the lower end of the band."""
    price_max: int
    """Micro-EUR per kWh: the buyer's limit; of a seller the upper end of the band."""
    is_operator: bool = False


class OrderBook:
    """Makes the intents of a slot out of forecasts, events and the tariff."""

    def __init__(self, config: ScenarioConfig, series: CellSeries) -> None:
        self._config = config
        self._series = series

    def orders(self, slot_start_s: int) -> tuple[OrderIntent, ...]:
        """
        Return all orders of a slot: energy cells in the order of the scenario, then the operator.
        """
        intents = [
            intent
            for cell in self._series.cells
            if (intent := self._order_of(cell, slot_start_s)) is not None
            and intent.energy_wh >= ORDER_WH_MIN
        ]
        return (*intents, *self._operator_orders())

    def _order_of(self, cell: EnergyCell, slot_start_s: int) -> OrderIntent | None:
        """Return what a cell wants in a slot; None when it wants nothing."""
        if cell.kind in DISPATCHABLE:
            return self._dispatch(cell, slot_start_s)
        injection = sum(
            self._series.forecast(cell, tick_s)[0] for tick_s in self._series.ticks(slot_start_s)
        )
        side = Side.SELL if injection > 0 else Side.BUY
        limit = cell.price_min if side is Side.SELL else cell.price_max
        energy_wh = _floor_to_wh(abs(injection))
        return self._intent(cell, side, cell.levels, DeliveryKind.FIRM, energy_wh, limit)

    def _dispatch(self, cell: EnergyCell, slot_start_s: int) -> OrderIntent | None:
        """Return a dispatchable order: an event's, or a battery's by its hours."""
        slot = self._config.slot_index(slot_start_s)
        kind = DeliveryKind.DISPATCHABLE
        for event in self._config.events:
            if isinstance(event, DispatchEvent) and event.cell == cell.id and slot in event.slots:
                side = Side.BUY if event.side == "buy" else Side.SELL
                energy_wh = self._slot_wh(watts(event.power_kw))
                levels = levels_mask(event.levels)
                return self._intent(
                    cell, side, levels, kind, energy_wh, event.price_micro_eur_per_kwh
                )
        hour = datetime.fromtimestamp(slot_start_s, UTC).hour
        energy_wh = self._slot_wh(cell.rating_w)
        if cell.kind is Kind.BATTERY and hour in cell.sell_hours_utc:
            return self._intent(cell, Side.SELL, cell.levels, kind, energy_wh, cell.price_min)
        if cell.kind is Kind.BATTERY and hour in cell.buy_hours_utc:
            return self._intent(cell, Side.BUY, cell.levels, kind, energy_wh, cell.price_max)
        return None

    def _intent(
        self,
        cell: EnergyCell,
        side: Side,
        levels: Levels,
        delivery: DeliveryKind,
        energy_wh: int,
        limit: int,
    ) -> OrderIntent:
        prices = self._config.prices
        buys = side is Side.BUY
        return OrderIntent(
            cell=cell.id,
            microgrid=cell.microgrid,
            chain_id=cell.chain_id,
            bus=cell.bus,
            side=side,
            levels=levels,
            delivery=delivery,
            energy_wh=energy_wh,
            price_min=prices.band_min_micro_eur_per_kwh if buys else limit,
            price_max=limit if buys else prices.band_max_micro_eur_per_kwh,
        )

    def _operator_orders(self) -> list[OrderIntent]:
        """Return the tariff of a slot as orders: import sold, export bought."""
        operator, prices = self._config.operator, self._config.prices
        sides = [
            (
                Side.SELL,
                operator.import_limit_kw,
                operator.import_price_micro_eur_per_kwh,
                prices.band_max_micro_eur_per_kwh,
            ),
            (
                Side.BUY,
                operator.export_limit_kw,
                prices.band_min_micro_eur_per_kwh,
                operator.export_price_micro_eur_per_kwh,
            ),
        ]
        return [
            OrderIntent(
                cell=operator.name,
                microgrid=operator.name,
                chain_id=operator.chain_id,
                bus=operator.buses[0],
                side=side,
                levels=Levels.GRID,
                delivery=DeliveryKind.FIRM,
                energy_wh=self._slot_wh(watts(limit_kw)),
                price_min=price_min,
                price_max=price_max,
                is_operator=True,
            )
            for side, limit_kw, price_min, price_max in sides
            if limit_kw > 0
        ]

    def _slot_wh(self, watt: int) -> int:
        """Return the energy of a constant power over a slot, floored to Wh."""
        return watt * self._config.slot_length_s // 3600


def _floor_to_wh(tick_milliwatt: int) -> int:
    """Return the Wh of a sum of quarter-hourly powers (milliwatt, at least 0), floored."""
    return tick_milliwatt // (TICKS_PER_HOUR * MILLI)
