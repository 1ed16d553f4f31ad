"""
The messages of IBC v2. ``signer`` is the 20-byte account that brought them; nobody is paid for
it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tieline.protocol.height import Height
from tieline.protocol.packet import Acknowledgement, Packet, Payload


@dataclass(frozen=True, slots=True)
class AnyMessage:
    """
    Bytes with the name of their protobuf type (``google.protobuf.Any``); light clients know what
    is inside.
    """

    type_url: str
    value: bytes


@dataclass(frozen=True, slots=True)
class CreateClient:
    """Create a light client of another ledger. Its id is ``{type}-{number}``."""

    signer: bytes
    client_state: AnyMessage
    consensus_state: AnyMessage


@dataclass(frozen=True, slots=True)
class RegisterCounterparty:
    """
    Pair a client with the one that tracks this ledger on the other side. Once, by its creator.
    """

    signer: bytes
    client_id: str
    counterparty_client_id: str
    counterparty_merkle_prefix: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class UpdateClient:
    """Bring a header, or proof of misbehaviour."""

    signer: bytes
    client_id: str
    client_message: AnyMessage


@dataclass(frozen=True, slots=True)
class SendPacket:
    """Send a packet for an application that allows plain sends."""

    signer: bytes
    source_client: str
    timeout_s: int
    payloads: tuple[Payload, ...]


@dataclass(frozen=True, slots=True)
class RecvPacket:
    """Bring a packet with proof of its commitment."""

    signer: bytes
    packet: Packet
    proof_commitment: bytes
    proof_height: Height


@dataclass(frozen=True, slots=True)
class AcknowledgePacket:
    """Bring an acknowledgement with proof."""

    signer: bytes
    packet: Packet
    acknowledgement: Acknowledgement
    proof_acked: bytes
    proof_height: Height


@dataclass(frozen=True, slots=True)
class TimeoutPacket:
    """Bring proof that a packet was not received by its timeout."""

    signer: bytes
    packet: Packet
    proof_unreceived: bytes
    proof_height: Height


@dataclass(frozen=True, slots=True)
class Transfer:
    """
    Send tokens to another ledger (``ibc.applications.transfer.v1.MsgTransfer`` as IBC v2 uses it).
    """

    signer: bytes
    """The sender, and whom an error or a timeout refunds."""
    source_client: str
    denom: str
    """The token's name in balances: a base denomination, or ``ibc/HASH``."""
    amount: int
    """Base units, from 1; 2^256-1 sends the whole balance."""
    receiver: str
    """An account in the other ledger's spelling."""
    timeout_s: int
    """Unix seconds, although the schema's comment says nanoseconds."""
    memo: str = ""
    encoding: str = ""
    """Of the packet's data; empty means ``application/json``."""


IbcMessage = (
    CreateClient
    | RegisterCounterparty
    | UpdateClient
    | SendPacket
    | RecvPacket
    | AcknowledgePacket
    | TimeoutPacket
    | Transfer
)
