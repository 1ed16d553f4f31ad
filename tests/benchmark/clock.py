"""
How a figure is taken and said.

The best of several rounds is reported, in CPU time of this process where nothing sleeps: another
program on the machine can only make a round slower. Each line says what was asked for beside what
was found; a missed target is a line like any other.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # the fakes of the tests


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds."""

    cpu_s: float
    wall_s: float


def once(run: Callable[[], object]) -> Took:
    """Return what one call took."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return Took(time.process_time() - cpu, time.perf_counter() - wall)


def best_of(rounds: int, run: Callable[[], object]) -> Took:
    """Return the least CPU time and the least wall time of *rounds* calls."""
    took = [once(run) for _ in range(rounds)]
    return Took(min(one.cpu_s for one in took), min(one.wall_s for one in took))


def best_us(rounds: int, function: Callable[[Any], object], inputs: list[Any]) -> float:
    """Return CPU microseconds a call, best round over all *inputs*."""

    def run() -> None:
        for data in inputs:
            function(data)

    return best_of(rounds, run).cpu_s / len(inputs) * 1e6


def at_least(number: float) -> tuple[str, float]:
    """Ask for this much or more."""
    return (">=", number)


def at_most(number: float) -> tuple[str, float]:
    """Ask for this much or less."""
    return ("<=", number)


def report(
    benchmark: str,
    figure: float,
    unit: str,
    target: tuple[str, float] | None = None,
    **details: object,
) -> None:
    """
    Print one line of JSON.

    Args:
        benchmark: What was measured; one name for one question, for good.
        figure: What was found.
        unit: Of the figure.
        target: What was asked for, if anything was.
        details: How it came about.
    """
    line: dict[str, object] = {"benchmark": benchmark, "figure": shorten(figure), "unit": unit}
    if target is not None:
        sense, number = target
        line["target"] = f"{sense} {number:g}"
        line["is_met"] = figure >= number if sense == ">=" else figure <= number
    line["details"] = details
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def shorten(figure: float) -> float:
    """Return four significant digits; more are not measured."""
    return float(f"{figure:.4g}")
