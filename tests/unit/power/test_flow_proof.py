"""The flow proof: bytes to the letter, sound bounds, nothing slips through the check."""

import json
from dataclasses import replace

import numpy as np
import pytest
from fakes.networks import VECTORS, published_case

from tieline.power.admittance import build_admittance_model
from tieline.power.batch import solve_batch
from tieline.power.errors import NotConverged
from tieline.power.flow_proof import (
    FlowProof,
    check_flow_proof,
    flow_proof_hash,
    make_flow_proof,
)
from tieline.power.vectors import injection_rows, injection_vector
from tieline.wire.errors import Malformed

VECTOR = json.loads((VECTORS / "trade_bytes.json").read_text())["flowProof"]
CIGRE = published_case("cigre_mv_feeder_1")
MODEL = build_admittance_model(CIGRE.network)
ROWS = injection_rows(CIGRE.network, CIGRE.baseline, "test")


def proved(factor: float = 1.0, slack: float = 1.0) -> tuple[FlowProof, np.ndarray]:
    rows = [(round(p * factor), round(q * factor)) for p, q in ROWS]
    S = np.array([complex(p, q) * 1e-9 for p, q in rows])
    V = solve_batch(MODEL, S[:, None], slack, step_pu=1e-13).V[:, 0]
    return make_flow_proof(MODEL, rows, V, slack), V


def test_the_bytes_are_the_vector_s() -> None:
    proof = FlowProof(
        tuple(tuple(row) for row in VECTOR["rows_p_q_e_f"]),
        VECTOR["rho_1e-12pu"],
        VECTOR["L_1e-6"],
        VECTOR["radius_1e-9pu"],
    )
    assert proof.to_bytes().hex() == VECTOR["bytes"]
    assert proof.hash.hex() == VECTOR["flowProof"]
    assert FlowProof.from_bytes(bytes.fromhex(VECTOR["bytes"])) == proof
    root = flow_proof_hash([(0, proof.hash), (1, b"\x91" * 32)])
    assert root.hex() == VECTOR["flowProofHashWithScenario1_91x32"]


@pytest.mark.parametrize("cut", [0, 3, 4, 35, -1])
def test_bytes_of_another_length_are_refused(cut: int) -> None:
    with pytest.raises(Malformed):
        FlowProof.from_bytes(bytes.fromhex(VECTOR["bytes"])[:cut])


def test_a_number_beyond_its_column_is_refused() -> None:
    with pytest.raises(Malformed):
        FlowProof(((2**63, 0, 0, 0),), 0, 0, 0).to_bytes()


@pytest.mark.parametrize("factor", [-1.0, 0.0, 0.3, 1.0, 2.5])
@pytest.mark.parametrize("slack", [0.99, 1.0, 1.01])
def test_a_solution_is_proved_to_a_nano(factor: float, slack: float) -> None:
    proof, V = proved(factor, slack)
    assert not check_flow_proof(MODEL, proof, slack)
    assert proof.radius <= 3
    posted = np.array([complex(e, f) for *_, e, f in proof.rows]) * 1e-9
    assert np.abs(posted - V).max() <= proof.radius * 1e-9


def test_the_bound_is_never_below_the_true_error() -> None:
    """Any point nearby that can be proved at all is proved with a ball that holds the solution."""
    _, V = proved()
    draw = np.random.default_rng(3)
    for size in (1e-12, 1e-9, 1e-8, 1e-7, 2e-7):
        moved = V + size * (draw.standard_normal(len(V)) + 1j * draw.standard_normal(len(V)))
        proof = make_flow_proof(MODEL, ROWS, moved)
        posted = np.array([complex(e, f) for *_, e, f in proof.rows]) * 1e-9
        assert np.abs(posted - V).max() <= proof.radius * 1e-9


def test_a_point_far_from_any_solution_is_not_proved() -> None:
    _, V = proved()
    with pytest.raises(NotConverged):
        make_flow_proof(MODEL, ROWS, V + 1e-3)


def test_no_proof_beyond_collapse() -> None:
    S = injection_vector(CIGRE.network, CIGRE.baseline, "test") * 40
    solution = solve_batch(MODEL, S[:, None])
    assert not solution.certified[0]
    with pytest.raises(NotConverged):
        make_flow_proof(MODEL, ROWS, solution.V[:, 0])


def spoil_row(proof: FlowProof, column: int, by: int) -> FlowProof:
    row = list(proof.rows[4])
    row[column] += by
    return replace(proof, rows=(*proof.rows[:4], tuple(row), *proof.rows[5:]))


PROOF, _ = proved()
SPOILED = [
    ("one non-trader's load", spoil_row(PROOF, 0, 10_000_000), 1.0, "rho"),
    ("reactive power", spoil_row(PROOF, 1, -10_000_000), 1.0, "rho"),
    ("a voltage", spoil_row(PROOF, 2, 3), 1.0, "rho"),
    ("an angle", spoil_row(PROOF, 3, -3), 1.0, "rho"),
    ("rho too small", replace(PROOF, rho=PROOF.rho // 2), 1.0, "rho: posted"),
    ("L too small", replace(PROOF, contraction=PROOF.contraction - 2), 1.0, "L: posted"),
    ("L of one", replace(PROOF, contraction=10**6, rho=0), 1.0, "no contraction"),
    ("rho as large as the radius", replace(PROOF, rho=PROOF.radius * 1000), 1.0, "(1 - L) r"),
    ("radius too small", replace(PROOF, radius=0), 1.0, "does not hold"),
    ("a ball of everything", replace(PROOF, radius=10**9), 1.0, "radius out of range"),
    ("a negative radius", replace(PROOF, radius=-1), 1.0, "radius out of range"),
    ("a bus too few", replace(PROOF, rows=PROOF.rows[1:]), 1.0, "rows"),
    ("another slack voltage", PROOF, 0.999, "rho"),
]


@pytest.mark.parametrize(
    ("proof", "slack", "words"), [r[1:] for r in SPOILED], ids=[r[0] for r in SPOILED]
)
def test_a_spoiled_proof_is_named(proof: FlowProof, slack: float, words: str) -> None:
    assert words in check_flow_proof(MODEL, proof, slack)


def test_one_switch_of_the_network_breaks_the_proof() -> None:
    other = build_admittance_model(CIGRE.network.with_line_switch(12))
    assert "rho" in check_flow_proof(other, PROOF)
