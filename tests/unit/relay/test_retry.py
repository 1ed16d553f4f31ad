"""Delays are values that can be listed."""

import pytest

from tieline.relay.retry import (
    LANDED_DELAY_S,
    NOT_YET_DELAY_S,
    RetryBook,
    refused_delay_s,
    unavailable_delay_s,
)


def test_refusals_wait_longer_and_longer() -> None:
    delays = [refused_delay_s(attempts) for attempts in range(1, 9)]
    assert delays == [5, 10, 20, 40, 80, 160, 160, 160]


def test_silent_ledgers_are_left_alone_for_half_a_minute_at_most() -> None:
    delays = [unavailable_delay_s(attempts) for attempts in range(1, 8)]
    assert delays == [1, 2, 5, 10, 30, 30, 30]


@pytest.mark.parametrize(
    ("note", "delay_s"),
    [("land", LANDED_DELAY_S), ("defer", NOT_YET_DELAY_S), ("refuse", refused_delay_s(1))],
)
def test_an_effect_waits_its_delay_and_not_longer(note: str, delay_s: int) -> None:
    book = RetryBook()
    book.now_s = 1000
    book.start("x")
    assert "x" in book
    extra = () if note == "land" else ("why",)
    getattr(book, note)("x", *extra)
    for now, is_blocked in ((1000, True), (1000 + delay_s - 1, True), (1000 + delay_s, False)):
        book.now_s = now
        assert ("x" in book) is is_blocked


def test_what_is_under_way_is_blocked_until_it_is_released() -> None:
    book = RetryBook()
    book.start("x")
    book.now_s = 10**9
    assert "x" in book
    book.release("x")
    assert "x" not in book


def test_attempts_count_in_a_row_and_begin_again_after_success() -> None:
    book = RetryBook()
    assert [book.refuse("x", "no") for _ in range(3)] == [1, 2, 3]
    book.land("x")
    assert book.refuse("x", "no") == 1


def test_only_what_a_ledger_refused_alone_is_a_suspect() -> None:
    book = RetryBook()
    book.defer("attestors asleep", "later")
    book.defer("evidence missing", "later", is_suspect=True)
    book.refuse("wrong", "no")
    names = ("attestors asleep", "evidence missing", "wrong", "unknown")
    assert [book.is_suspect(name) for name in names] == [False, True, True, False]


def test_the_next_wake_is_the_first_retry_and_not_a_landing() -> None:
    book = RetryBook()
    book.now_s = 100
    book.land("landed")
    assert book.next_wake_s() is None
    book.refuse("a", "no")
    book.refuse("a", "no")
    book.defer("b", "later")
    assert book.next_wake_s() == 105
    book.forget_before(10**6)
    assert book.next_wake_s() is None
