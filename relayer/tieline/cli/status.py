"""`tieline status`: how far a run is, what is open, what money is where."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tieline.cli.options import Json, RunArgument, open_run
from tieline.cli.output import day_clock, eur, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tieline.scenario.run_records import AccountRow, LedgerRow


def status(run: RunArgument = None, json: Json = False) -> None:
    """
    Show how far a run is, what is still open, and the money of its named accounts.
    """
    folder = open_run(run)
    state = folder.read_state()
    events = list(folder.read_events())
    last_s = max((int(event["time_s"]) for event in events), default=0)
    counts = Counter(str(event["event"]) for event in events)
    summary = folder.read_summary() if folder.summary_json.is_file() else None
    open_trades = 0
    if folder.trades_json.is_file():
        open_trades = sum(trade.outcome == "open" for trade in folder.read_trades())
    if json:
        print_json(
            {
                "run": str(folder.path),
                **state.model_dump(mode="json"),
                "chain_time_s": last_s,
                "open_trades_count": open_trades,
                "events": dict(sorted(counts.items())),
                "accounts": []
                if summary is None
                else [account.model_dump() for account in summary.accounts],
                "fuel": {}
                if summary is None
                else {
                    ledger.chain_id: [row.model_dump() for row in ledger.fuel]
                    for ledger in summary.ledgers
                    if ledger.fuel
                },
            }
        )
        return
    print(f"{folder.path}: {state.scenario}, {state.state}, {state.slots_done} slots done", end="")
    print(f", ledgers {state.engine}")
    if last_s:
        print(f"chain time {day_clock(last_s, folder.read_zone())}; {open_trades} trades open")
    if counts:
        print_table(["event", "count"], [[name, str(n)] for name, n in sorted(counts.items())])
    if summary is not None:
        print()
        print_table(
            ["accounts", "ledger", "count", "EUR", "change EUR"], account_groups(summary.accounts)
        )
        rows = fuel_rows(summary.ledgers)
        if rows:
            print()
            print_table(["fuel of", "ledger", "used", "left", "slots of it left"], rows)


def fuel_rows(ledgers: Sequence[LedgerRow]) -> list[list[str]]:
    """Return what each account that pays for transactions has used and has left."""
    return [
        [
            row.lane,
            ledger.chain_id,
            f"{int(row.used):.3e} {row.unit}",
            f"{int(row.left):.3e} {row.unit}",
            "-" if row.slots_left < 0 else str(row.slots_left),
        ]
        for ledger in ledgers
        for row in ledger.fuel
    ]


def account_groups(accounts: Sequence[AccountRow]) -> list[list[str]]:
    """Return a row for all accounts of a ledger with one label; each is in summary.json."""
    groups: dict[tuple[str, str], list[AccountRow]] = {}
    for account in accounts:
        groups.setdefault((account.label, account.chain_id), []).append(account)
    return [
        [
            label,
            chain_id,
            str(len(group)),
            eur(sum(account.closing_nano_eur for account in group)),
            eur(sum(account.closing_nano_eur - account.opening_nano_eur for account in group)),
        ]
        for (label, chain_id), group in groups.items()
    ]
