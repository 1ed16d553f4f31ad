"""The page on scenarios names every key with the default it really has."""

from pathlib import Path

import pytest

from tieline.scenario.config import (
    Connector,
    DispatchEvent,
    EnergyCells,
    Errors,
    GateMargins,
    Microgrid,
    NetworkSource,
    NonDeliveryEvent,
    Operator,
    Prices,
    Profiles,
    RelayerDownEvent,
    ScenarioConfig,
    SilentOwnerEvent,
    SlackVoltageEvent,
)

PAGE = (Path(__file__).parents[3] / "docs" / "scenario.md").read_text()
MODELS = [
    Connector, DispatchEvent, EnergyCells, Errors, GateMargins, Microgrid, NetworkSource,
    NonDeliveryEvent, Operator, Prices, Profiles, RelayerDownEvent, ScenarioConfig,
    SilentOwnerEvent, SlackVoltageEvent,
]  # fmt: skip


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_key_is_on_the_page(model: type) -> None:
    # band_max is written short, beside its sister.
    missing = [name for name in model.model_fields if name not in PAGE]
    assert [name for name in missing if not name.startswith("band_max")] == []


@pytest.mark.parametrize(
    "model", [Errors, GateMargins, Prices, Connector], ids=lambda model: model.__name__
)
def test_every_plain_default_is_the_one_on_the_page(model: type) -> None:
    for name, field in model.model_fields.items():
        rows = [line for line in PAGE.splitlines() if name in line]
        default = field.default
        text = f"{default:g}" if isinstance(default, float) else str(default).lower()
        assert rows or name.startswith("band_max"), name
        shown = f"{default}" if isinstance(default, float) else text
        assert all(text in row or shown in row for row in rows), (name, rows)
