"""
How each lock's money ended; how its packet ended is told apart, in ``packet_endings``.

Sources:
    ``docs/spec/trade.md`` 5 and 8.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tieline.audit.findings import Check, Findings, Place
from tieline.audit.ledger_history import LedgerHistory
from tieline.contract.records import LockRecord, decode_lock
from tieline.swap.lock import TERMINAL

Ledgers = Mapping[bytes, LedgerHistory]
"""Histories by chain tag."""


@dataclass(frozen=True, slots=True)
class LockEnding:
    """What became of a lock's money, Wh and nano-EUR: paid + refunded + open = all of it."""

    ledger: str
    lock_id: str
    trade_id: str
    leg: str
    """``in`` on the source, ``out`` on the destination, ``local``."""
    slot_start: int
    energy_wh: int
    cap_wh: int
    paid_wh: int
    refunded_wh: int
    open_wh: int
    paid_nano_eur: int
    refunded_nano_eur: int
    ending: str
    """``paid``, ``refunded``, ``paid and refunded`` or ``open``."""
    opened_height: int
    closed_height: int
    """0 while it is open."""


def lock_endings(ledgers: Ledgers) -> tuple[LockEnding, ...]:
    """Return all locks of all ledgers, by slot, trade and leg."""
    rows = [row for history in ledgers.values() for row in _locks_of(history)]
    return tuple(sorted(rows, key=lambda row: (row.slot_start, row.trade_id, row.leg)))


def _locks_of(history: LedgerHistory) -> Iterator[LockEnding]:
    opened = {event["lock_id"]: event.height for event in history.of_kind("lock_opened")}
    closed = {event["lock_id"]: event.height for event in history.of_kind("lock_closed")}
    for key, value in history.scan(b"l"):
        lock_id, record = key[1:].hex(), decode_lock(value)
        yield LockEnding(
            ledger=history.chain_id,
            lock_id=lock_id,
            trade_id=record.trade_id.hex(),
            leg=record.leg.name.lower(),
            slot_start=record.slot_start,
            energy_wh=record.energy_wh,
            cap_wh=record.cap_wh,
            paid_wh=record.paid_wh,
            refunded_wh=record.refunded_wh,
            open_wh=record.open_wh,
            paid_nano_eur=record.paid_wh * record.price,
            refunded_nano_eur=record.refunded_wh * record.price,
            ending=_ending(record),
            opened_height=opened.get(lock_id, 0),
            closed_height=closed.get(lock_id, 0),
        )


def _ending(record: LockRecord) -> str:
    if record.status not in TERMINAL:
        return "open"
    if record.paid_wh and record.refunded_wh:
        return "paid and refunded"
    return "paid" if record.paid_wh else "refunded"


def check_locks(ledgers: Ledgers, endings: Sequence[LockEnding], findings: Findings) -> None:
    """Check that a lock's money is all there, and that events told the same of it."""
    closed = {
        (history.chain_id, event["lock_id"]): (int(event["paid_wh"]), int(event["refunded_wh"]))
        for history in ledgers.values()
        for event in history.of_kind("lock_closed")
    }
    for row in endings:
        place = Place(row.ledger, row.closed_height or row.opened_height, row.slot_start)
        name = f"lock {row.lock_id[:16]}"
        total = row.paid_wh + row.refunded_wh + row.open_wh
        findings.expect(
            place, Check.MONEY, f"{name}: paid + refunded + open, Wh", row.energy_wh, total
        )
        told = closed.get((row.ledger, row.lock_id))
        kept = None if row.ending == "open" else (row.paid_wh, row.refunded_wh)
        findings.expect(place, Check.MONEY, f"{name}: Wh paid and refunded as told", kept, told)


def lock_notes(endings: Sequence[LockEnding]) -> list[str]:
    """
    Return what is odd without being a contradiction: open locks, and legs that paid different Wh.

    Note:
        A seller that does not claim in time hurts only itself, so unequal legs are legal.
    """
    notes: list[str] = []
    count = sum(row.ending == "open" for row in endings)
    if count:
        notes.append(f"{count} locks are open: the run ended before they could")
    legs: dict[str, dict[str, LockEnding]] = {}
    for row in endings:
        if row.ending != "open":
            legs.setdefault(row.trade_id, {})[row.leg] = row
    for trade_id, pair in legs.items():
        if {"in", "out"} <= pair.keys() and pair["in"].paid_wh != pair["out"].paid_wh:
            notes.append(
                f"trade {trade_id[:16]}: the buyers paid {pair['in'].paid_wh} Wh on "
                f"{pair['in'].ledger}, the sellers got {pair['out'].paid_wh} Wh on "
                f"{pair['out'].ledger}"
            )
    return notes
