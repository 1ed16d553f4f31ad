"""Commands over a finished run: text, JSON, refusals with an exit code, never a traceback."""

import json
import sys
import types
from pathlib import Path

import pytest
from fakes.finished_run import REFUSED, SETTLED, START_S, summary, trades, write_finished_run

from tieline.cli import main
from tieline.scenario.reading import shipped_scenario
from tieline.scenario.run_folder import RunFolder


class _Tieline:
    """Calls the command line in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["tieline", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = self._capsys.readouterr()
        code = end.value.code
        return (code if isinstance(code, int) else 0), out, err


@pytest.fixture
def tieline(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> _Tieline:
    monkeypatch.chdir(tmp_path)
    return _Tieline(monkeypatch, capsys)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return write_finished_run(tmp_path / "runs" / "evening-001")


REFUSED_COMMANDS = [
    # what is typed, what the one line on standard error says
    (["run"], "name a YAML file"),
    (["run", "missing.yaml"], "missing.yaml: cannot be read"),
    (["run", "--resume"], "start `tieline demo`"),
    (["trade", "list"], "start `tieline demo`"),
    (["trade", "show", "ab", "--run", "nowhere"], "nowhere/run.json: is missing"),
    (["status", "nowhere"], "nowhere/run.json: is missing"),
    (["audit", "nowhere"], "nowhere/ledgers: no ledgers there"),
    (["data", "slice"], "write --wheel FILE or --from-package"),
    (["data", "slice", "--wheel", "x.whl", "--from-package"], "needs one source"),
    (["demo", "--slots", "25"], "write a number from 1 to 24"),
    (["run", "--resume", "--engine", "native"], "start `tieline demo`"),
    (["init", str(shipped_scenario("evening")), __file__], f"{__file__}: cannot be read or wr"),
    (["init", str(shipped_scenario("evening")), f"{__file__}/run"], "Not a directory; name"),
    (["trade", "list", "--level", "LOCAL"], "--level: no 'LOCAL'; write one of INTRA, INTER, GRID"),
    (["trade", "list", "--outcome", "lost"], "write one of settled, partly_settled, refused, ref"),
    (["run", "--resume", "--keys-from", "other"], "leave it out, or start a new run without"),
    (["data", "scenario", "a" * 300], "File name too long"),
    (["data", "scenario", "morning"], "write one of day, evening"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED_COMMANDS)
def test_a_refusal_is_one_line_and_exit_code_2(
    tieline: _Tieline, arguments: list[str], message: str
) -> None:
    code, out, err = tieline(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_scenario_that_was_refused_may_be_mended_and_run_into_the_same_folder(
    tieline: _Tieline, tmp_path: Path
) -> None:
    text = (
        shipped_scenario("evening").read_text().replace("profile: [H0-A, H0-B", "profile: [NOBODY")
    )
    (tmp_path / "own.yaml").write_text(text)
    for _ in range(2):
        code, _, err = tieline("run", "own.yaml", "--out", "out")
        assert code == 2
        assert "unknown profile 'NOBODY'" in err
    assert {one.name for one in (tmp_path / "out").iterdir()} == {"scenario.yaml", "keys"}
    (tmp_path / "out" / "mine").touch()
    assert "the folder is not empty" in tieline("run", "own.yaml", "--out", "out")[2]


@pytest.mark.parametrize("named", ["own/scenario.yaml", "other.yaml"])
def test_a_scenario_of_ones_own_is_not_written_over(
    tieline: _Tieline, tmp_path: Path, named: str
) -> None:
    text = shipped_scenario("evening").read_text()
    own = tmp_path / "own" / "scenario.yaml"
    own.parent.mkdir()
    own.write_text(text)
    (tmp_path / "other.yaml").write_text(text.replace("profile: [H0-A, H0-B", "profile: [NOBODY"))
    assert "the folder is not empty" in tieline("run", named, "--out", "own")[2]
    assert own.read_text() == text


def test_an_unknown_command_is_a_usage_error(tieline: _Tieline) -> None:
    assert tieline("trad")[0] == 2


def test_the_list_shows_every_trade_and_filters_by_level_and_end(
    tieline: _Tieline, run: RunFolder
) -> None:
    code, out, _ = tieline("trade", "list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:]] == [SETTLED[:12], REFUSED[:12]]
    assert "3.704" in out
    assert "refused V_LOW" in out
    _, grid, _ = tieline("trade", "list", "--level", "grid", "--json")
    assert [trade["trade_id"] for trade in json.loads(grid)] == [REFUSED]
    _, settled, _ = tieline("trade", "list", "--outcome", "settled", "--run", run.path, "--json")
    assert [trade["trade_id"] for trade in json.loads(settled)] == [SETTLED]


@pytest.mark.parametrize("what", ["9" * 5_000, "9" * 21, "-1", ""])
def test_what_is_no_trade_and_no_slot_is_said(tieline: _Tieline, run: RunFolder, what: str) -> None:
    code, _, err = tieline("explain", "--run", run.path, "--", what)
    assert code == 2
    assert "no trade" in err


def test_show_tells_the_way_with_heights_and_proofs(tieline: _Tieline, run: RunFolder) -> None:
    _, out, _ = tieline("trade", "show", "5e5e", "--run", run.path)
    receive = next(line for line in out.splitlines() if " receive " in line)
    assert receive.split()[3:] == ["mg-c", "44", "42", "1893"]
    assert "buyers pay 21.45 ct/kWh, sellers get 21.25 ct/kWh" in out
    assert "15:19:40 CET" not in out
    assert "14:50:10 CET" in out


def test_show_tells_the_limit_and_bound_of_a_refusal(tieline: _Tieline, run: RunFolder) -> None:
    _, out, _ = tieline("trade", "show", "5f")
    assert "verdict     refuse V_LOW" in out
    assert "V_LOW bus 10: 0.9468 pu against 0.9621 pu (margin 0.0121 taken off)" in out


def test_show_as_json_is_the_record(tieline: _Tieline, run: RunFolder) -> None:
    _, out, _ = tieline("trade", "show", SETTLED, "--json")
    assert json.loads(out) == trades()[0].model_dump(mode="json")


@pytest.mark.parametrize(
    ("prefix", "message"),
    [("5", "2 trades begin with '5'"), ("ff", "no trade 'ff'"), ("", "no trade ''")],
)
def test_a_prefix_must_name_one_trade(
    tieline: _Tieline, run: RunFolder, prefix: str, message: str
) -> None:
    code, _, err = tieline("trade", "show", prefix)
    assert code == 2
    assert message in err


def test_explain_says_why_a_trade_was_refused(tieline: _Tieline, run: RunFolder) -> None:
    _, out, _ = tieline("explain", "5f5f")
    assert "The cells refused it: a voltage would fall below its band (V_LOW)." in out
    assert "0.0121 pu of it are margins" in out
    assert "80.44 EUR went back to the buyers." in out


@pytest.mark.parametrize("what", ["1", str(START_S + 900)])
def test_explain_takes_a_slot_by_number_or_time(
    tieline: _Tieline, run: RunFolder, what: str
) -> None:
    _, out, _ = tieline("explain", what)
    assert "Slot 1, 15:15:00 CET: 61 orders became 1 trades; 1 were refused." in out
    assert "a-depot got 47.500 kWh less" in out
    assert "0.9468 pu, outside the band" in out


def test_explain_as_json_has_the_same_sentences(tieline: _Tieline, run: RunFolder) -> None:
    _, text, _ = tieline("explain", "0")
    _, out, _ = tieline("explain", "0", "--json")
    assert json.loads(out)["sentences"] == text.splitlines()


def test_status_shows_state_events_and_money(tieline: _Tieline, run: RunFolder) -> None:
    _, out, _ = tieline("status")
    assert "evening, finished, 2 slots done" in out
    assert "lock_opened" in out
    assert "499.21" in out
    _, machine, _ = tieline("status", run.path, "--json")
    assert json.loads(machine)["events"] == {"lock_opened": 1}


def test_status_shows_fuel_where_transactions_cost_something(
    tieline: _Tieline, run: RunFolder
) -> None:
    _, out, _ = tieline("status")
    row = next(line for line in out.splitlines() if line.startswith("relayer-0"))
    assert row.split() == ["relayer-0", "mg-b", "2.000e+15", "wei", "9.000e+17", "wei", "900"]
    _, machine, _ = tieline("status", run.path, "--json")
    fuel = json.loads(machine)["fuel"]
    assert list(fuel) == ["mg-b"]
    assert fuel["mg-b"][0]["left"] == "9" + "0" * 17


def test_status_of_a_run_that_has_just_begun(tieline: _Tieline, run: RunFolder) -> None:
    for file in (run.summary_json, run.trades_json, run.events_jsonl):
        file.unlink()
    code, out, _ = tieline("status")
    assert code == 0
    assert "2 slots done" in out


def test_ledgers_are_described_with_their_genesis(tieline: _Tieline, run: RunFolder) -> None:
    _, out, _ = tieline("ledger", "describe")
    assert "cometbft" in out
    _, machine, _ = tieline("ledger", "describe", "--ledger", "mg-a", "--json")
    assert json.loads(machine)[0]["genesis"] == {"chain_id": "mg-a"}
    code, _, err = tieline("ledger", "describe", "--ledger", "mg-z")
    assert code == 2
    assert "write one of mg-a" in err


def test_profiles_are_listed_with_mean_and_peak(tieline: _Tieline) -> None:
    _, out, _ = tieline("data", "list")
    assert "winter: from 2016-01-17 23:00 UTC" in out
    assert any(line.split()[:3] == ["PV1", "plant", "winter"] for line in out.splitlines())


def test_a_shipped_scenario_is_printed_as_it_is(tieline: _Tieline, tmp_path: Path) -> None:
    from tieline.scenario.reading import load_scenario, shipped_scenario

    _, out, _ = tieline("data", "scenario", "evening")
    (tmp_path / "own.yaml").write_text(out)
    assert load_scenario(tmp_path / "own.yaml") == load_scenario(shipped_scenario("evening"))


class _World(types.ModuleType):
    """Stands in for the world: writes the hand-made run where it is told to."""

    def __init__(self, *, is_ok: bool = True) -> None:
        super().__init__("tieline.scenario.world")
        self.calls: list[dict[str, object]] = []
        self.is_ok = is_ok

    def run(self, config: object, out: Path, **options: object) -> None:
        self.calls.append({"config": config, "out": out, **options})
        progress = options["progress"]
        assert callable(progress)
        progress(1, 2, "slot 1")
        write_finished_run(out).write_summary(summary(is_ok=self.is_ok))

    def prepare(self, config: object, out: Path, engine: str) -> None:
        self.calls.append({"config": config, "prepared": out, "engine": engine})


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> _World:
    stand_in = _World()
    monkeypatch.setitem(sys.modules, "tieline.scenario.world", stand_in)
    return stand_in


def test_the_demo_prints_what_came_of_it_and_where_to_look(
    tieline: _Tieline, world: _World
) -> None:
    code, out, _ = tieline("demo")
    assert code == 0
    assert "0 with the gate, 1 without it" in out
    assert "Refused: 1 V_LOW" in out
    assert "V_LOW bus 10" in out
    assert "Checks: 2 of 2 hold." in out
    assert "runs/evening-001/report.html" in out
    assert "tieline audit runs/evening-001" in out
    assert world.calls[0]["resume"] is False


def test_the_day_has_96_slots_and_a_folder_of_its_own(tieline: _Tieline, world: _World) -> None:
    code, out, _ = tieline("demo", "--day", "--json")
    assert code == 0
    assert json.loads(out)["run"] == "runs/day-001"
    assert world.calls[0]["config"].slot_count == 96


def test_a_failed_check_ends_with_exit_code_1(tieline: _Tieline, world: _World) -> None:
    world.is_ok = False
    code, _, err = tieline("demo")
    assert code == 1
    assert "FAILED E6 money" in err


def test_a_folder_that_is_taken_is_not_overwritten(
    tieline: _Tieline, world: _World, run: RunFolder
) -> None:
    code, _, err = tieline("demo", "--out", run.path)
    assert code == 2
    assert "add --resume" in err
    assert not world.calls


def test_resume_goes_on_with_the_scenario_of_the_run(
    tieline: _Tieline, world: _World, run: RunFolder, tmp_path: Path
) -> None:
    (run.ledger("mg-a") / "genesis.json").unlink()
    run.ledger("mg-a").rmdir()
    code, _, _ = tieline("run", "--resume", "--out", run.path)
    assert code == 0
    assert world.calls[0]["resume"] is True
    assert world.calls[0]["out"] == run.path
    other = tmp_path / "other.yaml"
    other.write_text(run.scenario_yaml.read_text().replace("seed: 20160118", "seed: 1"))
    code, _, err = tieline("run", other, "--resume", "--out", run.path)
    assert code == 2
    assert "another scenario than that of the run" in err


def test_keys_come_from_another_run_that_has_some(
    tieline: _Tieline, world: _World, run: RunFolder
) -> None:
    code, _, err = tieline("run", run.scenario_yaml, "--keys-from", run.path)
    assert code == 2
    assert "no keys there" in err
    run.keys.mkdir()
    assert tieline("run", run.scenario_yaml, "--keys-from", run.path)[0] == 0
    assert world.calls[0]["keys_from"] == run.keys


def test_init_prepares_a_folder_and_says_how_to_go_on(
    tieline: _Tieline, world: _World, run: RunFolder, tmp_path: Path
) -> None:
    code, out, _ = tieline("init", run.scenario_yaml, tmp_path / "new")
    assert code == 0
    assert world.calls[0]["prepared"] == tmp_path / "new"
    assert world.calls[0]["engine"] == "embedded"
    assert f"tieline run --resume --out {tmp_path / 'new'}" in out


@pytest.mark.parametrize("asked", ["embedded", "native", None])
def test_the_engine_that_is_asked_for_reaches_the_world(
    tieline: _Tieline, world: _World, run: RunFolder, tmp_path: Path, asked: str | None
) -> None:
    """Where nothing is asked for the world decides: a resumed run keeps its engine."""
    option = () if asked is None else ("--engine", asked)
    assert tieline("run", run.scenario_yaml, "--out", tmp_path / "a", *option)[0] == 0
    assert tieline("demo", "--slots", "3", "--out", tmp_path / "b", *option)[0] == 0
    assert tieline("init", run.scenario_yaml, tmp_path / "c", *option)[0] == 0
    assert [call["engine"] for call in world.calls] == [asked, asked, asked or "embedded"]


def test_the_native_demo_has_the_same_ledgers(tieline: _Tieline, world: _World) -> None:
    for option in ((), ("--engine", "native")):
        assert tieline("demo", *option)[0] == 0
    kinds = [
        [one.ledger for one in (call["config"].operator, *call["config"].microgrids)]
        for call in world.calls
    ]
    assert kinds[0] == kinds[1]
    assert set(kinds[1]) == {"tendermint", "ethereum", "fabric"}


def test_ledger_verify_asks_the_audit_that_there_is() -> None:
    """The command names functions of the audit package as they are."""
    from tieline import audit
    from tieline.cli import ledger

    assert callable(audit.verify_ledger)
    assert "verify_ledger" in ledger.verify.__code__.co_names


def test_engines_are_listed_with_how_to_get_what_is_missing(
    tieline: _Tieline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TIELINE_CACHE", str(tmp_path / "cache"))
    code, out, _ = tieline("engines", "--json")
    assert code == 0
    rows = json.loads(out)["engines"]
    assert {row["engine"] for row in rows} >= {"cometbft", "cometbft-driven"}
    assert {row["state"] for row in rows} == {"missing"}
    assert all("make ledgers" in row["how"] for row in rows)
    code, out, _ = tieline("engines")
    assert code == 0
    assert str(tmp_path / "cache") in out
    assert "make ledgers" in out


def test_a_native_run_without_engines_begins_nothing(
    tieline: _Tieline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It says how to get them, and leaves no folder that would look like a run."""
    monkeypatch.setenv("TIELINE_CACHE", str(tmp_path / "cache"))
    code, out, err = tieline("demo", "--engine", "native", "--json", "--out", tmp_path / "run")
    assert (code, out) == (2, "")
    assert "cometbft-driven" in err
    assert "make ledgers" in err
    assert not (tmp_path / "run").exists()
