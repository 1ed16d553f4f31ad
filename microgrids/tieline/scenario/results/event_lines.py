"""events.jsonl: what happened on all ledgers, one object a line, oldest first."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator

from tieline.scenario.results.history import Happening
from tieline.scenario.results.material import Material

NUMBERS = frozenset(
    {"energy_wh", "cap_wh", "wh", "paid_wh", "refunded_wh", "used_wh", "amount", "credited"}
    | {"escrow", "price", "sequence", "slot_length", "expiry", "index", "side", "level"}
)
"""Attributes that are written as numbers; others are text."""


def write_events(material: Material) -> None:
    """Write the log, whole or not at all."""
    path = material.world.folder.events_jsonl
    beside = path.with_suffix(".jsonl.part")
    with beside.open("w", encoding="utf-8") as file:
        for line in _lines(material):
            file.write(line)
            file.write("\n")
    beside.replace(path)


def _lines(material: Material) -> Iterator[str]:
    """Yield events of all ledgers merged by time; inside one instant, ledger by ledger."""
    streams = [history.happenings for history in material.histories.values()]
    slots: dict[str, int] = {}
    for row in heapq.merge(*streams, key=lambda row: row.time_s):
        yield json.dumps(record_of(row, slots), separators=(",", ":"))


def record_of(row: Happening, slots: dict[str, int]) -> dict[str, object]:
    """Return one event; later events of a lock or order take their slot from its first."""
    subject = row.text("lock_id") or row.text("order_id")
    slot_start = row.number("slot_start")
    if slot_start and subject:
        slots[subject] = slot_start
    record: dict[str, object] = {
        "time_s": row.time_s,
        "event": row.kind,
        "slot_start_s": slot_start or slots.get(subject, 0),
        "chain_id": row.chain_id,
        "height": row.height,
    }
    for name, value in row.event.attributes:
        if name != "slot_start" and not name.startswith("encoded_"):
            record[name] = int(value) if name in NUMBERS and value.isdecimal() else value
    return record
