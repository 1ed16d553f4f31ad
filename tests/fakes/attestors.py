"""Attestors by hand: what a client without headers is shown of another ledger."""

from __future__ import annotations

from dataclasses import replace

from fakes.microgrid import key
from tieline.interfaces.errors import Unavailable
from tieline.light_clients.attestations.messages import (
    ClientState,
    ConsensusState,
    address_text,
    proof_as_any,
)
from tieline.protocol.height import Height
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.wire.attestation_proofs import AttestationProof
from tieline.wire.attestations import (
    PACKET_TAG,
    STATE_TAG,
    attestation_digest,
    encode_packet_attestation,
    encode_state_attestation,
)
from tieline.wire.hashes import keccak

KEYS = sorted((key(f"attestor {n}") for n in range(3)), key=lambda one: one.address)


def _attest(tag, data):
    digest = attestation_digest(tag, data)
    return AttestationProof(data, tuple(one.sign_digest(digest) for one in KEYS))


def states(height, time_s):
    """Client and consensus state for a client that starts at *height*."""
    addresses = tuple(address_text(one.address) for one in KEYS)
    client = ClientState(addresses, len(KEYS), height)
    return client.as_any(), ConsensusState(time_s * NANOSECONDS_PER_SECOND).as_any()


def header(height, time_s):
    """A client message that says: *height* has this time."""
    return proof_as_any(_attest(STATE_TAG, encode_state_attestation(height, time_s)))


def proofs(entries):
    """The same entries under one attestation of all of them."""
    height = entries[0].proof_height.revision_height
    listed = []
    for entry in entries:
        if entry.value is not None and len(entry.value) != 32:
            raise Unavailable(f"value is no commitment: key={entry.key.hex()}")
        listed.append((keccak(entry.key), entry.value or bytes(32)))
    proof = _attest(PACKET_TAG, encode_packet_attestation(height, listed)).encode()
    return [replace(one, proof=proof, proof_height=Height(0, height)) for one in entries]
