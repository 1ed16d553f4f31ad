"""
What a light client is: the rules by which one ledger believes another. No rule is here, only the
shape; implementations are in ``tieline.light_clients``.

One stateless object serves all clients of its type; what a client knows is in its ``ClientStore``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.protocol.time import TimestampNanoseconds


class ClientStatus(Enum):
    """Whether a client may be relied upon; the values are ibc-go's."""

    ACTIVE = "Active"
    EXPIRED = "Expired"
    """Not updated within the trusting period; its validators could lie unpunished."""
    FROZEN = "Frozen"
    """Misbehaviour was proved."""
    UNKNOWN = "Unknown"


class ClientStore(Protocol):
    """A client's own keys, relative to ``clients/{id}/`` of store ``ibc``."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value of *key*, None if there is none."""
        ...

    def set(self, key: bytes, value: bytes) -> None:
        """Write a value; it may not be empty."""
        ...

    def delete(self, key: bytes) -> None:
        """Forget a key; no error if it is not there."""
        ...


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """What a client message did."""

    heights: tuple[Height, ...]
    """Consensus states that the client holds now because of it; empty if nothing is new."""
    misbehaviour: bool = False
    """The client has frozen itself."""


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether a proof holds. True in a condition exactly if it does."""

    refusal: str | None
    """Why it does not; None if it holds."""

    def __bool__(self) -> bool:
        return self.refusal is None


VERIFIED = Verification(None)


def refused(reason: str) -> Verification:
    """Return a verification that failed. The reason names the first rule that was broken."""
    return Verification(reason)


class LightClient(Protocol):
    """The rules of one client type. Holds no state, reads no clock."""

    @property
    def client_type(self) -> str:
        """The name in client ids, such as ``07-tendermint``."""
        ...

    def accepts(self, client_state: AnyMessage) -> bool:
        """Say whether this client state is of this type (for a paired one: its native part)."""
        ...

    def initialise(
        self, store: ClientStore, client_state: AnyMessage, consensus_state: AnyMessage
    ) -> None:
        """
        Check both and write them.

        Raises:
            ClientRefused: A parameter is out of its range, or bytes do not decode.
        """
        ...

    def status(self, store: ClientStore, now_ns: TimestampNanoseconds) -> ClientStatus:
        """Return the client's status at *now_ns* of this ledger's chain time."""
        ...

    def latest_height(self, store: ClientStore) -> Height:
        """Return the highest height with a consensus state."""
        ...

    def timestamp_ns(self, store: ClientStore, height: Height) -> TimestampNanoseconds:
        """
        Return the counterparty's chain time at *height*.

        Raises:
            ConsensusStateNotFound: The client holds nothing for that height.
        """
        ...

    def update(
        self, store: ClientStore, message: AnyMessage, now_ns: TimestampNanoseconds
    ) -> UpdateResult:
        """
        Take a header or proof of misbehaviour. The caller has checked that the client is active.

        Raises:
            ClientRefused: The message does not convince. Nothing may have been written.
        """
        ...

    def verify_membership(
        self,
        store: ClientStore,
        height: Height,
        proof: bytes,
        path: tuple[bytes, ...],
        value: bytes,
    ) -> Verification:
        """Say whether *proof* shows *value* at *path* under the consensus state of *height*."""
        ...

    def verify_non_membership(
        self, store: ClientStore, height: Height, proof: bytes, path: tuple[bytes, ...]
    ) -> Verification:
        """Say whether *proof* shows that nothing is at *path* at *height*."""
        ...


@dataclass(frozen=True, slots=True)
class Counterparty:
    """The client that tracks this ledger on the other side, and where that side keeps its keys."""

    client_id: str
    merkle_prefix: tuple[bytes, ...]
    """``("ibc", "")`` for CometBFT hosts, ``("",)`` for all others."""


@dataclass(frozen=True, slots=True)
class BoundClient:
    """A light client together with the store of one client id."""

    client_id: str
    rules: LightClient
    store: ClientStore

    def status(self, now_ns: TimestampNanoseconds) -> ClientStatus:
        """Return the client's status."""
        return self.rules.status(self.store, now_ns)
