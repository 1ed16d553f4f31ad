"""From a finished world to what readers get: summary, trades, slots, tables, report."""

from __future__ import annotations

from tieline.scenario.driven_world import World


def write_results(world: World, *, wall_seconds: float) -> None:
    """Write the results of *world* into its run folder; it took *wall_seconds*."""
    world.folder.path.joinpath("wall_seconds.txt").write_text(f"{wall_seconds:.3f}\n", "ascii")
