"""Who signs in Fabric: an organisation's name with an X.509 certificate. Judges neither."""

from __future__ import annotations

from dataclasses import dataclass

from tieline.wire.fabric.reader import Message
from tieline.wire.proto_fields import bytes_field


@dataclass(frozen=True, slots=True)
class SerializedIdentity:
    """``msp.SerializedIdentity``, the creator of a transaction or an endorser."""

    msp_id: str
    certificate: bytes
    """PEM, as the signer wrote it."""

    def encode(self) -> bytes:
        """Write the identity."""
        return bytes_field(1, self.msp_id.encode()) + bytes_field(2, self.certificate)

    @staticmethod
    def decode(data: bytes) -> SerializedIdentity:
        """Read an identity. Raises Malformed."""
        fields = Message(data)
        return SerializedIdentity(fields.text(1), fields.octets(2))
