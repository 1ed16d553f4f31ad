"""
Proofs as statements: *this value*, or *nothing*, is at this key of the counterparty's store at
this height. Formats are the light clients' business.
"""

from __future__ import annotations

from dataclasses import dataclass

from tieline.protocol.client import BoundClient, Counterparty, Verification
from tieline.protocol.commitment import merkle_path
from tieline.protocol.errors import ConsensusStateNotFound, HeightTooHigh, ProofInvalid
from tieline.protocol.height import Height
from tieline.protocol.limits import PROOF_BYTES_MAX


@dataclass(frozen=True, slots=True)
class MembershipProof:
    """*value* is at *key*."""

    key: bytes
    value: bytes
    height: Height
    proof: bytes


@dataclass(frozen=True, slots=True)
class NonMembershipProof:
    """Nothing is at *key*."""

    key: bytes
    height: Height
    proof: bytes


def require_proof(
    client: BoundClient, counterparty: Counterparty, claim: MembershipProof | NonMembershipProof
) -> None:
    """
    Ask the client whether *claim* holds of its counterparty's ledger.

    Raises:
        ProofInvalid: It does not; the same bytes never will.
        HeightTooHigh: The client has not come so far; update it first.
        ConsensusStateNotFound: The client knows nothing of exactly that height; update it first.
    """
    if not 0 < len(claim.proof) <= PROOF_BYTES_MAX:
        raise ProofInvalid("proof length out of range", length=len(claim.proof))
    path = merkle_path(counterparty.merkle_prefix, claim.key)
    rules, store = client.rules, client.store
    verification: Verification
    if isinstance(claim, MembershipProof):
        verification = rules.verify_membership(store, claim.height, claim.proof, path, claim.value)
    else:
        verification = rules.verify_non_membership(store, claim.height, claim.proof, path)
    if not verification:
        _refuse(client, claim.height, verification)


def _refuse(client: BoundClient, height: Height, verification: Verification) -> None:
    """Tell "too early" from "wrong"; only the failing case pays for the question."""
    latest = client.rules.latest_height(client.store)
    if height > latest:
        raise HeightTooHigh("client height below proof height", latest=latest, proof=height)
    try:
        client.rules.timestamp_ns(client.store, height)
    except ConsensusStateNotFound:
        raise ConsensusStateNotFound(
            "no consensus state for the proof height", client_id=client.client_id, height=height
        ) from None
    raise ProofInvalid(
        "proof does not hold",
        client_id=client.client_id,
        height=height,
        reason=verification.refusal,
    )
