"""
What lies across the keys of a scenario: ids, buses, owners, slots and events that must fit.

Each refusal names the key and what to write instead; the file and line are added by ``reading``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tieline.interfaces.errors import ConfigError
from tieline.scenario.config import (
    DISPATCHABLE,
    GENERATION,
    DispatchEvent,
    EnergyCells,
    Kind,
    NonDeliveryEvent,
    RelayerDownEvent,
    ScenarioConfig,
    SilentOwnerEvent,
)

CASE_BUSES = {"cigre_mv_feeder_1": frozenset(range(1, 12))}
"""Buses of the cases that we ship; bus 0 is the slack and belongs to the main grid."""


YEARS = (2000, 2099)
"""The first, and the one behind the last: certificates made for a run end with 2099."""


def check_scenario(config: ScenarioConfig) -> None:
    """
    Refuse a scenario whose parts contradict each other.

    Raises:
        ConfigError: With ``key`` set; nothing about the file yet.
    """
    _check_time(config)
    _check_network(config)
    _check_names(config)
    _check_owners(config)
    _check_cells(config)
    _check_prices(config)
    _check_events(config)
    _check_meters(config)


def check_buses(config: ScenarioConfig, known: Collection[int]) -> None:
    """
    Refuse buses that the network does not have, and network buses without an owner.

    Args:
        config: A scenario that passed ``check_scenario``.
        known: Every bus of the network but the slack.

    Raises:
        ConfigError: Names the bus and the known ones.
    """
    for key, bus in _owned(config):
        if bus not in known:
            raise ConfigError(
                f"unknown bus {bus}", key=key, instead=f"write buses out of {sorted(known)}"
            )
    ownerless = sorted(set(known) - {bus for _, bus in _owned(config)})
    if ownerless:
        raise ConfigError(
            f"buses {ownerless} have no owner",
            key="operator.buses",
            instead="give each bus to a microgrid or to the operator",
        )


def _check_time(config: ScenarioConfig) -> None:
    start = config.start_utc
    if not YEARS[0] <= start.year < YEARS[1]:
        raise ConfigError(
            f"{start.year} is no year of a run",
            key="start_utc",
            instead=f"write a time from {YEARS[0]} to {YEARS[1] - 1}",
        )
    if start.tzinfo is None or start.utcoffset() != timedelta(0):
        raise ConfigError(
            f"{start} is not UTC", key="start_utc", instead="write it as 2016-01-18T14:00:00Z"
        )
    if config.start_s % config.slot_length_s or start.microsecond:
        raise ConfigError(
            f"{start:%H:%M:%S} is not the start of a {config.slot_minutes}-minute slot",
            key="start_utc",
            instead=f"write a full multiple of {config.slot_minutes} minutes",
        )

    zones = {
        "print_time_zone": config.print_time_zone,
        "profiles.meters_time_zone": config.profiles.meters_time_zone,
    }
    for key, name in zones.items():
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
            raise ConfigError(
                f"unknown time zone {name!r}",
                key=key,
                instead="write an IANA name such as Europe/Berlin, or UTC",
            ) from exc


def _check_network(config: ScenarioConfig) -> None:
    network = config.network
    if (network.case is None) == (network.pandapower_json is None):
        raise ConfigError(
            "needs exactly one network",
            key="network",
            instead="write either `case: cigre_mv_feeder_1` or `pandapower_json: FILE`",
        )
    if network.case is not None:
        check_buses(config, CASE_BUSES[network.case])


def _check_names(config: ScenarioConfig) -> None:
    names = [("operator.name", config.operator.name)]
    names += [(f"microgrids[{i}].name", m.name) for i, m in enumerate(config.microgrids)]
    _refuse_repeats(names, "microgrid name")
    chains = [("operator.chain_id", config.operator.chain_id)]
    chains += [(f"microgrids[{i}].chain_id", m.chain_id) for i, m in enumerate(config.microgrids)]
    _refuse_repeats(chains, "chain id")
    _refuse_repeats([(f"{key}.id", name) for key, _, name in _cell_ids(config)], "cell id")


def _refuse_repeats(entries: list[tuple[str, str]], noun: str) -> None:
    seen: dict[str, str] = {}
    for key, name in entries:
        if name in seen:
            raise ConfigError(
                f"{noun} {name!r} is taken by {seen[name]}",
                key=key,
                instead="choose another one",
            )
        seen[name] = key


def _owned(config: ScenarioConfig) -> Iterator[tuple[str, int]]:
    for index, bus in enumerate(config.operator.buses):
        yield f"operator.buses[{index}]", bus
    for i, microgrid in enumerate(config.microgrids):
        for index, bus in enumerate(microgrid.buses):
            yield f"microgrids[{i}].buses[{index}]", bus


def _check_owners(config: ScenarioConfig) -> None:
    owner: dict[int, str] = {}
    for key, bus in _owned(config):
        if bus in owner:
            raise ConfigError(
                f"bus {bus} is owned by {owner[bus]}",
                key=key,
                instead="give each bus one owner",
            )
        owner[bus] = key


def _groups(config: ScenarioConfig) -> Iterator[tuple[str, EnergyCells, Collection[int]]]:
    for i, microgrid in enumerate(config.microgrids):
        for j, group in enumerate(microgrid.energy_cells):
            yield f"microgrids[{i}].energy_cells[{j}]", group, microgrid.buses


def _cell_ids(config: ScenarioConfig) -> Iterator[tuple[str, EnergyCells, str]]:
    for key, group, _ in _groups(config):
        for name in cell_names(group):
            yield key, group, name


def cell_names(group: EnergyCells) -> list[str]:
    """Return the ids of a group's cells: the id itself for one, numbered from 1 for more."""
    if group.count == 1:
        return [group.id]
    return [f"{group.id}-{number}" for number in range(1, group.count + 1)]


