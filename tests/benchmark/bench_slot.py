"""Seconds a slot of a whole world: the shipped evening, cut to its first four slots."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from pathlib import Path

from clock import best_of, report

from tieline.scenario.reading import load_scenario, shipped_scenario
from tieline.scenario.world import run

SLOTS = 4
ROUNDS = 2


def main() -> None:
    """Run it in folders of its own, so that no round finds anything."""
    logging.disable(logging.WARNING)
    whole = load_scenario(shipped_scenario("evening"))
    config = whole.model_copy(update={"slot_count": SLOTS})

    def evening() -> None:
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(None):
            run(config, Path(folder), progress=lambda _done, _all, _what: None)

    took = best_of(ROUNDS, evening)
    report(
        "slot",
        took.cpu_s / SLOTS,
        "s",
        slots=SLOTS,
        ledgers=1 + len(config.microgrids),
        orders_of_cells=sum(
            cells.count for grid in config.microgrids for cells in grid.energy_cells
        ),
        seconds_in_all_cpu=round(took.cpu_s, 2),
        seconds_in_all_wall=round(took.wall_s, 2),
        clock="CPU with report and start of the world, best of rounds",
    )


if __name__ == "__main__":
    main()
