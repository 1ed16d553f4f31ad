"""
Run all benchmarks, one after another, each in a process of its own, and keep what they say.

``python tests/benchmark/run.py [--only NAME ...] [--json] [--output FILE] [--table FILE]``

A benchmark is a file ``bench_NAME.py`` beside this one; run alone, it prints its lines and keeps
nothing. Lines are added to the output file; the table in the page is made from the newest line of
each figure.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs"
PACKAGES = (
    "coincurve",
    "cosmpy",
    "numpy",
    "pandapower",
    "power-grid-model",
    "protobuf",
    "pynacl",
    "safe-pysha3",
    "scipy",
    "simbench",
    "sqlalchemy",
)
LONGEST_S = 1_200
BEGIN = "<!-- newest figures: written by tests/benchmark/run.py -->"
END = "<!-- end of newest figures -->"

Line = dict[str, Any]


def names() -> list[str]:
    """Return the benchmarks, in the order of their names; a file without ``main`` is a part."""
    own = (path for path in HERE.glob("bench_*.py") if "def main(" in path.read_text("utf-8"))
    return sorted(path.stem.removeprefix("bench_") for path in own)


def machine() -> Line:
    """Say what the figures were taken on."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
        "packages": found,
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def run(name: str, heading: Line) -> tuple[list[Line], str]:
    """Run one benchmark; return its lines, and what went wrong if anything did."""
    heading = {**heading, "load_average_1m": round(os.getloadavg()[0], 2)}
    command = [sys.executable, str(HERE / f"bench_{name}.py")]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=LONGEST_S
        )
    except subprocess.TimeoutExpired:
        return [], f"{name}: not done after {LONGEST_S} s"
    lines = [{**json.loads(text), **heading} for text in done.stdout.splitlines()]
    return lines, f"{name}: {done.stderr[-2_000:]}" if done.returncode else ""


def in_words(line: Line) -> str:
    """Return one line for people."""
    told = f"  {line['benchmark']:<44} {line['figure']:>12,g} {line['unit']}"
    if "target" in line:
        told += f"   target {line['target']}   {'met' if line['is_met'] else 'MISSED'}"
    return told


def newest(lines: list[Line]) -> list[Line]:
    """Return the last line of each figure, in the order of their names."""
    return [line for _, line in sorted({line["benchmark"]: line for line in lines}.items())]


def table(lines: list[Line]) -> str:
    """Return the newest figures as Markdown."""
    rows = [
        "| figure | found | target | | date | load |",
        "| --- | ---: | --- | --- | --- | ---: |",
    ]
    for line in newest(lines):
        met = {True: "met", False: "**missed**"}.get(line.get("is_met", ""), "")
        found = f"{line['figure']:,g} {line['unit']}"
        rows.append(
            f"| `{line['benchmark']}` | {found} | {line.get('target', '')} | {met} "
            f"| {line['date']} | {line['load_average_1m']} |"
        )
    return "\n".join(rows)


def read_lines(path: Path) -> list[Line]:
    """Return what is kept in *path*, oldest first."""
    if not path.exists():
        return []
    return [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]


def with_table(page: str, lines: list[Line]) -> str:
    """Return *page* with its table made anew."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{table(lines)}\n\n{END}{tail}"


def main() -> int:
    """Run what is asked for; return 1 if a benchmark broke, 0 even if targets are missed."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--only", action="append", choices=names(), metavar="NAME")
    parser.add_argument("--json", action="store_true", help="JSON lines on standard output")
    parser.add_argument("--output", type=Path, default=DOCS / "benchmarks.jsonl")
    parser.add_argument("--table", type=Path, help="Markdown page whose table is made anew")
    asked = parser.parse_args()
    chosen = asked.only or names()
    heading = {"date": os.environ.get("BENCHMARK_DATE", ""), "machine": machine()}
    broken = 0
    for number, name in enumerate(chosen, 1):
        sys.stderr.write(f"[{number}/{len(chosen)}] {name} ...\n")
        started = time.monotonic()
        lines, error = run(name, heading)
        broken += bool(error)
        with asked.output.open("a", encoding="utf-8") as kept:
            kept.writelines(json.dumps(line) + "\n" for line in lines)
        for line in lines:
            sys.stdout.write((json.dumps(line) if asked.json else in_words(line)) + "\n")
        sys.stdout.flush()
        sys.stderr.write(f"  {time.monotonic() - started:.0f} s\n{error}")
    if asked.table is not None:
        page = asked.table.read_text(encoding="utf-8")
        asked.table.write_text(with_table(page, read_lines(asked.output)), encoding="utf-8")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
