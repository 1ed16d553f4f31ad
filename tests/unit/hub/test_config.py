"""The hub's YAML: units in the keys, unknown keys refused, the place named."""

from pathlib import Path

import pytest

from tieline.hub.config import HubConfig, read_config
from tieline.interfaces.errors import ConfigError

WHOLE = """
journal_url: sqlite:///run/journal.db
journal_days: 7
inclusion_blocks_max: 4
inclusion_s_max: 30
batches: {messages_max: 10, bytes_max: 1000}
ledgers:
  north-1: {lanes: [one, two], reveal_lead_s: 600}
"""


def read(tmp_path: Path, text: str) -> HubConfig:
    path = tmp_path / "hub.yaml"
    path.write_text(text)
    return read_config(path)


def test_every_key_reaches_the_runner(tmp_path: Path) -> None:
    config = read(tmp_path, WHOLE)
    settings = config.runner_settings(("north-1", "south-1"))
    assert settings.lanes == {"north-1": ("one", "two"), "south-1": ("relayer",)}
    assert (settings.limits.messages_max, settings.limits.bytes_max) == (10, 1000)
    bounds = (settings.inclusion_blocks_max, settings.inclusion_s_max, settings.journal_days)
    assert bounds == (4, 30, 7)
    assert config.ledger("north-1").reveal_lead_s == 600
    assert config.ledger("south-1").reveal_lead_s == 490


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    assert read(tmp_path, "") == HubConfig()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("jurnal_url: x", "jurnal_url"),
        ("batches: {messages_max: 0}", "batches.messages_max"),
        ("ledgers: {north-1: {lanes: []}}", "ledgers.north-1.lanes"),
        ("ledgers: {north-1: {reveal_lead: 5}}", "ledgers.north-1.reveal_lead"),
        ("inclusion_s_max: soon", "inclusion_s_max"),
    ],
)
def test_what_is_wrong_is_named_with_its_key(tmp_path: Path, text: str, key: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, text)
    assert raised.value.key == key
    assert raised.value.file.endswith("hub.yaml")


@pytest.mark.parametrize("text", ["a: [", "- : :"])
def test_what_is_not_yaml_is_said(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="is not YAML"):
        read(tmp_path, text)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config(tmp_path / "none.yaml")


def test_a_ledger_that_is_not_there_is_refused(tmp_path: Path) -> None:
    config = read(tmp_path, WHOLE)
    with pytest.raises(ConfigError, match="no such ledger: north-1") as raised:
        config.runner_settings(("south-1",))
    assert "south-1" in raised.value.instead
