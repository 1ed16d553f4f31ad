"""Units: exact products, and roundings that say who gains."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.units.quantities import (
    ENERGY_WH_MAX,
    NANO_EUR_MAX,
    PRICE_MAX,
    Milliwatt,
    cost,
    energy_wh,
    price_per_kwh,
)
from tieline.units.rounding import (
    ceil_to_wh,
    floor_share,
    floor_to_wh,
    nearest_milliwatt,
    split_by_largest_remainder,
)


def test_five_kilowatt_hours_at_twenty_cent_cost_one_euro() -> None:
    assert cost(price_per_kwh(200_000), energy_wh(5_000)) == 10**9


def test_the_largest_product_fits_a_records_field() -> None:
    assert cost(price_per_kwh(PRICE_MAX), energy_wh(ENERGY_WH_MAX)) <= NANO_EUR_MAX


@pytest.mark.parametrize("number", [-1, 2**64, 1.0, True, "1"])
def test_what_is_no_energy_is_refused(number: object) -> None:
    with pytest.raises(ValueError, match="energy in Wh must be an integer"):
        energy_wh(number)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("milliwatt", "seconds", "floor", "ceiling"),
    [
        (4_000_000, 900, 1_000, 1_000),
        (4_000_003, 900, 1_000, 1_001),
        (3_999_999, 900, 999, 1_000),
        (0, 900, 0, 0),
        (1, 1, 0, 1),
    ],
)
def test_power_becomes_energy_down_and_up(
    milliwatt: int, seconds: int, floor: int, ceiling: int
) -> None:
    assert floor_to_wh(Milliwatt(milliwatt), seconds) == floor
    assert ceil_to_wh(Milliwatt(milliwatt), seconds) == ceiling


@pytest.mark.parametrize("rounding", [floor_to_wh, ceil_to_wh])
def test_a_negative_power_is_refused_because_its_direction_would_flip(rounding: object) -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        rounding(Milliwatt(-1), 900)  # type: ignore[operator]


@pytest.mark.parametrize("power", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_power_is_refused(power: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        nearest_milliwatt(power)


def test_megawatts_become_the_nearest_milliwatt() -> None:
    assert nearest_milliwatt(-0.0012345678949) == -1_234_568


@given(st.integers(0, 2**100), st.lists(st.integers(1, 10**6), min_size=1, max_size=20))
def test_consecutive_shares_sum_to_the_total(total: int, parts: list[int]) -> None:
    whole, offset, given_out = sum(parts), 0, 0
    for part in parts:
        share = floor_share(total, offset, part, whole)
        assert abs(share * whole - total * part) < whole
        offset, given_out = offset + part, given_out + share
    assert given_out == total


@pytest.mark.parametrize(
    "numbers", [(1, 0, 2, 1), (1, 1, 1, 1), (-1, 0, 1, 1), (1, -1, 1, 1), (1, 0, 0, 0)]
)
def test_a_part_outside_the_whole_is_refused(numbers: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="outside the whole"):
        floor_share(*numbers)


@given(st.integers(0, 2**80), st.lists(st.integers(0, 10**9), min_size=1, max_size=30))
def test_a_split_loses_nothing_and_is_off_by_less_than_one(total: int, weights: list[int]) -> None:
    if not any(weights):
        weights = [*weights, 1]
    parts = split_by_largest_remainder(total, weights)
    assert sum(parts) == total
    whole = sum(weights)
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part * whole - total * weight) < whole


def test_equal_remainders_go_to_the_earlier() -> None:
    assert split_by_largest_remainder(5, [1, 1, 1]) == [2, 2, 1]
    assert split_by_largest_remainder(0, [0, 0]) == [0, 0]


@pytest.mark.parametrize(("total", "weights"), [(-1, [1]), (1, [-1, 2]), (1, [0, 0])])
def test_what_cannot_be_split_is_refused(total: int, weights: list[int]) -> None:
    with pytest.raises(ValueError, match="cannot split"):
        split_by_largest_remainder(total, weights)
