"""The rules of 07-tendermint clients: create, update, freeze, expire, verify."""

from __future__ import annotations

from dataclasses import replace

from tieline.light_clients import height_chain, ics23
from tieline.light_clients.client_states import ClientStates
from tieline.light_clients.tendermint.messages import (
    CLIENT_STATE_URL,
    CONSENSUS_STATE_URL,
    HEADER_URL,
    MISBEHAVIOUR_URL,
    SDK_PROOF_SPECS,
    ClientHeader,
    ClientState,
    ConsensusState,
    Misbehaviour,
    revision_of,
)
from tieline.light_clients.tendermint.verifier import (
    Anchor,
    HeaderRefused,
    Verifier,
    check_times,
    is_expired,
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
from tieline.protocol.time import TimestampNanoseconds
from tieline.wire.errors import Malformed

CHAIN_ID_CHARACTERS_MAX = 50
"""CometBFT's bound."""

_HASH_BYTES = 32
_NS_PER_S = 10**9
_TIME_NS_COUNT = 1 << 63
_FROZEN = UpdateResult((), misbehaviour=True)
_STATES = ClientStates(ClientState.decode, ConsensusState.decode)


class TendermintClient:
    """Fits ``protocol.client.LightClient``."""

    client_type = "07-tendermint"

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
        if len(consensus.root) != _HASH_BYTES or len(consensus.next_validators_hash) != _HASH_BYTES:
            raise ClientRefused("consensus state lacks a hash")
        if not _NS_PER_S <= consensus.time_ns < _TIME_NS_COUNT:
            raise ClientRefused("consensus state without a time of 1970 to 2262")
        _STATES.write_client(store, client)
        _STATES.write_first(store, client.latest_height, consensus)

    def status(self, store: ClientStore, now_ns: TimestampNanoseconds) -> ClientStatus:
        """Return the client's status at *now_ns* of this ledger's chain time."""
        client = _STATES.read_client(store)
        if client is None:
            return ClientStatus.UNKNOWN
        if client.is_frozen:
            return ClientStatus.FROZEN
        latest = _STATES.read(store, client.latest_height)
        if latest is None or is_expired(latest.time_ns, client.trusting_period_ns, now_ns):
            return ClientStatus.EXPIRED
        return ClientStatus.ACTIVE

    def latest_height(self, store: ClientStore) -> Height:
        """Return the highest height with a consensus state."""
        return _client(store).latest_height

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
        """Say whether *proof* shows *value* at *path* under the app hash of *height*."""
        consensus = _STATES.read(store, height)
        if consensus is None:
            return refused(f"no consensus state: height={height}")
        try:
            ics23.verify_membership(consensus.root, path, proof, value)
        except ics23.ProofRefused as exc:
            return refused(str(exc))
        return VERIFIED

    def verify_non_membership(
        self, store: ClientStore, height: Height, proof: bytes, path: tuple[bytes, ...]
    ) -> Verification:
        """Say whether *proof* shows that nothing is at *path* under the app hash of *height*."""
        consensus = _STATES.read(store, height)
        if consensus is None:
            return refused(f"no consensus state: height={height}")
        try:
            ics23.verify_non_membership(consensus.root, path, proof)
        except ics23.ProofRefused as exc:
            return refused(str(exc))
        return VERIFIED

    def _take_header(
        self, store: ClientStore, client: ClientState, raw: bytes, now_ns: int
    ) -> UpdateResult:
        trusted_height = trusted_height_of(raw)
        trusted = _trusted(store, trusted_height)
        header = self._verify(raw, Anchor.of(client, trusted_height, trusted))
        check_times(header.signed_header.header, trusted, client, now_ns)
        height, consensus = header.height, _consensus_of(header)
        held = _STATES.read(store, height)
        if held is not None:
            if held != consensus:
                return _freeze(store, client)
            _forget_expired(store, client, now_ns)
            return UpdateResult(())
        try:
            below, above = height_chain.find_neighbours(store, height, client.latest_height)
        except height_chain.TooFarBack:
            raise ClientRefused("too many newer heights are held", height=height) from None
        if not _is_between(store, consensus, below, above):
            return _freeze(store, client)
        _STATES.insert(store, height, consensus, below, above)
        if above is None:
            _STATES.write_client(store, replace(client, latest_height=height))
        _forget_expired(store, client, now_ns)
        return UpdateResult((height,))


def _client(store: ClientStore) -> ClientState:
    client = _STATES.read_client(store)
    if client is None:
        raise ClientRefused("no client state")
    return client


def _trusted(store: ClientStore, height: Height) -> ConsensusState:
    trusted = _STATES.read(store, height)
    if trusted is None:
        raise ClientRefused("no consensus state at the trusted height", height=height)
    return trusted


def _check_client_state(client: ClientState) -> None:
    """Raise ClientRefused if a parameter is out of its range, as ibc-go's ``Validate``."""
    if not 1 <= len(client.chain_id) <= CHAIN_ID_CHARACTERS_MAX:
        raise ClientRefused("chain id out of range")
    numerator, denominator = client.trust_numerator, client.trust_denominator
    if not (denominator <= numerator * 3 and 0 < numerator <= denominator < 1 << 32):
        raise ClientRefused("trust level not within 1/3 and 1")
    if not 0 < client.trusting_period_ns < client.unbonding_period_ns:
        raise ClientRefused("trusting period not within the unbonding period")
    if client.max_clock_drift_ns < 1:
        raise ClientRefused("clock drift must be above zero")
    if client.is_frozen:
        raise ClientRefused("client is born frozen")
    if client.latest_height.revision_number != revision_of(client.chain_id):
        raise ClientRefused("latest height is of another revision than the chain id")
    if client.proof_specs != SDK_PROOF_SPECS:
        raise ClientRefused("unknown proof specs")
    if not all(client.upgrade_path):
        raise ClientRefused("empty step in upgrade path")


def _consensus_of(header: ClientHeader) -> ConsensusState:
    block = header.signed_header.header
    return ConsensusState(block.time_ns, block.app_hash, block.next_validators_hash)


def _is_between(
    store: ClientStore, consensus: ConsensusState, below: Height | None, above: Height | None
) -> bool:
    """Time rises strictly with height; if it does not, somebody signed two histories."""
    for neighbour, is_earlier in ((below, True), (above, False)):
        if neighbour is None:
            continue
        held = _STATES.read(store, neighbour)
        assert held is not None, f"neighbour without state: {neighbour}"
        if held.time_ns == consensus.time_ns or (held.time_ns < consensus.time_ns) != is_earlier:
            return False
    return True


def _freeze(store: ClientStore, client: ClientState) -> UpdateResult:
    _STATES.write_client(store, replace(client, is_frozen=True))
    return _FROZEN


def _forget_expired(store: ClientStore, client: ClientState, now_ns: int) -> None:
    """Drop at most one state an update, as ibc-go does, so that its cost is bounded."""
    if is_expired(_STATES.earliest(store).time_ns, client.trusting_period_ns, now_ns):
        _STATES.forget_earliest(store)


def _take_misbehaviour(
    store: ClientStore, client: ClientState, raw: bytes, now_ns: int
) -> UpdateResult:
    """Freeze on two headers that the trusted validators signed and that cannot both be true."""
    misbehaviour = Misbehaviour.decode(raw)
    headers: list[ClientHeader] = []
    for encoded in (misbehaviour.header_1, misbehaviour.header_2):
        trusted_height = trusted_height_of(encoded)
        trusted = _trusted(store, trusted_height)
        if is_expired(trusted.time_ns, client.trusting_period_ns, now_ns):
            raise ClientRefused("trusted header is expired", height=trusted_height)
        headers.append(verify_conflicting(encoded, Anchor.of(client, trusted_height, trusted)))
    one, other = (header.signed_header for header in headers)
    if one.header.height == other.header.height:
        if one.header.hash() == other.header.hash():
            raise ClientRefused("no misbehaviour: the same header twice")
    elif one.header.height < other.header.height:
        raise ClientRefused("misbehaviour with the lower header first")
    elif one.header.time_ns > other.header.time_ns:
        raise ClientRefused("no misbehaviour: time rises with height")
    return _freeze(store, client)
