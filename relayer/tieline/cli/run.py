"""`tieline run`: a scenario of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tieline.cli.options import EngineOption, Json, OutOption


def run(
    scenario: Annotated[
        Path | None, typer.Argument(help="SCENARIO.yaml; may be left out with --resume.")
    ] = None,
    out: OutOption = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out that was interrupted.")
    ] = False,
    keys_from: Annotated[
        Path | None, typer.Option("--keys-from", help="Take keys and preimages of another run.")
    ] = None,
    engine: EngineOption = None,
    json: Json = False,
) -> None:
    """
    Run a scenario from a YAML file; docs/scenario.md explains every key.
    """
    from tieline.cli.options import open_run
    from tieline.cli.screen import run_and_show
    from tieline.interfaces.errors import ConfigError
    from tieline.scenario.reading import load_scenario

    if resume and keys_from is not None:
        raise ConfigError(
            "a run that goes on has keys of its own",
            key="--keys-from",
            instead="leave it out, or start a new run without --resume",
        )
    if resume:
        folder = open_run(out)
        own = load_scenario(folder.scenario_yaml)
        if scenario is not None and load_scenario(scenario) != own:
            raise ConfigError(
                "another scenario than that of the run",
                file=str(scenario),
                key="--resume",
                instead="leave SCENARIO.yaml out, or start a new run without --resume",
            )
        run_and_show(own, folder.path, as_json=json, resume=True, engine=engine)
        return
    if scenario is None:
        raise ConfigError(
            "no scenario", key="SCENARIO", instead="name a YAML file, or use `tieline demo`"
        )
    run_and_show(load_scenario(scenario), out, as_json=json, keys_from=keys_from, engine=engine)
