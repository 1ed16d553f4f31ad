"""`tieline audit`: checks a finished run from its exported blocks alone."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

import typer

from tieline.cli.options import Json
from tieline.cli.output import print_json, print_table


def audit(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    tamper: Annotated[
        int,
        typer.Option(min=0, help="Spoil N copies of the run in N ways; each must be noticed."),
    ] = 0,
    json: Json = False,
) -> None:
    """
    Check a finished run from blocks and genesis alone; exit 1 and name ledger and height if not.
    """
    from tieline.cli.options import open_run

    folder = open_run(run)
    audits = importlib.import_module("tieline.audit")
    if tamper:
        trials = audits.tamper(folder.path, tamper)
        rows = [
            {"what": trial.what, "is_noticed": trial.is_noticed, "finding": trial.finding}
            for trial in trials
        ]
        _print(json, ["spoiled", "noticed", "finding"], rows)
        passed = all(trial.is_noticed for trial in trials)
    else:
        report = audits.audit(folder.path)
        rows = [
            {"check": check.name, "is_ok": check.is_ok, "detail": check.detail}
            for check in report.checks
        ]
        _print(json, ["check", "", "detail"], rows)
        passed = report.is_ok
    if not passed:
        raise typer.Exit(1)


def _print(as_json: bool, header: list[str], rows: list[dict[str, object]]) -> None:
    """Print rows; a truth value reads ok or FAILED."""
    if as_json:
        print_json(rows)
        return
    words = {True: "ok", False: "FAILED"}
    table = [
        [words[value] if isinstance(value, bool) else str(value) for value in row.values()]
        for row in rows
    ]
    print_table(header, table)
