"""
What all light clients have alike: they are created, take messages, hold states in order of height,
freeze and expire. A client type adds what it believes, and how a proof is read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Generic, NamedTuple, Protocol, Self, TypeAlias, TypeVar

from tieline.light_clients import height_chain
from tieline.light_clients.client_states import ClientStates
from tieline.protocol.client import ClientStatus, ClientStore, UpdateResult
from tieline.protocol.errors import ClientRefused, ConsensusStateNotFound
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.protocol.time import TimestampNanoseconds
from tieline.wire.errors import Malformed

FROZEN = UpdateResult((), misbehaviour=True)
NOTHING_NEW = UpdateResult(())


class NotConvincing(Exception):
    """A client message breaks a rule of its type; ``ClientRules.update`` makes it ClientRefused."""


class HeldClientState(Protocol):
    """What the rules ask of a client state; a frozen dataclass."""

    @property
    def latest(self) -> Height:
        """The highest height with a consensus state."""
        ...

    @property
    def is_frozen(self) -> bool:
        """Whether misbehaviour was proved."""
        ...

    @property
    def trusting_period_ns(self) -> int | None:
        """How long a state is believed; None where nothing expires."""
        ...

    def risen_to(self, height: Height) -> Self:
        """Return it with another latest height."""
        ...

    def frozen(self) -> Self:
        """Return it frozen."""
        ...

    def as_any(self) -> AnyMessage:
        """Return the bytes with their type."""
        ...


class HeldConsensusState(Protocol):
    """What the rules ask of a consensus state; equal if it says the same."""

    @property
    def time_ns(self) -> int:
        """The chain's time at its height."""
        ...

    def as_any(self) -> AnyMessage:
        """Return the bytes with their type."""
        ...


ClientT = TypeVar("ClientT", bound=HeldClientState)
ConsensusT = TypeVar("ConsensusT", bound=HeldConsensusState)


class Neighbour(NamedTuple, Generic[ConsensusT]):
    """A state that is held next to another."""

    height: Height
    state: ConsensusT


Fits: TypeAlias = Callable[[Neighbour[ConsensusT] | None, Neighbour[ConsensusT] | None], bool]
"""Whether a state can be of one history with those held next below and next above."""

Taker: TypeAlias = Callable[[ClientStore, ClientT, bytes, TimestampNanoseconds], UpdateResult]
"""What takes a message of one type: store, client (not frozen), bytes, this ledger's time."""


def is_expired(time_ns: int, trusting_period_ns: int | None, now_ns: int) -> bool:
    """Tell whether what was trusted at a time has been so for too long; inclusive."""
    return trusting_period_ns is not None and time_ns + trusting_period_ns <= now_ns


