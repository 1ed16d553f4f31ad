"""`tieline config check`: files that are refused before anything starts, with the sum."""

import asyncio
import json
from pathlib import Path

import pytest
from fakes.paired_world import PairedWorld
from typer.testing import CliRunner

from tieline.cli.main import app
from tieline.hub.live_check import check_ends
from tieline.interfaces.errors import ConfigError
from tieline.relay.route import Endpoint, Route
from tieline.scenario.reading import shipped_scenario

RUNNER = CliRunner()
PAIR = """
preset: {preset}
ledgers:
  north-1: {{}}
  main-net: {{inclusion_s: 60, finality_s: 960}}
"""
RELAY = """
ledgers:
  lab-a: {kind: cosmos, rpc: ['http://127.0.0.1:1'], key_file: a.key}
  lab-b: {kind: tendermint, rpc: ['http://127.0.0.1:1'], key_file: b.key}
paths:
  - {between: [lab-a, lab-b], clients: [07-tendermint-0, 07-tendermint-1]}
"""


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    path = tmp_path / "pair.yaml"
    path.write_text(PAIR.format(preset="fast"))
    return path


def test_main_net_finality_with_the_fast_leads_is_refused_with_its_sums(pair: Path) -> None:
    done = RUNNER.invoke(app, ["config", "check", str(pair)])
    assert isinstance(done.exception, ConfigError)
    assert "F_A 960 + P 30 + 2 I_B 60 + K 60" in done.output
    assert done.output.count("DOES NOT FIT") == 5
    assert "main-net" in done.exception.what
    assert "need" in done.exception.what
    assert "preset: slow" in done.exception.instead


def test_the_slow_leads_leave_it_the_time(pair: Path) -> None:
    pair.write_text(PAIR.format(preset="slow"))
    done = RUNNER.invoke(app, ["config", "check", str(pair)])
    assert done.exit_code == 0
    assert "DOES NOT FIT" not in done.output


FABRIC = "preset: {preset}\nledgers: {{north-1: {{}}, farms: {{ledger: fabric}}}}\n"


def test_a_clock_that_ticks_does_not_fit_the_fast_leads(pair: Path) -> None:
    pair.write_text(FABRIC.format(preset="fast"))
    done = RUNNER.invoke(app, ["config", "check", str(pair)])
    assert isinstance(done.exception, ConfigError)
    assert "have 160 s, need 205 s = F_A 10 + P 30 + 2 I_B 60 + K 105" in str(done.exception)
    assert "write preset: fabric" in done.exception.instead


@pytest.mark.parametrize("preset", ["fabric", "slow"])
def test_the_leads_of_fabric_leave_its_clock_the_time(pair: Path, preset: str) -> None:
    pair.write_text(FABRIC.format(preset=preset))
    done = RUNNER.invoke(app, ["config", "check", str(pair)])
    assert done.exit_code == 0
    assert "K 105" in done.output


def test_what_fits_no_preset_needs_another_ledger(pair: Path) -> None:
    pair.write_text(PAIR.format(preset="slow").replace("960", "7200"))
    done = RUNNER.invoke(app, ["config", "check", str(pair)])
    assert isinstance(done.exception, ConfigError)
    assert done.exception.instead == "take a ledger whose blocks are final sooner"


def test_json_has_every_sum_of_every_ordered_pair(pair: Path) -> None:
    done = RUNNER.invoke(app, ["config", "check", str(pair), "--json"])
    told = json.loads(done.output)
    assert (told["is_ok"], told["preset"]) == (False, "fast")
    assert [(row["source"], row["destination"]) for row in told["pairs"]] == [
        ("north-1", "main-net"),
        ("main-net", "north-1"),
    ]
    for row in told["pairs"]:
        assert len(row["sums"]) == 7
        for one in row["sums"]:
            assert one["holds"] is (one["have_s"] >= one["need_s"])


def test_the_shipped_evening_fits() -> None:
    done = RUNNER.invoke(app, ["config", "check", str(shipped_scenario("evening"))])
    assert done.exit_code == 0
    assert "12 ordered pairs" in done.output


def test_a_scenario_that_does_not_fit_shows_its_sums_before_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    text = shipped_scenario("evening").read_text()
    path.write_text(
        text.replace("    chain_id: mg-b\n", "    chain_id: mg-b\n    finality_s: 960\n")
    )
    done = RUNNER.invoke(app, ["config", "check", str(path)])
    assert isinstance(done.exception, ConfigError)
    assert done.output.count("DOES NOT FIT") == 5


WRONG = [
    # what is in the file, options, what is said
    ("preset: fast\nledgers: {a-1: {}}\n", [], "at least 2"),
    ("preset: brisk\nledgers: {a-1: {}, b-1: {}}\n", [], "'fast', 'slow' or 'fabric'"),
    ("preset: fast\nledgers: {a-1: {finality: 9}, b-1: {}}\n", [], "not permitted"),
    ("- a\n", [], "has no keys"),
    ("a: [\n", [], "is not YAML"),
    ("scenario: x\n", [], "missing"),
    (PAIR.format(preset="fast"), ["--live"], "leave --live out"),
    (RELAY.replace("kind: cosmos", "kind: stars"), [], "'cosmos'"),
]


@pytest.mark.parametrize(("text", "options", "words"), WRONG)
def test_a_wrong_file_is_refused_in_words(
    tmp_path: Path, text: str, options: list[str], words: str
) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    done = RUNNER.invoke(app, ["config", "check", str(path), *options])
    assert isinstance(done.exception, ConfigError)
    assert words in str(done.exception)


def test_a_relayers_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "relay.yaml"
    path.write_text(RELAY)
    done = RUNNER.invoke(app, ["config", "check", str(path), "--json"])
    assert json.loads(done.output)["ledgers"] == {"lab-a": "cosmos", "lab-b": "tendermint"}


def test_both_ends_of_a_path_are_asked() -> None:
    world = PairedWorld(("a", "b"))
    route = world.topology.routes[0]
    ends = asyncio.run(check_ends([route], world.ledgers))
    assert [end.is_ok for end in ends] == [True, True]
    stranger = Route(route.first, Endpoint(route.second.ledger_id, "07-tendermint-9"))
    ends = asyncio.run(check_ends([stranger], world.ledgers))
    assert [(end.is_ok, end.counterparty) for end in ends] == [
        (False, route.second.client_id),
        (False, ""),
    ]
