"""A finding says where, what was expected and what was found."""

from __future__ import annotations

import pytest

from tieline.audit.findings import Check, Findings, Place, show
from tieline.audit.report import check_results

PLACES = [
    (Place("mg-a", 42), "ledger mg-a height 42"),
    (Place(slot_start=1453125600), "slot 1453125600 (2016-01-18 14:00 UTC)"),
    (Place("mg-a", file="genesis.json"), "ledger mg-a genesis.json"),
    (Place("mg-a", 7, 1453125600), "ledger mg-a height 7 slot 1453125600 (2016-01-18 14:00 UTC)"),
]


@pytest.mark.parametrize(("place", "text"), PLACES)
def test_a_place_reads_as_people_say_it(place, text):
    assert str(place) == text


@pytest.mark.parametrize("slot_start", [10**22, 10**12, -(10**22)])
def test_a_slot_that_no_clock_shows_is_told_as_its_number(slot_start):
    assert str(Place(slot_start=slot_start)) == f"slot {slot_start}"


def test_a_difference_becomes_a_finding_and_equality_is_counted():
    findings = Findings()
    assert findings.expect(Place("mg-a", 1), Check.BLOCKS, "height", 1, 1)
    assert not findings.expect(Place("mg-a", 2), Check.BLOCKS, "height", 2, 3)
    (row,) = findings.rows
    assert str(row) == "ledger mg-a height 2: height: expected 2, found 3"
    assert findings.held == {Check.BLOCKS: 1}


def test_a_requirement_says_what_was_found_instead():
    findings = Findings()
    assert findings.require(Place(), Check.FILES, "one", holds=True, expected="one", found="two")
    assert not findings.require(
        Place(file="x"), Check.FILES, "one", holds=False, expected="one", found="two"
    )
    assert str(findings.rows[0]) == "x: one: expected one, found two"


def test_values_are_shown_short_and_bytes_as_hex():
    assert show(b"\x01\xff") == "01ff"
    assert show("") == "nothing"
    assert len(show("x" * 500)) == 163


def test_a_head_of_checks_fails_with_its_first_finding_and_the_number_of_others():
    findings = Findings()
    for height in (4, 5):
        findings.refuse(Place("mg-a", height), Check.STATE, "app hash", "a", "b")
    findings.hold(Check.MONEY, 1234)
    rows = {row.name: row for row in check_results(tuple(findings.rows), findings.held)}
    assert not rows["state"].is_ok
    assert rows["state"].detail.startswith("ledger mg-a height 4: app hash")
    assert rows["state"].detail.endswith("(and 1 more)")
    assert (rows["money"].is_ok, rows["money"].detail) == (True, "1,234 comparisons hold")
    assert rows["packets"].detail == "nothing to compare"
