"""`tieline demo`: three microgrids and the grid operator trade through an evening."""

from __future__ import annotations

from typing import Annotated

import typer

from tieline.cli.options import Json, OutOption


def demo(
    day: Annotated[
        bool, typer.Option("--day", help="A whole day: 96 slots instead of 24.")
    ] = False,
    out: OutOption = None,
    json: Json = False,
) -> None:
    """
    Three microgrids and the grid operator trade through an evening on four embedded ledgers.
    """
    from tieline.cli.screen import run_and_show
    from tieline.scenario.reading import load_scenario, shipped_scenario

    config = load_scenario(shipped_scenario("day" if day else "evening"))
    run_and_show(config, out, as_json=json)
