"""Draws by hashing: the same everywhere, apart from each other, normal enough."""

import statistics

from tieline.scenario.draws import draw_between, draw_normal_milli


def test_a_draw_depends_on_seed_and_purpose_alone() -> None:
    first = draw_normal_milli(7, "meter", 1453125600, "a-home-1")
    assert first == draw_normal_milli(7, "meter", 1453125600, "a-home-1")
    others = {
        draw_normal_milli(8, "meter", 1453125600, "a-home-1"),
        draw_normal_milli(7, "meter", 1453126500, "a-home-1"),
        draw_normal_milli(7, "meter", 1453125600, "a-home-2"),
        draw_normal_milli(7, "error", 1453125600, "a-home-1"),
    }
    assert first not in others
    assert len(others) == 4


def test_parts_of_a_purpose_do_not_run_together() -> None:
    assert draw_normal_milli(1, "ab", "c") != draw_normal_milli(1, "a", "bc")


def test_normal_draws_have_mean_0_and_deviation_1() -> None:
    draws = [draw_normal_milli(3, "x", index) for index in range(4000)]
    assert abs(statistics.fmean(draws)) < 50
    assert abs(statistics.pstdev(draws) - 1000) < 40
    assert max(map(abs, draws)) <= 6000


def test_a_draw_between_reaches_both_ends_and_nothing_else() -> None:
    assert {draw_between(2, 4, 1, index) for index in range(200)} == {2, 3, 4}
