"""
What the hub asks of a ledger: four small interfaces, and what the ledger can do.

All adapters, embedded or native, are held to ``tests/conformance``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, runtime_checkable

from tieline.protocol.events import Event
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage, IbcMessage
from tieline.swap.messages import TradeMessage

Message = IbcMessage | TradeMessage
"""Anything a transaction may carry, in domain form."""


ATTESTATIONS = "attestations"
"""The client type that needs no headers: on ledgers that verify none, and of ledgers without."""


class Finality(Enum):
    """When an observation can no longer be undone."""

    DETERMINISTIC = "deterministic"
    PROBABILISTIC = "probabilistic"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a ledger can do; conformance tests ask for these."""

    kind: str
    """cometbft | evm | fabric | cosmos | sim"""
    client_type: str
    """The light client that verifies this ledger elsewhere, such as 07-tendermint."""
    merkle_prefix: tuple[bytes, ...]
    finality: Finality
    proof_lag: int
    """State of height h is proved with the header of h + proof_lag."""
    native_locks: bool = True
    """False for stock chains, which carry packets only."""
    in_flight_max: int = 1
    """
    Transactions of one lane that may wait for a block at once, in the order they were handed in;
    the adapter counts their sequences. A later one may rest on what an earlier one does.
    """
    verifies_headers: bool = True
    """Whether its contract runs light clients of other kinds; False: attestations alone."""

    def client_type_for(self, tracked: Capabilities) -> str:
        """Return the type of the client that this ledger runs of *tracked*."""
        return tracked.client_type if self.verifies_headers else ATTESTATIONS

    def client_prefix_for(self, tracked: Capabilities) -> tuple[bytes, ...]:
        """Return the merkle prefix under which that client is shown keys of *tracked*."""
        is_attested = self.client_type_for(tracked) == ATTESTATIONS
        return (b"",) if is_attested else tracked.merkle_prefix


@dataclass(frozen=True, slots=True)
class TxEvents:
    """What one transaction of a block did. Refused transactions have a code and no events."""

    tx_hash: bytes
    code: int
    log: str
    events: tuple[Event, ...]
    codespace: str = ""
    """Whose numbers ``code`` is of; empty for success, or where a ledger does not say."""


@dataclass(frozen=True, slots=True)
class BlockEvents:
    """One block as observers see it."""

    height: int
    time_s: int
    """Chain time, unix seconds; several blocks may have the same."""
    transactions: tuple[TxEvents, ...]
    is_provable: bool = True
    """Whether a light client can hold this height: some ledgers have a time at some blocks only."""


@dataclass(frozen=True, slots=True)
class StoredValue:
    """
    A value, or its absence, at a height, with bytes that prove it under the header of
    ``proof_height``.
    """

    key: bytes
    value: bytes | None
    proof_height: Height
    proof: bytes
    """Native proof, as the ledger's own light client takes it (not paired)."""


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """A transaction's way into the ledger."""

    tx_hash: bytes
    height: int | None = None
    """Known once it is in a block."""
    results: tuple[Event, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class PacketProof:
    """A proof that a packet message brought which took effect."""

    step: str
    """recv, ack or timeout."""
    client: str
    """Of the ledger that took it."""
    sequence: int
    height: int
    """Of the ledger whose state is proved: its header's."""
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Fuel:
    """What an account has to pay its transactions with, where they cost something."""

    lane: str
    account: bytes
    unit: str
    """Such as wei."""
    used: int
    """Since genesis."""
    left: int


class LedgerReader(Protocol):
    """Facts of a ledger, as of its latest final block."""

    @property
    def ledger_id(self) -> str:
        """The chain id: unique in a topology."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What this ledger can do."""
        ...

    async def latest_height(self) -> int:
        """Return the height of the latest final block; 0 before the first."""
        ...

    async def latest_time_s(self) -> int:
        """Return the chain time of the latest final block, unix seconds."""
        ...

    async def query(self, store: str, key: bytes) -> bytes | None:
        """Return the committed value of *key* in store ``ibc`` or ``tieline``, unproved."""
        ...

    async def scan(self, store: str, prefix: bytes) -> Sequence[tuple[bytes, bytes]]:
        """
        Return all committed pairs under *prefix*, ascending. For start-up, not for every round.
        """
        ...


class EventSource(Protocol):
    """Events by height; a cursor is the last height seen."""

    async def blocks_after(self, height: int, limit: int = 100) -> Sequence[BlockEvents]:
        """
        Return final blocks with a height above *height*, ascending, without gaps, at most
        *limit*.
        """
        ...


class ProofSource(Protocol):
    """Bytes that another ledger's light client can check."""

    async def prove(self, key: bytes, height: int) -> StoredValue:
        """
        Prove presence or absence of *key* in store ``ibc`` as of block *height*.

        Raises:
            NotYet: The header that proves it is not there yet.
            Unavailable: The ledger does not answer, or has pruned the height.
        """
        ...

    async def header(self, height: int, trusted_height: int) -> AnyMessage:
        """
        Return the native client message that brings a client from *trusted_height* to *height*
        (not paired).
        """
        ...


@runtime_checkable
class BulkProofSource(Protocol):
    """A ledger that proves many keys at once for less; asked for where it is there."""

    async def prove_many(self, keys: Sequence[bytes], height: int) -> Sequence[StoredValue]:
        """
        Prove *keys* as of block *height*, in their order, as ``ProofSource.prove`` does for one.

        Raises:
            NotYet: The header that proves them is not there yet.
            Unavailable: The ledger does not answer, or has pruned the height.
        """
        ...


class LedgerWriter(Protocol):
    """The way in."""

    async def submit(self, lane: str, messages: Sequence[Message]) -> SubmitResult:
        """
        Sign *messages* with the key of *lane* as one transaction and hand it in; all or none
        takes effect.

        Raises:
            Rejected: The ledger refused it at the door.
            Unavailable: It is not known whether it went in; look before sending again.
        """
        ...

    def lane_account(self, lane: str) -> bytes:
        """Return the 20-byte account of *lane*."""
        ...


class Ledger(LedgerReader, EventSource, ProofSource, LedgerWriter, Protocol):
    """All four together."""
