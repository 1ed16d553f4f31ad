"""What is told about locks whose money ended in an odd way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tieline.audit.findings import Findings, Place
from tieline.audit.lock_endings import LockEnding, check_locks, lock_notes

PAID = LockEnding(
    ledger="mg-a",
    lock_id="1a" * 32,
    trade_id="7e" * 32,
    leg="in",
    slot_start=1453125600,
    energy_wh=1000,
    cap_wh=900,
    paid_wh=800,
    refunded_wh=200,
    open_wh=0,
    paid_nano_eur=800,
    refunded_nano_eur=200,
    ending="paid and refunded",
    opened_height=5,
    closed_height=9,
)
OUT = replace(PAID, ledger="mg-b", lock_id="1b" * 32, leg="out")
OPEN = replace(OUT, ending="open", paid_wh=0, refunded_wh=100, open_wh=900, closed_height=0)


def test_equal_legs_need_no_note():
    assert lock_notes([PAID, OUT]) == []


def test_open_locks_are_counted():
    assert lock_notes([PAID, OPEN]) == ["1 locks are open: the run ended before they could"]


def test_legs_that_paid_different_energy_are_told():
    (note,) = lock_notes([PAID, replace(OUT, paid_wh=0, refunded_wh=1000)])
    assert note == (
        "trade 7e7e7e7e7e7e7e7e: the buyers paid 800 Wh on mg-a, the sellers got 0 Wh on mg-b"
    )


MONEY = [
    # what the state says, words of the finding
    (replace(PAID, refunded_wh=199), "paid + refunded + open, Wh: expected 1000, found 999"),
    (PAID, "Wh paid and refunded as told: expected (800, 200), found None"),
]


@pytest.mark.parametrize(("row", "words"), MONEY)
def test_money_that_is_not_all_there_is_found(row, words):
    findings = Findings()
    check_locks({}, [row], findings)
    assert any(words in str(found) for found in findings.rows)
    assert {found.place for found in findings.rows} == {Place("mg-a", 9, 1453125600)}


def test_an_open_lock_has_told_no_ending():
    findings = Findings()
    check_locks({}, [OPEN], findings)
    assert findings.rows == []
