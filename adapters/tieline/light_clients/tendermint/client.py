"""The rules of 07-tendermint clients: create, update, freeze, expire, verify."""

from __future__ import annotations

from functools import partial
from typing import TypeAlias

from tieline.light_clients import ics23
from tieline.light_clients.client_rules import ClientRules, Neighbour, is_expired
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
    Verifier,
    check_times,
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
from tieline.protocol.time import TimestampNanoseconds

CHAIN_ID_CHARACTERS_MAX = 50
"""CometBFT's bound."""

_HASH_BYTES = 32
_NS_PER_S = 10**9
_TIME_NS_COUNT = 1 << 63
_STATES = ClientStates(ClientState.decode, ConsensusState.decode)


class TendermintClient(ClientRules[ClientState, ConsensusState]):
    """Fits ``protocol.client.LightClient``."""

    client_type = "07-tendermint"
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
        self, store: ClientStore, client: ClientState, raw: bytes, now_ns: TimestampNanoseconds
    ) -> UpdateResult:
        trusted_height = trusted_height_of(raw)
        trusted = self._trusted(store, trusted_height)
        header = self._verify(raw, Anchor.of(client, trusted_height, trusted))
        check_times(header.signed_header.header, trusted, client, now_ns)
        consensus = _consensus_of(header)
        new = Neighbour(header.height, consensus)
        return self._hold(store, client, new, now_ns, partial(_is_between, consensus.time_ns))

    def _take_misbehaviour(
        self, store: ClientStore, client: ClientState, raw: bytes, now_ns: TimestampNanoseconds
    ) -> UpdateResult:
        """Freeze on two headers that the trusted validators signed and that cannot both be true."""
        misbehaviour = Misbehaviour.decode(raw)
        headers: list[ClientHeader] = []
        for encoded in (misbehaviour.header_1, misbehaviour.header_2):
            trusted_height = trusted_height_of(encoded)
            trusted = self._trusted(store, trusted_height)
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
        return self._freeze(store, client)

    def _check(self, client: ClientState, consensus: ConsensusState) -> None:
        _check_client_state(client)
        if len(consensus.root) != _HASH_BYTES or len(consensus.next_validators_hash) != _HASH_BYTES:
            raise ClientRefused("consensus state lacks a hash")
        if not _NS_PER_S <= consensus.time_ns < _TIME_NS_COUNT:
            raise ClientRefused("consensus state without a time of 1970 to 2262")


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


_Next: TypeAlias = Neighbour[ConsensusState] | None


def _is_between(time_ns: int, below: _Next, above: _Next) -> bool:
    """Time rises strictly with height; if it does not, somebody signed two histories."""
    is_later = below is None or below.state.time_ns < time_ns
    return is_later and (above is None or time_ns < above.state.time_ns)
