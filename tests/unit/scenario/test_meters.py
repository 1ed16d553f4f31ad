"""Meter CSV: units, time zones, daylight-saving days; everything doubtful refused with its line."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tieline.interfaces.errors import ConfigError
from tieline.scenario.meters import check_coverage, read_meters

GOOD = "time,meter,kWh\n2016-01-18 14:00,a-home-1,0.5\n2016-01-18 14:15,a-home-1,0.25\n"

REFUSED = [
    # file, line, what the message says
    ("", 1, "empty"),
    ("time,meter,Wh\n2016-01-18 14:00,m,5\n", 1, "unknown columns"),
    ("time,meter,kW\n2016-01-18 14:00,m,5\n", 1, "the file is in kW"),
    ("time,meter\n2016-01-18 14:00,m\n", 1, "columns are"),
    ("time,time,kWh\n", 1, "stands twice"),
    ("time,meter,kWh\n", 2, "no readings"),
    ("time,meter,kWh\n2016-01-18 14:00,m,-1\n", 2, "negative"),
    ("time,meter,kWh\n2016-01-18 14:00,m,1 kWh\n", 2, "not a number"),
    ("time,meter,kWh\n2016-01-18 14:00,m,nan\n", 2, "not a number"),
    ("time,meter,kWh\n2016-01-18 14:00,m,\n", 2, "not a number"),
    ("time,meter,kWh\n2016-01-18 14:00,m,30000\n", 2, "beyond 100 MW"),
    ("time,meter,kWh\n2016-01-18 14:00,m,1,2\n", 2, "4 values"),
    ("time,meter,kWh\n2016-01-18 14:00,,1\n", 2, "id is missing"),
    ("time,meter,kWh\n18.01.2016 14:00,m,1\n", 2, "not a time"),
    ("time,meter,kWh\n2016-01-18 14:05,m,1\n", 2, "quarter hour"),
    (GOOD + "2016-01-18 14:15,a-home-1,1\n", 4, "on line 3 already"),
    (GOOD + "2016-01-18 14:00,a-home-1,1\n", 4, "after a later reading"),
    (GOOD + "2016-01-18 14:45,a-home-1,1\n", 4, "gap: the reading of 'a-home-1' at 2016-01-18T14"),
    ("time,meter,kWh\n2016-01-18 14:00,m,1\n2016-01-18 16:00,m,1\n", 3, "120 minutes"),
]


@pytest.mark.parametrize(("text", "line", "what"), REFUSED)
def test_a_spoiled_file_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int, what: str
) -> None:
    path = tmp_path / "meters.csv"
    path.write_text(text)
    with pytest.raises(ConfigError) as refusal:
        read_meters(path, "kWh", "UTC")
    assert what in refusal.value.what
    assert refusal.value.file == f"{path}:{line}"
    assert refusal.value.instead


def _read(tmp_path: Path, text: str, unit: str = "kWh", zone: str = "UTC"):
    path = tmp_path / "meters.csv"
    path.write_text(text)
    return read_meters(path, unit, zone)


def test_energy_of_a_quarter_hour_becomes_mean_power(tmp_path: Path) -> None:
    series = _read(tmp_path, GOOD)["a-home-1"]
    assert series.milliwatt == (2_000_000, 1_000_000)
    assert series.start_s == int(datetime(2016, 1, 18, 14, tzinfo=UTC).timestamp())


def test_power_stays_power(tmp_path: Path) -> None:
    assert _read(tmp_path, GOOD.replace("kWh", "kW"), "kW")["a-home-1"].milliwatt == (
        500_000,
        250_000,
    )


def test_hourly_readings_are_spread_over_four_quarter_hours(tmp_path: Path) -> None:
    text = "time;meter;kWh\n2016-01-18T14:00Z;m;1\n2016-01-18T15:00Z;m;2\n"
    assert _read(tmp_path, text)["m"].milliwatt == (1_000_000,) * 4 + (2_000_000,) * 4


def test_a_stamp_with_an_offset_needs_no_zone(tmp_path: Path) -> None:
    text = "time,meter,kWh\n2016-01-18T15:00+01:00,m,1\n"
    series = _read(tmp_path, text, zone="America/New_York")["m"]
    assert series.start_s == int(datetime(2016, 1, 18, 14, tzinfo=UTC).timestamp())


def _local_day(first_utc: datetime, ticks: int, zone_hours: list[int]) -> str:
    """Write a day's stamps as a wall clock shows them, with the offset of each hour."""
    lines = ["time,meter,kWh"]
    for tick in range(ticks):
        moment = first_utc + timedelta(minutes=15 * tick)
        local = moment + timedelta(hours=zone_hours[tick // 4])
        lines.append(f"{local:%Y-%m-%d %H:%M},m,{tick}")
    return "\n".join(lines) + "\n"


def test_the_day_with_92_quarter_hours_is_read_without_a_gap(tmp_path: Path) -> None:
    text = _local_day(datetime(2016, 3, 26, 23, tzinfo=UTC), 92, [1, 1] + [2] * 21)
    series = _read(tmp_path, text, zone="Europe/Berlin")["m"]
    assert len(series.milliwatt) == 92


def test_the_day_with_100_quarter_hours_is_read_without_a_duplicate(tmp_path: Path) -> None:
    text = _local_day(datetime(2016, 10, 29, 22, tzinfo=UTC), 100, [2, 2, 2] + [1] * 22)
    series = _read(tmp_path, text, zone="Europe/Berlin")["m"]
    assert len(series.milliwatt) == 100
    assert series.at(int(datetime(2016, 10, 30, 1, 0, tzinfo=UTC).timestamp())) == 12 * 4 * 10**6


def test_a_local_time_that_did_not_exist_is_refused(tmp_path: Path) -> None:
    text = "time,meter,kWh\n2016-03-27 02:15,m,1\n"
    with pytest.raises(ConfigError, match="does not exist in Europe/Berlin"):
        _read(tmp_path, text, zone="Europe/Berlin")


def test_readings_that_end_before_the_run_are_refused(tmp_path: Path) -> None:
    meters = _read(tmp_path, GOOD)
    start = meters["a-home-1"].start_s
    check_coverage(tmp_path, meters, start, start + 1800)
    with pytest.raises(ConfigError, match="bring readings from 2016-01-18T14:00Z to 2016-01-18T14"):
        check_coverage(tmp_path, meters, start, start + 2700)


def test_a_field_without_end_is_refused_with_its_line(tmp_path: Path) -> None:
    text = f"time,meter,kWh\n2016-01-18 14:00,{'m' * 200_000},1\n"
    with pytest.raises(ConfigError, match=r":2: cannot be read: field larger"):
        _read(tmp_path, text)


def test_a_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"cannot be read: .*; write the path of a CSV file"):
        read_meters(Path("a\0b.csv"), "kWh", "UTC")
