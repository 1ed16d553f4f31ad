"""How slowly a unit is brought back that ends again and again, and what is read from its log."""

from __future__ import annotations

from tieline.ledgers.tendermint import peer_process
from tieline.ledgers.tendermint.peer_process import (
    RESTART_S_MAX,
    RESTARTS_A_MINUTE,
    _open_log,
    _Place,
    _RestartPace,
)


def test_a_unit_that_comes_up_is_brought_back_at_once_but_not_for_ever():
    pace = _RestartPace()
    delays = [pace.delay_s(float(n)) for n in range(RESTARTS_A_MINUTE + 12)]
    assert delays[:RESTARTS_A_MINUTE] == [0.0] * RESTARTS_A_MINUTE
    rest = delays[RESTARTS_A_MINUTE:]
    assert rest == sorted(rest)
    assert rest[0] > 0
    assert rest[-1] == RESTART_S_MAX
    assert pace.delay_s(10_000.0) == 0.0, "a quiet minute later it is at once again"


def test_a_unit_that_does_not_come_up_is_tried_more_slowly_each_time():
    pace = _RestartPace()
    delays = []
    for n in range(2000):
        delays.append(pace.delay_s(n * 60.1))
        pace.failed_starts += 1
    assert delays[:4] == [0.0, 0.25, 0.5, 1.0]
    assert set(delays[10:]) == {RESTART_S_MAX}


def test_a_log_is_read_from_where_its_process_began(tmp_path):
    place = _Place(tmp_path / "engine.log")
    place.path.write_text("ERROR of before\n")
    with _open_log(place) as log:
        log.write(b"ERROR of now\n")
    assert place.since() == "ERROR of now\n"


def test_a_long_log_is_put_aside(tmp_path, monkeypatch):
    monkeypatch.setattr(peer_process, "LOG_BYTES_MAX", 10)
    place = _Place(tmp_path / "engine.log")
    place.path.write_text("more than ten bytes\n")
    with _open_log(place) as log:
        log.write(b"new\n")
    assert place.since() == "new\n"
    assert (tmp_path / "engine.log.1").read_text() == "more than ten bytes\n"
