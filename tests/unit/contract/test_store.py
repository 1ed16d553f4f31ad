"""Overlays: what is read, what is undone, what comes out sorted."""

from __future__ import annotations

import pytest

from tieline.contract.context import GasMeter
from tieline.contract.errors import OutOfGas
from tieline.contract.store import Overlay, Scoped, TransactionStore


def test_the_newest_write_is_read_and_the_base_below_it() -> None:
    overlay = Overlay({b"a": b"1", b"b": b"2"})
    overlay.set(b"a", b"3")
    overlay.delete(b"b")
    assert [overlay.get(key) for key in (b"a", b"b", b"c")] == [b"3", None, None]
    assert overlay.sorted_writes() == [(b"a", b"3"), (b"b", None)]


def test_rollback_undoes_exactly_what_came_after_the_mark() -> None:
    overlay = Overlay({b"a": b"1"})
    overlay.set(b"a", b"2")
    mark = overlay.checkpoint()
    overlay.set(b"a", b"3")
    overlay.set(b"b", b"4")
    overlay.delete(b"a")
    inner = overlay.checkpoint()
    overlay.set(b"b", b"5")
    overlay.rollback(inner)
    assert overlay.get(b"b") == b"4"
    overlay.rollback(mark)
    assert overlay.sorted_writes() == [(b"a", b"2")]
    overlay.rollback(0)
    assert overlay.sorted_writes() == []
    assert overlay.get(b"a") == b"1"


def test_an_empty_value_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError):
        Overlay({}).set(b"a", b"")


def test_a_flush_carries_deletions() -> None:
    below = Overlay({b"a": b"1"})
    above = Overlay(below)
    above.delete(b"a")
    above.set(b"b", b"2")
    above.flush(below)
    assert below.sorted_writes() == [(b"a", None), (b"b", b"2")]


def test_reads_and_writes_are_paid_for_and_remembered() -> None:
    meter = GasMeter(10_000)
    store = TransactionStore({b"a": b"1234"}, meter, record_reads=True)
    assert store.get(b"a") == b"1234"
    assert meter.used == 1_000 + 3 * 4
    store.set(b"b", b"12")
    assert meter.used == 1_012 + 2_000 + 30 * 3
    store.delete(b"a")
    assert meter.used == 3_102 + 1_000
    assert (store.read_keys(), store.written_keys()) == ({b"a"}, {b"a", b"b"})


def test_work_above_the_limit_stops() -> None:
    store = TransactionStore({}, GasMeter(1_999))
    store.get(b"a")
    with pytest.raises(OutOfGas, match="gasWanted: 1999, gasUsed: 2000"):
        store.get(b"a")


def test_a_scope_sees_its_prefix_only() -> None:
    overlay = Overlay({b"p/a": b"1", b"a": b"2"})
    scope = Scoped(overlay, b"p/")
    assert scope.get(b"a") == b"1"
    scope.set(b"b", b"3")
    scope.delete(b"a")
    assert overlay.sorted_writes() == [(b"p/a", None), (b"p/b", b"3")]
