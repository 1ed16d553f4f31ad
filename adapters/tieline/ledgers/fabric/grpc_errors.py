"""
What a peer says when a call fails: the code, and the words of each peer that had something to say,
which Fabric's gateway hides in the trailing metadata.

Sources:
    ``google/rpc/status.proto``; fabric-protos ``gateway/gateway.proto``, ErrorDetail.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import grpc
from fabric_protos.gateway import gateway_pb2
from google.protobuf.message import DecodeError

from tieline.wire.errors import Malformed
from tieline.wire.fabric.reader import Message

_DETAILS: Final = "grpc-status-details-bin"
_DETAIL_TYPE: Final = "gateway.ErrorDetail"
SAID_MAX: Final = 600


@dataclass(frozen=True, slots=True)
class PeerSaid:
    """What one peer or orderer said."""

    address: str
    msp_id: str
    message: str


@dataclass(frozen=True, slots=True)
class GatewayFailure:
    """A call that failed."""

    code: grpc.StatusCode
    message: str
    """Generic; who failed says more."""
    said: tuple[PeerSaid, ...]

    @classmethod
    def of(cls, error: Any) -> GatewayFailure:
        """Read what gRPC raised."""
        metadata = error.trailing_metadata() or ()
        details = next((value for key, value in metadata if key == _DETAILS), b"")
        return cls(error.code(), error.details() or "", _peers(details))

    def __str__(self) -> str:
        """Return all of it in one line."""
        parts = [f"{self.code.name} {self.message}".strip()]
        parts += [f"[{one.msp_id} {one.address}] {one.message}" for one in self.said]
        return " ".join(parts)[:SAID_MAX]

    def everything(self) -> str:
        """Return all words at full length, for looking into."""
        return "\n".join((self.message, *(one.message for one in self.said)))


def described(error: grpc.RpcError) -> str:
    """Return in one line what went wrong."""
    return str(GatewayFailure.of(error))


def _peers(details: bytes) -> tuple[PeerSaid, ...]:
    """Read the ErrorDetails of a google.rpc.Status; what is none is passed over."""
    found: list[PeerSaid] = []
    try:
        for packed in Message(details).each(3):
            one = Message(packed)
            if one.text(1).endswith(f"/{_DETAIL_TYPE}"):
                detail = gateway_pb2.ErrorDetail.FromString(one.octets(2))
                found.append(PeerSaid(detail.address, detail.msp_id, detail.message))
    except (Malformed, DecodeError):
        return tuple(found)
    return tuple(found)
