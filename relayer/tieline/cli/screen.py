"""Runs a world with a progress bar, and shows what came of it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tieline.cli.options import RUNS, Engine
from tieline.cli.output import eur, kwh, print_json, print_table, short
from tieline.interfaces.errors import ConfigError
from tieline.scenario.run_folder import RunFolder, next_run_folder

if TYPE_CHECKING:
    from tieline.scenario.config import ScenarioConfig
    from tieline.scenario.run_records import RunSummary

LEFT_BEHIND = frozenset({"scenario.yaml", "keys"})
"""Of a scenario that was refused while its ledgers started; the next one takes the keys."""

REFUSED_SHOWN = 8
"""Refused trades listed on the screen; the rest is in the report."""


def run_and_show(
    config: ScenarioConfig,
    out: Path | None,
    *,
    as_json: bool,
    resume: bool = False,
    keys_from: Path | None = None,
    engine: Engine | None = None,
) -> None:
    """
    Run a world into a folder and print what came of it.

    Args:
        config: A checked scenario.
        out: The folder to write; a fresh one under runs/ if None.
        as_json: Print the summary as JSON and nothing else.
        resume: Go on with the run that *out* holds.
        keys_from: A run whose keys and preimages are used.
        engine: What the ledgers run on; None: the run's own when resumed, else embedded.

    Raises:
        ConfigError: The folder is taken, or a key source is no run.
        typer.Exit: With 1 if a check of the run failed.
    """
    path = next_run_folder(RUNS, config.scenario) if out is None else out
    if not resume and _is_taken(path):
        raise ConfigError(
            "the folder is not empty",
            file=str(path),
            key="--out",
            instead="name a new folder, or add --resume to go on with the run in it",
        )
    keys = None if keys_from is None else RunFolder(keys_from).keys
    if keys is not None and not keys.is_dir():
        raise ConfigError(
            "no keys there", file=str(keys), key="--keys-from", instead="name the folder of a run"
        )
    _run_with_progress(config, path, resume=resume, keys=keys, engine=engine, quiet=as_json)
    folder = RunFolder(path)
    summary = folder.read_summary()
    if as_json:
        print_json({"run": str(path), **summary.model_dump(mode="json")})
    else:
        show_summary(folder, summary)
    if not all(check.is_ok for check in summary.checks):
        raise typer.Exit(1)


def _is_taken(path: Path) -> bool:
    """Say whether a run would mix with, or write over, what is in a folder."""
    from tieline.scenario.reading import is_of_a_run

    names = {entry.name for entry in path.iterdir()} if path.is_dir() else set[str]()
    is_own = "scenario.yaml" in names and not is_of_a_run(RunFolder(path).scenario_yaml)
    return is_own or not names <= LEFT_BEHIND


def _run_with_progress(
    config: ScenarioConfig,
    path: Path,
    *,
    resume: bool,
    keys: Path | None,
    engine: Engine | None,
    quiet: bool,
) -> None:
    """Call the world; a bar moves on standard error, one step a delivered slot."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from tieline.scenario.world import run

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as bar:
        task = bar.add_task(config.title or config.scenario, total=config.slot_count, note="")

        def progress(slots_done: int, slots_total: int, note: str) -> None:
            bar.update(task, completed=slots_done, total=slots_total, note=note)

        run(
            config,
            path,
            progress=progress,
            resume=resume,
            keys_from=keys,
            engine=None if engine is None else engine.value,
        )


def show_summary(folder: RunFolder, summary: RunSummary) -> None:
    """Print trades a level, refusals, violations with and without the gate, money, where next."""
    print(f"\n{summary.title or summary.scenario}: {summary.slots_done} slots", end="")
    print(f" in {summary.wall_seconds:.1f} s, ledgers {summary.engine}\n")
    print_table(
        ["level", "trades", "refused", "cleared kWh", "delivered kWh", "paid EUR"],
        [
            [
                row.level,
                str(row.trades_count),
                str(row.refused_count),
                kwh(row.cleared_wh),
                kwh(row.delivered_wh),
                eur(row.paid_in_nano_eur),
            ]
            for row in summary.levels
        ],
    )
    _show_refused(folder, summary)
    print(
        f"\nSlots with a voltage outside {summary.voltage_min_pu}..{summary.voltage_max_pu} pu: "
        f"{summary.violated_slots_count} with the gate, "
        f"{summary.violated_slots_without_gate_count} without it."
    )
    if summary.third_party is not None:
        print(summary.third_party.outcome)
    print(f"Losses {kwh(summary.loss_wh)} kWh.")
    for ledger in summary.ledgers:
        if ledger.fuel:
            print(
                f"{ledger.chain_id} ({ledger.kind}): {ledger.transactions_count} transactions, at "
                f"most {ledger.transactions_in_slot_max} in a slot."
            )
    print()
    print_table(
        ["check", "", "detail"],
        [[check.name, "ok" if check.is_ok else "FAILED", check.detail] for check in summary.checks],
    )
    failed = [check for check in summary.checks if not check.is_ok]
    print(f"\nChecks: {len(summary.checks) - len(failed)} of {len(summary.checks)} hold.")
    for check in failed:
        print(f"  FAILED {check.name}: {check.detail}", file=sys.stderr)
    print(f"\nReport   {folder.report_html}")
    print(f"Trades   {called()} trade list --run {folder.path}")
    if summary.journey_trade_id:
        shown = short(summary.journey_trade_id)
        print(f"One way  {called()} trade show {shown} --run {folder.path}")
    print(f"Audit    {called()} audit {folder.path}")


def _show_refused(folder: RunFolder, summary: RunSummary) -> None:
    """Print refused trades with the limit that refused them."""
    if not summary.refused_by_reason:
        return
    reasons = ", ".join(f"{n} {reason}" for reason, n in summary.refused_by_reason.items())
    print(f"\nRefused: {reasons}")
    refused = [trade for trade in folder.read_trades() if trade.outcome == "refused"]
    for trade in refused[:REFUSED_SHOWN]:
        limit = f", {trade.physics.limit}" if trade.physics is not None else ""
        pair = f"{trade.dest_chain_id} -> {trade.source_chain_id}"
        print(
            f"  {short(trade.trade_id)}  {pair}  {kwh(trade.energy_wh)} kWh  {trade.reason}{limit}"
        )


def called() -> str:
    """Return how to call this program again: its name, or its path where the name is not found."""
    if shutil.which("tieline") is not None:
        return "tieline"
    return os.path.relpath(sys.argv[0])
