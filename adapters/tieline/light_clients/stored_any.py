"""How client and consensus states lie in a store: as ``google.protobuf.Any``, as in ibc-go."""

from __future__ import annotations

from tieline.protocol.messages import AnyMessage
from tieline.wire.proto_fields import Fields, bytes_field

CLIENT_STATE_KEY = b"clientState"


def encode_any(message: AnyMessage) -> bytes:
    """Write an Any."""
    return bytes_field(1, message.type_url.encode()) + bytes_field(2, message.value)


def decode_any(data: bytes) -> AnyMessage:
    """Read an Any; Malformed if it is none."""
    fields = Fields(data, known=2)
    return AnyMessage(fields.text(1), fields.octets(2))
