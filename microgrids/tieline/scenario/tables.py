"""
A run as tables for analysis: parquet and CSV with the unit in every column name.

The only place that writes parquet and CSV.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pyarrow import csv, parquet

from tieline.scenario.run_folder import RunFolder
from tieline.scenario.run_records import AccountRow, SlotRecord, TradeRecord

Cell = int | float | str | bool | datetime | None


def write_tables(
    folder: RunFolder,
    trades: Sequence[TradeRecord],
    slots: Sequence[SlotRecord],
    accounts: Sequence[AccountRow],
) -> None:
    """Write trades, slots and settlement as parquet and CSV into the run folder."""
    _write(folder, "trades", [trade_row(trade) for trade in trades])
    _write(folder, "slots", [slot_row(slot) for slot in slots])
    _write(folder, "settlement", [account_row(account) for account in accounts])


def write_tightest_slot(folder: RunFolder, net: object) -> None:
    """
    Write the tightest slot as a plain pandapower network.

    Args:
        folder: The run.
        net: A ``pandapowerNet`` with that slot's injections as loads and static generators.
    """
    pandapower = importlib.import_module("pandapower")
    pandapower.to_json(net, str(folder.tightest_slot_json))


def trade_row(trade: TradeRecord) -> dict[str, Cell]:
    """Return a trade as a row, units in the keys."""
    physics = trade.physics
    return {
        "trade_id": trade.trade_id,
        "level": trade.level,
        "delivery": trade.delivery,
        "slot_start_utc": _utc(trade.slot_start_s),
        "slot_length_s": trade.slot_length_s,
        "buyers_ledger": trade.source_chain_id,
        "sellers_ledger": trade.dest_chain_id,
        "energy_wh": trade.energy_wh,
        "cap_wh": trade.cap_wh,
        "delivered_wh": trade.delivered_wh,
        "price_in_micro_eur_per_kwh": trade.price_in_micro_eur_per_kwh,
        "price_out_micro_eur_per_kwh": trade.price_out_micro_eur_per_kwh,
        "paid_in_nano_eur": trade.paid_in_nano_eur,
        "paid_out_nano_eur": trade.paid_out_nano_eur,
        "refunded_in_nano_eur": trade.refunded_in_nano_eur,
        "refunded_out_nano_eur": trade.refunded_out_nano_eur,
        "decision": trade.decision,
        "reason": trade.reason,
        "outcome": trade.outcome,
        "limit": None if physics is None else physics.limit,
        "limit_value": None if physics is None else physics.value,
        "limit_bound": None if physics is None else physics.bound,
        "limit_unit": None if physics is None else physics.unit,
        "steps_count": len(trade.steps),
        "way_s": trade.steps[-1].time_s - trade.steps[0].time_s if trade.steps else 0,
    }


def slot_row(slot: SlotRecord) -> dict[str, Cell]:
    """Return a slot as a row, units in the keys."""
    return {
        "slot_index": slot.index,
        "slot_start_utc": _utc(slot.slot_start_s),
        "slot_length_s": slot.slot_length_s,
        "orders_count": slot.orders_count,
        "trades_count": slot.trades_count,
        "refused_count": slot.refused_count,
        "intra_wh": slot.energy_wh.get("INTRA", 0),
        "inter_wh": slot.energy_wh.get("INTER", 0),
        "grid_wh": slot.energy_wh.get("GRID", 0),
        "rounds_count": slot.rounds_count,
        "reduced_wh": sum(slot.reduced_wh.values()),
        "verdict": slot.verdict,
        "scenarios_count": slot.scenarios_count,
        "tightest_limit": None if slot.tightest is None else slot.tightest.limit,
        "tightest_margin_percent": slot.tightest_margin_percent,
        "tightest_margin_kw": slot.tightest_margin_kw,
        "vm_pu_min": slot.vm_pu_min,
        "vm_pu_max": slot.vm_pu_max,
        "bus_at_vm_min": slot.bus_at_vm_min,
        "vm_pu_min_without_gate": slot.vm_pu_min_without_gate,
        "vm_pu_max_without_gate": slot.vm_pu_max_without_gate,
        "is_violated": slot.is_violated,
        "is_violated_without_gate": slot.is_violated_without_gate,
        "loss_wh": slot.loss_wh,
        "unaccounted_wh": slot.unaccounted_wh,
        "imbalance_wh": slot.imbalance_wh,
    }


def account_row(account: AccountRow) -> dict[str, Cell]:
    """Return an account as a row, units in the keys."""
    return {
        "ledger": account.chain_id,
        "account": account.account,
        "label": account.label,
        "opening_nano_eur": account.opening_nano_eur,
        "closing_nano_eur": account.closing_nano_eur,
        "change_nano_eur": account.closing_nano_eur - account.opening_nano_eur,
    }


def _write(folder: RunFolder, name: str, rows: Sequence[Mapping[str, Cell]]) -> None:
    """Write one table in both forms; a table without rows has no columns to write."""
    if not rows:
        return
    # pyarrow has no types; only this function touches it.
    table: Any = importlib.import_module("pyarrow").Table.from_pylist([dict(row) for row in rows])
    parquet.write_table(table, folder.path / f"{name}.parquet")
    csv.write_csv(table, folder.path / f"{name}.csv")


def _utc(time_s: int) -> datetime:
    return datetime.fromtimestamp(time_s, UTC)
