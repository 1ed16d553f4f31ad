"""
A native light client and an attestor quorum in AND mode: both must say the same.

The client keeps id, type and merkle prefix of its native kind; its state names the attestors. One
instance serves one host ledger, because an attestor of that ledger's own utility cell must be
among the signers.

    attestors                      PairedClientState, as the client was created or last rotated
    attestedFrom                   see ``attestations.rotation``
    all other keys                 the native client's

Sources:
    ``docs/spec/trust.md`` 1 and 2; ``docs/spec/bytes.md`` (Paired, AttestorKey).
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from tieline.light_clients.attestations.client import (
    ABSENT,
    COMMITMENT_BYTES,
    find_commitment,
)
from tieline.light_clients.attestations.messages import ATTESTORS_MAX
from tieline.light_clients.attestations.quorum import AttestationRefused, check_quorum
from tieline.light_clients.attestations.rotation import (
    check_rotation,
    require_attestable,
    write_attested_from,
)
from tieline.light_clients.chain_tags import named_chain_tag
from tieline.protocol.client import (
    ClientStatus,
    ClientStore,
    LightClient,
    UpdateResult,
    Verification,
    refused,
)
from tieline.protocol.errors import ClientRefused
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.protocol.quorum import has_more_than_two_thirds
from tieline.protocol.time import TimestampNanoseconds, to_seconds
from tieline.wire.attestation_proofs import (
    PAIRED_CLIENT_STATE_URL,
    PAIRED_URL,
    AttestationProof,
    Paired,
    PairedClientState,
    SignedAttestorKey,
    decode_any,
)
from tieline.wire.attestations import (
    PACKET_TAG,
    STATE_TAG,
    decode_packet_attestation,
    decode_state_attestation,
)
from tieline.wire.errors import Malformed
from tieline.wire.set_rotation import RotateSet
from tieline.wire.typed_data import recover_signer_address

_TERMS_KEY = b"attestors"


@lru_cache(maxsize=256)
def _terms(data: bytes) -> PairedClientState:
    return PairedClientState.decode(data)


def is_paired(store: ClientStore) -> bool:
    """Say whether a client was created with attestors."""
    return store.get(_TERMS_KEY) is not None


class PairedClient:
    """Fits ``protocol.client.LightClient``."""

    def __init__(self, native: LightClient, *, domain: bytes, own_cell: bytes) -> None:
        """
        Pair *native*.

        Args:
            native: The rules that hold first.
            domain: EIP-712 domain separator of the network, 32 bytes.
            own_cell: EVM address of the utility cell of the ledger that runs this client.
        """
        self._native = native
        self._domain = domain
        self._own_cell = own_cell

    @property
    def client_type(self) -> str:
        """The native client's type."""
        return self._native.client_type

    def accepts(self, client_state: AnyMessage) -> bool:
        """Say whether this is a paired client state around one of the native type."""
        if client_state.type_url != PAIRED_CLIENT_STATE_URL:
            return False
        try:
            return self._native.accepts(_terms(client_state.value).native)
        except Malformed:
            return False

    def initialise(
        self, store: ClientStore, client_state: AnyMessage, consensus_state: AnyMessage
    ) -> None:
        """Check states and attestor keys, and write them. Raises ClientRefused."""
        if not self.accepts(client_state):
            raise ClientRefused("states of another client type")
        terms = _terms(client_state.value)
        self._check_terms(terms)
        self._native.initialise(store, terms.native, consensus_state)
        store.set(_TERMS_KEY, client_state.value)

    def status(self, store: ClientStore, now_ns: TimestampNanoseconds) -> ClientStatus:
        """Return the native client's status."""
        return self._native.status(store, now_ns)

    def latest_height(self, store: ClientStore) -> Height:
        """Return the highest height with a consensus state."""
        return self._native.latest_height(store)

    def timestamp_ns(self, store: ClientStore, height: Height) -> TimestampNanoseconds:
        """Return the chain time at *height*. Raises ConsensusStateNotFound."""
        return self._native.timestamp_ns(store, height)

    def update(
        self, store: ClientStore, message: AnyMessage, now_ns: TimestampNanoseconds
    ) -> UpdateResult:
        """
        Take a header that is attested, or proof of misbehaviour, which stands alone.

        Raises:
            ClientRefused: Either half does not convince. What the native half wrote before the
                attested half was refused is undone with the transaction.
        """
        if message.type_url != PAIRED_URL:
            raise ClientRefused("not a paired client message", type_url=message.type_url)
        try:
            paired = Paired.decode(message.value)
            native = decode_any(paired.native)
        except Malformed as exc:
            raise ClientRefused(f"paired message malformed: {exc}") from exc
        result = self._native.update(store, native, now_ns)
        for height in result.heights:
            self._check_state(store, height, paired.attestation)
        return result

    def verify_membership(
        self,
        store: ClientStore,
        height: Height,
        proof: bytes,
        path: tuple[bytes, ...],
        value: bytes,
    ) -> Verification:
        """Say whether both halves show *value*, 32 bytes, at *path*."""
        if len(value) != COMMITMENT_BYTES or value == ABSENT:
            return refused("value is not a commitment")
        try:
            paired = Paired.decode(proof)
            self._check_entry(store, height, paired.attestation, path, value)
        except (AttestationRefused, Malformed) as exc:
            return refused(f"attestation: {exc}")
        return self._native.verify_membership(store, height, paired.native, path, value)

    def verify_non_membership(
        self, store: ClientStore, height: Height, proof: bytes, path: tuple[bytes, ...]
    ) -> Verification:
        """Say whether both halves show that nothing is at *path*."""
        try:
            paired = Paired.decode(proof)
            self._check_entry(store, height, paired.attestation, path, ABSENT)
        except (AttestationRefused, Malformed) as exc:
            return refused(f"attestation: {exc}")
        return self._native.verify_non_membership(store, height, paired.native, path)

    def rotate_set(
        self, store: ClientStore, data: bytes, chain_tag: bytes, client_id: str
    ) -> RotateSet:
        """As ``rotation.RotatesSet``; the own cell stays in the set. Raises ClientRefused."""
        stored = store.get(_TERMS_KEY)
        if stored is None:
            raise ClientRefused("client without attestors")
        old = _terms(stored)
        attestors = [one.key.attestor for one in old.attestor_keys]
        rotation = check_rotation(store, data, attestors, chain_tag, client_id)
        keys = rotation.attestor_keys
        if tuple(one.key.attestor for one in keys) != rotation.attestors:
            raise ClientRefused("bindings are not those of the attestors")
        terms = replace(old, attestor_keys=keys, min_signatures=rotation.min_signatures)
        self._check_terms(terms)
        if keys[0].key.chain_tag != old.attestor_keys[0].key.chain_tag:
            raise ClientRefused("attestor keys of another ledger")
        _check_succession(old, terms)
        store.set(_TERMS_KEY, terms.encode())
        write_attested_from(store, rotation.from_height)
        return rotation

    def _check_terms(self, terms: PairedClientState) -> None:
        """Raise ClientRefused unless the attestors are a set that this ledger may rely on."""
        keys = terms.attestor_keys
        attestors = [one.key.attestor for one in keys]
        if not 0 < len(keys) <= ATTESTORS_MAX or attestors != sorted(set(attestors)):
            raise ClientRefused("attestors not ascending, or number out of range")
        if len({one.key.cell for one in keys}) != len(keys):
            raise ClientRefused("a cell with two attestors")
        tags = {one.key.chain_tag for one in keys}
        if len(tags) != 1:
            raise ClientRefused("attestor keys of several ledgers")
        try:
            named = named_chain_tag(terms.native)
        except Malformed as exc:
            raise ClientRefused(f"state malformed: {exc}") from exc
        if named not in {None, *tags}:
            raise ClientRefused("attestor keys of another ledger than the native client's")
        needed = terms.min_signatures
        if needed > len(keys) or not has_more_than_two_thirds(needed, len(keys)):
            raise ClientRefused("required signatures not above two thirds")
        if terms.own_cell != self._own_cell:
            raise ClientRefused("own cell is not this ledger's")
        if terms.own_cell not in {one.key.cell for one in keys}:
            raise ClientRefused("own cell has no attestor in the set")
        for one in keys:
            self._check_key(one)

    def _check_key(self, signed: SignedAttestorKey) -> None:
        """Raise ClientRefused unless cell and attestor both signed the binding."""
        key = signed.key
        for address, signature in (
            (key.cell, signed.cell_signature),
            (key.attestor, signed.attestor_signature),
        ):
            try:
                signer = recover_signer_address(self._domain, key, signature)
            except Malformed as exc:
                raise ClientRefused(f"attestor key: {exc}") from exc
            if signer != address:
                raise ClientRefused("attestor key not signed by both", cell=key.cell.hex())

    def _check_state(self, store: ClientStore, height: Height, attestation: bytes) -> None:
        try:
            data = self._attested(store, STATE_TAG, attestation)
            attested, time_s = decode_state_attestation(data)
            require_attestable(store, attested)
        except (AttestationRefused, Malformed) as exc:
            raise ClientRefused(f"attestation: {exc}") from exc
        if attested != height.revision_height:
            raise ClientRefused("attestation of another height", expected=height, got=attested)
        if time_s != to_seconds(self._native.timestamp_ns(store, height)):
            raise ClientRefused("attested time is not the header's", height=height)

    def _check_entry(
        self,
        store: ClientStore,
        height: Height,
        attestation: bytes,
        path: tuple[bytes, ...],
        commitment: bytes,
    ) -> None:
        data = self._attested(store, PACKET_TAG, attestation)
        attested, entries = decode_packet_attestation(data)
        require_attestable(store, attested)
        if attested != height.revision_height:
            raise AttestationRefused(f"height mismatch: expected={height} got={attested}")
        if not path:
            raise AttestationRefused("empty path")
        # The last step is the key itself: our merkle prefixes end in an empty part.
        if find_commitment(entries, path[-1], is_strict=True) != commitment:
            raise AttestationRefused("commitment differs")

    def _attested(self, store: ClientStore, tag: int, raw: bytes) -> bytes:
        """Return the data that a quorum with the own cell's attestor signed."""
        stored = store.get(_TERMS_KEY)
        assert stored is not None, "paired client without attestors"
        terms = _terms(stored)
        cells = {one.key.attestor: one.key.cell for one in terms.attestor_keys}
        proof = AttestationProof.decode(raw)
        signers = check_quorum(tag, proof, cells, terms.min_signatures, is_strict=True)
        if all(cells[signer] != terms.own_cell for signer in signers):
            raise AttestationRefused("own cell's attestor is not among the signers")
        return proof.data


def _check_succession(old: PairedClientState, new: PairedClientState) -> None:
    """A cell's other key counts from a later epoch than the one that it replaces."""
    held = {one.key.cell: one.key for one in old.attestor_keys}
    for one in new.attestor_keys:
        before = held.get(one.key.cell)
        if (
            before is not None
            and before.attestor != one.key.attestor
            and one.key.from_epoch <= before.from_epoch
        ):
            raise ClientRefused("attestor key does not replace the older one")