class ClientRules(ABC, Generic[ClientT, ConsensusT]):
    """
    With the two ``verify`` methods of its type it fits ``protocol.client.LightClient``.

    Holds no state of a client: one object serves all of its type.
    """

    client_type: str
    _client_state_url: str
    _consensus_state_url: str

    def __init__(
        self, states: ClientStates[ClientT, ConsensusT], takers: Mapping[str, Taker[ClientT]]
    ) -> None:
        """Take where states are kept, and by type URL what takes which client message."""
        self._states = states
        self._takers = takers

    @abstractmethod
    def _check(self, client: ClientT, consensus: ConsensusT) -> None:
        """Raise ClientRefused, or Malformed, if a new client may not begin like this."""

    def accepts(self, client_state: AnyMessage) -> bool:
        """Say whether this client state is of this type."""
        return client_state.type_url == self._client_state_url

    def initialise(
        self, store: ClientStore, client_state: AnyMessage, consensus_state: AnyMessage
    ) -> None:
        """Check both states and write them. Raises ClientRefused."""
        if consensus_state.type_url != self._consensus_state_url or not self.accepts(client_state):
            raise ClientRefused("states of another client type")
        try:
            client = self._states.decode_client(client_state.value)
            consensus = self._states.decode(consensus_state.value)
            self._check(client, consensus)
        except Malformed as exc:
            raise ClientRefused(f"state malformed: {exc}") from exc
        self._states.write_client(store, client)
        self._states.write_first(store, client.latest, consensus)

    def status(self, store: ClientStore, now_ns: TimestampNanoseconds) -> ClientStatus:
        """Return the client's status at *now_ns* of this ledger's chain time."""
        client = self._states.read_client(store)
        if client is None:
            return ClientStatus.UNKNOWN
        if client.is_frozen:
            return ClientStatus.FROZEN
        latest = self._states.read(store, client.latest)
        if latest is None or is_expired(latest.time_ns, client.trusting_period_ns, now_ns):
            return ClientStatus.EXPIRED
        return ClientStatus.ACTIVE

    def latest_height(self, store: ClientStore) -> Height:
        """Return the highest height with a consensus state."""
        return self._client(store).latest

    def timestamp_ns(self, store: ClientStore, height: Height) -> TimestampNanoseconds:
        """Return the chain's time at *height*. Raises ConsensusStateNotFound."""
        consensus = self._states.read(store, height)
        if consensus is None:
            raise ConsensusStateNotFound("no consensus state", height=height)
        return TimestampNanoseconds(consensus.time_ns)

    def update(
        self, store: ClientStore, message: AnyMessage, now_ns: TimestampNanoseconds
    ) -> UpdateResult:
        """Take a client message: a header, proof of misbehaviour. Raises ClientRefused."""
        client = self._client(store)
        if client.is_frozen:
            raise ClientRefused("client is frozen")
        take = self._takers.get(message.type_url)
        if take is None:
            raise ClientRefused("unknown client message", type_url=message.type_url)
        try:
            return take(store, client, message.value, now_ns)
        except (NotConvincing, Malformed) as exc:
            raise ClientRefused(str(exc)) from exc

    def _client(self, store: ClientStore) -> ClientT:
        client = self._states.read_client(store)
        if client is None:
            raise ClientRefused("no client state")
        return client

    def _trusted(self, store: ClientStore, height: Height) -> ConsensusT:
        """Return the state that a message builds upon. Raises ClientRefused if it is not held."""
        trusted = self._states.read(store, height)
        if trusted is None:
            raise ClientRefused("no consensus state at the trusted height", height=height)
        return trusted

    def _hold(
        self,
        store: ClientStore,
        client: ClientT,
        verified: Neighbour[ConsensusT],
        now_ns: int,
        fits: Fits[ConsensusT],
    ) -> UpdateResult:
        """
        Hold a state that was verified; two that cannot both be true freeze the client.

        Raises:
            ClientRefused: It lies too far back, or *fits* says so.
        """
        height, state = verified
        held = self._states.read(store, height)
        if held is not None and held != state:
            return self._freeze(store, client)
        if held is None:
            try:
                below, above = height_chain.find_neighbours(store, height, client.latest)
            except height_chain.TooFarBack:
                raise ClientRefused("too many newer heights are held", height=height) from None
            if not fits(self._neighbour(store, below), self._neighbour(store, above)):
                return self._freeze(store, client)
            self._states.insert(store, height, state, below, above)
            if above is None:
                self._states.write_client(store, client.risen_to(height))
        self._forget_expired(store, client, now_ns)
        return NOTHING_NEW if held is not None else UpdateResult((height,))

    def _freeze(self, store: ClientStore, client: ClientT) -> UpdateResult:
        self._states.write_client(store, client.frozen())
        return FROZEN

    def _neighbour(self, store: ClientStore, height: Height | None) -> Neighbour[ConsensusT] | None:
        if height is None:
            return None
        state = self._states.read(store, height)
        assert state is not None, f"neighbour without state: {height}"
        return Neighbour(height, state)

    def _forget_expired(self, store: ClientStore, client: ClientT, now_ns: int) -> None:
        """Drop at most one state an update, as ibc-go does, so that its cost is bounded."""
        period_ns = client.trusting_period_ns
        if period_ns is None:
            return
        if is_expired(self._states.earliest(store).time_ns, period_ns, now_ns):
            self._states.forget_earliest(store)
