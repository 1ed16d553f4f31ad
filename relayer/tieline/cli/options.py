"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tieline.scenario.run_folder import RunFolder

RUNS = Path("runs")
"""Where runs are put when nothing else is said, below the working directory."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
RunOption = Annotated[
    Path | None, typer.Option("--run", help="Folder of a run; the latest below runs/ if left out.")
]
RunArgument = Annotated[
    Path | None, typer.Argument(help="Folder of a run; the latest below runs/ if left out.")
]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="Folder to write; runs/NAME-NUMBER if left out.")
]


class Engine(StrEnum):
    """What the ledgers of a run stand on."""

    EMBEDDED = "embedded"
    NATIVE = "native"


EngineOption = Annotated[
    Engine | None,
    typer.Option(
        "--engine",
        help="embedded: in this process (the default); native: the ledgers' own programs, as "
        "children (after `make ledgers`).",
    ),
]


def open_run(path: Path | None) -> RunFolder:
    """
    Return the run at *path*, or the latest one.

    Raises:
        ConfigError: There is no run.
    """
    from tieline.scenario.run_folder import RunFolder, latest_run_folder

    run = RunFolder(latest_run_folder(RUNS) if path is None else path)
    run.read_state()
    return run
