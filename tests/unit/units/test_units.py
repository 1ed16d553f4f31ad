"""Conversions and roundings: exact where they can be, and one-sided where they cannot."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.units.energy import floor_to_milliwatt, floor_to_watt, nearest_wh
from tieline.units.rounding import floor_share

WH = st.integers(-(2**40), 2**40)
SLOT = st.sampled_from([900, 1800, 3600])


@given(WH, SLOT)
def test_energy_and_mean_power_are_one_thing_for_every_slot_length(wh: int, seconds: int) -> None:
    """1 Wh in a quarter hour is 4 W exactly; the way back gives the Wh again."""
    assert nearest_wh(floor_to_milliwatt(wh, seconds), seconds) == wh
    assert floor_to_milliwatt(wh, seconds) == 1000 * floor_to_watt(wh, seconds)


def test_power_is_rounded_down_on_both_sides_of_zero() -> None:
    """A feeder is told a little less, a consumer a little more."""
    assert floor_to_watt(1, 7200) == 0
    assert floor_to_watt(-1, 7200) == -1
    assert floor_to_milliwatt(1, 7) == 514_285


@pytest.mark.parametrize(
    ("milliwatt", "expected"), [(1999, 0), (2000, 1), (-2000, 0), (-2001, -1), (4000, 1)]
)
def test_a_meter_shows_the_nearest_wh_halves_up(milliwatt: int, expected: int) -> None:
    """4,000 mW over 15 minutes are 1 Wh."""
    assert nearest_wh(milliwatt, 900) == expected


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
def test_consecutive_shares_sum_to_the_total(total: int, parts: list[int]) -> None:
    """Nothing is lost, and each part is off by less than one unit."""
    whole = sum(parts)
    if whole == 0:
        return
    offset, given_out = 0, 0
    for part in parts:
        share = floor_share(total, offset, part, whole)
        assert abs(share * whole - part * total) < whole
        given_out += share
        offset += part
    assert given_out == total


@pytest.mark.parametrize(
    ("total", "offset", "part", "whole"),
    [(-1, 0, 1, 1), (1, -1, 1, 1), (1, 0, -1, 1), (1, 0, 1, 0), (1, 1, 1, 1)],
)
def test_a_part_outside_the_whole_is_refused(
    total: int, offset: int, part: int, whole: int
) -> None:
    """It would hand out more than there is."""
    with pytest.raises(ValueError, match="part outside the whole"):
        floor_share(total, offset, part, whole)
