"""Energy cells: forecasts, orders, and what really happens around them."""

from pathlib import Path

import pytest

from tieline.interfaces.errors import ConfigError
from tieline.scenario.config import ScenarioConfig
from tieline.scenario.households import Households, RatedLoad
from tieline.scenario.profiles import shipped_weeks
from tieline.scenario.reading import load_scenario, shipped_scenario
from tieline.swap.records import DeliveryKind, Levels, Side

LOADS = {bus: RatedLoad(500_000_000, 120_000_000) for bus in range(1, 12)}
_WHOLE = shipped_scenario("evening").read_text()
TEXT = _WHOLE[: _WHOLE.index("  # The depot buys alone.")]
"""The evening with the two dispatch events of its third-party slot only."""


def _config(tmp_path: Path, *changes: tuple[str, str]) -> ScenarioConfig:
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "scenario.yaml"
    path.write_text(text)
    return load_scenario(path)


@pytest.fixture(scope="module")
def evening() -> ScenarioConfig:
    return load_scenario(shipped_scenario("evening"))


@pytest.fixture(scope="module")
def households(evening: ScenarioConfig) -> Households:
    return Households(evening, LOADS)


def test_every_slot_has_sellers_at_home_elsewhere_and_need_of_the_main_grid(
    evening: ScenarioConfig, households: Households
) -> None:
    """
    Each microgrid trades inside, C has a surplus for the others but where its cold store runs, all
    need the main grid.
    """
    cooled = {
        index
        for event in evening.events
        if event.event == "dispatch" and event.cell == "c-cooling"
        for index in event.slots
    }
    for index in range(evening.slot_count):
        orders = [
            order
            for order in households.orders(evening.slot_start_s(index))
            if not order.is_operator
        ]
        net = {}
        for name in "ABC":
            own = [order for order in orders if order.microgrid == name]
            bought = sum(order.energy_wh for order in own if order.side is Side.BUY)
            sold = sum(order.energy_wh for order in own if order.side is Side.SELL)
            assert bought >= 1000, (index, name)
            assert sold >= 1000, (index, name)
            net[name] = sold - bought
        assert net["C"] >= 1000 or index in cooled, index
        assert net["B"] <= -1000, index
        assert sum(net.values()) <= -1000, index


def test_a_load_buys_its_forecast_firm_and_a_plant_sells_it(
    evening: ScenarioConfig, households: Households
) -> None:
    start = evening.start_s
    cells = {cell.id: cell for cell in households.cells}
    orders = {order.cell: order for order in households.orders(start)}
    home, wind = orders["a-home-1"], orders["c-wind-1"]
    assert (home.side, home.delivery) == (Side.BUY, DeliveryKind.FIRM)
    assert (wind.side, wind.delivery) == (Side.SELL, DeliveryKind.FIRM)
    injection = households.series.forecast(cells["c-wind-1"], start)[0]
    assert wind.energy_wh == injection // 4000
    assert wind.price_max == evening.prices.band_max_micro_eur_per_kwh
    assert home.price_min == evening.prices.band_min_micro_eur_per_kwh


def test_the_third_party_slot_asks_for_dispatchable_energy_from_the_main_grid(
    evening: ScenarioConfig, households: Households
) -> None:
    orders = households.orders(evening.slot_start_s(8))
    devices = [order for order in orders if order.cell in {"a-depot", "b-electrolyser"}]
    assert [(order.bus, order.energy_wh) for order in devices] == [(6, 375_000), (7, 375_000)]
    assert {order.delivery for order in devices} == {DeliveryKind.DISPATCHABLE}
    assert {order.levels for order in devices} == {Levels.GRID}
    elsewhere = households.orders(evening.slot_start_s(7))
    assert not [order for order in elsewhere if order.cell == "a-depot"]


def test_the_operator_offers_its_tariff_in_every_slot(
    evening: ScenarioConfig, households: Households
) -> None:
    sell, buy = households.orders(evening.start_s)[-2:]
    assert (sell.side, sell.price_min, sell.energy_wh) == (Side.SELL, 320_000, 2_500_000)
    assert (buy.side, buy.price_max, buy.energy_wh) == (Side.BUY, 80_000, 2_500_000)
    assert sell.is_operator
    assert sell.levels == Levels.GRID


def test_the_background_peaks_at_its_scaled_rating_within_the_run(
    evening: ScenarioConfig, households: Households
) -> None:
    """Bus 8 has no energy cell, so its base case is the background alone."""
    draws = [
        -households.baseline(evening.slot_start_s(index))[8].p_milliwatt
        for index in range(evening.slot_count)
    ]
    assert max(draws) == 500_000_000 * 385 // 1000