def _check_cells(config: ScenarioConfig) -> None:
    for key, group, buses in _groups(config):
        for index, bus in enumerate(group.buses):
            if bus not in buses:
                raise ConfigError(
                    f"bus {bus} is not this microgrid's",
                    key=f"{key}.buses[{index}]",
                    instead=f"write buses out of {sorted(buses)}",
                )
        _check_ranges(key, group)
        _check_kind(key, group)


def _check_ranges(key: str, group: EnergyCells) -> None:
    for name in (
        "rating_kw",
        "pv_kw",
        "price_max_micro_eur_per_kwh",
        "price_min_micro_eur_per_kwh",
    ):
        value = getattr(group, name)
        if isinstance(value, list) and value[0] > value[1]:
            raise ConfigError(
                f"from {value[0]} to {value[1]} runs down",
                key=f"{key}.{name}",
                instead="write the smaller number first",
            )


def _check_kind(key: str, group: EnergyCells) -> None:
    if group.kind not in DISPATCHABLE and not group.profile:
        raise ConfigError(
            f"a {group.kind} cell has no profile",
            key=f"{key}.profile",
            instead="write a list of profile names, such as [H0-A]; see `tieline data list`",
        )
    if group.kind is not Kind.BATTERY and (group.sell_hours_utc or group.buy_hours_utc):
        raise ConfigError(
            f"a {group.kind} cell has no hours to sell or buy in",
            key=f"{key}.kind",
            instead="leave the hours out, or write `kind: battery`",
        )
    both = sorted(set(group.sell_hours_utc) & set(group.buy_hours_utc))
    if both:
        raise ConfigError(
            f"hours {both} both sell and buy",
            key=f"{key}.sell_hours_utc",
            instead="keep them apart",
        )
    buys = group.kind not in GENERATION and not (
        group.kind is Kind.BATTERY and not group.buy_hours_utc
    )
    if buys and group.kind is not Kind.DEVICE and group.price_max_micro_eur_per_kwh is None:
        raise ConfigError(
            f"a {group.kind} cell buys, up to which price is missing",
            key=f"{key}.price_max_micro_eur_per_kwh",
            instead="write integer micro-EUR per kWh (0.30 EUR/kWh = 300000)",
        )
    sells = group.kind in GENERATION or bool(group.sell_hours_utc) or group.pv_kw != 0
    if sells and group.price_min_micro_eur_per_kwh is None:
        raise ConfigError(
            f"a {group.kind} cell sells, from which price is missing",
            key=f"{key}.price_min_micro_eur_per_kwh",
            instead="write integer micro-EUR per kWh (0.08 EUR/kWh = 80000)",
        )


