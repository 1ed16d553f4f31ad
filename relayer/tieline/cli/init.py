"""`tieline init`: keys and genesis files of a scenario, before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tieline.cli.options import EngineOption, Json
from tieline.cli.output import print_json


def init(
    scenario: Annotated[Path, typer.Argument(help="SCENARIO.yaml")],
    out: Annotated[Path, typer.Argument(help="Folder to write; what is there already is kept.")],
    engine: EngineOption = None,
    json: Json = False,
) -> None:
    """
    Draw all keys (mode 0600, below OUT/keys) and write each genesis; run it with --resume.
    """
    from tieline.scenario.reading import load_scenario
    from tieline.scenario.world import prepare

    config = load_scenario(scenario)
    prepare(config, out, "embedded" if engine is None else engine.value)
    if json:
        print_json({"run": str(out)})
    else:
        print(f"{out} prepared; go on with: tieline run --resume --out {out}")
