"""A small real run to audit: two slots of the shipped evening, one trade in them refused."""

from __future__ import annotations

from pathlib import Path

from tieline.scenario import world
from tieline.scenario.config import ScenarioConfig
from tieline.scenario.reading import load_scenario, shipped_scenario

EVENTS = [
    {
        "event": "dispatch",
        "slots": [1],
        "cell": "a-depot",
        "power_kw": 1500.0,
        "side": "buy",
        "levels": ["GRID"],
        "price_micro_eur_per_kwh": 450_000,
    },
    {"event": "slack_voltage", "slots": [1], "voltage_pu": 0.985},
]
"""The depot's purchase fits the sealed forecast, and no longer once the slack's voltage fell."""


def write_run(path: Path) -> None:
    """Run the world into *path*."""
    evening = load_scenario(shipped_scenario("evening")).model_dump(mode="json")
    changes = {
        "start_utc": "2016-01-18T16:30:00Z",
        "slot_count": 2,
        "reproducible_keys": True,
        "events": EVENTS,
    }
    config = ScenarioConfig.model_validate(evening | changes)
    world.run(config, path, progress=lambda done, total, note: None)
