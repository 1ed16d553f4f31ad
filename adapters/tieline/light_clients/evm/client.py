"""
The rules of evm-sealed clients: create, update, freeze, expire, verify.

Heights have revision 0; a value is proved under the header of its own height. Several blocks may
have the same second.
"""

from __future__ import annotations

from functools import partial
from typing import TypeAlias

from tieline.light_clients.client_rules import ClientRules, Neighbour, is_expired
from tieline.light_clients.client_states import ClientStates
from tieline.light_clients.evm.building import commitment_slot
from tieline.light_clients.evm.messages import (
    CLIENT_STATE_URL,
    CONSENSUS_STATE_URL,
    HEADER_URL,
    MISBEHAVIOUR_URL,
    ClientState,
    ConsensusState,
    Misbehaviour,
    Sealing,
    StorageProof,
)
from tieline.light_clients.evm.seals import SEALERS_MAX
from tieline.light_clients.evm.trie import ProofNodes, ProofRefused, look_up_word
from tieline.light_clients.evm.verifier import (
    HEIGHT_MAX,
    Anchor,
    HeaderRefused,
    SealedBlock,
    Verifier,
    trusted_height_of,
    verify_conflicting,
    verify_header,
)
from tieline.protocol.client import (
    VERIFIED,
    ClientStore,
    UpdateResult,
    Verification,
    refused,
)
from tieline.protocol.errors import ClientRefused
from tieline.protocol.height import Height
from tieline.protocol.time import NANOSECONDS_PER_SECOND, TimestampNanoseconds
from tieline.wire.errors import Malformed
from tieline.wire.evm.header import ADDRESS_BYTES, HASH_BYTES

PINNED_MAX = 16
"""Host, application and its modules are five."""

_WORD_BYTES = 32
_NO_WORD = bytes(_WORD_BYTES)
_CHAIN_ID_MAX = (1 << 63) - 1
_SPAN_NS_COUNT = 1 << 63
_STATES = ClientStates(ClientState.decode, ConsensusState.decode)


class EvmSealedClient(ClientRules[ClientState, ConsensusState]):
    """Fits ``protocol.client.LightClient``."""

    client_type = "evm-sealed"
    _client_state_url = CLIENT_STATE_URL
    _consensus_state_url = CONSENSUS_STATE_URL

    def __init__(self, verify: Verifier = verify_header) -> None:
        """Take ``verify_header``, or ``verify_header_once`` where many clients share a process."""
        takers = {HEADER_URL: self._take_header, MISBEHAVIOUR_URL: self._take_misbehaviour}
        super().__init__(_STATES, takers)
        self._verify = verify

    def verify_membership(
        self,
        store: ClientStore,
        height: Height,
        proof: bytes,
        path: tuple[bytes, ...],
        value: bytes,
    ) -> Verification:
        """Say whether *proof* shows *value*, 32 bytes, at *path* after the block of *height*."""
        if len(value) != _WORD_BYTES or value == _NO_WORD:
            return refused("value is not a commitment")
        try:
            found = self._look_up(store, height, proof, path)
        except (ProofRefused, Malformed) as exc:
            return refused(str(exc))
        return VERIFIED if found == value else refused("another value, or none, is stored")

    def verify_non_membership(
        self, store: ClientStore, height: Height, proof: bytes, path: tuple[bytes, ...]
    ) -> Verification:
        """Say whether *proof* shows that nothing is at *path* after the block of *height*."""
        try:
            found = self._look_up(store, height, proof, path)
        except (ProofRefused, Malformed) as exc:
            return refused(str(exc))
        return VERIFIED if found is None else refused("a value is stored")

    def _take_header(
        self, store: ClientStore, client: ClientState, raw: bytes, now_ns: TimestampNanoseconds
    ) -> UpdateResult:
        anchor = self._anchor(store, client, trusted_height_of(raw), now_ns)
        verified = self._verify(raw, anchor)
        block = verified.block
        if block.time_ns > now_ns + client.max_clock_drift_ns:
            raise HeaderRefused("header is from the future")
        if is_expired(block.time_ns, client.trusting_period_ns, now_ns):
            raise HeaderRefused("header is older than the trusting period")
        new = Neighbour(Height(0, block.height), verified.consensus_state)
        return self._hold(store, client, new, now_ns, partial(_fits, block))

    def _take_misbehaviour(
        self, store: ClientStore, client: ClientState, raw: bytes, now_ns: TimestampNanoseconds
    ) -> UpdateResult:
        """Freeze on two sealed headers that cannot be of one chain."""
        misbehaviour = Misbehaviour.decode(raw)
        one, other = (
            verify_conflicting(
                encoded, self._anchor(store, client, trusted_height_of(encoded), now_ns)
            )
            for encoded in (misbehaviour.header_1, misbehaviour.header_2)
        )
        if one.height < other.height:
            raise ClientRefused("misbehaviour with the lower header first")
        if one.height == other.height:
            is_conflict = one.block_hash != other.block_hash
        else:
            is_conflict = one.time_ns < other.time_ns or (
                one.height == other.height + 1 and one.parent_hash != other.block_hash
            )
        if not is_conflict:
            raise ClientRefused("no misbehaviour: both may be of one chain")
        return self._freeze(store, client)

    def _anchor(self, store: ClientStore, client: ClientState, height: int, now_ns: int) -> Anchor:
        """Return what a header is judged by. Raises ClientRefused if that is not held."""
        period_ns = client.trusting_period_ns
        if client.sealing is Sealing.AUTHORITY:
            if height:
                raise HeaderRefused("an authority's header builds upon no height")
            if is_expired(self._trusted(store, client.latest).time_ns, period_ns, now_ns):
                raise HeaderRefused("client is expired")
            return Anchor.of(client, 0, None)
        if not 1 <= height <= HEIGHT_MAX:
            raise HeaderRefused(f"trusted height out of range: {height}")
        trusted = self._trusted(store, Height(0, height))
        if is_expired(trusted.time_ns, period_ns, now_ns):
            raise HeaderRefused("trusted header is expired")
        return Anchor.of(client, height, trusted)

    def _look_up(
        self, store: ClientStore, height: Height, proof: bytes, path: tuple[bytes, ...]
    ) -> bytes | None:
        """Return the word that is shown to be at *path*. Raises ProofRefused, Malformed."""
        consensus = _STATES.read(store, height)
        if consensus is None:
            raise ProofRefused(f"no consensus state: height={height}")
        if len(path) != 1:
            raise ProofRefused(f"path has not one step: count={len(path)}")
        slot = commitment_slot(path[0], self._client(store).commitments_slot)
        nodes = ProofNodes(StorageProof.decode(proof).nodes)
        word = look_up_word(consensus.storage_root, slot, nodes)
        nodes.finish()
        return word

    def _check(self, client: ClientState, consensus: ConsensusState) -> None:
        _check_client_state(client)
        _check_consensus_state(client, consensus)


