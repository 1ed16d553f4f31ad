"""What the handlers need of a ledger: to read, and to read and write."""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import Protocol

from tieline.protocol.client import BoundClient, ClientStatus, Counterparty
from tieline.protocol.errors import (
    ClientNotActive,
    ClientNotFound,
    CounterpartyMismatch,
    CounterpartyNotFound,
)
from tieline.protocol.events import Event
from tieline.protocol.packet import Acknowledgement, Packet
from tieline.protocol.time import TimestampNanoseconds, TimestampSeconds


class Freshness(Enum):
    """Whether a well-formed message still has something to do."""

    FRESH = "fresh"
    ALREADY_DONE = "already done"
    """Another relayer was faster, or the bytes came twice: success without effect."""


class ReadContext(Protocol):
    """A ledger that can be asked."""

    @property
    def now_s(self) -> TimestampSeconds:
        """This ledger's chain time, whole seconds."""
        ...

    @property
    def now_ns(self) -> TimestampNanoseconds:
        """This ledger's chain time."""
        ...

    def get(self, key: bytes) -> bytes | None:
        """Return a value of store ``ibc``."""
        ...

    def client(self, client_id: str) -> BoundClient | None:
        """Return a client that exists here."""
        ...

    def creator(self, client_id: str) -> bytes | None:
        """Return the account that created the client, if it may still register a counterparty."""
        ...

    def counterparty(self, client_id: str) -> Counterparty | None:
        """Return the client's counterparty."""
        ...


class WriteContext(ReadContext, Protocol):
    """A ledger that can be changed."""

    def set(self, key: bytes, value: bytes) -> None:
        """Write a value of store ``ibc``."""
        ...

    def delete(self, key: bytes) -> None:
        """Forget a key of store ``ibc``."""
        ...

    def emit(self, event: Event) -> None:
        """Tell observers."""
        ...

    def set_creator(self, client_id: str, account: bytes) -> None:
        """Remember who created a client."""
        ...

    def set_counterparty(self, client_id: str, counterparty: Counterparty) -> None:
        """Pair a client, for good."""
        ...

    def encode_packet(self, packet: Packet) -> bytes:
        """Return the packet's protobuf bytes, for events and late acknowledgements."""
        ...

    def decode_packet(self, data: bytes) -> Packet:
        """Return the packet of bytes that ``encode_packet`` made."""
        ...

    def encode_acknowledgement(self, acknowledgement: Acknowledgement) -> bytes:
        """Return the acknowledgement's protobuf bytes, for events."""
        ...


def require_client(ctx: ReadContext, client_id: str) -> BoundClient:
    """Return the client. Raises ClientNotFound."""
    client = ctx.client(client_id)
    if client is None:
        raise ClientNotFound("light client not found", client_id=client_id)
    return client


def require_active(ctx: ReadContext, client: BoundClient) -> None:
    """Raise ClientNotActive unless the client may be relied upon now."""
    status = client.status(ctx.now_ns)
    if status is not ClientStatus.ACTIVE:
        raise ClientNotActive(
            "client is not active", client_id=client.client_id, status=status.value
        )


def require_counterparty(ctx: ReadContext, local_client: str, remote_client: str) -> Counterparty:
    """
    Return the counterparty of *local_client*, which must be *remote_client*.

    Raises:
        CounterpartyNotFound: The client is not paired yet.
        CounterpartyMismatch: It is paired with another one.
    """
    counterparty = ctx.counterparty(local_client)
    if counterparty is None:
        raise CounterpartyNotFound("client has no counterparty", client_id=local_client)
    if counterparty.client_id != remote_client:
        raise CounterpartyMismatch(
            "counterparty mismatch",
            client_id=local_client,
            expected=counterparty.client_id,
            actual=remote_client,
        )
    return counterparty


def packet_event(ctx: WriteContext, name: str, packet: Packet) -> Event:
    """Build one of ibc-go's packet events."""
    return Event(
        name,
        (
            *_ends(packet.source_client, packet.destination_client),
            ("packet_sequence", str(packet.sequence)),
            ("packet_timeout_timestamp", str(packet.timeout_s)),
            ("encoded_packet_hex", ctx.encode_packet(packet).hex()),
        ),
    )


@lru_cache(maxsize=1_024)
def _ends(source_client: str, destination_client: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return the attributes that all events of a pair share: ledgers keep events for good."""
    return ("packet_source_client", source_client), ("packet_dest_client", destination_client)
