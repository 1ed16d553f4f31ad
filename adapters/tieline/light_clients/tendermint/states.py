"""
What a 07-tendermint client keeps in its store.

Consensus states form a chain by height: each names the heights below and above it, so that time
can be checked against both neighbours and the oldest be forgotten, without a range query (Fabric
has none inside a transaction that updates).

    clientState                    Any of ClientState
    consensusStates/{rev}-{height} Any of ConsensusState
    neighbours/{rev}-{height}      four uint64: revision and height below, then above; zeros: none
    earliest                       two uint64: the lowest height held
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct

from tieline.light_clients.stored_any import CLIENT_STATE_KEY, decode_any, encode_any
from tieline.light_clients.tendermint.messages import ClientState, ConsensusState
from tieline.protocol.client import ClientStore
from tieline.protocol.height import Height

NEIGHBOUR_STEPS_MAX = 4096
"""A back-filled header starts within this many states of its trusted height, or is refused."""

_EARLIEST_KEY = b"earliest"
_PAIR = Struct(">QQQQ")
_ONE = Struct(">QQ")


class TooFarBack(Exception):
    """Between the trusted height and the new one lie too many states: trust a nearer one."""


@lru_cache(maxsize=256)
def _client_state(data: bytes) -> ClientState:
    return ClientState.decode(decode_any(data).value)


@lru_cache(maxsize=1024)
def _consensus_state(data: bytes) -> ConsensusState:
    return ConsensusState.decode(decode_any(data).value)


def _consensus_key(height: Height) -> bytes:
    return b"consensusStates/" + str(height).encode()


def _neighbours_key(height: Height) -> bytes:
    return b"neighbours/" + str(height).encode()


def _height(revision: int, block: int) -> Height | None:
    return Height(revision, block) if block else None


def _numbers(height: Height | None) -> tuple[int, int]:
    return (height.revision_number, height.revision_height) if height else (0, 0)


def read_client_state(store: ClientStore) -> ClientState | None:
    """Return the client state; None before ``initialise``."""
    data = store.get(CLIENT_STATE_KEY)
    return None if data is None else _client_state(data)


def write_client_state(store: ClientStore, state: ClientState) -> None:
    """Replace the client state."""
    store.set(CLIENT_STATE_KEY, encode_any(state.as_any()))


def read_consensus_state(store: ClientStore, height: Height) -> ConsensusState | None:
    """Return what is held of *height*; None if nothing."""
    data = store.get(_consensus_key(height))
    return None if data is None else _consensus_state(data)


def write_first_state(store: ClientStore, height: Height, state: ConsensusState) -> None:
    """Begin the chain of consensus states."""
    store.set(_consensus_key(height), encode_any(state.as_any()))
    _write_neighbours(store, height, None, None)
    store.set(_EARLIEST_KEY, _ONE.pack(*_numbers(height)))


def find_neighbours(
    store: ClientStore, height: Height, trusted: Height, latest: Height
) -> tuple[Height, Height | None]:
    """
    Return the heights held next below and next above *height*, which is not held itself.

    Args:
        store: The client's store.
        height: Above *trusted*.
        trusted: Held.
        latest: The highest held.

    Raises:
        TooFarBack: *trusted* is not near enough.
    """
    if height > latest:
        return latest, None
    below = trusted
    for _ in range(NEIGHBOUR_STEPS_MAX):
        above = _read_neighbours(store, below)[1]
        if above is None or above > height:
            return below, above
        below = above
    raise TooFarBack


def insert_state(
    store: ClientStore,
    height: Height,
    state: ConsensusState,
    below: Height,
    above: Height | None,
) -> None:
    """Write a consensus state between two neighbours."""
    store.set(_consensus_key(height), encode_any(state.as_any()))
    _write_neighbours(store, height, below, above)
    _write_neighbours(store, below, _read_neighbours(store, below)[0], height)
    if above is not None:
        _write_neighbours(store, above, height, _read_neighbours(store, above)[1])


def earliest_height(store: ClientStore) -> Height:
    """Return the lowest height held."""
    data = store.get(_EARLIEST_KEY)
    assert data is not None, "client without states"
    return Height(*_ONE.unpack(data))


def forget_earliest(store: ClientStore) -> None:
    """Drop the lowest consensus state; there are at least two."""
    height = earliest_height(store)
    above = _read_neighbours(store, height)[1]
    assert above is not None, "the only consensus state is never dropped"
    store.delete(_consensus_key(height))
    store.delete(_neighbours_key(height))
    _write_neighbours(store, above, None, _read_neighbours(store, above)[1])
    store.set(_EARLIEST_KEY, _ONE.pack(*_numbers(above)))


def _read_neighbours(store: ClientStore, height: Height) -> tuple[Height | None, Height | None]:
    data = store.get(_neighbours_key(height))
    assert data is not None, f"consensus state without neighbours: {height}"
    below_revision, below, above_revision, above = _PAIR.unpack(data)
    return _height(below_revision, below), _height(above_revision, above)


def _write_neighbours(
    store: ClientStore, height: Height, below: Height | None, above: Height | None
) -> None:
    store.set(_neighbours_key(height), _PAIR.pack(*_numbers(below), *_numbers(above)))
