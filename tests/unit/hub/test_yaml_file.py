"""What an operator mistypes in YAML is said with line and key; nothing is dropped in silence."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tieline.hub.config import read_config
from tieline.hub.relay_config import read_relay_config
from tieline.hub.yaml_file import read_yaml
from tieline.interfaces.errors import ConfigError
from tieline.scenario.reading import read_scenario

REFUSED = [
    # what is in the file, its line, its key, what is said
    ("a: 1\nstart_utc: 2016-02-30T13:00:00Z\n", ":2", "start_utc", "day is out of range for month"),
    ("a:\n  - b: 2016-13-45\n", ":2", "a[0].b", "'2016-13-45' (month must be in 1..12)"),
    ("a: !!int foo\n", ":1", "a", "'foo'"),
    ("a: !!float ''\n", ":1", "a", "no value: ''"),
    ("a: !!bool perhaps\n", ":1", "a", "'perhaps'"),
    ("a: !!timestamp noon\n", ":1", "a", "'noon'"),
    ("a: !!timestamp {=: noon}\n", ":1", "a.=", "no value: '='"),
    ("a: " + "9" * 5_000 + "\n", ":1", "a", "Exceeds the limit"),
    ("2016-13-45: a\n", ":1", "2016-13-45", "month must be in 1..12"),
    ("[" * 5_000, "", "", "nested too deep"),
    ("a: &a [*a]\n", "", "", "holds itself"),
    ("rpc: 1\nb:\n  c: 1\n  c: 2\n", ":4", "b.c", "written twice, first on line 3"),
    ("a: [\n", ":2", "", "is not YAML"),
    ("a: \x00\n", "", "", "is not YAML: unacceptable character"),
    ('a: 1\nb: "\\ud800"\n', ":2", "", "is not YAML: half of a surrogate pair"),
    ('"\\udc00": 1\n', ":1", "", "is not YAML: half of a surrogate pair"),
]


@pytest.fixture(autouse=True)
def lax_stack():
    """Libraries of Ethereum raise the limit of recursion for the whole process."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize(("text", "line", "key", "words"), REFUSED, ids=range(len(REFUSED)))
@pytest.mark.parametrize("read", [read_config, read_relay_config, read_scenario])
def test_what_is_no_value_is_said_with_line_and_key(tmp_path: Path, read, text, line, key, words):
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        read(path)
    assert words in str(raised.value)
    assert raised.value.file == f"{path}{line}"
    assert raised.value.key == key
    assert raised.value.instead


def test_a_ledger_that_stands_twice_is_not_dropped_in_silence(tmp_path: Path):
    path = tmp_path / "pairs.yaml"
    path.write_text("ledgers:\n  a-1: {finality_s: 960}\n  a-1: {}\n  b-1: {}\n")
    with pytest.raises(ConfigError, match=r"ledgers\.a-1: written twice, first on line 2"):
        read_yaml(path, "name another")


def test_what_is_not_text_is_said(tmp_path: Path):
    path = tmp_path / "own.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"cannot be read: .*; name another"):
        read_yaml(path, "name another")


def test_a_name_that_no_file_can_have_is_said(tmp_path: Path):
    path = tmp_path / "own.yaml"
    path.write_text('extends: "a\\0b.yaml"\n')
    with pytest.raises(ConfigError, match=r"cannot be read: .*; write the path of a YAML file"):
        read_scenario(path)


def test_an_empty_file_says_nothing(tmp_path: Path):
    path = tmp_path / "own.yaml"
    path.write_text("# later\n")
    assert read_yaml(path, "name another").content is None