_Next: TypeAlias = Neighbour[ConsensusState] | None


def _fits(block: SealedBlock, below: _Next, above: _Next) -> bool:
    """
    Say whether a block can be of one chain with those held next to it; if not, two were sealed.

    Time does not fall with height, and a block stands on the one right below it.
    """
    if below is not None:
        if below.state.time_ns > block.time_ns:
            return False
        is_parent = below.height.revision_height + 1 == block.height
        if is_parent and below.state.block_hash != block.parent_hash:
            return False
    return above is None or above.state.time_ns >= block.time_ns


def _check_client_state(client: ClientState) -> None:
    """Raise ClientRefused if a parameter is out of its range."""
    if not 1 <= client.chain_id <= _CHAIN_ID_MAX:
        raise ClientRefused("chain id out of range")
    if len(client.genesis_hash) != HASH_BYTES or len(client.commitments_slot) != _WORD_BYTES:
        raise ClientRefused("genesis hash or commitments slot is not 32 bytes")
    if client.sealing is Sealing.AUTHORITY:
        _check_addresses(client.sealers, SEALERS_MAX, "sealers")
    elif client.sealers:
        raise ClientRefused("validators belong into the consensus state")
    _check_pinned(client)
    if not 1 <= client.latest_height <= HEIGHT_MAX:
        raise ClientRefused("latest height out of range")
    if not 0 < client.trusting_period_ns < _SPAN_NS_COUNT:
        raise ClientRefused("trusting period out of range")
    if not 0 < client.max_clock_drift_ns < _SPAN_NS_COUNT:
        raise ClientRefused("clock drift out of range")
    if client.is_frozen:
        raise ClientRefused("client is born frozen")


def _check_pinned(client: ClientState) -> None:
    addresses = tuple(one.address for one in client.pinned)
    _check_addresses(addresses, PINNED_MAX, "pinned contracts")
    if any(len(one.code_hash) != HASH_BYTES for one in client.pinned):
        raise ClientRefused("a pinned code hash is not 32 bytes")
    if client.host not in addresses:
        raise ClientRefused("the host is not among the pinned contracts")


def _check_consensus_state(client: ClientState, consensus: ConsensusState) -> None:
    if len(consensus.storage_root) != HASH_BYTES or len(consensus.block_hash) != HASH_BYTES:
        raise ClientRefused("consensus state lacks a hash")
    if not NANOSECONDS_PER_SECOND <= consensus.time_ns < _SPAN_NS_COUNT:
        raise ClientRefused("consensus state without a time of 1970 to 2262")
    if client.sealing is not Sealing.AUTHORITY:
        _check_addresses(consensus.validators, SEALERS_MAX, "validators")
    elif consensus.validators:
        raise ClientRefused("an authority's sealers belong into the client state")


def _check_addresses(addresses: tuple[bytes, ...], count_max: int, what: str) -> None:
    if not 0 < len(addresses) <= count_max or list(addresses) != sorted(set(addresses)):
        raise ClientRefused(f"{what} not ascending, or number out of range")
    if any(len(one) != ADDRESS_BYTES for one in addresses):
        raise ClientRefused(f"{what}: an address is not 20 bytes")
