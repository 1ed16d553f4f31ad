"""Which subsets of a batch are solved."""

import numpy as np

from tieline.power.subsets import all_unions, subsets_of, worst_unions


def columns(shares: np.ndarray) -> set[tuple[float, ...]]:
    return {tuple(column) for column in shares.T}


def test_all_unions_are_all() -> None:
    unions = all_unions(3)
    assert unions.shape == (3, 8)
    assert len(columns(unions)) == 8
    assert unions[:, 0].tolist() == [0, 0, 0]
    assert all_unions(0).shape == (0, 1)


def test_each_limit_drops_the_groups_that_help_it() -> None:
    room = np.array([[-1.0, 2.0, -0.1], [0.0, 0.0, 0.0], [-3.0, -1.0, 9.0], [-2.0, 7.0, -1.0]])
    worst = worst_unions(room)
    assert columns(worst) == {(0, 0, 0), (1, 1, 1), (1, 0, 1), (1, 1, 0)}
    assert worst[:, 0].tolist() == [0, 0, 0]
    assert worst[:, 1].tolist() == [1, 1, 1]


def test_few_groups_are_enumerated_when_asked_many_never() -> None:
    few, many = np.ones((2, 10)), np.ones((2, 11))
    assert subsets_of(few, exhaustive=True).shape == (10, 1024)
    assert subsets_of(few, exhaustive=False).shape[1] == 2
    assert subsets_of(many, exhaustive=True).shape[1] == 2
