"""The batched iteration: published voltages, honest certificates, one answer a candidate."""

import json

import numpy as np
import pytest
from fakes.networks import VECTORS, PublishedCase, published_case

from tieline.power import batch
from tieline.power.admittance import build_admittance_model
from tieline.power.batch import solve_batch
from tieline.power.limits import LimitTable, screen
from tieline.power.settings import NO_MARGINS
from tieline.power.vectors import injection_vector

TWO_FEEDERS = json.loads((VECTORS / "two_feeders.json").read_text())
VICTIM = json.loads((VECTORS / "third_party_victim.json").read_text())
BUSBARS = {"A": 4, "B": 13, "C": 22}


def voltages(case: PublishedCase, moved_kw: dict[int, float]) -> dict[int, float]:
    model = build_admittance_model(case.network)
    S = injection_vector(case.network, case.baseline, "test")
    for bus, kw in moved_kw.items():
        S[case.network.positions[bus]] += kw * 1e-3
    solution = solve_batch(model, S[:, None])
    assert solution.certified[0]
    return dict(zip(case.network.load_buses, np.abs(solution.V[:, 0]).tolist(), strict=True))


@pytest.mark.parametrize("row", TWO_FEEDERS["rows_trade_kw_vmin_vmaxlv_maxline_trafo_losseskw"])
def test_two_feeders_voltages_are_the_published_ones(row: list[float]) -> None:
    case = published_case("two_feeders")
    found = voltages(case, {6: row[0], 11: -row[0]})
    assert round(min(found.values()), 4) == row[1]
    assert round(max(found.values()), 4) == row[2]


@pytest.mark.parametrize("position", ["0", "-1"])
def test_two_feeders_taps_are_the_published_ones(position: str) -> None:
    case = published_case("two_feeders")
    network = case.network.with_tap(0, int(position))
    moved = PublishedCase(network, case.baseline, case.zones, case.limits)
    found = voltages(moved, {6: 15, 11: -15})
    low, high = TWO_FEEDERS["tap_at_15kw"][position]
    assert (round(min(found.values()), 4), round(max(found.values()), 4)) == (low, high)


@pytest.mark.parametrize(
    ("name", "buyers"), [("none", ""), ("A_buys", "A"), ("B_buys", "B"), ("both", "AB")]
)
def test_third_party_voltages_are_the_published_ones(name: str, buyers: str) -> None:
    case = published_case("third_party_victim")
    found = voltages(case, {BUSBARS[buyer]: -150 for buyer in buyers})
    for zone in "ABC":
        lowest = min(found[bus] for bus in case.zones[zone])
        assert round(lowest, 4) == VICTIM["vmin_pu"][name][zone]


@pytest.mark.parametrize(
    ("name", "buyers"),
    [("none", []), ("A_buys_at_bus_6", [6]), ("B_buys_at_bus_7", [7]), ("both", [6, 7])],
)
def test_cigre_voltages_are_the_published_ones(name: str, buyers: list[int]) -> None:
    case = published_case("cigre_mv_feeder_1")
    found = voltages(case, dict.fromkeys(buyers, -1500))
    lowest = [round(min(found[bus] for bus in case.zones[zone]), 4) for zone in "ABC"]
    assert lowest == VICTIM["cigre_mv_feeder_1"]["vmin_pu_A_B_C"][name]


def test_moving_a_moves_b_and_c() -> None:
    """The grid is coupled, or a joint check is theatre."""
    case = published_case("cigre_mv_feeder_1")
    before, after = voltages(case, {}), voltages(case, {6: 500})
    for zone in "BC":
        assert min(abs(after[bus] - before[bus]) for bus in case.zones[zone]) > 1e-4


def test_a_candidate_s_answer_does_not_depend_on_its_neighbours() -> None:
    case = published_case("cigre_mv_feeder_1")
    model = build_admittance_model(case.network)
    base = injection_vector(case.network, case.baseline, "test")
    factors = np.linspace(-1, 2.5, 301)
    together = solve_batch(model, base[:, None] * factors)
    for place in (0, 150, 300):
        alone = solve_batch(model, (base * factors[place])[:, None])
        assert np.abs(alone.V[:, 0] - together.V[:, place]).max() < 1e-9


