"""
The rules of fabric-block clients: create, update, freeze, expire, verify.

Heights are block numbers, revision 0; states are held of blocks with a Tick alone, and rise in time
with their number. What is proved is that a key was written, not that it still stands, so only keys
that mean one thing for ever are shown: commitments, receipts, acknowledgements.

    configs/{number}               ``common.Config``; the client state names the numbers
    all other keys                 see ``client_states``
"""

from __future__ import annotations

from dataclasses import replace

from tieline.light_clients import height_chain
from tieline.light_clients.client_rules import (
    FROZEN,
    NOTHING_NEW,
    ClientRules,
    Neighbour,
    NotConvincing,
    is_expired,
)
from tieline.light_clients.client_states import ClientStates
from tieline.light_clients.fabric.blocks import HASH_BYTES, NUMBER_MAX
from tieline.light_clients.fabric.knowledge import (
    KNOWN_MAX,
    EvidenceRefused,
    Knowledge,
    endorsement_policy,
)
from tieline.light_clients.fabric.messages import (
    HEADER_URL,
    MISBEHAVIOUR_URL,
    MembershipProof,
    Misbehaviour,
)
from tieline.light_clients.fabric.provable_keys import KeyKind, read_key
from tieline.light_clients.fabric.states import (
    CLIENT_STATE_URL,
    CONSENSUS_STATE_URL,
    ClientState,
    ConsensusState,
    KnownConfig,
)
from tieline.light_clients.fabric.transactions import TooFewEndorsed
from tieline.light_clients.fabric.verifier import (
    Anchor,
    HeaderVerifier,
    HeldBlock,
    VerifiedHeader,
    WriteFinder,
    check_not_acknowledged,
    check_not_received,
    find_written,
    verify_conflicting,
    verify_fork,
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
from tieline.protocol.messages import AnyMessage
from tieline.protocol.time import NANOSECONDS_PER_SECOND, TimestampNanoseconds
from tieline.wire.errors import Malformed

NAME_CHARACTERS_MAX = 249
"""Fabric's bound on a channel's name; a chaincode's is shorter."""

_SPAN_NS_COUNT = 1 << 63


class FabricBlockClient(ClientRules[ClientState, ConsensusState]):
    """Fits ``protocol.client.LightClient``."""

    client_type = "fabric-block"
    _client_state_url = CLIENT_STATE_URL
    _consensus_state_url = CONSENSUS_STATE_URL

    def __init__(
        self, verify: HeaderVerifier = verify_header, find: WriteFinder = find_written
    ) -> None:
        """Take these, or their ``once`` forms where many clients share a process."""
        states = ClientStates(ClientState.decode, ConsensusState.decode)
        takers = {HEADER_URL: self._take_header, MISBEHAVIOUR_URL: self._take_misbehaviour}
        super().__init__(states, takers)
        self._verify = verify
        self._find = find

    def initialise(
        self, store: ClientStore, client_state: AnyMessage, consensus_state: AnyMessage
    ) -> None:
        """Check both states and write them, configurations apart. Raises ClientRefused."""
        super().initialise(store, client_state, consensus_state)
        client = self._client(store)
        self._write_known(store, client, _knowledge(client))

    def verify_membership(
        self,
        store: ClientStore,
        height: Height,
        proof: bytes,
        path: tuple[bytes, ...],
        value: bytes,
    ) -> Verification:
        """Say whether *proof* shows that *value* was written at *path* by the block of *height*."""
        try:
            key = read_key(path)
            found = self._found(store, height, proof, key.raw)
        except (NotConvincing, Malformed) as exc:
            return refused(str(exc))
        return VERIFIED if found == value else refused("another value was written")

    def verify_non_membership(
        self, store: ClientStore, height: Height, proof: bytes, path: tuple[bytes, ...]
    ) -> Verification:
        """
        Say whether *proof* shows that at the block of *height* nothing had been written at *path*,
        a receipt's or an acknowledgement's.
        """
        try:
            key = read_key(path)
            held, anchor = self._held(store, height), self._anchor(store)
            if key.kind is KeyKind.RECEIPT:
                check_not_received(proof, key.client_id, key.sequence, held, anchor)
            elif key.kind is KeyKind.ACKNOWLEDGEMENT:
                check_not_acknowledged(proof, key.raw, held, anchor)
            else:
                return refused("a commitment is deleted, so its absence says nothing")
        except (NotConvincing, Malformed) as exc:
            return refused(str(exc))
        return VERIFIED

    def _found(self, store: ClientStore, height: Height, proof: bytes, key: bytes) -> bytes:
        held, anchor = self._held(store, height), self._anchor(store)
        try:
            return self._find(proof, key, held, anchor)
        except TooFewEndorsed:
            # An endorser may have been renewed since; to look for when costs reads of the store.
            number = MembershipProof.decode(proof).block.number
            since = replace(held, endorsed_from_s=self._time_below(store, number, height))
        return self._find(proof, key, since, anchor)

    def _time_below(self, store: ClientStore, number: int, held: Height) -> int:
        """Return the newest time that is held of a block below another one; 0 if there is none."""
        try:
            below, _ = height_chain.find_neighbours(store, Height(0, number), held)
        except height_chain.TooFarBack:
            raise EvidenceRefused("many heights are held since: prove it at a lower one") from None
        if below is None:
            return 0
        return self._trusted(store, below).time_ns // NANOSECONDS_PER_SECOND

    def _check(self, client: ClientState, consensus: ConsensusState) -> None:
        _check_client_state(client)
        _check_knowledge(_knowledge(client))
        if len(consensus.block_hash) != HASH_BYTES:
            raise ClientRefused("consensus state without block hash")
        time_s, rest_ns = divmod(consensus.time_ns, NANOSECONDS_PER_SECOND)
        if rest_ns or time_s < 1 or consensus.time_ns >= _SPAN_NS_COUNT:
            raise ClientRefused("consensus state without a time of 1970 to 2262, in seconds")

    def _take_header(
        self, store: ClientStore, client: ClientState, raw: bytes, now_ns: TimestampNanoseconds
    ) -> UpdateResult:
        verified = self._verify(raw, self._fresh_anchor(store, client, now_ns))
        state = verified.consensus_state
        if state.time_ns > now_ns + client.max_clock_drift_ns:
            raise EvidenceRefused("header is from the future")
        if is_expired(state.time_ns, client.trusting_period_ns, now_ns):
            raise EvidenceRefused("header is older than the trusting period")
        height = Height(0, verified.number)
        if verified.number <= verified.knowledge.configs[-1].number:
            # Who is no orderer any more can sign what he likes of his time: it freezes nobody.
            if self._states.read(store, height) == state:
                return NOTHING_NEW
            raise EvidenceRefused(f"header under a replaced configuration: {verified.number}")
        client = self._write_known(store, client, verified.knowledge)
        new = Neighbour(height, state)

        def fits(
            below: Neighbour[ConsensusState] | None, above: Neighbour[ConsensusState] | None
        ) -> bool:
            return _fits(verified, below, above)

        return self._hold(store, client, new, now_ns, fits)

    def _take_misbehaviour(
        self, store: ClientStore, client: ClientState, raw: bytes, now_ns: TimestampNanoseconds
    ) -> UpdateResult:
        anchor = self._fresh_anchor(store, client, now_ns)
        shown = Misbehaviour.decode(raw)
        if shown.fork is not None:
            one, other = (verify_fork(claimed, anchor) for claimed in shown.fork)
            is_shown = one.number == other.number and one.hash() != other.hash()
        else:
            assert shown.headers is not None, "decoded with neither"
            high, low = (verify_conflicting(header, anchor) for header in shown.headers)
            is_shown = _are_conflicting(high, low)
        if not is_shown:
            raise EvidenceRefused("headers do not conflict")
        self._states.write_client(store, client.frozen())
        return FROZEN

    def _fresh_anchor(self, store: ClientStore, client: ClientState, now_ns: int) -> Anchor:
        """Return what a message is judged by. Raises EvidenceRefused if trust has expired."""
        newest = self._trusted(store, client.latest)
        if is_expired(newest.time_ns, client.trusting_period_ns, now_ns):
            raise EvidenceRefused("client is expired")
        return self._anchor(store)

    def _anchor(self, store: ClientStore) -> Anchor:
        client = self._client(store)
        configs = tuple(_read_config(store, one) for one in client.configs)
        newest = self._trusted(store, client.latest)
        knowledge = replace(_knowledge(client), configs=configs)
        return Anchor(knowledge, newest.time_ns // NANOSECONDS_PER_SECOND)

    def _held(self, store: ClientStore, height: Height) -> HeldBlock:
        state = self._states.read(store, height)
        if state is None:
            raise EvidenceRefused(f"no consensus state: height={height}")
        time_s = state.time_ns // NANOSECONDS_PER_SECOND
        return HeldBlock(height.revision_height, state.block_hash, time_s)

    def _write_known(
        self, store: ClientStore, client: ClientState, knowledge: Knowledge
    ) -> ClientState:
        """Write what is known, configurations beside the client state; return that state."""
        names = tuple(KnownConfig(one.number, b"") for one in knowledge.configs)
        known = replace(client, configs=names, definitions=knowledge.definitions)
        if known == client:
            return client
        held = {one.number for one in client.configs if not one.config}
        for one in knowledge.configs:
            if one.number not in held:
                store.set(_config_key(one.number), one.config)
        for number in held - {one.number for one in names}:
            store.delete(_config_key(number))
        self._states.write_client(store, known)
        return known


def _config_key(number: int) -> bytes:
    return b"configs/" + str(number).encode()


def _read_config(store: ClientStore, named: KnownConfig) -> KnownConfig:
    config = store.get(_config_key(named.number))
    assert config is not None, f"configuration is named but not held: {named.number}"
    return KnownConfig(named.number, config)


def _knowledge(client: ClientState) -> Knowledge:
    return Knowledge(client.channel, client.chaincode, client.configs, client.definitions)


def _fits(
    verified: VerifiedHeader,
    below: Neighbour[ConsensusState] | None,
    above: Neighbour[ConsensusState] | None,
) -> bool:
    """
    Say whether a block can be of one chain with those held next to it; if not, two were signed.

    Time rises with height, and a block stands on the one right below it.
    """
    time_ns = verified.consensus_state.time_ns
    if below is not None:
        if below.state.time_ns >= time_ns:
            return False
        if below.height.revision_height + 1 == verified.number and (
            below.state.block_hash != verified.previous_hash
        ):
            return False
    return above is None or time_ns < above.state.time_ns


def _are_conflicting(high: VerifiedHeader, low: VerifiedHeader) -> bool:
    if high.number == low.number:
        return high.consensus_state != low.consensus_state
    return high.number > low.number and high.consensus_state.time_ns <= low.consensus_state.time_ns


def _check_client_state(client: ClientState) -> None:
    """Raise ClientRefused if a parameter is out of its range."""
    for name in (client.channel, client.chaincode):
        if not 0 < len(name) <= NAME_CHARACTERS_MAX:
            raise ClientRefused("channel or chaincode without name, or with one too long")
    if len(client.genesis_hash) != HASH_BYTES:
        raise ClientRefused("genesis hash is not 32 bytes")
    if not 1 <= client.latest_height <= NUMBER_MAX:
        raise ClientRefused("latest height out of range")
    if not 0 < client.trusting_period_ns < _SPAN_NS_COUNT:
        raise ClientRefused("trusting period out of range")
    if not 0 < client.max_clock_drift_ns < _SPAN_NS_COUNT:
        raise ClientRefused("clock drift out of range")
    if client.is_frozen:
        raise ClientRefused("client is born frozen")


def _check_knowledge(knowledge: Knowledge) -> None:
    """Raise ClientRefused, or Malformed, unless a client may begin with this."""
    configs, definitions = knowledge.configs, knowledge.definitions
    if not 0 < len(configs) <= KNOWN_MAX or not 0 < len(definitions) <= KNOWN_MAX:
        raise ClientRefused("no configuration or definition, or too many")
    numbers = [one.number for one in configs]
    sequences = [knowledge.rules_of(one).config.sequence for one in configs]
    if numbers != sorted(set(numbers)) or sequences != _counted_from(sequences[0], sequences):
        raise ClientRefused("configurations are not one after the other")
    versions = [one.version for one in definitions]
    counted = [one.sequence for one in definitions]
    if versions != sorted(set(versions)) or counted != _counted_from(counted[0], counted):
        raise ClientRefused("definitions are not one after the other")
    for one in definitions:
        endorsement_policy(one)


def _counted_from(first: int, numbers: list[int]) -> list[int]:
    return list(range(first, first + len(numbers)))
