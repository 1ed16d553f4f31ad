"""Envelopes and their headers: what every transaction of Fabric travels in."""

from __future__ import annotations

from dataclasses import dataclass

from tieline.wire.errors import Malformed
from tieline.wire.fabric.reader import Message
from tieline.wire.proto_fields import bytes_field, int_field, message_field, uint_field

CONFIG = 1
CONFIG_UPDATE = 2
ENDORSER_TRANSACTION = 3

_NS_PER_S = 10**9
_UINT64_COUNT = 1 << 64


@dataclass(frozen=True, slots=True)
class Envelope:
    """``common.Envelope``: a payload with its creator's signature over it."""

    payload: bytes
    signature: bytes

    def encode(self) -> bytes:
        """Write the envelope."""
        return bytes_field(1, self.payload) + bytes_field(2, self.signature)

    @staticmethod
    def decode(data: bytes) -> Envelope:
        """Read an envelope as a peer does. Raises Malformed."""
        fields = Message(data)
        return Envelope(fields.octets(1), fields.octets(2))


@dataclass(frozen=True, slots=True)
class ChannelHeader:
    """``common.ChannelHeader``: what kind of transaction, for which channel."""

    type: int
    channel_id: str
    tx_id: str
    extension: bytes = b""
    seconds: int = 0
    """Unix time that the client chose; nobody checks it."""
    nanos: int = 0
    version: int = 0
    epoch: int = 0
    tls_cert_hash: bytes = b""

    def encode(self) -> bytes:
        """Write the header."""
        time = int_field(1, self.seconds) + int_field(2, self.nanos)
        return (
            int_field(1, self.type)
            + int_field(2, self.version)
            + (message_field(3, time) if time else b"")
            + bytes_field(4, self.channel_id.encode())
            + bytes_field(5, self.tx_id.encode())
            + uint_field(6, self.epoch)
            + bytes_field(7, self.extension)
            + bytes_field(8, self.tls_cert_hash)
        )

    @staticmethod
    def decode(data: bytes) -> ChannelHeader:
        """Read a header as a peer does. Raises Malformed."""
        fields = Message(data)
        time = fields.message(3)
        return ChannelHeader(
            fields.int32(1),
            fields.text(4),
            fields.text(5),
            fields.octets(7),
            time.int64(1),
            time.int32(2),
            fields.int32(2),
            fields.uint64(6),
            fields.octets(8),
        )


@dataclass(frozen=True, slots=True)
class SignatureHeader:
    """``common.SignatureHeader``: who signs, and a number used once."""

    creator: bytes
    """``SerializedIdentity``."""
    nonce: bytes

    def encode(self) -> bytes:
        """Write the header."""
        return bytes_field(1, self.creator) + bytes_field(2, self.nonce)

    @staticmethod
    def decode(data: bytes) -> SignatureHeader:
        """Read a header as a peer does. Raises Malformed."""
        fields = Message(data)
        return SignatureHeader(fields.octets(1), fields.octets(2))


@dataclass(frozen=True, slots=True)
class Payload:
    """``common.Payload``: two headers, as bytes, and data of the header's type."""

    channel_header: bytes
    signature_header: bytes
    data: bytes

    def encode(self) -> bytes:
        """Write the payload."""
        header = bytes_field(1, self.channel_header) + bytes_field(2, self.signature_header)
        return message_field(1, header) + bytes_field(2, self.data)

    @staticmethod
    def decode(data: bytes) -> Payload:
        """Read a payload as a peer does. Raises Malformed; also if it has no header."""
        fields = Message(data)
        if not fields.has(1):
            raise Malformed("payload without header")
        header = fields.message(1)
        return Payload(header.octets(1), header.octets(2), fields.octets(2))


def channel_header_of(envelope: bytes) -> ChannelHeader:
    """Return the channel header of an envelope, of whatever type. Raises Malformed."""
    payload = Payload.decode(Envelope.decode(envelope).payload)
    return ChannelHeader.decode(payload.channel_header)
