"""
Bring a client to the height that a proof of the same transaction uses, and to no other.

No step of its own accord: an update without a proof behind it costs and serves nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tieline.relay.effects import Effect
from tieline.relay.route import Endpoint
from tieline.relay.view import RelayView


@dataclass(frozen=True, slots=True)
class UpdateWanted:
    """A client must learn of a header before the proofs beside it can be checked."""

    verifier: Endpoint
    source_ledger: str
    trusted_height: int
    header_height: int


def update_client(view: RelayView, effects: Iterable[Effect]) -> tuple[UpdateWanted, ...]:
    """
    Return the updates that a transaction with *effects* must begin with, each once, in order.

    Raises:
        ValueError: A client has never been seen with a consensus state below the height.
    """
    wanted: dict[tuple[Endpoint, int], UpdateWanted] = {}
    for effect in effects:
        proof = effect.proof
        if proof is None:
            continue
        verifier, height = proof.verifier, proof.header_height
        ledger = view.ledgers[verifier.ledger_id]
        if ledger.holds_client_height(verifier.client_id, height):
            continue
        if (verifier, height) in wanted:
            continue
        trusted = ledger.trusted_height(verifier.client_id, height)
        if trusted is None:
            raise ValueError(f"client without a trusted height: {verifier} below={height}")
        wanted[verifier, height] = UpdateWanted(verifier, proof.source_ledger, trusted, height)
    return tuple(wanted.values())
