"""
The rules of evm-sealed clients: create, update, freeze, expire, verify.

Heights have revision 0; a value is proved under the header of its own height. Several blocks may
have the same second.
"""

from __future__ import annotations

from dataclasses import replace

from tieline.light_clients import height_chain
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
    VerifiedHeader,
    Verifier,
    trusted_height_of,
    verify_conflicting,
    verify_header,
)
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
from tieline.protocol.time import NANOSECONDS_PER_SECOND, TimestampNanoseconds
from tieline.wire.errors import Malformed
from tieline.wire.evm.header import ADDRESS_BYTES, HASH_BYTES

PINNED_MAX = 16
"""Host, application and its modules are five."""

_WORD_BYTES = 32
_NO_WORD = bytes(_WORD_BYTES)
_CHAIN_ID_MAX = (1 << 63) - 1
_SPAN_NS_COUNT = 1 << 63
_FROZEN = UpdateResult((), misbehaviour=True)
_STATES = ClientStates(ClientState.decode, ConsensusState.decode)


class EvmSealedClient:
    """Fits ``protocol.client.LightClient``."""

    client_type = "evm-sealed"

    def __init__(self, verify: Verifier = verify_header) -> None:
        """Take ``verify_header``, or ``verify_header_once`` where many clients share a process."""
        self._verify = verify

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
        except Malformed as exc:
            raise ClientRefused(f"state malformed: {exc}") from exc
        _check_client_state(client)
        _check_consensus_state(client, consensus)
        _STATES.write_client(store, client)
        _STATES.write_first(store, Height(0, client.latest_height), consensus)

    def status(self, store: ClientStore, now_ns: TimestampNanoseconds) -> ClientStatus:
        """Return the client's status at *now_ns* of this ledger's chain time."""
        client = _STATES.read_client(store)
        if client is None:
            return ClientStatus.UNKNOWN
        if client.is_frozen:
            return ClientStatus.FROZEN
        latest = _STATES.read(store, Height(0, client.latest_height))
        if latest is None or _is_expired(client, latest.time_ns, now_ns):
            return ClientStatus.EXPIRED
        return ClientStatus.ACTIVE

    def latest_height(self, store: ClientStore) -> Height:
        """Return the highest height with a consensus state."""
        return Height(0, _client(store).latest_height)

    def timestamp_ns(self, store: ClientStore, height: Height) -> TimestampNanoseconds:
        """Return the chain's time at *height*. Raises ConsensusStateNotFound."""
        consensus = _STATES.read(store, height)
        if consensus is None:
            raise ConsensusStateNotFound("no consensus state", height=height)
        return TimestampNanoseconds(consensus.time_ns)

    def update(
        self, store: ClientStore, message: AnyMessage, now_ns: TimestampNanoseconds
    ) -> UpdateResult:
        """Take a header or proof of misbehaviour. Raises ClientRefused."""
        client = _client(store)
        if client.is_frozen:
            raise ClientRefused("client is frozen")
        try:
            if message.type_url == HEADER_URL:
                return self._take_header(store, client, message.value, now_ns)
            if message.type_url == MISBEHAVIOUR_URL:
                return _take_misbehaviour(store, client, message.value, now_ns)
        except (HeaderRefused, Malformed) as exc:
            raise ClientRefused(str(exc)) from exc
        raise ClientRefused("unknown client message", type_url=message.type_url)

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
            found = _look_up(store, height, proof, path)
        except (ProofRefused, Malformed) as exc:
            return refused(str(exc))
        return VERIFIED if found == value else refused("another value, or none, is stored")

    def verify_non_membership(
        self, store: ClientStore, height: Height, proof: bytes, path: tuple[bytes, ...]
    ) -> Verification:
        """Say whether *proof* shows that nothing is at *path* after the block of *height*."""
        try:
            found = _look_up(store, height, proof, path)
        except (ProofRefused, Malformed) as exc:
            return refused(str(exc))
        return VERIFIED if found is None else refused("a value is stored")

    def _take_header(
        self, store: ClientStore, client: ClientState, raw: bytes, now_ns: int
    ) -> UpdateResult:
        verified = self._verify(raw, _anchor(store, client, trusted_height_of(raw), now_ns))
        block = verified.block
        if block.time_ns > now_ns + client.max_clock_drift_ns:
            raise HeaderRefused("header is from the future")
        if _is_expired(client, block.time_ns, now_ns):
            raise HeaderRefused("header is older than the trusting period")
        height = Height(0, block.height)
        held = _STATES.read(store, height)
        if held is not None:
            if held != verified.consensus_state:
                return _freeze(store, client)
            _forget_expired(store, client, now_ns)
            return UpdateResult(())
        return _insert(store, client, verified, now_ns)


