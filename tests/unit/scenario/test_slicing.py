"""Cutting the profiles out of a wheel: the right rows, repeatable bytes, strangers refused."""

import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from tieline.interfaces.errors import ConfigError
from tieline.scenario.slicing import FOLDER, slice_wheel


def _stamps(first: str) -> list[str]:
    monday = datetime.strptime(first, "%d.%m.%Y %H:%M")  # noqa: DTZ007 (local, as in the file)
    return [f"{monday + timedelta(minutes=15 * i):%d.%m.%Y %H:%M}" for i in range(672)]


ROWS = ["17.01.2016 23:45", *_stamps("18.01.2016 00:00"), *_stamps("04.07.2016 00:00")]


def _wheel(path: Path, rows: list[str], load: str = "0.5") -> Path:
    tables = {
        "LoadProfile.csv": ["time;H0-A_qload;H0-A_pload;hv_mixed1_qload"]
        + [f"{row};0.125;{load};-3.3" for row in rows],
        "RESProfile.csv": ["time;PV1"] + [f"{row};{i / 10000}" for i, row in enumerate(rows)],
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, lines in tables.items():
            archive.writestr(FOLDER + name, "\n".join(lines) + "\n")
    return path


def test_a_slice_holds_two_weeks_of_all_columns_but_the_high_voltage_ones(tmp_path: Path) -> None:
    out = tmp_path / "profiles.npz"
    size = slice_wheel(_wheel(tmp_path / "w.whl", ROWS), out)
    assert size == out.stat().st_size
    with np.load(out, allow_pickle=False) as packed:
        assert list(packed["columns"]) == ["H0-A_qload", "H0-A_pload", "PV1"]
        assert packed["winter"].dtype == np.int16
        assert packed["winter"][:, 0].tolist() == [1250, 5000, 1]
        assert packed["summer"][2, 671] == 2 * 672
        assert packed["start_s"].tolist() == [1453071600, 1467583200]


def test_the_same_wheel_gives_the_same_bytes(tmp_path: Path) -> None:
    wheel = _wheel(tmp_path / "w.whl", ROWS)
    slice_wheel(wheel, tmp_path / "1.npz")
    slice_wheel(wheel, tmp_path / "2.npz")
    assert (tmp_path / "1.npz").read_bytes() == (tmp_path / "2.npz").read_bytes()


def test_a_week_with_a_missing_row_is_refused(tmp_path: Path) -> None:
    wheel = _wheel(tmp_path / "w.whl", ROWS[:100] + ROWS[101:])
    with pytest.raises(ConfigError, match=r"week from 18\.01\.2016 00:00 is not complete"):
        slice_wheel(wheel, tmp_path / "out.npz")
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize("load", ["3.3", "nan"])
def test_a_value_that_does_not_fit_is_refused(tmp_path: Path, load: str) -> None:
    with pytest.raises(ConfigError, match="does not fit"):
        slice_wheel(_wheel(tmp_path / "w.whl", ROWS, load), tmp_path / "out.npz")


def test_another_file_is_refused_with_where_to_get_the_right_one(tmp_path: Path) -> None:
    (tmp_path / "w.whl").write_bytes(b"no zip")
    with pytest.raises(ConfigError, match="pip download --no-deps simbench"):
        slice_wheel(tmp_path / "w.whl", tmp_path / "out.npz")
