"""The shipped profiles: whole, small, licensed, and in UTC."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tieline.interfaces.errors import ConfigError
from tieline.scenario.profiles import PROFILES, shipped_weeks, week_of
from tieline.scenario.reading import load_scenario, shipped_scenario
from tieline.scenario.slicing import SIZE_MAX


def _s(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp())


def test_two_whole_weeks_start_on_monday_midnight_local_time() -> None:
    winter, summer = shipped_weeks()
    assert (winter.start_s, summer.start_s) == (_s(2016, 1, 17, 23), _s(2016, 7, 3, 22))
    assert winter.values.shape == summer.values.shape == (224, 672)


def test_values_are_those_of_the_source() -> None:
    """Rows of 18.01.2016 12:15 and 08.07.2016 12:15 in RESProfile.csv, read by eye."""
    winter, summer = shipped_weeks()
    assert round(winter.feed_in("PV3", _s(2016, 1, 18, 11, 15)) / 100) == 30
    assert round(summer.feed_in("PV5", _s(2016, 7, 8, 10, 15)) / 100) == 43


def test_other_weeks_take_the_value_of_the_same_time_of_week() -> None:
    winter, _ = shipped_weeks()
    now, later = _s(2016, 1, 20, 17), _s(2016, 1, 27, 17)
    assert winter.draw("mv_urban", now) == winter.draw("mv_urban", later)


def test_the_data_are_small_and_carry_their_licence() -> None:
    assert PROFILES.stat().st_size < SIZE_MAX
    licence = (PROFILES.parent / "DATA_LICENSE").read_text()
    assert "ODbL" in licence
    assert "DbCL" in licence


def test_a_date_without_profiles_is_refused_unless_a_week_is_named(tmp_path: Path) -> None:
    text = shipped_scenario("evening").read_text().replace("2016-01-18T", "2024-05-05T")
    path = tmp_path / "may.yaml"
    path.write_text(text)
    assert week_of(load_scenario(path)).name == "winter"
    path.write_text(text.replace("profiles:\n  week: winter\n", ""))
    with pytest.raises(ConfigError, match="no profiles for 2024-05-05") as refusal:
        week_of(load_scenario(path))
    assert refusal.value.key == "profiles.week"


@pytest.mark.parametrize(
    ("start", "week"),
    [
        ("2016-01-17T23:00", "winter"),
        ("2016-01-24T22:45", "winter"),
        ("2016-07-03T22:00", "summer"),
        ("2016-07-10T21:45", "summer"),
        ("2016-01-17T22:45", None),
        ("2016-01-24T23:00", None),
        ("2016-07-10T22:00", None),
    ],
)
def test_the_week_is_told_from_the_date(tmp_path: Path, start: str, week: str | None) -> None:
    text = shipped_scenario("evening").read_text().replace("profiles:\n  week: winter\n", "")
    path = tmp_path / "own.yaml"
    path.write_text(text.replace("2016-01-18T13:00", start))
    config = load_scenario(path)
    if week is None:
        with pytest.raises(ConfigError):
            week_of(config)
    else:
        assert week_of(config).name == week