def test_a_base_case_is_the_sum_of_cells_and_background(
    evening: ScenarioConfig, households: Households
) -> None:
    tick = evening.start_s
    at_bus_4 = sum(
        households.series.forecast(cell, tick)[0] for cell in households.cells if cell.bus == 4
    )
    background = households.baseline(tick)[8].p_milliwatt
    assert households.baseline(tick)[4].p_milliwatt == at_bus_4 + background


def test_dispatchable_cells_stand_still_without_a_set_point(
    evening: ScenarioConfig, households: Households
) -> None:
    tick = evening.slot_start_s(8)
    assert households.actual(tick, {}).cells["a-depot"] == 0
    moved = households.actual(tick, {"a-depot": -375_000})
    assert abs(moved.cells["a-depot"] + 1_500_000_000) < 150_000_000
    difference = moved.buses[6][0] - households.actual(tick, {}).buses[6][0]
    assert difference == moved.cells["a-depot"]


def test_truth_lies_around_the_forecast_and_is_drawn_again_the_same(
    evening: ScenarioConfig, households: Households
) -> None:
    tick = evening.start_s
    first = households.actual(tick, {})
    again = Households(evening, LOADS).actual(tick, {})
    assert (first.buses, first.cells) == (again.buses, again.cells)
    wind = next(cell for cell in households.cells if cell.id == "c-wind-1")
    foreseen = households.series.forecast(wind, tick)[0]
    assert first.cells["c-wind-1"] != foreseen
    assert abs(first.cells["c-wind-1"] - foreseen) < foreseen * 6 * 12 // 100


def test_another_seed_gives_another_truth(tmp_path: Path, evening: ScenarioConfig) -> None:
    other = Households(_config(tmp_path, ("seed: 20160118", "seed: 2")), LOADS)
    mine = Households(evening, LOADS)
    tick = evening.start_s
    assert mine.actual(tick, {}).buses != other.actual(tick, {}).buses


def test_energy_is_true_power_over_the_slot_and_the_meter_is_near_it(
    evening: ScenarioConfig, households: Households
) -> None:
    start = evening.start_s
    power = households.actual(start, {}).cells
    for name, energy in households.energy(start, {}).items():
        assert abs(energy.true_wh * 4000 - power[name]) <= 2000
        assert abs(energy.metered_wh - energy.true_wh) <= abs(energy.true_wh) // 50 + 1


def test_without_errors_truth_is_the_forecast(tmp_path: Path) -> None:
    kinds = ["household", "commercial", "heat_pump", "pv", "wind", "chp", "hydro", "battery"]
    kinds += ["device", "background", "common", "meter"]
    zeros = "errors:\n" + "".join(f"  {kind}_sigma_percent: 0\n" for kind in kinds)
    config = _config(tmp_path, ("profiles:\n", zeros + "\nprofiles:\n"))
    exact = Households(config, LOADS)
    tick = config.start_s
    expected = {bus: (f.p_milliwatt, f.q_millivar) for bus, f in exact.baseline(tick).items()}
    assert exact.actual(tick, {}).buses == expected
    assert all(e.metered_wh == e.true_wh for e in exact.energy(tick, {}).values())
    assert exact.series.own_share_ppm(tick) <= 1


EVENTS = """
  - {event: slack_voltage, slots: [3], voltage_pu: 0.99}
  - {event: silent_owner, slots: [4], microgrid: B}
  - {event: relayer_down, slot: 5, seconds: 600}
  - {event: non_delivery, slots: [6], cell: c-wind-1, delivered_percent: 50}
"""


def test_events_of_a_scenario_take_effect_in_their_slots_only(tmp_path: Path) -> None:
    config = _config(tmp_path, ("events:\n", "events:" + EVENTS))
    world, calm = Households(config, LOADS), Households(_config(tmp_path), LOADS)
    slots = [config.slot_start_s(index) for index in range(8)]
    slack = [world.actual(slot, {}).slack_voltage_ppm for slot in slots]
    assert slack == [1_020_000] * 3 + [990_000] + [1_020_000] * 4
    assert [world.silent_owners(slot) for slot in slots[3:6]] == [set(), {"B"}, set()]
    assert world.relayer_outages(900) == (range(slots[5] - 900, slots[5] - 300),)
    halves = [
        (world.actual(slot, {}).cells["c-wind-1"], calm.actual(slot, {}).cells["c-wind-1"])
        for slot in slots[5:8]
    ]
    assert halves[0][0] == halves[0][1]
    assert halves[1][0] == halves[1][1] // 2
    assert halves[2][0] == halves[2][1]


