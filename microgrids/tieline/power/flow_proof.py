"""
A proof that an operating point is one: a fixed point of V = w + Z conj(S/V) within a stated radius.

Making it needs a solution; checking it needs numpy and the integer network table only.

Sources:
    ``docs/spec/physics.md`` 3, ``docs/spec/bytes.md`` (flowProof).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from struct import Struct, error

import numpy as np

from tieline.power.admittance import AdmittanceModel, Complexes
from tieline.power.batch import FLOAT_SLACK, BatchSolution, rounding_error
from tieline.power.errors import NotConverged
from tieline.power.network import NANO
from tieline.wire.abi import encode_scenario_leaf
from tieline.wire.errors import Malformed
from tieline.wire.hashes import keccak
from tieline.wire.merkle import merkle_root

_COUNT = Struct(">I")
_ROW = Struct(">qqqq")
_BOUNDS = Struct(">QQQ")
RADIUS_MAX = 1_000
"""1e-9 pu: a larger ball is not a solution for any use here."""


@dataclass(frozen=True, slots=True)
class FlowProof:
    """
    Injections, voltages and the three bounds, all integers.

    Rows are all buses but the slack, ascending by index.
    """

    rows: tuple[tuple[int, int, int, int], ...]
    """(P milliwatt, Q millivar into the network; real, imaginary part of V in 1e-9 pu)."""
    rho: int
    """1e-12 pu, rounded up: how far one more iteration would move, with quantisation."""
    contraction: int
    """1e-6, rounded up: the factor L by which the iteration contracts on the ball."""
    radius: int
    """1e-9 pu, rounded up: exactly one solution lies this near to every posted voltage."""

    def to_bytes(self) -> bytes:
        """Return the bytes that are hashed. Raises Malformed for numbers that do not fit."""
        try:
            rows = b"".join(_ROW.pack(*row) for row in self.rows)
            return (
                _COUNT.pack(len(self.rows))
                + rows
                + _BOUNDS.pack(self.rho, self.contraction, self.radius)
            )
        except error as cause:
            raise Malformed(f"flow proof does not fit its bytes: {cause}") from cause

    @classmethod
    def from_bytes(cls, data: bytes) -> FlowProof:
        """Read what ``to_bytes`` wrote. Raises Malformed for any other length."""
        if len(data) < _COUNT.size:
            raise Malformed("flow proof: no row count")
        (count,) = _COUNT.unpack_from(data)
        if len(data) != _COUNT.size + count * _ROW.size + _BOUNDS.size:
            raise Malformed(f"flow proof: {len(data)} bytes do not hold {count} rows")
        end = _COUNT.size + count * _ROW.size
        rows = tuple((p, q, e, f) for p, q, e, f in _ROW.iter_unpack(data[_COUNT.size : end]))
        rho, contraction, radius = _BOUNDS.unpack_from(data, end)
        return cls(rows, rho, contraction, radius)

    @property
    def hash(self) -> bytes:
        """32 bytes: the leaf of a scenario."""
        return keccak(self.to_bytes())


def flow_proof_hash(proofs: Sequence[tuple[int, bytes]]) -> bytes:
    """Return the root over (scenario number, flow proof hash). Raises ValueError if empty."""
    return merkle_root(encode_scenario_leaf(number, proof) for number, proof in proofs)


def make_flow_proof(
    model: AdmittanceModel,
    power: Sequence[tuple[int, int]],
    V: Complexes,
    slack_scale: float = 1.0,
) -> FlowProof:
    """
    Prove that a solution lies near *V*.

    Args:
        model: Matrices of the network.
        power: (milliwatt, millivar) into the network, in the order of ``network.load_buses``.
        V: (n,) a converged solution, pu.
        slack_scale: Slack voltage as a factor of the network table's.

    Raises:
        NotConverged: The bound does not close: near voltage collapse, or V is no solution.
    """
    if not np.isfinite(V).all():
        raise NotConverged("flow proof: voltages are not finite")
    e, f = np.rint(V.real * NANO).astype(np.int64), np.rint(V.imag * NANO).astype(np.int64)
    S, posted = _floats(power, e, f)
    rho = _rho(model, S, posted, slack_scale)
    # Two units more: rounded up, and another machine's floats may round the other way.
    rho_units = ceil(rho * 1e12) + 1
    radius = ceil(rho_units / 1000)
    while radius <= RADIUS_MAX:
        contraction = ceil(_contraction(model, S, posted, radius * 1e-9) * FLOAT_SLACK * 1e6)
        if contraction >= 10**6:
            break
        needed = -(-rho_units * 1000 // (10**6 - contraction))
        if needed <= radius:
            rows = zip(power, e.tolist(), f.tolist(), strict=True)
            return FlowProof(
                tuple((p, q, real, imag) for (p, q), real, imag in rows),
                rho_units,
                contraction,
                radius,
            )
        radius = needed
    raise NotConverged(f"flow proof does not close: rho={rho:.2e} pu")


def check_flow_proof(model: AdmittanceModel, proof: FlowProof, slack_scale: float = 1.0) -> str:
    """
    Check a proof against the network's integers.

    Returns:
        The empty string if it holds: exactly one solution lies within the radius of the posted
        voltages. Else what does not hold; nothing of the proof may then be used.
    """
    if len(proof.rows) != model.n:
        return f"rows: expected={model.n} actual={len(proof.rows)}"
    if min(proof.rho, proof.contraction, proof.radius) < 0 or proof.radius > RADIUS_MAX:
        return f"radius out of range: {proof.radius}"
    if proof.contraction >= 10**6:
        return f"no contraction: L={proof.contraction}e-6"
    if proof.rho * 1000 > (10**6 - proof.contraction) * proof.radius:
        return "rho <= (1 - L) r does not hold"
    S, V = _columns(proof)
    smallest = float(np.abs(V).min(initial=np.inf))
    if not proof.radius * 1e-9 < smallest:
        return "ball reaches zero voltage"
    rho = _rho(model, S, V, slack_scale)
    if not rho <= proof.rho * 1e-12:
        return f"rho: posted={proof.rho}e-12 computed={rho:.3e}"
    contraction = _contraction(model, S, V, proof.radius * 1e-9)
    if not contraction <= proof.contraction * 1e-6:
        return f"L: posted={proof.contraction}e-6 computed={contraction:.6f}"
    return ""


def proved_solution(
    model: AdmittanceModel, proof: FlowProof, slack_scale: float = 1.0
) -> BatchSolution:
    """
    Return the posted voltages with their radius, for limits to be judged on.

    Note:
        The proof must have been checked against the same model and slack voltage.
    """
    S, V = _columns(proof)
    radius = proof.radius * 1e-9
    T = model.w * slack_scale + model.Z @ np.conjugate(S / V)
    magnitude = np.abs(V)
    power = np.abs(S)
    return BatchSolution(
        V=V[:, None],
        T=T[:, None],
        radius=np.array([radius]),
        certified=np.array([True]),
        rounding=rounding_error(model, power[:, None], magnitude[:, None]),
        slack=np.array([model.slack_voltage * slack_scale]),
        current_error=power / (magnitude - radius) ** 2,
    )


def _columns(proof: FlowProof) -> tuple[Complexes, Complexes]:
    rows = np.array(proof.rows, dtype=np.int64).reshape(-1, 4)
    power = [(int(p), int(q)) for p, q in rows[:, :2]]
    return _floats(power, rows[:, 2], rows[:, 3])


def _floats(
    power: Sequence[tuple[int, int]],
    e: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    f: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
) -> tuple[Complexes, Complexes]:
    """Return S in MW + j Mvar and V in pu, (n,) each."""
    pq = np.array(power, dtype=np.float64).reshape(-1, 2)
    S = np.asarray((pq[:, 0] + 1j * pq[:, 1]) * 1e-9, dtype=np.complex128)
    return S, np.asarray((e + 1j * f) * 1e-9, dtype=np.complex128)


def _rho(model: AdmittanceModel, S: Complexes, V: Complexes, slack_scale: float) -> float:
    """Return max |T(V) - V| with what floats may hide."""
    with np.errstate(all="ignore"):
        moved = np.abs(model.w * slack_scale + model.Z @ np.conjugate(S / V) - V)
        rounding = rounding_error(model, np.abs(S)[:, None], np.abs(V)[:, None])
    return float(moved.max(initial=0.0) + rounding[0])


def _contraction(model: AdmittanceModel, S: Complexes, V: Complexes, radius: float) -> float:
    """Return L(r) = max_i sum_j |Z_ij| |S_j| / (|V_j| - r)^2; infinite without a ball."""
    inner = np.abs(V) - radius
    if not (inner > 0).all():
        return float("inf")
    return float((model.Z_abs @ (np.abs(S) / inner**2)).max(initial=0.0))
