"""
A proof that an operating point is one: a fixed point of V = w + Z conj(S/V) within a stated radius.

Sources:
    ``docs/spec/physics.md`` 3, ``docs/spec/bytes.md`` (flowProof).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct, error

from tieline.wire.abi import encode_scenario_leaf
from tieline.wire.errors import Malformed
from tieline.wire.hashes import keccak
from tieline.wire.merkle import merkle_root

_COUNT = Struct(">I")
_ROW = Struct(">qqqq")
_BOUNDS = Struct(">QQQ")


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