def _insert(
    store: ClientStore, client: ClientState, verified: VerifiedHeader, now_ns: int
) -> UpdateResult:
    height = Height(0, verified.block.height)
    try:
        below, above = height_chain.find_neighbours(store, height, Height(0, client.latest_height))
    except height_chain.TooFarBack:
        raise ClientRefused("too many newer heights are held", height=height) from None
    if not _fits(store, verified.block, below, above):
        return _freeze(store, client)
    _STATES.insert(store, height, verified.consensus_state, below, above)
    if above is None:
        _STATES.write_client(store, replace(client, latest_height=height.revision_height))
    _forget_expired(store, client, now_ns)
    return UpdateResult((height,))


def _fits(
    store: ClientStore, block: SealedBlock, below: Height | None, above: Height | None
) -> bool:
    """
    Say whether a block can be of one chain with those held next to it; if not, two were sealed.

    Time does not fall with height, and a block stands on the one right below it.
    """
    if below is not None:
        held = _held(store, below)
        if held.time_ns > block.time_ns:
            return False
        if below.revision_height + 1 == block.height and held.block_hash != block.parent_hash:
            return False
    return above is None or _held(store, above).time_ns >= block.time_ns


def _held(store: ClientStore, height: Height) -> ConsensusState:
    held = _STATES.read(store, height)
    assert held is not None, f"neighbour without state: {height}"
    return held


def _client(store: ClientStore) -> ClientState:
    client = _STATES.read_client(store)
    if client is None:
        raise ClientRefused("no client state")
    return client


def _anchor(store: ClientStore, client: ClientState, height: int, now_ns: int) -> Anchor:
    """Return what a header is judged by. Raises ClientRefused if it builds upon nothing held."""
    if client.sealing is Sealing.AUTHORITY:
        if height:
            raise HeaderRefused("an authority's header builds upon no height")
        if _is_expired(client, _held(store, Height(0, client.latest_height)).time_ns, now_ns):
            raise HeaderRefused("client is expired")
        return Anchor.of(client, 0, None)
    if not 1 <= height <= HEIGHT_MAX:
        raise HeaderRefused(f"trusted height out of range: {height}")
    trusted = _STATES.read(store, Height(0, height))
    if trusted is None:
        raise ClientRefused("no consensus state at the trusted height", height=height)
    if _is_expired(client, trusted.time_ns, now_ns):
        raise HeaderRefused("trusted header is expired")
    return Anchor.of(client, height, trusted)


def _look_up(
    store: ClientStore, height: Height, proof: bytes, path: tuple[bytes, ...]
) -> bytes | None:
    """Return the word that is shown to be at *path*. Raises ProofRefused, Malformed."""
    consensus = _STATES.read(store, height)
    if consensus is None:
        raise ProofRefused(f"no consensus state: height={height}")
    if len(path) != 1:
        raise ProofRefused(f"path has not one step: count={len(path)}")
    slot = commitment_slot(path[0], _client(store).commitments_slot)
    nodes = ProofNodes(StorageProof.decode(proof).nodes)
    word = look_up_word(consensus.storage_root, slot, nodes)
    nodes.finish()
    return word


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


def _is_expired(client: ClientState, time_ns: int, now_ns: int) -> bool:
    return time_ns + client.trusting_period_ns <= now_ns


def _freeze(store: ClientStore, client: ClientState) -> UpdateResult:
    _STATES.write_client(store, replace(client, is_frozen=True))
    return _FROZEN


def _forget_expired(store: ClientStore, client: ClientState, now_ns: int) -> None:
    """Drop at most one state an update, so that its cost is bounded."""
    if _is_expired(client, _STATES.earliest(store).time_ns, now_ns):
        _STATES.forget_earliest(store)


def _take_misbehaviour(
    store: ClientStore, client: ClientState, raw: bytes, now_ns: int
) -> UpdateResult:
    """Freeze on two sealed headers that cannot be of one chain."""
    misbehaviour = Misbehaviour.decode(raw)
    one, other = (
        verify_conflicting(encoded, _anchor(store, client, trusted_height_of(encoded), now_ns))
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
    return _freeze(store, client)
