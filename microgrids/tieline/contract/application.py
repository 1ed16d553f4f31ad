"""What sits behind an IBC port, and how it answers a packet."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from tieline.contract.context import Context
from tieline.protocol.events import Event
from tieline.protocol.packet import Packet, Payload


class RecvStatus(Enum):
    """What an application answers to a packet."""

    SUCCESS = "success"
    """The acknowledgement is written now."""
    ASYNC = "async"
    """The acknowledgement is written later (``router.write_acknowledgement``)."""
    ERROR = "error"
    """What the application did is undone; the sentinel is written, and the receipt."""


@dataclass(frozen=True, slots=True)
class RecvResult:
    """An application's answer. A message that must fail without a receipt raises instead."""

    status: RecvStatus
    acknowledgement: bytes = b""
    events: tuple[Event, ...] = field(default=())
    """Emitted after an ERROR was undone, such as the reason record."""

    @classmethod
    def success(cls, acknowledgement: bytes) -> RecvResult:
        """Answer now; neither empty nor the sentinel."""
        return cls(RecvStatus.SUCCESS, acknowledgement)

    @classmethod
    def later(cls) -> RecvResult:
        """Answer later."""
        return cls(RecvStatus.ASYNC)

    @classmethod
    def error(cls, *events: Event) -> RecvResult:
        """Refuse; *events* tell why."""
        return cls(RecvStatus.ERROR, events=events)


class IbcApplication(Protocol):
    """What sits behind a port. Packets have exactly one payload."""

    @property
    def port(self) -> str:
        """The port it is bound to, on both ends."""
        ...

    @property
    def allows_plain_send(self) -> bool:
        """Whether anyone may send on this port by ``MsgSendPacket``."""
        ...

    def on_send(self, ctx: Context, packet: Packet) -> None:
        """
        Take what a plain send promises; called once the packet is sent, if it allows such sends.

        Raises:
            ContractError: The signer may not, or cannot, keep the promise.
        """
        ...

    def speaks(self, payload: Payload) -> bool:
        """Say whether version and encoding are its own; others are skipped without a receipt."""
        ...

    def on_recv(self, ctx: Context, packet: Packet) -> RecvResult:
        """
        Judge a proved packet.

        Raises:
            ContractError: The message fails without a receipt (true later, NotYetPosted).
        """
        ...

    def on_acknowledge(self, ctx: Context, packet: Packet, acknowledgement: bytes) -> None:
        """Take a proved answer to a packet sent from here; may not refuse for what it says."""
        ...

    def on_timeout(self, ctx: Context, packet: Packet) -> None:
        """Take the proof that a packet sent from here never arrives."""
        ...
