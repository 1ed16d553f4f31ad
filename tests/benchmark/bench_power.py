"""
Power flows: microseconds a candidate with all limits, beside pandapower and power-grid-model.

All three get the same network and the same candidates; nobody's conversion time counts. Several
threads work in all of them, so times are those of a clock on the wall.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from clock import at_least, at_most, best_of, report

from tieline.power.admittance import AdmittanceModel, Complexes, build_admittance_model
from tieline.power.batch import solve_batch
from tieline.power.cases import Case, cigre_feeder_1, default_owners
from tieline.power.flow_proof import check_flow_proof, make_flow_proof
from tieline.power.gate import Gate
from tieline.power.gate_result import TradeInjection
from tieline.power.importers import Ownership, import_network
from tieline.power.judgement import Judge
from tieline.power.limits import SCREEN_STEP_PU, LimitTable, screen
from tieline.power.network import Network
from tieline.power.power_flow import (
    ReferencePoint,
    RunppReference,
    injections_of,
    quiet,
    to_pandapower,
)
from tieline.power.settings import NO_MARGINS, Limits, Margins
from tieline.power.vectors import injection_rows, injection_vector

CANDIDATES = 10_000
RANDOM_CHECKED = 1_000
NEAR_LIMIT_CHECKED = 2_000
NEAR_PU = 1e-5
ISLAND_BUSES = 800
"""Buses of one runpp call in the comparison; its overhead is shared by its islands."""
CLOCK = "wall, best of rounds, numpy with its own threads"
RUNPP_TIMES = 500
DIFFERENCE_PU = 1e-6
SIMBENCH_CODE = "1-MV-urban--0-sw"


def best_s(run: Callable[[], object], rounds: int) -> float:
    """Return the least wall time of *run*, first call not counted."""
    run()
    return best_of(rounds, run).wall_s


def draw_candidates(base: Complexes, count: int, seed: int) -> Complexes:
    """Return injections of every bus between 0.14 and 1.7 of its forecast, some of them exports."""
    draw = np.random.default_rng(seed)
    factors = draw.uniform(0.14, 1.7, (len(base), count))
    factors *= np.where(draw.random((len(base), count)) < 0.1, -1.0, 1.0)
    return base[:, None] * factors


def near_a_limit(
    model: AdmittanceModel, table: LimitTable, base: Complexes, count: int
) -> Complexes:
    """Return candidates scaled until their tightest limit has between 0 and 1e-5 of room."""
    directions = draw_candidates(base, count, 2)

    def room_at(scale: np.ndarray) -> np.ndarray:
        return screen(model, table, directions * scale)

    low, high = np.zeros(count), np.ones(count)
    while (inside := room_at(high) >= 0).any() and high.max() < 1_000:
        low, high = np.where(inside, high, low), np.where(inside, 1.5 * high, high)
    room_low, room_high = room_at(low), room_at(high)
    for turn in range(40):
        if (room_low < NEAR_PU).all():
            break
        with np.errstate(all="ignore"):
            # Aim between 0 and 1e-5; every third turn halve, in case the room is not near linear.
            share = (room_low - NEAR_PU / 2) / (room_low - room_high)
        use = np.isfinite(share) & (turn % 3 < 2)
        middle = low + (high - low) * np.where(use, np.clip(share, 0.001, 0.999), 0.5)
        room = room_at(middle)
        inside = room >= 0
        low, room_low = np.where(inside, middle, low), np.where(inside, room, room_low)
        high, room_high = np.where(inside, high, middle), np.where(inside, room_high, room)
    candidates = directions * low
    room = screen(model, table, candidates)
    near = (room >= 0) & (room < NEAR_PU)
    assert near.mean() > 0.9, "candidates do not reach a limit"
    return candidates[:, near]


def largest_difference(network: Network, model: AdmittanceModel, S: Complexes) -> float:
    """Return the largest |V| difference from runpp over all candidates."""
    reference = RunppReference()
    islands = max(1, ISLAND_BUSES // model.n)
    magnitude = np.abs(solve_batch(model, S, step_pu=SCREEN_STEP_PU).V)
    worst = 0.0
    for start in range(0, S.shape[1], islands):
        places = [min(start + offset, S.shape[1] - 1) for offset in range(islands)]
        points = [ReferencePoint(network, S[:, place], 1.0) for place in places]
        for place, expected in zip(places, reference.magnitudes(points), strict=True):
            worst = max(worst, float(np.abs(magnitude[:, place] - expected).max()))
    return worst


def time_runpp(network: Network, S: Complexes) -> float:
    """Return milliseconds of one ``runpp`` with its default arguments, loads changed each time."""
    import pandapower

    net = to_pandapower(network)
    place = iter(np.arange(10**6) % S.shape[1])

    def run() -> None:
        column = S[:, next(place)]
        net.load["p_mw"], net.load["q_mvar"] = -column.real, -column.imag
        with quiet():
            pandapower.runpp(net)

    return best_s(run, 15) * 1e3


def power_grid_model_batch(network: Network, S: Complexes) -> dict[str, Any]:
    """Return microseconds a candidate of power-grid-model's batch, and its |V| difference."""
    try:
        from bench_power_grid_model import build, solve
    except ImportError:
        return {"power_grid_model": "not installed: uv sync --group bench"}
    model, update = build(network, S)
    ours = np.abs(solve_batch(build_admittance_model(network), S).V)
    found: dict[str, Any] = {}
    for method in ("newton_raphson", "iterative_current"):
        for threads, name in ((1, "1_thread"), (0, "all_threads")):
            took = best_s(lambda m=method, t=threads: solve(model, update, m, t), 3)  # type: ignore[misc]
            found[f"pgm_{method}_{name}_us"] = round(took / S.shape[1] * 1e6, 2)
        voltages = solve(model, update, method, 0)["node"]["u_pu"]
        order = [
            network.buses.index(bus) for bus in network.buses if bus.index != network.slack.bus
        ]
        found[f"pgm_{method}_dv_pu"] = float(np.abs(voltages[:, order].T - ours).max())
    return found