def test_collapsed_candidates_are_not_certified_and_spoil_no_others() -> None:
    case = published_case("cigre_mv_feeder_1")
    model = build_admittance_model(case.network)
    base = injection_vector(case.network, case.baseline, "test")
    factors = np.array([1.0, 60.0, 0.5, 1e6, 2.0])
    solution = solve_batch(model, base[:, None] * factors)
    assert solution.certified.tolist() == [True, False, True, False, True]
    assert np.isinf(solution.radius[[1, 3]]).all()
    alone = solve_batch(model, (base * 2)[:, None])
    assert np.abs(alone.V[:, 0] - solution.V[:, 4]).max() < 1e-9


def test_heavily_loaded_candidates_get_their_own_bound() -> None:
    """Near collapse L is between one half and one: proved one by one, not all together."""
    case = published_case("two_feeders")
    model = build_admittance_model(case.network)
    S = injection_vector(case.network, case.baseline, "test")
    S[case.network.positions[11]] -= 0.1
    solution = solve_batch(model, np.stack([S, 0.1 * S], axis=1))
    magnitude = np.abs(solution.V)
    contraction = (model.Z_abs @ (np.abs(S) / magnitude[:, 0] ** 2)).max()
    assert 0.5 < contraction < 1
    assert solution.certified.all()
    exact = solve_batch(model, S[:, None], step_pu=1e-14).V[:, 0]
    assert np.abs(exact - solution.V[:, 0]).max() <= solution.radius[0]


def test_the_radius_is_at_least_what_banach_asks_for() -> None:
    """rho <= (1 - L) r with rho and L written out here, for the shared bound and for each own."""
    for name, bus, mw in (("cigre_mv_feeder_1", 6, 0.5), ("two_feeders", 11, 0.1)):
        case = published_case(name)
        model = build_admittance_model(case.network)
        S = injection_vector(case.network, case.baseline, "test")
        S[case.network.positions[bus]] -= mw
        solution = solve_batch(model, S[:, None], step_pu=1e-7)
        V, radius = solution.V[:, 0], float(solution.radius[0])
        rho = np.abs(model.w + model.Z @ np.conj(S / V) - V).max()
        contraction = (model.Z_abs @ (np.abs(S) / (np.abs(V) - radius) ** 2)).max()
        assert solution.certified[0]
        assert rho <= (1 - contraction) * radius
        assert radius <= 1.1 * rho / (1 - contraction) + 1e-10


def test_a_solution_that_is_not_one_yet_is_not_certified() -> None:
    case = published_case("cigre_mv_feeder_1")
    S = injection_vector(case.network, case.baseline, "test")
    rough = solve_batch(build_admittance_model(case.network), S[:, None], step_pu=1e-3)
    assert not rough.certified[0]


def test_chunks_do_not_change_the_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    case = published_case("cigre_mv_feeder_1")
    model = build_admittance_model(case.network)
    base = injection_vector(case.network, case.baseline, "test")
    S = base[:, None] * np.linspace(0.2, 1.5, 200)
    whole = solve_batch(model, S)
    monkeypatch.setattr(batch, "SMALL_PRODUCT", 1)
    pieces = solve_batch(model, S)
    assert np.abs(whole.V - pieces.V).max() < 1e-9


def test_no_candidates_and_no_load_are_answers_too() -> None:
    case = published_case("cigre_mv_feeder_1")
    model = build_admittance_model(case.network)
    assert solve_batch(model, np.zeros((model.n, 0), complex)).V.shape == (model.n, 0)
    idle = solve_batch(model, np.zeros((model.n, 1), complex))
    assert np.abs(idle.V[:, 0] - model.w).max() < 1e-12


def test_screening_says_what_a_judgement_says() -> None:
    """The least room of thousands, found without keeping any voltage."""
    case = published_case("cigre_mv_feeder_1")
    model = build_admittance_model(case.network)
    table = LimitTable(case.network, case.limits, NO_MARGINS)
    base = injection_vector(case.network, case.baseline, "test")
    S = base[:, None] * np.linspace(-2, 4, 3_000)
    previous = np.abs(solve_batch(model, base[:, None]).V[:, 0])
    for before in (None, previous):
        room = table.room(model, solve_batch(model, S), before).min(axis=0)
        assert np.abs(screen(model, table, S, previous=before) - room).max() < 2e-6
        assert (room < 0).any()
        assert (room > 0).any()
    assert screen(model, table, 60 * base[:, None])[0] == -np.inf
