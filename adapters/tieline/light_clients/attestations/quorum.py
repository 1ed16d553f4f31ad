"""
Who stands by attested bytes, and are they enough?

Every signature given must be good, from the set, and by another member than the rest; so a proof
with a stranger in it fails although enough others signed, as in ibc-go.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from coincurve import PublicKey

from tieline.light_clients.client_rules import NotConvincing
from tieline.wire.attestation_proofs import AttestationProof
from tieline.wire.attestations import attestation_digest
from tieline.wire.errors import Malformed
from tieline.wire.hashes import keccak
from tieline.wire.keys import SIGNATURE_BYTES, recover_address

_RECOVERY_IDS = {0: b"\x00", 1: b"\x01", 27: b"\x00", 28: b"\x01"}


class AttestationRefused(NotConvincing):
    """The attestation does not convince; carries the first rule it breaks."""


def check_quorum(
    tag: int,
    proof: AttestationProof,
    attestors: Collection[bytes],
    min_signatures: int,
    *,
    is_strict: bool,
) -> tuple[bytes, ...]:
    """
    Return the addresses of the signers, in the order of their signatures.

    Args:
        tag: 1 state, 2 packets: what the bytes are about.
        proof: Bytes and signatures.
        attestors: The set, 20 bytes each.
        min_signatures: How many of them must sign.
        is_strict: Refuse high s and v 0 or 1, as Solidity does; ibc-go takes them.

    Raises:
        AttestationRefused: Too few, a stranger, one twice, or a signature that is none.
    """
    if len(proof.signatures) < min_signatures:
        count = len(proof.signatures)
        raise AttestationRefused(f"quorum not met: required={min_signatures} got={count}")
    for index, signature in enumerate(proof.signatures):
        if len(signature) != SIGNATURE_BYTES:
            raise AttestationRefused(f"signature has invalid length: index={index}")
    digest = attestation_digest(tag, proof.data)
    seen: set[bytes] = set()
    signers: list[bytes] = []
    for index, signature in enumerate(proof.signatures):
        try:
            signer = _signer(digest, signature, is_strict)
        except Malformed as exc:
            raise AttestationRefused(f"signature is none: index={index} {exc}") from exc
        if signer in seen:
            raise AttestationRefused(f"duplicate signer: {signer.hex()}")
        if signer not in attestors:
            raise AttestationRefused(f"signer is not in attestor set: {signer.hex()}")
        seen.add(signer)
        signers.append(signer)
    return tuple(signers)


# One attestation lists the packets of a batch and comes with each of them.
@lru_cache(maxsize=4096)
def _signer(digest: bytes, signature: bytes, is_strict: bool) -> bytes:  # noqa: FBT001
    if is_strict:
        return recover_address(digest, signature)
    recovery_id = _RECOVERY_IDS.get(signature[64])
    if recovery_id is None:
        raise Malformed(f"unknown v: {signature[64]}")
    try:
        key = PublicKey.from_signature_and_message(
            signature[:64] + recovery_id, digest, hasher=None
        )
    except ValueError as exc:
        raise Malformed("signature recovers no key") from exc
    return keccak(key.format(compressed=False)[1:])[-20:]
