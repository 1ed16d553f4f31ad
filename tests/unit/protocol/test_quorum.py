"""The named quorum rules, for every number of members that a set may have."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import pytest

from tieline.protocol.quorum import (
    byzantine_majority,
    has_more_than_two_thirds,
    more_than_two_thirds,
    two_thirds_rounded_up,
)

MEMBERS = range(1, 51)


@pytest.mark.parametrize("n", MEMBERS)
def test_more_than_two_thirds_is_the_smallest_count_above_the_fraction(n: int) -> None:
    needed = more_than_two_thirds(n)
    assert needed > Fraction(2 * n, 3) >= needed - 1
    assert needed <= n
    assert has_more_than_two_thirds(needed, n)
    assert not has_more_than_two_thirds(needed - 1, n)


@pytest.mark.parametrize("n", MEMBERS)
def test_two_thirds_rounded_up_is_the_ceiling(n: int) -> None:
    assert two_thirds_rounded_up(n) == ceil(Fraction(2 * n, 3))


@pytest.mark.parametrize("n", MEMBERS)
def test_byzantine_majority_is_the_formula_and_f_silent_do_not_stop_it(n: int) -> None:
    faulty = (n - 1) // 3
    assert byzantine_majority(n) == ceil(Fraction(n + faulty + 1, 2))
    assert byzantine_majority(n) <= n - faulty


@pytest.mark.parametrize("n", range(4, 51))
def test_two_byzantine_majorities_share_an_honest_member(n: int) -> None:
    assert 2 * byzantine_majority(n) - n > (n - 1) // 3


@pytest.mark.parametrize(
    ("n", "strict", "ceiling", "byzantine"),
    [(3, 3, 2, 2), (4, 3, 3, 3), (6, 5, 4, 4), (9, 7, 6, 6)],
)
def test_the_rules_differ_where_three_divides_n(
    n: int, strict: int, ceiling: int, byzantine: int
) -> None:
    counted = (more_than_two_thirds(n), two_thirds_rounded_up(n), byzantine_majority(n))
    assert counted == (strict, ceiling, byzantine)


@pytest.mark.parametrize("rule", [more_than_two_thirds, two_thirds_rounded_up, byzantine_majority])
def test_nobody_is_no_quorum(rule: object) -> None:
    with pytest.raises(ValueError, match="needs members"):
        rule(0)  # type: ignore[operator]
