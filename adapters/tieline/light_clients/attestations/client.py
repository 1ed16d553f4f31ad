"""
The rules of attestations clients.

As ibc-go v11 where ``is_strict`` is off. Our own hosts run it strict: time may not fall with
height nor lie in the future, no path may be listed twice, signatures have one spelling.

Sources:
    ``docs/spec/trust.md`` 2; golden cases ``tests/vectors/attestations.json``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

from tieline.light_clients.attestations.messages import (
    ATTESTATION_PROOF_URL,
    ATTESTORS_MAX,
    CLIENT_STATE_URL,
    CONSENSUS_STATE_URL,
    ClientState,
    ConsensusState,
    address_text,
)
from tieline.light_clients.attestations.quorum import AttestationRefused, check_quorum
from tieline.light_clients.attestations.rotation import (
    check_rotation,
    require_attestable,
    write_attested_from,
)
from tieline.light_clients.client_rules import ClientRules, Neighbour
from tieline.light_clients.client_states import ClientStates
from tieline.protocol.client import (
    VERIFIED,
    ClientStore,
    UpdateResult,
    Verification,
    refused,
)
from tieline.protocol.errors import ClientRefused
from tieline.protocol.height import Height
from tieline.protocol.quorum import has_more_than_two_thirds
from tieline.protocol.time import NANOSECONDS_PER_SECOND, TimestampNanoseconds
from tieline.wire.attestation_proofs import AttestationProof
from tieline.wire.attestations import (
    PACKET_TAG,
    STATE_TAG,
    decode_packet_attestation,
    decode_state_attestation,
)
from tieline.wire.errors import Malformed
from tieline.wire.hashes import keccak
from tieline.wire.set_rotation import RotateSet

CLOCK_DRIFT_NS_MAX = 15 * NANOSECONDS_PER_SECOND
"""How far an attested time may be ahead of this ledger's: clock skew and one block interval."""
COMMITMENT_BYTES = 32
ABSENT = bytes(COMMITMENT_BYTES)
_STATES = ClientStates(ClientState.decode, ConsensusState.decode)


