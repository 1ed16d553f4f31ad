"""
Reads SCENARIO.yaml: text to model, and refusals to a line, a key, what is wrong, what to write.

``extends: other.yaml`` takes the other file first and lays this one's keys over it.
"""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, cast, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tieline.hub.yaml_file import KeyPath, read_yaml, render_path
from tieline.interfaces.errors import ConfigError
from tieline.scenario.checks import check_scenario
from tieline.scenario.config import ScenarioConfig, ScenarioEvent
from tieline.scenario.ladder_check import require_fit, scenario_pairs

DATA = Path(__file__).parent / "data"
EXTENDS_MAX = 4
"""Files over files; more is a circle."""
UNIT_WORDS = {
    "hours": "whole hours of the day, 0 to 23",
    "pu": "voltage per unit of the rated one, such as 1.02",
    "percent": "percent, such as 5 for 5 %",
    "kwh": "integer micro-EUR per kWh (0.30 EUR/kWh = 300000)",
    "eur": "whole EUR",
    "kw": "rating and power in kW (1 MW = 1000)",
    "minutes": "15, 30 or 60 minutes",
    "utc": "a UTC stamp such as 2016-01-18T14:00:00Z",
    "seconds": "whole seconds",
}
"""What a word of a key says about its value; the first one found counts."""


def shipped_scenario(name: str) -> Path:
    """
    Return the path of a scenario that comes with tieline, such as ``evening``.

    Raises:
        ConfigError: There is none of this name; the message lists them.
    """
    path = DATA / f"{name}.yaml"
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in DATA.glob("*.yaml")))
        raise ConfigError(f"no shipped scenario {name!r}", instead=f"write one of {names}")
    return path


def first_slots(config: ScenarioConfig, count: int) -> ScenarioConfig:
    """
    Return the scenario cut off after its first *count* slots; events of later ones fall away.

    Raises:
        ConfigError: It has fewer.
    """
    if not 1 <= count <= config.slot_count:
        raise ConfigError(
            f"{config.scenario} has {config.slot_count} slots",
            key="--slots",
            instead=f"write a number from 1 to {config.slot_count}",
        )
    events: list[ScenarioEvent] = []
    for event in config.events:
        if event.event == "relayer_down":
            events += [event] if event.slot < count else []
        elif slots := [slot for slot in event.slots if slot < count]:
            events.append(event.model_copy(update={"slots": slots}))
    return config.model_copy(update={"slot_count": count, "events": events})


def load_scenario(path: Path) -> ScenarioConfig:
    """
    Read and check a scenario file. Relative paths in it are taken from its folder.

    Raises:
        ConfigError: It cannot be read, has an unknown key, a value out of range, parts that
            contradict each other, or a ledger that is slower than its deadlines. The message has
            file, line, key and what to write instead.
    """
    config = read_scenario(path)
    require_fit(scenario_pairs(config), str(path))
    return config


def read_scenario(path: Path) -> ScenarioConfig:
    """
    Read a scenario file as ``load_scenario`` does, whether its ladder fits or not.

    Raises:
        ConfigError: As ``load_scenario``, for all but the ladder.
    """
    document, lines = _read_over(path, 0)
    try:
        config = ScenarioConfig.model_validate(document)
    except ValidationError as exc:
        # A mistyped key shows up twice: as unknown, and as missing under its right name.
        errors = sorted(exc.errors(), key=lambda error: error["type"] != "extra_forbidden")
        raise _refusal(path, lines, errors[0]) from exc
    config = _with_absolute_paths(config, path.parent.resolve())
    try:
        check_scenario(config)
    except ConfigError as exc:
        key = _parse_key(exc.key)
        raise ConfigError(
            exc.what, file=_place(path, lines, key), key=exc.key, instead=exc.instead
        ) from exc
    return config


