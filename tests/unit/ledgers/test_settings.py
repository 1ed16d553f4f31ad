"""Settings that an engine wrote are changed in place, and only those."""

from __future__ import annotations

import pytest

from tieline.ledgers.tendermint.settings import change_settings

WRITTEN = """\
# timeout_commit = "5s"
moniker = "x"
[rpc]
laddr = "tcp://127.0.0.1:26657"
[p2p]
laddr = "tcp://0.0.0.0:26656"
[[p2p.overrides]]
max = 1
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(WRITTEN, encoding="utf-8")
    return path


def test_a_key_is_changed_in_its_section_and_nothing_else(file):
    change_settings(file, {("p2p", "laddr"): "tcp://127.0.0.1:1", ("", "moniker"): "y"})
    changed = WRITTEN.replace("tcp://0.0.0.0:26656", "tcp://127.0.0.1:1").replace('"x"', '"y"')
    assert file.read_text(encoding="utf-8") == changed


@pytest.mark.parametrize(("value", "written"), [(True, "true"), (7, "7"), ("", '""')])
def test_values_are_written_as_toml_has_them(file, value, written):
    change_settings(file, {("rpc", "laddr"): value})
    assert f"[rpc]\nladdr = {written}\n" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("place", [("", "laddr"), ("rpc", "moniker"), ("", "timeout_commit")])
def test_a_key_that_the_engine_does_not_know_is_our_mistake(file, place):
    with pytest.raises(AssertionError, match="knows no such"):
        change_settings(file, {place: 1})
