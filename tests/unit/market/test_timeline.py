"""Instants of a slot, against the tables of the specification; days with 92 and 100 ticks."""

from __future__ import annotations

from dataclasses import astuple, replace
from datetime import UTC, date, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from tieline.interfaces.errors import ConfigError
from tieline.market.timeline import (
    PROFILES,
    SLOT_LENGTHS_S,
    MarketTimes,
    check_gate_lead,
    energy_by_tick,
    required_gate_lead,
    slot_timeline,
    slots_of_day,
    ticks_of_slot,
)
from tieline.swap.ladder import failed_sums

S = 1_700_000_100 - 1_700_000_100 % 900
BERLIN = ZoneInfo("Europe/Berlin")
WORK = MarketTimes(book_exchange_s=60, clearing_s=30, round_s=30, sealing_s=40)


def lead(profile: str, point: str) -> int:
    return getattr(slot_timeline(PROFILES[profile], S, 900), point) - S


@pytest.mark.parametrize(
    ("point", "fast", "slow", "fabric"),
    [
        ("freeze", -1800, -6300, -1800),
        ("book_opens", -1680, -6000, -1680),
        ("gate_closure", -900, -4500, -1060),
        ("seal", -600, -4140, -760),
        ("lock_deadline", -560, -3900, -730),
        ("tau", -400, -2700, -520),
        ("verdict_deadline", -100, -1080, -170),
        ("statement_due", 900 + 300, 900 + 300, 900 + 300),
        ("last_reveal", 900 + 900 - 490, 900 + 2100 - 1500, 900 + 900 - 490),
        ("expiry_out", 900 + 900, 900 + 2100, 900 + 900),
        ("expiry_in", 900 + 1800, 900 + 2100 + 2880, 900 + 900 + 960),
        ("final", 900 + 86_400, 900 + 172_800, 900 + 86_400),
    ],
)
def test_the_instants_are_the_specification_s(
    point: str, fast: int, slow: int, fabric: int
) -> None:
    assert fast == lead("fast", point)
    assert slow == lead("slow", point)
    assert fabric == lead("fabric", point)


@pytest.mark.parametrize("name", list(PROFILES))
@pytest.mark.parametrize("length", SLOT_LENGTHS_S)
def test_instants_rise(name: str, length: int) -> None:
    instants = astuple(slot_timeline(PROFILES[name], S, length))
    assert all(before < after for before, after in pairwise(instants))


@pytest.mark.parametrize("name", list(PROFILES))
def test_the_presets_hold_their_own_ladder_and_gate_lead(name: str) -> None:
    profile = PROFILES[name]
    assert failed_sums(profile.leads, profile.times) == ()
    check_gate_lead(profile.leads.gate_lead_s, profile.times, WORK)


def test_later_points_count_from_the_end_of_a_longer_slot() -> None:
    short, long = (slot_timeline(PROFILES["fast"], S, n) for n in (900, 3600))
    assert short.tau == long.tau
    assert long.expiry_out - short.expiry_out == 2700


@pytest.mark.parametrize(("start", "length"), [(S + 1, 900), (S, 600), (-900, 900)])
def test_a_slot_off_the_tick_is_refused(start: int, length: int) -> None:
    with pytest.raises(ValueError, match="slot"):
        slot_timeline(PROFILES["fast"], start, length)


def test_the_gate_lead_is_the_sum_of_what_must_fit() -> None:
    """Ladder 560 of the fast preset, 40 to seal, four rounds of 30, 30 to clear, 60 for books."""
    assert required_gate_lead(PROFILES["fast"].times, WORK) == 560 + 40 + 120 + 30 + 60


def test_a_gate_lead_one_second_short_is_refused_with_its_sum() -> None:
    times = PROFILES["fast"].times
    need = required_gate_lead(times, WORK)
    check_gate_lead(need, times, WORK)
    with pytest.raises(ConfigError, match=rf"write at least {need} = dispatch 30 \+ .* books 60"):
        check_gate_lead(need - 1, times, WORK)


def test_slower_finality_lengthens_the_gate_lead() -> None:
    times = PROFILES["fast"].times
    slower = replace(times, finality_s_max=times.finality_s_max + 25)
    assert required_gate_lead(slower, WORK) - required_gate_lead(times, WORK) == 25


@pytest.mark.parametrize(
    ("day", "ticks"),
    [
        (date(2026, 3, 29), 92),
        (date(2026, 10, 25), 100),
        (date(2026, 6, 1), 96),
        (date(2026, 12, 31), 96),
    ],
)
@pytest.mark.parametrize("length", SLOT_LENGTHS_S)
def test_a_local_day_has_as_many_slots_as_its_clock_says(
    day: date, ticks: int, length: int
) -> None:
    slots = slots_of_day(day, BERLIN, length)
    assert ticks * 900 // length == len(slots)
    assert all(after - before == length for before, after in pairwise(slots))
    assert slots_of_day(day + timedelta(days=1), BERLIN, length)[0] == slots[-1] + length


def test_a_utc_day_starts_at_midnight() -> None:
    assert slots_of_day(date(1970, 1, 1), UTC)[0] == 0


def test_a_zone_off_the_tick_and_an_odd_length_are_refused() -> None:
    with pytest.raises(ValueError, match="midnight"):
        slots_of_day(date(2026, 6, 1), timezone(timedelta(minutes=20)))
    with pytest.raises(ValueError, match="slot length"):
        slots_of_day(date(2026, 6, 1), UTC, 1200)


def test_energy_splits_over_ticks_without_loss() -> None:
    assert energy_by_tick(101, 3600) == (26, 25, 25, 25)
    assert energy_by_tick(101, 900) == (101,)
    assert ticks_of_slot(S, 1800) == (S, S + 900)
