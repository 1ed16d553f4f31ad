"""
The energy cells of a scenario one by one: groups opened, ratings and limits drawn, in integers.
"""

from __future__ import annotations

from dataclasses import dataclass

from tieline.scenario.checks import cell_names
from tieline.scenario.config import EnergyCells, Kind, Level, Microgrid, ScenarioConfig
from tieline.scenario.draws import draw_between
from tieline.swap.records import Levels

W_PER_KW = 1000


@dataclass(frozen=True, slots=True)
class EnergyCell:
    """One prosumer: a meter, devices, an account, a bus."""

    id: str
    microgrid: str
    chain_id: str
    kind: Kind
    bus: int
    rating_w: int
    """Peak of its profile, W, at least 0."""
    profile: str
    """Name of its time series; empty for batteries and devices."""
    pv_w: int
    """Panels behind the same meter, W."""
    pv_profile: str
    tan_phi_permille: int
    """Reactive over active draw, thousandths."""
    price_max: int
    """Most it pays, micro-EUR per kWh."""
    price_min: int
    """Least it takes, micro-EUR per kWh."""
    levels: Levels
    sell_hours_utc: tuple[int, ...]
    buy_hours_utc: tuple[int, ...]


def expand_cells(config: ScenarioConfig) -> tuple[EnergyCell, ...]:
    """Return all energy cells, microgrid by microgrid, in the order of the file."""
    return tuple(
        cell
        for microgrid in config.microgrids
        for group in microgrid.energy_cells
        for cell in _expand_group(config, microgrid, group)
    )


def levels_mask(levels: list[Level]) -> Levels:
    """Return level names as the bits of an order."""
    mask = Levels(0)
    for level in levels:
        mask |= Levels[level.value]
    return mask


def watts(kilowatts: float) -> int:
    """Return whole W, rounded to the nearest."""
    return round(kilowatts * W_PER_KW)


def _expand_group(
    config: ScenarioConfig, microgrid: Microgrid, group: EnergyCells
) -> list[EnergyCell]:
    tan_phi_permille = round(1000 * (1 / group.cos_phi**2 - 1) ** 0.5)
    cells: list[EnergyCell] = []
    for index, name in enumerate(cell_names(group)):
        cells.append(
            EnergyCell(
                id=name,
                microgrid=microgrid.name,
                chain_id=microgrid.chain_id,
                kind=group.kind,
                bus=group.buses[index % len(group.buses)],
                rating_w=_power_w(config.seed, name, "rating", group.rating_kw),
                profile=group.profile[index % len(group.profile)] if group.profile else "",
                pv_w=_power_w(config.seed, name, "pv", group.pv_kw),
                pv_profile=group.pv_profile,
                tan_phi_permille=tan_phi_permille,
                price_max=_price(config.seed, name, "max", group.price_max_micro_eur_per_kwh),
                price_min=_price(config.seed, name, "min", group.price_min_micro_eur_per_kwh),
                levels=levels_mask(group.levels),
                sell_hours_utc=tuple(group.sell_hours_utc),
                buy_hours_utc=tuple(group.buy_hours_utc),
            )
        )
    return cells


def _power_w(seed: int, cell: str, what: str, kilowatts: float | list[float]) -> int:
    if isinstance(kilowatts, list):
        return draw_between(watts(kilowatts[0]), watts(kilowatts[1]), seed, what, cell)
    return watts(kilowatts)


def _price(seed: int, cell: str, what: str, price: int | list[int] | None) -> int:
    if isinstance(price, list):
        return draw_between(price[0], price[1], seed, f"price_{what}", cell)
    return 0 if price is None else price