def measure_batch(name: str, network: Network, limits: Limits, base: Complexes) -> None:
    """Measure candidates with limits beside the two others, and how far they are apart."""
    model = build_admittance_model(network)
    table = LimitTable(network, limits, NO_MARGINS)
    S = draw_candidates(base, CANDIDATES, 1)

    ours_us = best_s(lambda: screen(model, table, S), 7) / CANDIDATES * 1e6
    solve_us = best_s(lambda: solve_batch(model, S, step_pu=SCREEN_STEP_PU), 7) / CANDIDATES * 1e6
    solution = solve_batch(model, S)
    runpp_ms = time_runpp(network, S)
    others = power_grid_model_batch(network, S)
    fastest_us = min((took for key, took in others.items() if key.endswith("_us")), default=None)
    report(
        f"power.{name}.candidate",
        ours_us,
        "us",
        None if fastest_us is None else at_most(fastest_us),
        target_is="the fastest of power-grid-model's batches",
        buses=model.n + 1,
        candidates=CANDIDATES,
        limits=len(table.limits),
        us_solved_and_proved_alone=round(solve_us, 2),
        certified_share=float(solution.certified.mean()),
        radius_pu_max=float(solution.radius.max()),
        **others,
        clock=CLOCK,
    )
    report(
        f"power.{name}.times_faster_than_runpp",
        runpp_ms * 1e3 / ours_us,
        "times",
        at_least(RUNPP_TIMES),
        runpp_default_ms=round(runpp_ms, 2),
        clock=CLOCK,
    )
    near = near_a_limit(model, table, base, NEAR_LIMIT_CHECKED)
    at_random = largest_difference(network, model, S[:, :RANDOM_CHECKED])
    at_limit = largest_difference(network, model, near)
    report(
        f"power.{name}.difference_from_runpp",
        max(at_random, at_limit),
        "pu",
        at_most(DIFFERENCE_PU),
        random_pu=at_random,
        random_candidates=RANDOM_CHECKED,
        near_limit_pu=at_limit,
        near_limit_candidates=near.shape[1],
    )


