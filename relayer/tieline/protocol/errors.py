"""
The protocol's refusals: a message is wrong, or came too early. Its whole transaction is undone.

    ProtocolError            reject; never send it again unchanged
    ├─ ClientError           codespace "client"     about a light client
    │  ├─ ClientNotFound, ClientTypeUnknown, ClientNotActive, ClientRefused
    │  ├─ ConsensusStateNotFound (NotYetProvable), CounterpartyNotFound, CounterpartyMismatch
    │  └─ ProofInvalid
    ├─ PacketError           codespace "channelv2"  about a packet
    │  ├─ InvalidPacket, InvalidPayload, InvalidAcknowledgement, AcknowledgementExists
    │  └─ InvalidTimeout, TimeoutElapsed, TimeoutNotReached (true later)
    └─ HostError             codespace "ibc"        identifiers, heights, who may
       └─ Unauthorized, InvalidRequest, HeightTooHigh (true later), InvalidIdentifier

Codespaces and codes are those of ibc-go v11, so that Cosmos tools read them.
"""

from __future__ import annotations

from typing import ClassVar


class ProtocolError(Exception):
    """A message is refused."""

    codespace: ClassVar[str] = "ibc"
    code: ClassVar[int] = 15
    true_later: ClassVar[bool] = False
    """The same bytes may be accepted later: wait, do not drop."""

    def __init__(self, text: str, **facts: object) -> None:
        self.facts = facts
        tail = "".join(f" {name}={value}" for name, value in facts.items())
        super().__init__(f"{text}:{tail}" if tail else text)


class ClientError(ProtocolError):
    """Something is wrong with a light client, or with what was shown to it."""

    codespace: ClassVar[str] = "client"
    code: ClassVar[int] = 3


class ClientNotFound(ClientError):
    """No client has this id."""

    code: ClassVar[int] = 4


class ConsensusStateNotFound(ClientError):
    """The client holds no consensus state for the proof height; update it first."""

    code: ClassVar[int] = 7
    true_later: ClassVar[bool] = True


class ClientTypeUnknown(ClientError):
    """No light client on this ledger takes this client state."""

    code: ClassVar[int] = 10


class ClientRefused(ClientError):
    """A light client refused a client state, a header or a proof of misbehaviour."""

    code: ClassVar[int] = 12


class ClientNotActive(ClientError):
    """The client is expired, frozen or unknown."""

    code: ClassVar[int] = 29


class ProofInvalid(ClientError):
    """A proof of membership or of absence does not hold."""

    code: ClassVar[int] = 30


class CounterpartyMismatch(ClientError):
    """The packet's other end is not the client's counterparty."""

    code: ClassVar[int] = 34


class CounterpartyNotFound(ClientError):
    """The client has no counterparty yet."""

    code: ClassVar[int] = 35
    true_later: ClassVar[bool] = True


class PacketError(ProtocolError):
    """Something is wrong with a packet."""

    codespace: ClassVar[str] = "channelv2"
    code: ClassVar[int] = 2


class InvalidPacket(PacketError):
    """The packet is not well formed, or not the one that was committed."""

    code: ClassVar[int] = 2


class InvalidPayload(PacketError):
    """A payload is not well formed, or there is not exactly one."""

    code: ClassVar[int] = 3


class InvalidAcknowledgement(PacketError):
    """The acknowledgement is not well formed."""

    code: ClassVar[int] = 5


class InvalidTimeout(PacketError):
    """The timeout is zero, or too far ahead."""

    code: ClassVar[int] = 8


class TimeoutElapsed(PacketError):
    """The packet came too late."""

    code: ClassVar[int] = 9


class TimeoutNotReached(PacketError):
    """The packet may still be received; wait."""

    code: ClassVar[int] = 10
    true_later: ClassVar[bool] = True


class AcknowledgementExists(PacketError):
    """The packet was answered already."""

    code: ClassVar[int] = 11


class AsyncPacketNotFound(PacketError):
    """No received packet waits for an acknowledgement under this client and sequence."""

    code: ClassVar[int] = 7


class HostError(ProtocolError):
    """Identifiers, heights, and who may do what."""

    codespace: ClassVar[str] = "ibc"


class Unauthorized(HostError):
    """This account may not do this."""

    code: ClassVar[int] = 2


class InvalidRequest(HostError):
    """It may not be done in this way, or not again."""

    code: ClassVar[int] = 8


class HeightTooHigh(HostError):
    """The proof is of a height the client does not know yet; update it first."""

    code: ClassVar[int] = 9
    true_later: ClassVar[bool] = True


class InvalidIdentifier(HostError, ValueError):
    """A client id, port or sequence is not well formed."""

    code: ClassVar[int] = 14
