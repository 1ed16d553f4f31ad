"""`tieline explain`: why a trade or a slot came out as it did, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tieline.cli.options import Json, RunOption, open_run
from tieline.cli.output import clock, eur, kwh, print_json, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tieline.scenario.run_records import PhysicsNote, SlotRecord, TradeRecord

UNIX_DIGITS = 10
"""A number so long is a time, not the index of a slot."""

What = Annotated[
    str,
    typer.Argument(
        metavar="TRADE|SLOT", help="First digits of a trade id; or a slot's number or unix start."
    ),
]


def explain(what: What, run: RunOption = None, json: Json = False) -> None:
    """
    Say why a trade or a slot came out as it did.
    """
    from tieline.cli.trade import find_trade

    folder = open_run(run)
    zone = folder.read_zone()
    trades = folder.read_trades()
    slot = find_slot(folder.read_slots(), what)
    if slot is None:
        trade = find_trade(trades, what)
        lines = explain_trade(trade, zone)
    else:
        inside = [trade for trade in trades if trade.slot_start_s == slot.slot_start_s]
        lines = explain_slot(slot, inside, zone)
    if json:
        print_json({"about": what, "sentences": lines})
        return
    for line in lines:
        print(line)


def find_slot(slots: Sequence[SlotRecord], what: str) -> SlotRecord | None:
    """
    Return the slot that a number names; None if *what* is no number of a slot.

    A trade id of digits only is taken for a trade when no slot has that number.
    """
    if not what.isdecimal() or len(what) > 2 * UNIX_DIGITS:
        return None
    number = int(what)
    for slot in slots:
        if number == (slot.slot_start_s if len(what) >= UNIX_DIGITS else slot.index):
            return slot
    return None


def explain_trade(trade: TradeRecord, zone: str) -> list[str]:
    """Return sentences about one trade."""
    buyers = [part.cell for part in trade.allocations if part.side == "buy"]
    sellers = [part.cell for part in trade.allocations if part.side == "sell"]
    sold = "sold" if trade.paid_out_nano_eur else "was to sell"
    lines = [
        (
            f"{_names(sellers, trade.dest_chain_id)} {sold} {kwh(trade.energy_wh)} kWh to "
            f"{_names(buyers, trade.source_chain_id)} for the slot at "
            f"{clock(trade.slot_start_s, zone)} ({trade.level}, {trade.delivery})."
        )
    ]
    if trade.decision == "accept":
        cut = trade.energy_wh - trade.cap_wh
        lines.append(
            "The cells found the network safe with it"
            + (f", up to {kwh(trade.cap_wh)} kWh." if cut else ".")
        )
    elif trade.decision == "refuse":
        lines.append(f"The cells refused it: {_reason(trade.reason)}.")
    else:
        lines.append("No verdict came before the deadline, so anybody could refuse it.")
    if trade.physics is not None:
        lines.append(_physics(trade.physics))
    if trade.delivered_wh:
        lines.append(
            f"{kwh(trade.delivered_wh)} kWh were delivered; buyers paid "
            f"{eur(trade.paid_in_nano_eur)} EUR, sellers got {eur(trade.paid_out_nano_eur)} EUR."
        )
    if trade.refunded_in_nano_eur:
        lines.append(f"{eur(trade.refunded_in_nano_eur)} EUR went back to the buyers.")
    if trade.steps:
        first, last = trade.steps[0], trade.steps[-1]
        lines.append(
            f"Its way took {len(trade.steps)} steps and {last.time_s - first.time_s} s, from "
            f"{first.step} to {last.step}: `tieline trade show {short(trade.trade_id)}`."
        )
    return lines


def explain_slot(slot: SlotRecord, trades: Sequence[TradeRecord], zone: str) -> list[str]:
    """Return sentences about one slot and its trades."""
    lines = [
        (
            f"Slot {slot.index}, {clock(slot.slot_start_s, zone)}: {slot.orders_count} orders "
            f"became {slot.trades_count} trades; {slot.refused_count} were refused."
        ),
        "Delivered: "
        + ", ".join(f"{level} {kwh(wh)} kWh" for level, wh in slot.energy_wh.items())
        + ".",
    ]
    if slot.rounds_count:
        lines.append(f"The gate cut {slot.rounds_count} times before the seal.")
        lines += [f"  {cut}" for cut in slot.cuts]
        lines += [f"  {cell} got {kwh(wh)} kWh less" for cell, wh in slot.reduced_wh.items()]
    lines.append(f"Verdict {slot.verdict}, from {slot.scenarios_count} solved cases.")
    if slot.tightest is not None:
        lines.append(_physics(slot.tightest))
        lines.append(_room(slot))
    without = "outside" if slot.is_violated_without_gate else "inside"
    lines.append(
        f"Voltages really lay between {slot.vm_pu_min:.4f} and {slot.vm_pu_max:.4f} pu, lowest at "
        f"bus {slot.bus_at_vm_min}; without the gate the lowest would have been "
        f"{slot.vm_pu_min_without_gate:.4f} pu, {without} the band."
    )
    lines.append(
        f"Losses {kwh(slot.loss_wh)} kWh, imbalance {kwh(slot.imbalance_wh)} kWh, "
        f"unaccounted {kwh(slot.unaccounted_wh)} kWh."
    )
    for trade in trades:
        if trade.outcome != "settled":
            why = _reason(trade.reason)
            if trade.reason == "NONE":
                why = f"{kwh(trade.delivered_wh)} kWh were delivered"
            lines.append(
                f"  {short(trade.trade_id)} {trade.level} {kwh(trade.energy_wh)} kWh: "
                f"{trade.outcome}, {why}"
            )
    return lines


def _room(slot: SlotRecord) -> str:
    """Say how much more would have fitted, or that it was too much already."""
    percent = slot.tightest_margin_percent
    if percent < 0:
        return f"Without any trade it lay {-percent:g} % beyond that bound already."
    if not slot.tightest_margin_kw:
        return f"{percent:g} % were left to that bound."
    return (
        f"{slot.tightest_margin_kw:g} kW more of the marginal trade would have fitted "
        f"({percent:g} %)."
    )


def _names(cells: Sequence[str], ledger: str) -> str:
    shown = ", ".join(cells[:3])
    if len(cells) > 3:
        shown += f" and {len(cells) - 3} more"
    return f"{shown} ({ledger})" if shown else ledger


def _physics(note: PhysicsNote) -> str:
    where = f" in {note.scenario}" if note.scenario else ""
    return (
        f"Tightest limit: {note.limit}, {note.value:g} {note.unit} against a bound of "
        f"{note.bound:g} {note.unit}{where}; {note.margin_subtracted:g} {note.unit} of it are "
        "margins for forecasts and the main grid's voltage."
    )


REASONS = {
    "NONE": "nothing to object",
    "V_LOW": "a voltage would fall below its band",
    "V_HIGH": "a voltage would rise above its band",
    "LINE": "a line would be overloaded",
    "TRAFO": "a transformer would be overloaded",
    "NOT_CERTIFIED": "no flow proof could be made, so it does not count as safe",
    "CONTINGENCY": "the network would not hold with one branch out",
    "MARGINAL": "it gave the least welfare for the relief it needed",
    "PCC": "the limit at the point of common coupling would be broken",
    "NO_VERDICT": "no verdict came in time",
    "BASE_VIOLATED": "the network was outside its limits already, and it would have made it worse",
    "STEP": "a voltage would jump from the slot before",
    "OWNER_SILENT": "the owner of a touched zone did not sign",
    "PAYLOAD": "the packet does not say what its trade says",
    "MANDATE": "the connector gave no mandate that covers it",
    "VAULT": "the connector's vault was too small",
    "ORDER": "an order was gone or too small",
    "LADDER": "its deadlines do not fit",
    "H_USED": "its hash lock was used before",
    "CELL_SET": "its cell set is not that of the slot",
    "CAP": "the outflow cap was reached",
    "PAUSED": "the ledger was paused",
}
"""Reasons of a refusal in words."""


def _reason(reason: str) -> str:
    return f"{REASONS[reason]} ({reason})" if reason in REASONS else reason
