"""
Run a scenario: from a configuration to a run folder, or on from where one was interrupted.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from pathlib import Path

from tieline.interfaces.engines import find_engine
from tieline.interfaces.errors import ConfigError
from tieline.scenario.building import build_world
from tieline.scenario.config import ScenarioConfig
from tieline.scenario.driven_world import Progress, World
from tieline.scenario.reading import scenario_text
from tieline.scenario.run_folder import EngineName, RunFolder, RunState
from tieline.scenario.summary import write_results
from tieline.scenario.version import tieline_version
from tieline.utility.bootstrap import NATIVE_PROGRAMS
from tieline.utility.keys import KeyRing


def run(
    config: ScenarioConfig,
    path: Path,
    *,
    progress: Progress,
    resume: bool = False,
    keys_from: Path | None = None,
    engine: EngineName | None = None,
) -> None:
    """
    Run *config* to its end and write everything into *path*.

    Args:
        config: A checked scenario.
        path: The run folder.
        progress: Told after every instant.
        resume: Go on with the run that *path* holds.
        keys_from: Folder of keys of another run, used instead of new ones.
        engine: What the ledgers run on; None: the run's own when resumed, else embedded.

    Raises:
        ConfigError: The scenario cannot be, *path* holds a run of another one, or on other engines,
            or an engine is missing.
        Unavailable: Native engines do not come up, or do not make blocks any more.
    """
    folder = RunFolder(path)
    if resume:
        engine = _require_same(config, folder, engine)
    engine = engine or "embedded"
    require_engines(config, engine)
    if not resume:
        _begin(config, folder, engine)
    asyncio.run(_run(config, folder, progress, engine, keys_from=keys_from))


def require_engines(config: ScenarioConfig, engine: EngineName) -> None:
    """Raise ConfigError, which says how to get it, if something that *engine* needs is missing."""
    if engine == "native":
        for kind in sorted(
            {zone.ledger.chain_kind for zone in (*config.microgrids, config.operator)}
        ):
            for program in NATIVE_PROGRAMS[kind]:
                find_engine(program)


def prepare(config: ScenarioConfig, path: Path, engine: EngineName = "embedded") -> None:
    """
    Draw all keys, write each genesis and set the ledgers up; go on with ``run(resume=True)``.

    Raises:
        ConfigError: As ``run``.
        Unavailable: As ``run``.
    """
    require_engines(config, engine)
    asyncio.run(_prepare(config, RunFolder(path), engine))


async def _prepare(config: ScenarioConfig, folder: RunFolder, engine: EngineName) -> None:
    _begin(config, folder, engine)
    world = await _built(config, folder, key_ring(config, folder.keys), engine)
    world.close()


async def _built(
    config: ScenarioConfig, folder: RunFolder, ring: KeyRing, engine: EngineName
) -> World:
    """Build the world; a scenario that cannot be leaves no run behind."""
    try:
        return await build_world(config, folder, ring, engine)
    except ConfigError:
        if not folder.ledger_ids():
            folder.run_json.unlink()
        raise


async def _run(
    config: ScenarioConfig,
    folder: RunFolder,
    progress: Progress,
    engine: EngineName,
    *,
    keys_from: Path | None,
) -> None:
    started = time.perf_counter()
    folder.checksums.unlink(missing_ok=True)
    ring = key_ring(config, keys_from if keys_from is not None else folder.keys)
    progress(0, config.slot_count, "ledgers start")
    world = await _built(config, folder, ring, engine)
    try:
        await world.advance_to_end(progress)
        await write_results(world, wall_seconds=time.perf_counter() - started)
        for ledger in world.ledgers.values():
            await ledger.finish()
    finally:
        world.close()
    folder.write_checksums()
    folder.write_state(_state(config, folder, "finished", engine, config.slot_count))


def key_ring(config: ScenarioConfig, keys: Path) -> KeyRing:
    """Return drawn keys, or reproducible ones where the scenario asks for them."""
    seed = f"{config.scenario} {config.seed}" if config.reproducible_keys else None
    return KeyRing(keys, seed)


def _begin(config: ScenarioConfig, folder: RunFolder, engine: EngineName) -> None:
    if folder.run_json.exists():
        raise ConfigError(
            "the folder holds a run already",
            file=str(folder.path),
            instead="go on with it (resume), or choose an empty folder",
        )
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.scenario_yaml.write_text(scenario_text(config), encoding="utf-8")
    folder.write_state(_state(config, folder, "running", engine))


def _require_same(
    config: ScenarioConfig, folder: RunFolder, engine: EngineName | None
) -> EngineName:
    """Return the engine that the run began with."""
    state = folder.read_state()
    began_with = hashlib.sha256(scenario_text(config).encode()).hexdigest()
    if not state.scenario_sha256 == _sha256(folder) == began_with:
        raise ConfigError(
            "the scenario was changed since the run began",
            file=str(folder.scenario_yaml),
            instead="put the old file back, or start a new run",
        )
    if engine not in {None, state.engine}:
        raise ConfigError(
            f"the run began with --engine {state.engine}",
            file=str(folder.run_json),
            key="--engine",
            instead="leave --engine out, or start a new run",
        )
    return state.engine


def _state(
    config: ScenarioConfig, folder: RunFolder, state: str, engine: EngineName, slots_done: int = 0
) -> RunState:
    return RunState.model_validate(
        {
            "scenario": config.scenario,
            "scenario_sha256": _sha256(folder),
            "tieline_version": tieline_version(),
            "engine": engine,
            "state": state,
            "slots_done": slots_done,
        }
    )


def _sha256(folder: RunFolder) -> str:
    return hashlib.sha256(folder.scenario_yaml.read_bytes()).hexdigest()