def scenario_text(config: ScenarioConfig) -> str:
    """Return a scenario as a run writes it into its folder."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def is_of_a_run(path: Path) -> bool:
    """Say whether a scenario's file is as a run writes it, and not somebody's own."""
    try:
        return scenario_text(load_scenario(path)).encode() == path.read_bytes()
    except ConfigError:
        return False


def _with_absolute_paths(config: ScenarioConfig, folder: Path) -> ScenarioConfig:
    """Anchor the file names that the scenario mentions at its own folder."""
    network, profiles = config.network, config.profiles
    if network.pandapower_json is not None:
        network = network.model_copy(update={"pandapower_json": folder / network.pandapower_json})
    if profiles.meters_csv is not None:
        profiles = profiles.model_copy(update={"meters_csv": folder / profiles.meters_csv})
    return config.model_copy(update={"network": network, "profiles": profiles})


def _read_over(path: Path, depth: int) -> tuple[dict[str, Any], Mapping[KeyPath, int]]:
    """Read a file over the one that it extends."""
    if depth > EXTENDS_MAX:
        raise ConfigError(
            "files extend each other in a circle",
            file=str(path),
            key="extends",
            instead=f"extend at most {EXTENDS_MAX} deep",
        )
    document, lines = _read(path)
    base = document.pop("extends", None)
    if base is None:
        return document, lines
    if not isinstance(base, str):
        raise ConfigError(
            "not a file name", file=str(path), key="extends", instead="write one file name"
        )
    under, _ = _read_over(path.parent / base, depth + 1)
    return _merge(under, document), lines


def _merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Lay *over* on *under*: blocks key by key, anything else whole."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            blocks = cast("tuple[dict[str, Any], dict[str, Any]]", (below, value))
            merged[key] = _merge(*blocks)
        else:
            merged[key] = value
    return merged


def _read(path: Path) -> tuple[dict[str, Any], Mapping[KeyPath, int]]:
    """Return the keys of a file, and the line of each."""
    file = read_yaml(path, "write the path of a YAML file")
    if not isinstance(file.content, dict):
        raise ConfigError(
            "not a scenario", file=str(path), instead="start with `scenario:` and its name"
        )
    pairs = cast("dict[object, Any]", file.content)
    return {str(key): value for key, value in pairs.items()}, file.lines


def _refusal(path: Path, lines: Mapping[KeyPath, int], error: ErrorDetails) -> ConfigError:
    """Turn pydantic's first complaint into file, line, key, what is wrong, what to write."""
    loc, models = _resolve(error["loc"])
    what, instead = _words(error, loc, models)
    return ConfigError(what, file=_place(path, lines, loc), key=render_path(loc), instead=instead)


def _words(error: ErrorDetails, loc: KeyPath, models: list[type[BaseModel]]) -> tuple[str, str]:
    """Say what is wrong and what to write instead."""
    name = str(loc[-1]) if loc else ""
    if error["type"] == "extra_forbidden":
        known = sorted({key for model in models for key in model.model_fields})
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        return "unknown key", (
            f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}"
        )
    if error["type"] == "missing":
        return "missing", f"add `{name}:` with {_unit_of(loc)}"
    if error["type"] in {"union_tag_invalid", "union_tag_not_found"}:
        tags = error.get("ctx", {}).get("expected_tags") or (
            "'dispatch', 'slack_voltage', 'silent_owner', 'relayer_down', 'non_delivery'"
        )
        return "unknown event", f"write `event:` as one of {tags}"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    given = error["input"]
    shown = f" (given {given!r})" if isinstance(given, str | int | float) else ""
    return f"must be {message}{shown}".replace("must be not a", "not a"), f"write {_unit_of(loc)}"


def _unit_of(loc: KeyPath) -> str:
    """Tell the unit by the key's last word."""
    names = [part for part in loc if isinstance(part, str)]
    words = names[-1].split("_") if names else []
    for word, meaning in UNIT_WORDS.items():
        if word in words:
            return meaning
    return "a value as docs/scenario.md shows it"


def _resolve(loc: KeyPath) -> tuple[KeyPath, list[type[BaseModel]]]:
    """
    Follow a pydantic location through the models.

    Returns:
        The path as the file has it (without union tags), and the models of the block in which
        its last key stands.
    """
    models: list[type[BaseModel]] = [ScenarioConfig]
    block = models
    path: list[str | int] = []
    for index, part in enumerate(loc):
        if isinstance(part, int):
            path.append(part)
            continue
        fields = [model.model_fields[part] for model in models if part in model.model_fields]
        tagged = [model for model in models if _tag_of(model) == part]
        if fields:
            path.append(part)
            block, models = models, [m for field in fields for m in _models_in(field.annotation)]
        elif tagged:
            models = tagged
        elif index == len(loc) - 1 and not _is_type_name(part):
            path.append(part)
            block = models
    return tuple(path), block


def _is_type_name(part: str) -> bool:
    """Return whether pydantic named a branch of a union rather than a key of the file."""
    return part in {"int", "float", "str", "constrained-int"} or "[" in part


def _tag_of(model: type[BaseModel]) -> str | None:
    """Return the one value that a model's ``event`` key may have."""
    field = model.model_fields.get("event")
    return None if field is None else str(get_args(field.annotation)[0])


def _models_in(annotation: object) -> list[type[BaseModel]]:
    """Return the models that stand anywhere in a type annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in {list, Annotated, typing.Union, types.UnionType}:
        return [model for arg in get_args(annotation) for model in _models_in(arg)]
    return []


def _parse_key(key: str) -> KeyPath:
    """Take a rendered path apart again."""
    parts: list[str | int] = []
    for piece in key.replace("[", ".[").split("."):
        if piece.startswith("["):
            parts.append(int(piece[1:-1]))
        elif piece:
            parts.append(piece)
    return tuple(parts)


def _place(path: Path, lines: Mapping[KeyPath, int], key: KeyPath) -> str:
    """Name the file and the line of a key, or of the nearest block around it."""
    for length in range(len(key), 0, -1):
        line = lines.get(key[:length])
        if line is not None:
            return f"{path}:{line}"
    return str(path)
