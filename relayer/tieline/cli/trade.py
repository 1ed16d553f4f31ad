"""`tieline trade`: the trades of a run, and the way of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tieline.cli.options import Json, RunOption, open_run
from tieline.cli.output import cents_per_kwh, clock, eur, kwh, print_json, print_table, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tieline.scenario.run_records import TradeRecord

app = typer.Typer(help="Trades of a run.", no_args_is_help=True, rich_markup_mode=None)

LEVELS = ("INTRA", "INTER", "GRID")
OUTCOMES = ("settled", "partly_settled", "refused", "refunded", "open")

Level = Annotated[str, typer.Option(help=f"One of {', '.join(LEVELS)} only.")]
Outcome = Annotated[str, typer.Option(help=f"One of {', '.join(OUTCOMES)} only.")]
TradeId = Annotated[str, typer.Argument(metavar="ID", help="Trade id, or its first digits.")]


@app.command("list")
def list_trades(
    run: RunOption = None, level: Level = "", outcome: Outcome = "", json: Json = False
) -> None:
    """
    List trades by slot.
    """
    _require_known(level.upper(), LEVELS, "--level")
    _require_known(outcome.lower(), OUTCOMES, "--outcome")
    folder = open_run(run)
    zone = folder.read_zone()
    trades = [
        trade
        for trade in folder.read_trades()
        if level.upper() in {"", trade.level} and outcome.lower() in {"", trade.outcome}
    ]
    if json:
        print_json([trade.model_dump(mode="json", exclude={"steps"}) for trade in trades])
        return
    header = ["trade", "slot", "level", "from", "to", "kWh", "delivered", "ct/kWh", "EUR", "end"]
    rows = [
        [
            short(trade.trade_id),
            clock(trade.slot_start_s, zone),
            trade.level,
            trade.dest_chain_id,
            trade.source_chain_id,
            kwh(trade.energy_wh),
            kwh(trade.delivered_wh),
            cents_per_kwh(trade.price_in_micro_eur_per_kwh),
            eur(trade.paid_in_nano_eur),
            trade.outcome if trade.reason == "NONE" else f"{trade.outcome} {trade.reason}",
        ]
        for trade in trades
    ]
    print_table(header, rows)


def _require_known(wanted: str, known: Sequence[str], key: str) -> None:
    """Refuse a word by which nothing can be found. Raises ConfigError."""
    from tieline.interfaces.errors import ConfigError

    if wanted and wanted not in known:
        raise ConfigError(f"no {wanted!r}", key=key, instead=f"write one of {', '.join(known)}")


@app.command("show")
def show(trade_id: TradeId, run: RunOption = None, json: Json = False) -> None:
    """
    Show one trade: terms, verdict, limit, bound, money, and its way with heights and proofs.
    """
    folder = open_run(run)
    zone = folder.read_zone()
    trade = find_trade(folder.read_trades(), trade_id)
    if json:
        print_json(trade.model_dump(mode="json"))
        return
    for line in trade_lines(trade, zone):
        print(line)
    print()
    print_table(
        ["at", "step", "ledger", "height", "proved at", "proof bytes", "what"],
        [
            [
                clock(step.time_s, zone),
                step.step,
                step.chain_id or "(cells)",
                str(step.height) if step.height else "",
                str(step.proof_height) if step.proof_height else "",
                str(step.proof_bytes) if step.proof_bytes else "",
                step.detail,
            ]
            for step in trade.steps
        ],
    )
    print()
    print_table(
        ["order", "energy cell", "side", "kWh", "ct/kWh"],
        [
            [
                short(part.order_id),
                part.cell,
                part.side,
                kwh(part.energy_wh),
                cents_per_kwh(part.price_micro_eur_per_kwh),
            ]
            for part in trade.allocations
        ],
    )


def find_trade(trades: Sequence[TradeRecord], prefix: str) -> TradeRecord:
    """
    Return the one trade whose id begins with *prefix*.

    Raises:
        ConfigError: None does, or several do.
    """
    from tieline.interfaces.errors import ConfigError

    wanted = prefix.lower().removeprefix("0x")
    found = [trade for trade in trades if trade.trade_id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if not found or not wanted:
        raise ConfigError(
            f"no trade {prefix!r} in this run", instead="write an id of `tieline trade list`"
        )
    some = ", ".join(short(trade.trade_id) for trade in found[:3])
    raise ConfigError(
        f"{len(found)} trades begin with {prefix!r} ({some})", instead="write more of the id"
    )


def trade_lines(trade: TradeRecord, zone: str) -> list[str]:
    """Return a trade's terms, verdict and money as lines of text."""
    lines = [
        f"trade       {trade.trade_id}",
        f"level       {trade.level}, {trade.delivery}{', direct' if trade.is_direct else ''}",
        (
            f"energy      {kwh(trade.energy_wh)} kWh from {trade.dest_chain_id} to "
            f"{trade.source_chain_id}, slot {clock(trade.slot_start_s, zone)}"
        ),
        (
            f"price       buyers pay {cents_per_kwh(trade.price_in_micro_eur_per_kwh)} ct/kWh, "
            f"sellers get {cents_per_kwh(trade.price_out_micro_eur_per_kwh)} ct/kWh"
        ),
        (
            f"verdict     {trade.decision}{'' if trade.reason == 'NONE' else ' ' + trade.reason}, "
            f"cap {kwh(trade.cap_wh)} kWh"
        ),
    ]
    note = trade.physics
    if note is not None:
        lines.append(
            f"limit       {note.limit}: {note.value:g} {note.unit} against "
            f"{note.bound:g} {note.unit} (margin {note.margin_subtracted:g} taken off)"
            + (f", in {note.scenario}" if note.scenario else "")
        )
    lines += [
        f"delivered   {kwh(trade.delivered_wh)} kWh",
        (
            f"money       paid {eur(trade.paid_in_nano_eur)} EUR in, "
            f"{eur(trade.paid_out_nano_eur)} EUR out; given back "
            f"{eur(trade.refunded_in_nano_eur)} EUR in, {eur(trade.refunded_out_nano_eur)} EUR out"
        ),
        f"end         {trade.outcome}",
        f"hash lock   {trade.hashlock}",
        f"locks       {trade.lock_id_in} {trade.lock_id_out}".rstrip(),
    ]
    return lines
