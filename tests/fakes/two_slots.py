"""A run of two slots: in the first two devices ask for too much together, in the second the main
grid sags after the seal."""

import pytest

from fakes.mixed_world import with_ethereum
from fakes.shared_runs import shared_run
from tieline.scenario import world
from tieline.scenario.building import build_world
from tieline.scenario.config import ScenarioConfig
from tieline.scenario.driven_world import World
from tieline.scenario.reading import load_scenario, shipped_scenario
from tieline.scenario.run_folder import RunFolder

DEPOT = {
    "event": "dispatch",
    "cell": "a-depot",
    "power_kw": 1500,
    "levels": ["GRID"],
    "price_micro_eur_per_kwh": 450000,
}
ELECTROLYSER = {**DEPOT, "cell": "b-electrolyser", "price_micro_eur_per_kwh": 400000}
EVENTS = [
    {**DEPOT, "slots": [0, 1]},
    {**ELECTROLYSER, "slots": [0]},
    {"event": "slack_voltage", "slots": [1], "voltage_pu": 0.99},
    {"event": "non_delivery", "slots": [0], "cell": "c-wind-1", "delivered_percent": 0},
]


def config() -> ScenarioConfig:
    """Return the scenario: on two kinds of ledger, with the leads that are enough for them."""
    evening = load_scenario(shipped_scenario("evening")).model_dump()
    evening.update(slot_count=2, reproducible_keys=True, events=EVENTS, preset="fast")
    for microgrid in evening["microgrids"]:
        if microgrid["ledger"] == "fabric":
            microgrid["ledger"] = "tendermint"
    return ScenarioConfig.model_validate(evening)


def with_fabric() -> ScenarioConfig:
    """Return the scenario on all three kinds, as the shipped evening has them."""
    evening = load_scenario(shipped_scenario("evening")).model_dump()
    evening.update(slot_count=2, reproducible_keys=True, events=EVENTS)
    return ScenarioConfig.model_validate(evening)


def finished(factory: pytest.TempPathFactory, *ethereum: str) -> RunFolder:
    """Return a finished run with the ledgers of these microgrids on Ethereum; only read it."""
    scenario = with_ethereum(config(), *ethereum)
    return shared_run(
        factory,
        "-".join(("two-slots", *ethereum)),
        lambda path: world.run(scenario, path, progress=lambda *_: None),
    )


async def reopened(folder: RunFolder) -> World:
    """Return the finished run as a world again, as a resume does."""
    again = await build_world(config(), folder, world.key_ring(config(), folder.keys))
    await again.advance_to_end(lambda *_: None)
    return again
