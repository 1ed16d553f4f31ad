"""
The report of a run: one HTML file that needs no network, no script and no other file.

It is made from the records of the run folder alone, so it can be made again at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from zoneinfo import ZoneInfo

from tieline.scenario.report_figures import (
    Band,
    journey_chart,
    single_line_diagram,
    third_party_chart,
    voltage_chart,
)
from tieline.scenario.run_folder import RunFolder
from tieline.scenario.run_records import AccountRow, RunSummary, SlotRecord, TradeRecord

STYLE = (Path(__file__).parent / "data" / "report.css").read_text(encoding="utf-8")
NANO = 10**9
REFUSED_SHOWN = 20


def write_report(
    folder: RunFolder,
    summary: RunSummary,
    slots: Sequence[SlotRecord],
    trades: Sequence[TradeRecord],
) -> None:
    """Write report.html of a run."""
    folder.report_html.write_text(report_html(summary, slots, trades), encoding="utf-8")


def report_html(
    summary: RunSummary, slots: Sequence[SlotRecord], trades: Sequence[TradeRecord]
) -> str:
    """Return the report as one HTML page."""
    zone = ZoneInfo(summary.print_time_zone)
    band = Band(summary.voltage_min_pu, summary.voltage_max_pu)
    sections = [
        _headline(summary, zone),
        _section("Where trades were made", _levels(summary) + _refused(summary, trades, zone)),
        _section(
            "The network, by worst voltage",
            "<p>The number under a bus is its worst voltage in pu over the whole run, above it its "
            "owner; on a branch stands its highest load.</p>"
            + single_line_diagram(summary.buses, summary.branches, band),
        ),
        _section("Voltages with and without the gate", _voltages(summary, slots, band, zone)),
        _third_party(summary, band, zone),
        _journey(summary, trades, zone),
        _section("Money by account", _money(summary.accounts)),
        _section("What was checked", _checks(summary)),
        _section("The ledgers", _ledgers(summary)),
        _section(
            "What this run does not show",
            "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in summary.not_shown) + "</ul>",
        ),
    ]
    title = escape(summary.title or summary.scenario)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title} - tieline</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(sections)}</main></body></html>\n"
    )


def _headline(summary: RunSummary, zone: ZoneInfo) -> str:
    start = datetime.fromtimestamp(summary.start_s, UTC).astimezone(zone)
    total = sum(row.closing_nano_eur - row.opening_nano_eur for row in summary.accounts)
    failed = sum(not check.is_ok for check in summary.checks)
    refused = sum(summary.refused_by_reason.values())
    figures = [
        (f"{summary.settled_trades_count}", "trades settled"),
        (f"{refused}", "refused and given back"),
        (_kwh(summary.delivered_wh), "kWh delivered"),
        (f"{summary.violated_slots_count} of {summary.slots_done}", "slots outside the band"),
        (f"{summary.violated_slots_without_gate_count}", "of them without the gate"),
        (_kwh(summary.loss_wh), "kWh lost in the network"),
        (f"{_eur(total)} EUR", "sum of all money changes"),
        ("all hold" if not failed else f"{failed} FAILED", f"of {len(summary.checks)} checks"),
    ]
    tiles = "".join(
        f'<div class="figure"><b>{escape(value)}</b><span>{escape(name)}</span></div>'
        for value, name in figures
    )
    about = (
        f"{summary.slots_done} slots of {summary.slot_length_s // 60} minutes from "
        f"{start:%A %d %B %Y, %H:%M} ({summary.print_time_zone}); scenario {summary.scenario}, "
        f"seed {summary.seed}, deadlines {summary.preset}, ledgers {summary.engine}, "
        f"tieline {summary.tieline_version}, made in {summary.wall_seconds:.1f} s"
    )
    return (
        f"<header><h1>{escape(summary.title or summary.scenario)}</h1><p>{escape(about)}</p>"
        f'<div class="figures">{tiles}</div></header>'
    )


def _levels(summary: RunSummary) -> str:
    rows = [
        [
            row.level,
            str(row.trades_count),
            str(row.refused_count),
            _kwh(row.cleared_wh),
            _kwh(row.delivered_wh),
            _eur(row.paid_in_nano_eur),
        ]
        for row in summary.levels
    ]
    header = ["Level", "Trades", "Refused", "Cleared kWh", "Delivered kWh", "Paid EUR"]
    return _table(header, rows, numbers_from=1)


def _refused(summary: RunSummary, trades: Sequence[TradeRecord], zone: ZoneInfo) -> str:
    refused = [trade for trade in trades if trade.outcome == "refused"]
    if not refused:
        return "<p>No trade was refused.</p>"
    rows = [
        [
            trade.trade_id[:12],
            _clock(trade.slot_start_s, zone),
            trade.level,
            f"{trade.dest_chain_id} to {trade.source_chain_id}",
            _kwh(trade.energy_wh),
            trade.reason,
            ""
            if trade.physics is None
            else f"{trade.physics.limit}: {trade.physics.value:g} against "
            f"{trade.physics.bound:g} {trade.physics.unit}",
        ]
        for trade in refused[:REFUSED_SHOWN]
    ]
    reasons = ", ".join(f"{n} {reason}" for reason, n in summary.refused_by_reason.items())
    more = f", the first {REFUSED_SHOWN} shown" if len(refused) > REFUSED_SHOWN else ""
    header = ["Trade", "Slot", "Level", "From, to", "kWh", "Reason", "Limit"]
    return f"<h3>Refused: {escape(reasons)}{more}</h3>" + _table(header, rows, numbers_from=9)


def _voltages(summary: RunSummary, slots: Sequence[SlotRecord], band: Band, zone: ZoneInfo) -> str:
    labels = [_clock(slot.slot_start_s, zone) for slot in slots]
    return (
        "<p>What really flowed, forecast errors and non-delivery included. With the gate "
        f"{summary.violated_slots_count} of {summary.slots_done} slots left the band, had "
        "everything gone ahead that was cleared without it, "
        f"{summary.violated_slots_without_gate_count}.</p>" + voltage_chart(slots, band, labels)
    )


def _third_party(summary: RunSummary, band: Band, zone: ZoneInfo) -> str:
    third_party = summary.third_party
    if third_party is None:
        return ""
    at = _clock(third_party.slot_start_s, zone)
    names = list(dict.fromkeys(name for case in third_party.cases for name in case.vm_pu_min))
    rows = [
        [case.name, *(f"{case.vm_pu_min[name]:.4f}" for name in names if name in case.vm_pu_min)]
        for case in third_party.cases
    ]
    header = ["Who buys", *(f"Lowest in {name}, pu" for name in names)]
    return _section(
        f"Fine alone, harmful together: the slot at {at}",
        f"<p>{escape(third_party.outcome)}</p>"
        + third_party_chart(third_party, band)
        + _table(header, rows, numbers_from=1),
    )


def _journey(summary: RunSummary, trades: Sequence[TradeRecord], zone: ZoneInfo) -> str:
    trade = next((t for t in trades if t.trade_id == summary.journey_trade_id), None)
    if trade is None:
        return ""
    ledgers = list(dict.fromkeys([trade.source_chain_id, trade.dest_chain_id]))
    ledgers += sorted({s.chain_id for s in trade.steps if s.chain_id} - set(ledgers))
    first_s = trade.steps[0].time_s if trade.steps else 0
    labels = [f"+{step.time_s - first_s} s" for step in trade.steps]
    rows = [
        [
            _clock(step.time_s, zone, seconds=True),
            str(step.time_s - before.time_s),
            step.step,
            step.chain_id or "cells",
            str(step.height or ""),
            str(step.proof_height or ""),
            str(step.proof_bytes or ""),
            step.detail,
        ]
        for before, step in zip([*trade.steps[:1], *trade.steps], trade.steps, strict=False)
    ]
    header = ["At", "s later", "Step", "Ledger", "Height", "Proved at", "Proof bytes", "What"]
    about = (
        f"Trade {trade.trade_id[:12]}: {_kwh(trade.energy_wh)} kWh ({trade.level}, "
        f"{trade.delivery}) from {trade.dest_chain_id} to {trade.source_chain_id}; "
        f"{_kwh(trade.delivered_wh)} kWh delivered, buyers paid {_eur(trade.paid_in_nano_eur)} "
        f"EUR, sellers got {_eur(trade.paid_out_nano_eur)} EUR."
    )
    return _section(
        "The way of one trade",
        f"<p>{escape(about)} Arrows are facts of one ledger proved on another.</p>"
        + journey_chart(trade.steps, ledgers, labels)
        + f"<details><summary>All steps</summary>{_table(header, rows, numbers_from=9)}</details>",
    )


def _money(accounts: Sequence[AccountRow]) -> str:
    """Show groups of accounts with their sum, and each account on demand."""
    groups: dict[tuple[str, str], list[AccountRow]] = {}
    for row in accounts:
        groups.setdefault((row.chain_id, row.label), []).append(row)
    header = ["Account", "Ledger", "Accounts", "At the start EUR", "At the end EUR", "Change EUR"]
    rows = [
        [label, chain_id, str(len(group)), *_sums(group)]
        for (chain_id, label), group in groups.items()
    ]
    rows.append(["All", "", str(len(accounts)), *_sums(accounts)])
    total = sum(row.closing_nano_eur - row.opening_nano_eur for row in accounts)
    verdict = (
        "<p>Over all ledgers and accounts the changes sum to exactly 0 nano-EUR.</p>"
        if total == 0
        else f'<p class="failed">The changes sum to {total} nano-EUR; they must sum to 0.</p>'
    )
    each = [[row.label, row.chain_id, row.account, *_sums([row])] for row in accounts]
    header_each = ["Account", "Ledger", "Id", *header[3:]]
    return (
        verdict
        + _table(header, rows, numbers_from=2, last_is_total=True)
        + "<details><summary>Each account</summary>"
        + _table(header_each, each, numbers_from=3)
        + "</details>"
    )


def _sums(rows: Sequence[AccountRow]) -> list[str]:
    opening = sum(row.opening_nano_eur for row in rows)
    closing = sum(row.closing_nano_eur for row in rows)
    return [_eur(opening), _eur(closing), _eur(closing - opening)]


def _checks(summary: RunSummary) -> str:
    rows = [
        [check.name, "holds" if check.is_ok else "FAILED", check.detail] for check in summary.checks
    ]
    return _table(["Check", "", "Detail"], rows, numbers_from=9)


def _ledgers(summary: RunSummary) -> str:
    rows = [
        [
            row.chain_id,
            row.kind,
            str(row.height),
            str(row.blocks_count),
            str(row.transactions_count),
            str(row.refused_transactions_count),
            str(row.transactions_in_slot_max),
            row.app_hash[:16],
        ]
        for row in summary.ledgers
    ]
    header = [
        "Ledger",
        "Kind",
        "Height",
        "Blocks",
        "Transactions",
        "Refused",
        "Most in a slot",
        "State root",
    ]
    return _table(header, rows, numbers_from=2) + _fuel(summary)


def _fuel(summary: RunSummary) -> str:
    """Return what accounts pay transactions with, where these cost something."""
    rows = [
        [
            row.lane,
            ledger.chain_id,
            f"{int(row.used):.3e}",
            f"{int(row.left):.3e}",
            row.unit,
            "-" if row.slots_left < 0 else str(row.slots_left),
        ]
        for ledger in summary.ledgers
        for row in ledger.fuel
    ]
    if not rows:
        return ""
    header = ["Fuel of", "Ledger", "Used", "Left", "Unit", "Slots of it left"]
    return _table(header, rows, numbers_from=2)


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def _table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers_from: int,
    last_is_total: bool = False,
) -> str:
    """Return a table; columns from *numbers_from* on are set to the right."""

    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{' class=number' if index >= numbers_from else ''}>{escape(text)}</{tag}>"
            for index, text in enumerate(row)
        )

    body = "".join(
        f"<tr{' class=total' if last_is_total and index == len(rows) - 1 else ''}>"
        f"{cells('td', row)}</tr>"
        for index, row in enumerate(rows)
    )
    return (
        f'<div class="scroll"><table><thead><tr>{cells("th", header)}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _clock(time_s: int, zone: ZoneInfo, *, seconds: bool = False) -> str:
    form = "%H:%M:%S" if seconds else "%H:%M"
    return datetime.fromtimestamp(time_s, UTC).astimezone(zone).strftime(form)


def _kwh(wh: int) -> str:
    """Return energy in kWh, exact to the Wh."""
    sign = "-" if wh < 0 else ""
    return f"{sign}{abs(wh) // 1000:,}.{abs(wh) % 1000:03d}"


def _eur(nano_eur: int) -> str:
    """Return money in EUR, to four decimals, towards zero; display only."""
    sign = "-" if nano_eur < 0 else ""
    return f"{sign}{abs(nano_eur) // NANO:,}.{abs(nano_eur) % NANO // 100_000:04d}"
