"""
What a client keeps in its store, beside the chain of heights.

    clientState                    Any of its client state
    consensusStates/{rev}-{height} Any of its consensus state
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Generic, Protocol, TypeVar

from tieline.light_clients import height_chain
from tieline.light_clients.store_keys import CLIENT_STATE_KEY, consensus_key
from tieline.protocol.client import ClientStore
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.wire.attestation_proofs import decode_any, encode_any


class _State(Protocol):
    def as_any(self) -> AnyMessage: ...


ClientT = TypeVar("ClientT", bound=_State)
ConsensusT = TypeVar("ConsensusT", bound=_State)


class ClientStates(Generic[ClientT, ConsensusT]):
    """Reads and writes the states of one client type; what was decoded once is remembered."""

    def __init__(
        self, decode_client: Callable[[bytes], ClientT], decode_state: Callable[[bytes], ConsensusT]
    ) -> None:
        """Take the decoders of both states."""
        self.decode_client = decode_client
        self.decode = decode_state
        self._client = lru_cache(maxsize=256)(_unwrapped(decode_client))
        self._state = lru_cache(maxsize=1024)(_unwrapped(decode_state))

    def read_client(self, store: ClientStore) -> ClientT | None:
        """Return the client state; None before ``initialise``."""
        data = store.get(CLIENT_STATE_KEY)
        return None if data is None else self._client(data)

    def write_client(self, store: ClientStore, client: ClientT) -> None:
        """Replace the client state."""
        store.set(CLIENT_STATE_KEY, encode_any(client.as_any()))

    def read(self, store: ClientStore, height: Height) -> ConsensusT | None:
        """Return what is held of *height*; None if nothing."""
        data = store.get(consensus_key(height))
        return None if data is None else self._state(data)

    def write_first(self, store: ClientStore, height: Height, state: ConsensusT) -> None:
        """Begin the chain of consensus states."""
        store.set(consensus_key(height), encode_any(state.as_any()))
        height_chain.begin(store, height)

    def insert(
        self,
        store: ClientStore,
        height: Height,
        state: ConsensusT,
        below: Height | None,
        above: Height | None,
    ) -> None:
        """Write a consensus state between two neighbours."""
        store.set(consensus_key(height), encode_any(state.as_any()))
        height_chain.insert(store, height, below, above)

    def earliest(self, store: ClientStore) -> ConsensusT:
        """Return the lowest consensus state."""
        state = self.read(store, height_chain.earliest(store))
        assert state is not None, "earliest height without state"
        return state

    def forget_earliest(self, store: ClientStore) -> None:
        """Drop the lowest consensus state; there are at least two."""
        store.delete(consensus_key(height_chain.forget_earliest(store)))


T = TypeVar("T")


def _unwrapped(decode: Callable[[bytes], T]) -> Callable[[bytes], T]:
    def read(data: bytes) -> T:
        return decode(decode_any(data).value)

    return read