class AttestationsClient(ClientRules[ClientState, ConsensusState]):
    """Fits ``protocol.client.LightClient``."""

    client_type = "attestations"
    _client_state_url = CLIENT_STATE_URL
    _consensus_state_url = CONSENSUS_STATE_URL

    def __init__(self, *, is_strict: bool = True) -> None:
        """Take whether the rules of our own hosts hold beyond ibc-go's."""
        takers = {ATTESTATION_PROOF_URL: self._take_state}
        super().__init__(_STATES, takers)
        self._is_strict = is_strict

    def verify_membership(
        self,
        store: ClientStore,
        height: Height,
        proof: bytes,
        path: tuple[bytes, ...],
        value: bytes,
    ) -> Verification:
        """Say whether it was attested that *value*, 32 bytes, is at *path*."""
        if len(value) != COMMITMENT_BYTES or value == ABSENT:
            return refused("value is not a commitment")
        try:
            attested = self._attested(store, height, proof, path)
        except AttestationRefused as exc:
            return refused(str(exc))
        return VERIFIED if attested == value else refused("commitment differs")

    def verify_non_membership(
        self, store: ClientStore, height: Height, proof: bytes, path: tuple[bytes, ...]
    ) -> Verification:
        """Say whether it was attested that nothing is at *path*."""
        try:
            attested = self._attested(store, height, proof, path)
        except AttestationRefused as exc:
            return refused(str(exc))
        return VERIFIED if attested == ABSENT else refused("commitment is not zero")

    def rotate_set(
        self, store: ClientStore, data: bytes, chain_tag: bytes, client_id: str
    ) -> RotateSet:
        """As ``rotation.RotatesSet``; a stock chain's set is fixed. Raises ClientRefused."""
        client = self._client(store)
        if not self._is_strict or client.is_frozen:
            raise ClientRefused("attestors of this client cannot be replaced")
        rotation = check_rotation(store, data, client.attestors, chain_tag, client_id)
        if rotation.attestor_keys:
            raise ClientRefused("bindings of keys beside a client of attestations alone")
        rotated = replace(
            client,
            attestor_addresses=tuple(map(address_text, rotation.attestors)),
            min_required_sigs=rotation.min_signatures,
        )
        _STATES.write_client(store, rotated)
        write_attested_from(store, rotation.from_height)
        return rotation

    def _check(self, client: ClientState, consensus: ConsensusState) -> None:
        attestors, needed = client.attestors, client.min_required_sigs
        if not 0 < len(attestors) <= ATTESTORS_MAX or len(set(attestors)) != len(attestors):
            raise ClientRefused("attestors not unique, or number out of range")
        if not 0 < needed <= len(attestors):
            raise ClientRefused("required signatures out of range")
        if self._is_strict and not has_more_than_two_thirds(needed, len(attestors)):
            raise ClientRefused("required signatures not above two thirds")
        if client.is_frozen or not client.latest_height or not consensus.time_ns:
            raise ClientRefused("client is born frozen, or without height or time")

    def _take_state(
        self, store: ClientStore, client: ClientState, raw: bytes, now_ns: TimestampNanoseconds
    ) -> UpdateResult:
        """Take an attested height and time."""
        proof = AttestationProof.decode(raw)
        self._signers(STATE_TAG, proof, client)
        block, time_s = decode_state_attestation(proof.data)
        require_attestable(store, block)
        state = ConsensusState(time_s * NANOSECONDS_PER_SECOND)
        new = Neighbour(_height(block), state)

        def fits(below: _Next, above: _Next) -> bool:
            if self._is_strict:
                _require_between(new, below, above, now_ns)
            return True

        return self._hold(store, client, new, now_ns, fits)

    def _signers(self, tag: int, proof: AttestationProof, client: ClientState) -> None:
        needed = client.min_required_sigs
        check_quorum(tag, proof, client.attestors, needed, is_strict=self._is_strict)

    def _attested(
        self, store: ClientStore, height: Height, raw: bytes, path: tuple[bytes, ...]
    ) -> bytes:
        if len(path) != 1:
            raise AttestationRefused(f"path has not one step: count={len(path)}")
        try:
            proof = AttestationProof.decode(raw)
            self._signers(PACKET_TAG, proof, self._client(store))
            block, entries = decode_packet_attestation(proof.data)
            attested_height = _height(block)
        except Malformed as exc:
            raise AttestationRefused(f"invalid attestation data: {exc}") from exc
        require_attestable(store, block)
        if _STATES.read(store, attested_height) is None:
            raise AttestationRefused(f"consensus state not found: height={attested_height}")
        if attested_height != height:
            raise AttestationRefused(f"height mismatch: expected={height} got={attested_height}")
        return find_commitment(entries, path[0], is_strict=self._is_strict)


def find_commitment(
    entries: tuple[tuple[bytes, bytes], ...], key: bytes, *, is_strict: bool
) -> bytes:
    """
    Return the 32 bytes that are attested of *key*, zeros for absence.

    Raises:
        AttestationRefused: The key is not listed, or (strict) one is listed twice.
    """
    if is_strict and len({path for path, _ in entries}) != len(entries):
        raise AttestationRefused("a path is listed twice")
    wanted = keccak(key)
    for path, commitment in entries:
        if path == wanted:
            return commitment
    raise AttestationRefused("value not found in attested packet commitments")


_Next: TypeAlias = Neighbour[ConsensusState] | None


def _require_between(
    new: Neighbour[ConsensusState], below: _Next, above: _Next, now_ns: int
) -> None:
    """Time does not fall with height, nor lie ahead; several blocks may have the same second."""
    height, time_ns = new.height, new.state.time_ns
    if time_ns > now_ns + CLOCK_DRIFT_NS_MAX:
        raise ClientRefused("attested time is in the future", height=height)
    is_earlier = below is not None and time_ns < below.state.time_ns
    if is_earlier or (above is not None and time_ns > above.state.time_ns):
        raise ClientRefused("attested time falls with height")


def _height(block: int) -> Height:
    """Return the height that attested bytes name. Raises AttestationRefused for zero."""
    if not block:
        raise AttestationRefused("attestation of height zero")
    return Height(0, block)
