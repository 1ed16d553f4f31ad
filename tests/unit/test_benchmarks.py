"""The runner of the benchmarks, and that the page shows what was found."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "benchmark"
MINI = """
import json
def main():
    print(json.dumps({"benchmark": "mini", "figure": 2.5, "unit": "ms", "target": "<= 3",
                      "is_met": True, "details": {"rounds": 1}}))
main()
"""


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    module = load("run")
    (tmp_path / "bench_mini.py").write_text(MINI)
    (tmp_path / "bench_part.py").write_text("x = 1\n")
    (tmp_path / "bench_torn.py").write_text("def main(): ...\nraise SystemExit('no solver')\n")
    monkeypatch.setattr(module, "HERE", tmp_path)
    return module


def test_each_benchmark_runs_alone_and_its_lines_are_kept(runner, tmp_path, monkeypatch, capsys):
    kept, page = tmp_path / "kept.jsonl", tmp_path / "page.md"
    page.write_text(f"# Page\n\n{runner.BEGIN}\nold\n{runner.END}\n\nend\n")
    arguments = ["run.py", "--output", str(kept), "--table", str(page), "--json", "--only", "mini"]
    monkeypatch.setattr(sys, "argv", arguments)
    monkeypatch.setenv("BENCHMARK_DATE", "2026-01-02")
    assert runner.main() == 0
    assert runner.main() == 0
    first, second = [json.loads(text) for text in kept.read_text().splitlines()]
    assert (first["figure"], first["target"], first["is_met"]) == (2.5, "<= 3", True)
    assert (first["date"], first["machine"]["packages"]["numpy"] != "") == ("2026-01-02", True)
    assert first["benchmark"] == second["benchmark"] == "mini"
    assert json.loads(capsys.readouterr().out.splitlines()[0]) == first
    text = page.read_text()
    assert "old" not in text
    assert text.count("| `mini` | 2.5 ms | <= 3 | met | 2026-01-02 |") == 1
    assert text.endswith("end\n")


def test_a_broken_benchmark_is_told_and_does_not_stop_the_others(
    runner, tmp_path, monkeypatch, capsys
):
    kept = tmp_path / "kept.jsonl"
    monkeypatch.setattr(sys, "argv", ["run.py", "--output", str(kept)])
    assert runner.names() == ["mini", "torn"]
    assert runner.main() == 1
    assert len(kept.read_text().splitlines()) == 1
    assert "torn: no solver" in capsys.readouterr().err


def test_a_missed_target_stands_out(runner):
    line = {"benchmark": "a", "figure": 12.0, "unit": "s", "target": "<= 3", "is_met": False}
    told = {**line, "date": "d", "load_average_1m": 0.1}
    assert "**missed**" in runner.table([told])
    assert "MISSED" in runner.in_words(line)


def test_a_figure_is_held_against_its_target(capsys):
    clock = load("clock")
    clock.report("slow", 10.06, "ms", clock.at_most(10))
    clock.report("fast", 300, "packets/s", clock.at_least(300))
    clock.report("plain", 123456.789, "us", rounds=3)
    slow, fast, plain = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert (slow["is_met"], slow["figure"], slow["target"]) == (False, 10.06, "<= 10")
    assert (fast["is_met"], fast["target"]) == (True, ">= 300")
    assert "target" not in plain
    assert (plain["figure"], plain["details"]) == (123500.0, {"rounds": 3})


def test_the_best_round_counts():
    clock = load("clock")
    rounds = iter([3_000, 30_000, 300])
    took = clock.best_of(3, lambda: sum(range(next(rounds))))
    alone = clock.best_of(1, lambda: sum(range(30_000)))
    assert 0 <= took.cpu_s < alone.cpu_s + 0.01
    assert next(rounds, None) is None


def test_the_page_shows_the_newest_figures():
    runner = load("run")
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    lines = runner.read_lines(ROOT / "docs" / "benchmarks.jsonl")
    assert lines
    assert runner.with_table(page, lines) == page


def test_every_benchmark_is_explained_on_the_page():
    runner = load("run")
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    assert [name for name in runner.names() if f"| `{name}` |" not in page] == []
