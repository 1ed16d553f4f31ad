"""Sparse elimination: right on trees and meshes, its error bound sound, the batch the same."""

import numpy as np
import pytest
from fakes.networks import published_case

from tieline.power import admittance
from tieline.power.admittance import build_admittance_model
from tieline.power.batch import solve_batch
from tieline.power.elimination import eliminate
from tieline.power.vectors import injection_vector


def network_matrix(buses: int, extra: int, seed: int) -> np.ndarray:
    """A tree with *extra* loops, unsymmetrical as with phase-shifting transformers."""
    draw = np.random.default_rng(seed)
    Y = np.zeros((buses, buses), dtype=np.complex128)
    edges = [(bus, int(draw.integers(0, bus))) for bus in range(1, buses)]
    edges += [tuple(draw.choice(buses, 2, replace=False)) for _ in range(extra)]
    for start, end in edges:
        y = 1 / complex(*draw.uniform(1e-4, 1e-2, 2))
        turn = np.exp(1j * draw.uniform(-0.5, 0.5))
        Y[start, start] += y
        Y[end, end] += y
        Y[start, end] -= y * turn
        Y[end, start] -= y / turn
    Y[0, 0] += 500
    return Y


@pytest.mark.parametrize("extra", [0, 1, 12])
@pytest.mark.parametrize("buses", [1, 2, 40])
def test_elimination_solves_trees_and_meshes(buses: int, extra: int) -> None:
    Y = network_matrix(buses, extra if buses > 2 else 0, buses + extra)
    draw = np.random.default_rng(9)
    right = draw.standard_normal((buses, 5)) + 1j * draw.standard_normal((buses, 5))
    x = right.copy()
    factors = eliminate(Y)
    factors.solve(x, np.empty(5, dtype=np.complex128))
    exact = np.linalg.solve(Y, right)
    assert np.abs(x - exact).max() <= 1e-9 * np.abs(exact).max()
    bound = np.abs(np.linalg.inv(Y)) @ factors.backward_error @ np.abs(x)
    assert (np.abs(x - exact) <= 2 * bound).all()


def test_a_tree_fills_in_nothing() -> None:
    factors = eliminate(network_matrix(60, 0, 3))
    assert sum(len(rows) for _, rows in factors.forward) == 59
    assert sum(len(rows) for _, _, rows in factors.backward) == 59


def test_large_networks_are_solved_by_elimination_with_the_same_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = published_case("third_party_victim")
    S = injection_vector(case.network, case.baseline, "test")[:, None] * np.linspace(-1, 2, 50)
    dense = solve_batch(build_admittance_model(case.network), S)
    monkeypatch.setattr(admittance, "SMALL_BUSES_MAX", 5)
    build_admittance_model.cache_clear()
    model = build_admittance_model(case.network)
    assert model.elimination is not None
    sparse = solve_batch(model, S)
    build_admittance_model.cache_clear()
    assert sparse.certified.all()
    assert np.abs(sparse.V - dense.V).max() < 1e-9
    assert (np.abs(sparse.V - dense.V).max(axis=0) <= sparse.radius + dense.radius).all()
    assert 0 < model.elimination_gain < 1e-9