def measure_proof(name: str, network: Network, baseline: dict[int, tuple[int, int]]) -> None:
    """Measure flow proofs made and checked, with and without the matrices."""
    model = build_admittance_model(network)
    rows = injection_rows(network, baseline, "benchmark")
    V = solve_batch(model, injection_vector(network, baseline, "benchmark")[:, None]).V[:, 0]
    proof = make_flow_proof(model, rows, V)
    made = best_s(lambda: make_flow_proof(model, rows, V), 200)
    checked = best_s(lambda: check_flow_proof(model, proof), 200)

    def rebuilt() -> None:
        build_admittance_model.cache_clear()
        assert not check_flow_proof(build_admittance_model(network), proof)

    anew = best_s(rebuilt, 20)
    for what, took in (("made", made), ("checked", checked), ("checked_from_network", anew)):
        report(
            f"flow_proof.{name}.{what}",
            took * 1e6,
            "us",
            bytes=len(proof.to_bytes()),
            radius_nano_pu=proof.radius,
            contraction_micro=proof.contraction,
            clock=CLOCK,
        )


def measure_gate(case: Case) -> None:
    """Measure one slot's judgement: ten trades, all unions, corners, proofs."""
    draw = np.random.default_rng(4)
    buses = [bus for zone in "ABC" for bus in case.zones[zone]]

    def batch(kw: int) -> list[TradeInjection]:
        return [
            TradeInjection(
                bytes([place]) * 32,
                {int(draw.choice(buses)): -int(draw.integers(1, kw)) * 1_000_000},
            )
            for place in range(10)
        ]

    judge = Judge(case.network, case.limits, Margins())
    gate = Gate(case.network, case.limits, Margins())
    for name, trades in (("fits", batch(100)), ("too_much", batch(700))):
        result = judge.judge(case.baseline, trades)
        for solver, subject in (("numpy", judge), ("with_runpp", gate)):
            took = best_s(lambda s=subject, t=trades: s.judge(case.baseline, t), 9)  # type: ignore[misc]
            report(
                f"gate.{name}.{solver}",
                took * 1e3,
                "ms",
                network=case.name,
                trades=len(trades),
                kind=result.kind.value,
                scenarios=len(result.scenarios),
                clock=CLOCK,
            )


def simbench_case() -> tuple[Network, dict[int, tuple[int, int]]] | str:
    """Return SimBench's urban medium-voltage network with its taps cured, or why not."""
    try:
        import simbench
    except ImportError:
        return "simbench is not installed: uv sync --group data"
    with quiet():
        net = simbench.get_simbench_net(SIMBENCH_CODE)
        owners = Ownership(
            tuple(default_owners(("operator",)).values()), {int(bus): 0 for bus in net.bus.index}
        )
        network = import_network(net, owners, band_pu=(0.9, 1.1), tap_changer_type="Ratio")
    return network, injections_of(net)


def main() -> None:
    """Measure the demo's network, then SimBench's if it is there."""
    logging.getLogger("pandapower").setLevel(logging.ERROR)
    case = cigre_feeder_1()
    baseline = dict(case.baseline)
    base = injection_vector(case.network, baseline, "benchmark")
    measure_batch(case.name, case.network, case.limits, base)
    measure_proof(case.name, case.network, baseline)
    measure_gate(case)
    urban = simbench_case()
    if isinstance(urban, str):
        sys.exit(urban)
    network, baseline = urban
    base = injection_vector(network, baseline, "benchmark")
    measure_batch(SIMBENCH_CODE, network, Limits(), base)
    measure_proof(SIMBENCH_CODE, network, baseline)


if __name__ == "__main__":
    main()
