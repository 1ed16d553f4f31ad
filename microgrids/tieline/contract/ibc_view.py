"""
IBC's view of this ledger: store ``ibc`` under its keys, light clients bound to their stores.

A client's own keys are under ``clients/{id}/``; beside them ``counterparty`` and ``creator``, as
in ibc-go.
"""

from __future__ import annotations

from functools import lru_cache

from tieline.contract.context import Context
from tieline.contract.store import Scoped
from tieline.protocol.client import BoundClient, Counterparty
from tieline.protocol.commitment import client_prefix
from tieline.protocol.events import Event
from tieline.protocol.identifiers import ClientId, client_type_of
from tieline.protocol.packet import Acknowledgement, Packet
from tieline.protocol.time import TimestampNanoseconds, TimestampSeconds
from tieline.wire.codec import decode_packet, encode_acknowledgement, encode_packet

_COUNTERPARTY = b"counterparty"
_CREATOR = b"creator"


class IbcView:
    """Fits ``protocol.handlers.context.WriteContext`` for one transaction."""

    __slots__ = ("_ctx",)

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    @property
    def now_s(self) -> TimestampSeconds:
        """Chain time, whole seconds."""
        return self._ctx.now_s

    @property
    def now_ns(self) -> TimestampNanoseconds:
        """Chain time."""
        return self._ctx.now_ns

    def get(self, key: bytes) -> bytes | None:
        """Read store ``ibc``."""
        return self._ctx.ibc.get(key)

    def set(self, key: bytes, value: bytes) -> None:
        """Write store ``ibc``."""
        self._ctx.ibc.set(key, value)

    def delete(self, key: bytes) -> None:
        """Forget a key of store ``ibc``."""
        self._ctx.ibc.delete(key)

    def emit(self, event: Event) -> None:
        """Add an event."""
        self._ctx.emit(event)

    def client(self, client_id: str) -> BoundClient | None:
        """Return a client whose creator is known, which is how existence is told."""
        if self.creator(client_id) is None:
            return None
        return self.bind(ClientId(client_id))

    def bind(self, client_id: ClientId) -> BoundClient | None:
        """Return rules and store of a client id, whether the client exists or not."""
        rules = self._ctx.light_clients.get(client_type_of(client_id))
        if rules is None:
            return None
        return BoundClient(client_id, rules, Scoped(self._ctx.ibc, client_prefix(client_id)))

    def creator(self, client_id: str) -> bytes | None:
        """Return who created the client."""
        return self._ctx.ibc.get(client_prefix(client_id) + _CREATOR)

    def set_creator(self, client_id: str, account: bytes) -> None:
        """Remember who created a client."""
        self._ctx.ibc.set(client_prefix(client_id) + _CREATOR, account)

    def counterparty(self, client_id: str) -> Counterparty | None:
        """Return the client's counterparty."""
        data = self._ctx.ibc.get(client_prefix(client_id) + _COUNTERPARTY)
        return None if data is None else decode_counterparty(data)

    def set_counterparty(self, client_id: str, counterparty: Counterparty) -> None:
        """Pair a client."""
        key = client_prefix(client_id) + _COUNTERPARTY
        self._ctx.ibc.set(key, encode_counterparty(counterparty))

    def encode_packet(self, packet: Packet) -> bytes:
        """Return protobuf bytes."""
        return encode_packet(packet)

    def decode_packet(self, data: bytes) -> Packet:
        """Read protobuf bytes."""
        return decode_packet(data)

    def encode_acknowledgement(self, acknowledgement: Acknowledgement) -> bytes:
        """Return protobuf bytes."""
        return encode_acknowledgement(acknowledgement)


def encode_counterparty(counterparty: Counterparty) -> bytes:
    """Return one length byte before each: the client id, then every part of the prefix."""
    parts = (counterparty.client_id.encode(), *counterparty.merkle_prefix)
    return b"".join(len(part).to_bytes(1, "big") + part for part in parts)


@lru_cache(maxsize=1_024)
def decode_counterparty(data: bytes) -> Counterparty:
    """Read what ``encode_counterparty`` made."""
    parts: list[bytes] = []
    place = 0
    while place < len(data):
        end = place + 1 + data[place]
        parts.append(data[place + 1 : end])
        place = end
    return Counterparty(parts[0].decode(), tuple(parts[1:]))
