"""From a finished world to what readers get (in progress)."""

from tieline.scenario.driven_world import World


def write_results(world: World, *, wall_seconds: float) -> None:
    print(wall_seconds)