def test_an_own_meter_replaces_a_profile_and_a_background(tmp_path: Path) -> None:
    config = _config(
        tmp_path,
        ("slot_count: 24", "slot_count: 1"),
        ("slots: [8]", "slots: [0]"),
        ("slots: [8]", "slots: [0]"),
        ("  week: winter\n", "  week: winter\n  meters_csv: own.csv\n  meters_unit: kW\n"),
    )
    (tmp_path / "own.csv").write_text(
        "time,meter,kW\n2016-01-18 13:00,a-home-1,7.5\n2016-01-18 13:00,c-wind-1,30\n"
        "2016-01-18 13:00,bus-8,250\n"
    )
    world = Households(config, LOADS)
    orders = {order.cell: order for order in world.orders(config.start_s)}
    assert orders["a-home-1"].energy_wh == 7500 // 4
    assert orders["c-wind-1"].energy_wh == 30000 // 4
    assert world.baseline(config.start_s)[8].p_milliwatt == -250_000_000


def test_a_meter_that_belongs_to_nobody_is_refused(tmp_path: Path) -> None:
    config = _config(
        tmp_path,
        ("  week: winter\n", "  week: winter\n  meters_csv: own.csv\n  meters_unit: kW\n"),
    )
    (tmp_path / "own.csv").write_text("time,meter,kW\n2016-01-18 13:00,a-house,7.5\n")
    with pytest.raises(ConfigError, match="'a-house' belongs to no energy cell"):
        Households(config, LOADS)


def test_an_unknown_profile_is_refused_with_its_cell(tmp_path: Path) -> None:
    config = _config(tmp_path, ("profile: [BM1]", "profile: [BM9]"))
    with pytest.raises(ConfigError, match="unknown profile 'BM9' of energy cell 'a-chp'"):
        Households(config, LOADS)


def test_an_hourly_slot_holds_four_quarter_hours(tmp_path: Path) -> None:
    config = _config(
        tmp_path,
        ("slot_minutes: 15", "slot_minutes: 60"),
        ("slot_count: 24", "slot_count: 6"),
        ("slots: [8]", "slots: [2]"),
        ("slots: [8]", "slots: [2]"),
    )
    quarter = Households(_config(tmp_path), LOADS)
    hourly = Households(config, LOADS)
    assert list(hourly.ticks(config.start_s)) == [config.start_s + 900 * i for i in range(4)]
    wind = {order.cell: order.energy_wh for order in hourly.orders(config.start_s)}["c-wind-1"]
    parts = [
        {order.cell: order.energy_wh for order in quarter.orders(tick)}["c-wind-1"]
        for tick in hourly.ticks(config.start_s)
    ]
    assert sum(parts) <= wind < sum(parts) + 4


def test_a_battery_offers_in_its_hours_only_and_a_device_never_by_itself(
    evening: ScenarioConfig, households: Households
) -> None:
    offers = {}
    for index in range(evening.slot_count):
        start = evening.slot_start_s(index)
        cells = {order.cell: order for order in households.orders(start)}
        if index % 4 == 0:  # its events are in other slots
            offers[13 + index // 4] = cells.get("b-battery")
        assert index in {8, 14, 18} or "a-depot" not in cells
    assert [hour for hour, order in offers.items() if order is not None] == [16, 17, 18]
    offer = offers[16]
    assert offer is not None
    assert (offer.side, offer.energy_wh) == (Side.SELL, 3750)
    assert offer.delivery is DeliveryKind.DISPATCHABLE


def test_reactive_power_follows_cos_phi_and_the_loads_own_series(tmp_path: Path) -> None:
    """At cos phi 0.8 a load draws 0.75 var a watt of its rating, times its reactive series."""
    config = _config(
        tmp_path, ("kind: commercial\n        count: 14", "kind: commercial\n        cos_phi: 0.8")
    )
    world = Households(config, LOADS)
    shop = next(cell for cell in world.cells if cell.id == "b-shop")
    assert shop.tan_phi_permille == 750
    week = shipped_weeks()[0]
    series = week.reactive_draw("G1-A", config.start_s)
    q_millivar = world.series.forecast(shop, config.start_s)[1]
    assert q_millivar == -(shop.rating_w * 750 * series // 10_000)
    assert series > 0


def test_a_flat_background_draws_its_scaled_rating_all_the_time(tmp_path: Path) -> None:
    config = _config(tmp_path, ("background_profile: mv_urban", "background_profile: flat"))
    world = Households(config, LOADS)
    for index in (0, 9, 23):
        bus = world.baseline(config.slot_start_s(index))[8]
        assert (bus.p_milliwatt, bus.q_millivar) == (-192_500_000, -46_200_000)
        assert bus.sigma_milliwatt == 192_500_000 * 5 // 100
