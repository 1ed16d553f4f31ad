"""`tieline demo`: three microgrids and the grid operator trade through an evening."""

from __future__ import annotations

from typing import Annotated

import typer

from tieline.cli.options import EngineOption, Json, OutOption


def demo(
    day: Annotated[
        bool, typer.Option("--day", help="A whole day: 96 slots instead of 24.")
    ] = False,
    slots: Annotated[
        int | None, typer.Option("--slots", min=1, help="Only the first slots of the evening.")
    ] = None,
    engine: EngineOption = None,
    out: OutOption = None,
    json: Json = False,
) -> None:
    """
    Three microgrids and the grid operator trade through an evening on four ledgers.

    One microgrid is on Tendermint, as the operator is, one on Ethereum, one on Hyperledger Fabric.
    With --engine native they run on processes of their own: CometBFT (four for the operator's, one
    for the microgrid's), geth, and Fabric's peers and orderer.
    """
    from tieline.cli.screen import run_and_show
    from tieline.scenario.reading import first_slots, load_scenario, shipped_scenario

    config = load_scenario(shipped_scenario("day" if day else "evening"))
    if slots is not None:
        config = first_slots(config, slots)
    run_and_show(config, out, as_json=json, engine=engine)
