"""The ladder says yes, or which sum fails."""

from dataclasses import replace

import pytest

from tieline.swap import ladder
from tieline.swap.ladder import FAST, FAST_TIMES, PRESETS, TradeTimes

S = 1_767_225_600


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_each_preset_is_safe_for_the_times_it_was_made_for(name: str) -> None:
    leads, times = PRESETS[name]
    assert ladder.failed_sums(leads, times) == ()


def test_the_fast_points_are_those_of_the_specification() -> None:
    points = ladder.deadlines(FAST, S, 900)
    end = S + 900
    assert points == ladder.Deadlines(
        gate_closure=S - 900,
        seal=S - 600,
        lock_deadline=S - 560,
        tau=S - 400,
        verdict_deadline=S - 100,
        statement_due=end + 300,
        expiry_out=end + 900,
        expiry_in=end + 1800,
    )
    assert ladder.last_reveal(points.expiry_out, FAST_TIMES) == points.expiry_out - 490


def test_the_slow_points_are_those_of_the_specification() -> None:
    leads, times = PRESETS["slow"]
    points = ladder.deadlines(leads, S, 900)
    end = S + 900
    assert points == ladder.Deadlines(
        gate_closure=S - 4500,
        seal=S - 4140,
        lock_deadline=S - 3900,
        tau=S - 2700,
        verdict_deadline=S - 1080,
        statement_due=end + 300,
        expiry_out=end + 2100,
        expiry_in=end + 2100 + 2880,
    )
    assert ladder.last_reveal(points.expiry_out, times) == points.expiry_out - 1500


# A lead, and the least it may be for the fast times (from the sums of the specification).
LEAST = [
    ("lock_lead_s", 160, "lock deadline before tau"),
    ("tau_lead_s", 400, "verdict deadline after tau"),
    ("d_lead_s", 100, "verdict deadline before S"),
    ("min_claim_window_s", 550, "T_B after the statement"),
    ("min_margin_s", 890, "T_A after T_B"),
]


@pytest.mark.parametrize(("lead", "least", "point"), LEAST)
def test_one_second_less_than_the_sum_is_refused_with_the_sum(
    lead: str, least: int, point: str
) -> None:
    at_least = replace(FAST, **{lead: least})
    short = replace(FAST, **{lead: least - 1})
    assert point not in {failed.point for failed in ladder.failed_sums(at_least, FAST_TIMES)}
    failed = {row.point: row for row in ladder.failed_sums(short, FAST_TIMES)}[point]
    assert failed.need_s == failed.have_s + 1
    terms = [int(word) for word in failed.sum_text.split() if word.isdigit()]
    assert failed.need_s == sum(terms) - 2 * ("2 I_A" in str(failed) or "2 I_B" in str(failed))


def test_gate_and_seal_stand_in_order() -> None:
    late_gate = replace(FAST, gate_lead_s=599)
    late_seal = replace(FAST, seal_lead_s=559)
    assert ladder.failed_sums(late_gate, FAST_TIMES)[0].point == "gate closure before seal"
    assert ladder.failed_sums(late_seal, FAST_TIMES)[0].point == "seal before lock deadline"


def test_main_net_finality_does_not_fit_the_fast_leads() -> None:
    failed = ladder.failed_sums(FAST, ladder.SLOW_TIMES)
    assert {row.point for row in failed} >= {"lock deadline before tau", "T_A after T_B"}


GOOD = TradeTimes(S, 900, S - 400, S - 100, S + 1800, S + 2700)
SPOILED = [
    ("tau", {"tau": S - 401}),
    ("tau", {"tau": S - 399}),
    ("D", {"verdict_deadline": S - 101}),
    ("D", {"verdict_deadline": S - 99}),
    ("T_B", {"expiry_out": S + 1799}),
    ("T_A", {"expiry_in": S + 2699}),
    ("T_A", {"expiry_out": S + 1801}),
    ("T_A at most", {"expiry_in": S + 900 + 86_401}),
]


def test_the_times_of_the_golden_trade_hold() -> None:
    assert ladder.failed_trade_time(FAST, GOOD) is None


def test_later_expiries_hold_up_to_a_day_after_delivery() -> None:
    for later in (S + 5900, S + 900 + 86_400):
        asked = replace(GOOD, expiry_out=S + 5000, expiry_in=later)
        assert ladder.failed_trade_time(FAST, asked) is None


def test_every_preset_stays_far_below_the_latest_expiry() -> None:
    for leads, _ in ladder.PRESETS.values():
        points = ladder.deadlines(leads, S, 3600)
        assert points.expiry_in + 4 * 3600 < ladder.expiry_max(S, 3600)


@pytest.mark.parametrize(("point", "spoil"), SPOILED)
def test_a_spoiled_time_is_named(point: str, spoil: dict[str, int]) -> None:
    failed = ladder.failed_trade_time(FAST, replace(GOOD, **spoil))
    assert failed is not None
    assert failed.point == point


def test_sending_ends_at_the_lock_deadline() -> None:
    assert ladder.failed_send_time(FAST, S, S - 561) is None
    assert ladder.failed_send_time(FAST, S, S - 560) is not None
