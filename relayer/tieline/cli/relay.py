"""`tieline relay`: carry packets between ledgers, in real time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tieline.cli.options import Json
from tieline.cli.output import print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tieline.hub.connecting import LinkableLedger
    from tieline.hub.relay_config import RelayConfig
    from tieline.interfaces.journal import JourneyRow, LedgerRow, StoredIntent

app = typer.Typer(
    help="Carry packets between ledgers; docs/relayer.md explains the file.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Config = Annotated[Path, typer.Argument(help="The relayer's YAML file.")]
CONFIG = Path("relay.yaml")
ALIVE_S = 10
"""A relayer that has written nothing for so long does not run."""


@app.command("keys")
def keys(config: Config = CONFIG, json: Json = False) -> None:
    """
    Make the key files that are missing, and show the accounts that need money. No key is shown.
    """
    from tieline.hub.connecting import account_name
    from tieline.hub.key_files import draw_key, read_keys

    read = _read(config)
    rows: list[dict[str, object]] = []
    for ledger_id, section in read.ledgers.items():
        path = config.parent / section.key_file
        is_new = draw_key(path)
        for key in read_keys(path, section.lanes):
            is_evm = section.kind == "ethereum"
            account = account_name(section, key.address if is_evm else key.cosmos_account)
            rows.append(
                {"ledger": ledger_id, "account": account, "key_file": str(path), "is_new": is_new}
            )
    if json:
        print_json(rows)
        return
    print_table(
        ["ledger", "account", "key file", ""],
        [
            [
                str(row["ledger"]),
                str(row["account"]),
                str(row["key_file"]),
                "new" * bool(row["is_new"]),
            ]
            for row in rows
        ],
    )


@app.command("check")
def check(config: Config = CONFIG, json: Json = False) -> None:
    """
    Check the file, the keys and the links, and ask each ledger for its height.
    """
    import asyncio

    from tieline.hub.connecting import open_ledgers
    from tieline.hub.links import LinksFile, routes_of

    read = _read(config)
    ledgers = open_ledgers(read, config.parent)
    heights = asyncio.run(_heights(ledgers))
    routes = routes_of(read, LinksFile(config.parent / read.links_file))
    if json:
        print_json({"heights": heights, "paths": [str(route) for route in routes]})
        return
    print_table(["ledger", "height"], [[name, str(height)] for name, height in heights.items()])
    for route in routes:
        print(route)


@app.command("link")
def link(config: Config = CONFIG, json: Json = False) -> None:
    """
    Make clients on both ledgers of each path and let them know each other; once a path.
    """
    import asyncio

    from tieline.hub.connecting import open_ledgers, refuse_unattested
    from tieline.hub.links import LinksFile, make_links

    read = _read(config)
    refuse_unattested(read)

    async def make() -> None:
        ledgers = open_ledgers(read, config.parent, is_linking=True)
        links = LinksFile(config.parent / read.links_file)
        made: list[str] = []
        async for one in make_links(read, ledgers, links):
            made.append(str(one.route()))
            if not json:
                print(one.route())
        if json:
            print_json({"paths": made})

    asyncio.run(make())


@app.command("start")
def start(
    config: Config = CONFIG,
    log_level: Annotated[
        str, typer.Option("--log-level", help="debug, info, warning or error; to standard error.")
    ] = "info",
) -> None:
    """
    Relay until SIGTERM or SIGINT. What is under way then comes to its end; nothing is lost if it
    does not.
    """
    import logging

    from tieline.hub.relay_process import become
    from tieline.interfaces.errors import ConfigError

    if log_level.upper() not in logging.getLevelNamesMapping():
        raise ConfigError(
            f"no log level {log_level!r}",
            key="--log-level",
            instead="write debug, info, warning or error",
        )
    become(config, log_level.upper())


@app.command("status")
def status(config: Config = CONFIG, json: Json = False) -> None:
    """
    Show what the relayer's journal says: ledgers, backlog, why something is held, last refusals.
    """
    import time

    from tieline.hub.relay_program import read_journal

    ledgers, journeys, failures = read_journal(_read(config), config.parent)
    now_s = int(time.time())
    heard_s = max((row.updated_s for row in ledgers), default=0)
    is_running = now_s - heard_s <= ALIVE_S
    backlog = _backlog(journeys)
    if json:
        print_json(
            {
                "is_running": is_running,
                "heard_s": heard_s,
                "ledgers": [_ledger_json(row, now_s) for row in ledgers],
                "backlog": backlog,
                "failures": [
                    {"key": one.intent.key, "ledger": one.intent.ledger_id, "detail": one.detail}
                    for one in failures
                ],
            }
        )
        return
    _print_status(ledgers, backlog, failures, now_s, is_running=is_running)


def _print_status(
    ledgers: Sequence[LedgerRow],
    backlog: list[dict[str, object]],
    failures: Sequence[StoredIntent],
    now_s: int,
    *,
    is_running: bool,
) -> None:
    heard_s = max((row.updated_s for row in ledgers), default=0)
    if not heard_s:
        print("never started")
        return
    print("running" if is_running else f"does not run; last heard of {now_s - heard_s} s ago")
    print_table(
        ["ledger", "height", "last block", "under way", "held because"],
        [
            [
                row.ledger_id,
                str(row.height),
                f"{max(row.updated_s - row.block_seen_s, 0)} s ago" if row.block_seen_s else "-",
                str(row.under_way),
                row.reason or "-",
            ]
            for row in ledgers
        ],
    )
    print()
    if backlog:
        names = ["route", "sent", "received", "answered"]
        print_table(names, [[str(row[name]) for name in names] for row in backlog])
    else:
        print("no packets under way")
    if failures:
        print()
        print_table(
            ["refused last", "what"],
            [[f"{one.intent.ledger_id}/{one.intent.key}", one.detail] for one in failures],
        )


def _backlog(journeys: Sequence[JourneyRow]) -> list[dict[str, object]]:
    """Return packets that are not at their end, counted by route and status."""
    counts: dict[str, dict[str, object]] = {}
    for row in journeys:
        known = counts.setdefault(
            row.route, {"route": row.route, "sent": 0, "received": 0, "answered": 0}
        )
        status = row.status.lower()
        known[status] = int(str(known.get(status, 0))) + 1
    return list(counts.values())


def _ledger_json(row: LedgerRow, now_s: int) -> dict[str, object]:
    return {
        "ledger": row.ledger_id,
        "height": row.height,
        "chain_time_s": row.time_s,
        "last_block_s_ago": max(now_s - row.block_seen_s, 0) if row.block_seen_s else None,
        "under_way": row.under_way,
        "held_because": row.reason,
    }


async def _heights(ledgers: Mapping[str, LinkableLedger]) -> dict[str, int]:
    import asyncio

    try:
        return {ledger_id: await ledger.latest_height() for ledger_id, ledger in ledgers.items()}
    finally:
        for ledger in ledgers.values():
            ledger.close()
        await asyncio.sleep(0)  # some let go of connections in the loop that opened them


def _read(config: Path) -> RelayConfig:
    from tieline.hub.relay_config import read_relay_config

    return read_relay_config(config)
