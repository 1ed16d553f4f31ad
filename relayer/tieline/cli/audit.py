"""`tieline audit`: checks a run from its exported blocks, genesis and evidence alone."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tieline.cli.options import RUNS, Json, RunArgument
from tieline.cli.output import eur, print_json, print_table, short

if TYPE_CHECKING:
    from tieline.audit import AuditReport, TamperReport

FINDINGS_SHOWN = 20
"""On the screen; all of them with --json."""

Tell = Callable[[str, int, int], None]


def audit(
    run: RunArgument = None,
    tamper: Annotated[
        int,
        typer.Option(min=0, help="Spoil a copy of the run N times; each must be noticed."),
    ] = 0,
    seed: Annotated[
        int | None, typer.Option(help="Repeats the trials of an earlier --tamper.")
    ] = None,
    json: Json = False,
) -> None:
    """
    Check a run from blocks, genesis and evidence alone; exit 1 and name ledger and height if not.
    """
    from tieline import audit as audits

    path = _folder(run)
    if tamper:
        with _progress(is_quiet=json) as tell:
            trials = audits.tamper(path, tamper, seed, tell)
        _show_trials(trials, as_json=json)
        is_ok = trials.is_ok
    else:
        with _progress(is_quiet=json) as tell:
            report = audits.audit(path, tell)
        _show_report(report, as_json=json)
        is_ok = report.is_ok
    if not is_ok:
        raise typer.Exit(1)


def _folder(run: Path | None) -> Path:
    """Return the run's folder; what is in it is the audit's to judge."""
    if run is not None:
        return run
    from tieline.scenario.run_folder import latest_run_folder

    return latest_run_folder(RUNS)


@contextmanager
def _progress(*, is_quiet: bool) -> Generator[Tell]:
    """Give a function that moves a bar on standard error, one line for each part of the work."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, disable=is_quiet or not console.is_terminal, transient=True
    ) as bar:
        tasks = {"": bar.add_task("", visible=False)}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield tell


def _show_report(report: AuditReport, *, as_json: bool) -> None:
    if as_json:
        print_json(report.to_json())
        return
    words = {True: "ok", False: "FAILED"}
    print_table(
        ["check", "", "detail"],
        [
            [check.name, words[check.is_ok], check.detail if check.is_ok else "below"]
            for check in report.checks
        ],
    )
    print()
    print_table(
        ["ledger", "blocks", "transactions", "PAY EUR", "KWH Wh", "genesis", "validators"],
        [
            [
                row.ledger,
                str(row.height),
                str(row.transaction_count),
                eur(row.pay_accounts + row.pay_escrows + row.pay_locks + row.pay_vaults),
                str(row.kwh),
                short(row.genesis_sha256),
                short(row.validators_sha256),
            ]
            for row in report.ledgers
        ],
    )
    print("\ngenesis and validators are the roots of trust: compare these SHA-256 with your own.")
    print(f"Locks    {_counts(report.count_locks())}")
    print(f"Packets  {_counts(report.count_packets())}")
    print(
        f"Behind {report.success_count} successes stand {report.verdict_count} verdicts "
        f"of {report.slot_count} slots."
    )
    for packet in report.packets:
        if packet.reason:
            name = f"{packet.source_ledger} {packet.source_client}/{packet.sequence}"
            print(f"stranded {name}: {packet.reason}")
    for note in report.notes:
        print(f"note: {note}")
    for finding in report.findings[:FINDINGS_SHOWN]:
        print(f"FAILED {finding}")
    if len(report.findings) > FINDINGS_SHOWN:
        print(f"and {len(report.findings) - FINDINGS_SHOWN} more findings; --json shows all")


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {ending}" for ending, count in counts.items()) or "none"


def _show_trials(report: TamperReport, *, as_json: bool) -> None:
    if as_json:
        print_json(report.to_json())
        return
    for trial in report.trials:
        print(f"{'seen  ' if trial.is_noticed else 'UNSEEN'} {trial.what}")
        if trial.finding:
            print(f"       {trial.finding}")
    seen = sum(trial.is_noticed for trial in report.trials)
    print(f"\n{seen} of {len(report.trials)} changes seen; --seed {report.seed} repeats them.")
