"""
What a 07-tendermint client keeps in its store, beside the chain of heights.

    clientState                    Any of ClientState
    consensusStates/{rev}-{height} Any of ConsensusState
"""

from __future__ import annotations

from functools import lru_cache

from tieline.light_clients import height_chain
from tieline.light_clients.store_keys import CLIENT_STATE_KEY, consensus_key
from tieline.light_clients.tendermint.messages import ClientState, ConsensusState
from tieline.protocol.client import ClientStore
from tieline.protocol.height import Height
from tieline.wire.attestation_proofs import decode_any, encode_any


@lru_cache(maxsize=256)
def _client_state(data: bytes) -> ClientState:
    return ClientState.decode(decode_any(data).value)


@lru_cache(maxsize=1024)
def _consensus_state(data: bytes) -> ConsensusState:
    return ConsensusState.decode(decode_any(data).value)


def read_client_state(store: ClientStore) -> ClientState | None:
    """Return the client state; None before ``initialise``."""
    data = store.get(CLIENT_STATE_KEY)
    return None if data is None else _client_state(data)


def write_client_state(store: ClientStore, state: ClientState) -> None:
    """Replace the client state."""
    store.set(CLIENT_STATE_KEY, encode_any(state.as_any()))


def read_consensus_state(store: ClientStore, height: Height) -> ConsensusState | None:
    """Return what is held of *height*; None if nothing."""
    data = store.get(consensus_key(height))
    return None if data is None else _consensus_state(data)


def write_first_state(store: ClientStore, height: Height, state: ConsensusState) -> None:
    """Begin the chain of consensus states."""
    store.set(consensus_key(height), encode_any(state.as_any()))
    height_chain.begin(store, height)


def insert_state(
    store: ClientStore,
    height: Height,
    state: ConsensusState,
    below: Height | None,
    above: Height | None,
) -> None:
    """Write a consensus state between two neighbours."""
    store.set(consensus_key(height), encode_any(state.as_any()))
    height_chain.insert(store, height, below, above)


def forget_earliest(store: ClientStore) -> None:
    """Drop the lowest consensus state; there are at least two."""
    store.delete(consensus_key(height_chain.forget_earliest(store)))
