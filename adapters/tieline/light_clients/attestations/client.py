"""
The rules of attestations clients.

As ibc-go v11 where ``is_strict`` is off. Our own hosts run it strict: time may not fall with
height nor lie in the future, no path may be listed twice, signatures have one spelling.

Sources:
    ``docs/spec/trust.md`` 2; golden cases ``tests/vectors/attestations.json``.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from tieline.light_clients import height_chain
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
from tieline.light_clients.store_keys import CLIENT_STATE_KEY, consensus_key
from tieline.protocol.client import (
    VERIFIED,
    ClientStatus,
    ClientStore,
    UpdateResult,
    Verification,
    refused,
)
from tieline.protocol.errors import ClientRefused, ConsensusStateNotFound
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.protocol.quorum import has_more_than_two_thirds
from tieline.protocol.time import NANOSECONDS_PER_SECOND, TimestampNanoseconds
from tieline.wire.attestation_proofs import AttestationProof, decode_any, encode_any
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


class AttestationsClient:
    """Fits ``protocol.client.LightClient``."""

    client_type = "attestations"

    def __init__(self, *, is_strict: bool = True) -> None:
        self._is_strict = is_strict

    def accepts(self, client_state: AnyMessage) -> bool:
        """Say whether this client state is of this type."""
        return client_state.type_url == CLIENT_STATE_URL

    def initialise(
        self, store: ClientStore, client_state: AnyMessage, consensus_state: AnyMessage
    ) -> None:
        """Check both states and write them. Raises ClientRefused."""
        if consensus_state.type_url != CONSENSUS_STATE_URL or not self.accepts(client_state):
            raise ClientRefused("states of another client type")
        try:
            client = ClientState.decode(client_state.value)
            consensus = ConsensusState.decode(consensus_state.value)
            attestors = client.attestors
        except Malformed as exc:
            raise ClientRefused(f"state malformed: {exc}") from exc
        if not 0 < len(attestors) <= ATTESTORS_MAX or len(set(attestors)) != len(attestors):
            raise ClientRefused("attestors not unique, or number out of range")
        if not 0 < client.min_required_sigs <= len(attestors):
            raise ClientRefused("required signatures out of range")
        if self._is_strict and not has_more_than_two_thirds(
            client.min_required_sigs, len(attestors)
        ):
            raise ClientRefused("required signatures not above two thirds")
        if client.is_frozen or not client.latest_height or not consensus.time_ns:
            raise ClientRefused("client is born frozen, or without height or time")
        _write_client(store, client)
        height = Height(0, client.latest_height)
        store.set(consensus_key(height), encode_any(consensus.as_any()))
        height_chain.begin(store, height)

    def status(self, store: ClientStore, now_ns: TimestampNanoseconds) -> ClientStatus:
        """Return the client's status; it never expires."""
        del now_ns
        client = _read_client(store)
        if client is None:
            return ClientStatus.UNKNOWN
        return ClientStatus.FROZEN if client.is_frozen else ClientStatus.ACTIVE

    def latest_height(self, store: ClientStore) -> Height:
        """Return the highest height with a consensus state."""
        return Height(0, _client(store).latest_height)

    def timestamp_ns(self, store: ClientStore, height: Height) -> TimestampNanoseconds:
        """Return the ledger's time at *height*. Raises ConsensusStateNotFound."""
        time_ns = _time_ns(store, height)
        if time_ns is None:
            raise ConsensusStateNotFound("no consensus state", height=height)
        return TimestampNanoseconds(time_ns)

    def update(
        self, store: ClientStore, message: AnyMessage, now_ns: TimestampNanoseconds
    ) -> UpdateResult:
        """Take an attested height and time. Raises ClientRefused."""
        client = _client(store)
        if client.is_frozen:
            raise ClientRefused("client is frozen")
        if message.type_url != ATTESTATION_PROOF_URL:
            raise ClientRefused("unknown client message", type_url=message.type_url)
        try:
            proof = AttestationProof.decode(message.value)
            self._signers(STATE_TAG, proof, client)
            block, time_s = decode_state_attestation(proof.data)
            require_attestable(store, block)
            height = Height(0, block)
        except (AttestationRefused, ValueError) as exc:
            raise ClientRefused(str(exc)) from exc
        time_ns = time_s * NANOSECONDS_PER_SECOND
        held_ns = _time_ns(store, height)
        if held_ns is not None:
            if held_ns == time_ns:
                return UpdateResult(())
            _write_client(store, replace(client, is_frozen=True))
            return UpdateResult((), misbehaviour=True)
        self._insert(store, client, height, time_ns, now_ns)
        return UpdateResult((height,))

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
        client = _client(store)
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
        _write_client(store, rotated)
        write_attested_from(store, rotation.from_height)
        return rotation

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
            self._signers(PACKET_TAG, proof, _client(store))
            block, entries = decode_packet_attestation(proof.data)
            attested_height = Height(0, block)
        except ValueError as exc:
            raise AttestationRefused(f"invalid attestation data: {exc}") from exc
        require_attestable(store, block)
        if _time_ns(store, attested_height) is None:
            raise AttestationRefused(f"consensus state not found: height={attested_height}")
        if attested_height != height:
            raise AttestationRefused(f"height mismatch: expected={height} got={attested_height}")
        return find_commitment(entries, path[0], is_strict=self._is_strict)

    def _insert(
        self, store: ClientStore, client: ClientState, height: Height, time_ns: int, now_ns: int
    ) -> None:
        if self._is_strict and time_ns > now_ns + CLOCK_DRIFT_NS_MAX:
            raise ClientRefused("attested time is in the future", height=height)
        latest = Height(0, client.latest_height)
        try:
            below, above = height_chain.find_neighbours(store, height, latest)
        except height_chain.TooFarBack:
            raise ClientRefused("too many newer heights are held", height=height) from None
        if self._is_strict:
            _require_between(store, time_ns, below, above)
        state = ConsensusState(time_ns)
        store.set(consensus_key(height), encode_any(state.as_any()))
        height_chain.insert(store, height, below, above)
        if above is None:
            _write_client(store, replace(client, latest_height=height.revision_height))


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


def _require_between(
    store: ClientStore, time_ns: int, below: Height | None, above: Height | None
) -> None:
    """Time does not fall with height; several blocks may have the same second."""
    earlier = 0 if below is None else _time_ns(store, below)
    later = time_ns if above is None else _time_ns(store, above)
    assert earlier is not None, "neighbour without state"
    assert later is not None, "neighbour without state"
    if not earlier <= time_ns <= later:
        raise ClientRefused("attested time falls with height")


def _client(store: ClientStore) -> ClientState:
    client = _read_client(store)
    if client is None:
        raise ClientRefused("no client state")
    return client


def _read_client(store: ClientStore) -> ClientState | None:
    data = store.get(CLIENT_STATE_KEY)
    return None if data is None else _decoded_client(data)


def _write_client(store: ClientStore, client: ClientState) -> None:
    store.set(CLIENT_STATE_KEY, encode_any(client.as_any()))


def _time_ns(store: ClientStore, height: Height) -> int | None:
    data = store.get(consensus_key(height))
    return None if data is None else ConsensusState.decode(decode_any(data).value).time_ns


@lru_cache(maxsize=256)
def _decoded_client(data: bytes) -> ClientState:
    return ClientState.decode(decode_any(data).value)