def _check_prices(config: ScenarioConfig) -> None:
    low = config.prices.band_min_micro_eur_per_kwh
    high = config.prices.band_max_micro_eur_per_kwh
    if low >= high:
        raise ConfigError(
            f"band from {low} to {high} is empty",
            key="prices.band_max_micro_eur_per_kwh",
            instead="write more than the lower end",
        )
    operator = config.operator
    tariffs = {
        "operator.import_price_micro_eur_per_kwh": operator.import_price_micro_eur_per_kwh,
        "operator.export_price_micro_eur_per_kwh": operator.export_price_micro_eur_per_kwh,
    }
    for key, price in tariffs.items():
        if not low <= price <= high:
            raise ConfigError(
                f"{price} is outside the price band {low}..{high}",
                key=key,
                instead="move the tariff or prices.band_*",
            )
    if operator.import_price_micro_eur_per_kwh < operator.export_price_micro_eur_per_kwh:
        raise ConfigError(
            "import is cheaper than export, so trading in a circle would pay",
            key="operator.import_price_micro_eur_per_kwh",
            instead="write at least the export price",
        )
    for key, group, _ in _groups(config):
        for name in ("price_max_micro_eur_per_kwh", "price_min_micro_eur_per_kwh"):
            value: int | list[int] | None = getattr(group, name)
            bounds = value if isinstance(value, list) else [] if value is None else [value]
            for price in bounds:
                if not low <= price <= high:
                    raise ConfigError(
                        f"{price} is outside the price band {low}..{high}",
                        key=f"{key}.{name}",
                        instead="move the price or prices.band_*",
                    )


def _check_events(config: ScenarioConfig) -> None:
    kinds = {name: group.kind for _, group, name in _cell_ids(config)}
    names = {config.operator.name, *(m.name for m in config.microgrids)}
    for index, event in enumerate(config.events):
        key = f"events[{index}]"
        slots = [event.slot] if isinstance(event, RelayerDownEvent) else event.slots
        late = [slot for slot in slots if slot >= config.slot_count]
        if late:
            raise ConfigError(
                f"slot {late[0]} is not in this run of {config.slot_count}",
                key=f"{key}.slot" if isinstance(event, RelayerDownEvent) else f"{key}.slots",
                instead=f"write 0 to {config.slot_count - 1}",
            )
        if any(b <= a for a, b in pairwise(slots)):
            raise ConfigError(
                f"slots {slots} are not in ascending order",
                key=f"{key}.slots",
                instead="write each slot once, the earliest first",
            )
        if isinstance(event, DispatchEvent | NonDeliveryEvent) and event.cell not in kinds:
            raise ConfigError(
                f"unknown energy cell {event.cell!r}",
                key=f"{key}.cell",
                instead="write an id of microgrids[].energy_cells",
            )
        if isinstance(event, DispatchEvent) and kinds[event.cell] not in DISPATCHABLE:
            raise ConfigError(
                f"{event.cell!r} is a {kinds[event.cell]} and cannot be dispatched",
                key=f"{key}.cell",
                instead="name a cell of `kind: device` or `kind: battery`",
            )
        if isinstance(event, SilentOwnerEvent) and event.microgrid not in names:
            raise ConfigError(
                f"unknown microgrid {event.microgrid!r}",
                key=f"{key}.microgrid",
                instead=f"write one of {', '.join(sorted(names))}",
            )


def _check_meters(config: ScenarioConfig) -> None:
    profiles = config.profiles
    if profiles.meters_csv is not None and profiles.meters_unit is None:
        raise ConfigError(
            "the unit of the readings is missing",
            key="profiles.meters_unit",
            instead="write `kWh` (in each quarter hour) or `kW` (mean)",
        )
