"""`tieline ledger`: the exported ledgers of a run, and one ledger by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tieline.cli.options import Json, RunArgument, open_run
from tieline.cli.output import print_json, print_table, short

app = typer.Typer(
    help="Ledgers of a run, or one by itself.", no_args_is_help=True, rich_markup_mode=None
)

Only = Annotated[str, typer.Option("--ledger", help="One chain id only.")]


@app.command("verify")
def verify(run: RunArgument = None, ledger: Only = "", json: Json = False) -> None:
    """
    Run every exported block again, from genesis to the last app hash.
    """
    from tieline.audit import verify_ledger

    folder = open_run(run)
    rows: list[dict[str, object]] = []
    for chain_id in _chosen(folder.ledger_ids(), ledger):
        finding = verify_ledger(folder.path, chain_id)
        rows.append({"ledger": chain_id, "is_ok": finding.is_ok, "detail": finding.detail})
    if json:
        print_json(rows)
    else:
        table = [
            [str(row["ledger"]), "ok" if row["is_ok"] else "FAILED", str(row["detail"])]
            for row in rows
        ]
        print_table(["ledger", "", "what"], table)
    if not all(row["is_ok"] for row in rows):
        raise typer.Exit(1)


@app.command("describe")
def describe(run: RunArgument = None, ledger: Only = "", json: Json = False) -> None:
    """
    Tell what each ledger is: kind, tag, height, transactions, the parameters of its genesis.
    """
    from json import loads

    folder = open_run(run)
    summary = folder.read_summary()
    chosen = _chosen([row.chain_id for row in summary.ledgers], ledger)
    ledgers = [row for row in summary.ledgers if row.chain_id in chosen]
    if json:
        described = [
            {
                **row.model_dump(),
                "genesis": loads((folder.ledger(row.chain_id) / "genesis.json").read_bytes()),
            }
            for row in ledgers
        ]
        print_json(described)
        return
    print_table(
        ["ledger", "kind", "tag", "height", "blocks", "transactions", "refused", "app hash"],
        [
            [
                row.chain_id,
                row.kind,
                short(row.chain_tag),
                str(row.height),
                str(row.blocks_count),
                str(row.transactions_count),
                str(row.refused_transactions_count),
                short(row.app_hash),
            ]
            for row in ledgers
        ],
    )


@app.command("start")
def start(
    folder: Annotated[Path, typer.Argument(help="Where the ledger lives; made if not there.")],
    chain_id: Annotated[str, typer.Option(help="Its id; NAME-1 for a first history.")] = "energy-1",
    give: Annotated[
        list[str] | None, typer.Option(help="ACCOUNT=NANO_EUR at first; may be repeated.")
    ] = None,
    validators: Annotated[int, typer.Option(min=1, max=16, help="Peers on this machine.")] = 1,
    block_ms: Annotated[int, typer.Option(min=20, help="Between two blocks, about.")] = 1000,
    minimum_gas_price: Annotated[
        str, typer.Option(help="What the peers ask for, such as 0.01neur; nothing unless given.")
    ] = "",
) -> None:
    """
    Run one ledger on CometBFT with gRPC and REST beside it, until it is interrupted.
    """
    import signal
    import threading

    from tieline.hub.lone_ledger import LonePlan, start_lone_ledger

    plan = LonePlan(chain_id, _given(give or []), validators, block_ms, minimum_gas_price)
    ledger = start_lone_ledger(folder, plan)
    end = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: end.set())
    try:
        print(f"Ledger {ledger.chain_id} runs in {folder}; its utility cell is {ledger.cell}")
        print_table(
            ["RPC", "gRPC", "REST"], [[one.rpc, one.grpc, one.rest] for one in ledger.addresses]
        )
        print("Interrupt to stop; the same command goes on with it.", flush=True)
        end.wait()
    finally:
        ledger.stop()


def _given(texts: list[str]) -> dict[str, int]:
    """Read accounts and amounts. Raises ConfigError."""
    from tieline.interfaces.errors import ConfigError

    given: dict[str, int] = {}
    for text in texts:
        account, _, amount = text.partition("=")
        digits = amount.removesuffix("neur")
        if not (digits.isascii() and digits.isdigit()):
            raise ConfigError(
                f"not an account with an amount: {text!r}",
                key="--give",
                instead="write tieline1...=1000000000, in nano-EUR",
            )
        given[account] = int(digits)
    return given


def _chosen(known: list[str], wanted: str) -> list[str]:
    """Return the one that is asked for, or all. Raises ConfigError for a stranger."""
    from tieline.interfaces.errors import ConfigError

    if not wanted:
        return known
    if wanted not in known:
        raise ConfigError(
            f"no ledger {wanted!r} in this run",
            key="--ledger",
            instead=f"write one of {', '.join(known)}",
        )
    return [wanted]
