"""
Packets in and out: the IBC handlers around the applications behind their ports.

Applications send with ``send_packet`` and answer late with ``write_acknowledgement``; both work
inside the transaction of the message that called them.

Sources:
    ``docs/spec/trade.md`` 4 (what is skipped, what gets the sentinel, what fails without a
    receipt).
"""

from __future__ import annotations

from collections.abc import Iterable

from tieline.contract.application import IbcApplication, RecvResult, RecvStatus
from tieline.contract.context import Context, Outcome
from tieline.contract.dispatch import Dispatch
from tieline.contract.ibc_view import IbcView
from tieline.protocol.commitment import ERROR_ACKNOWLEDGEMENT
from tieline.protocol.errors import Unauthorized
from tieline.protocol.events import Event
from tieline.protocol.handlers import (
    acknowledge_packet,
    recv_packet,
    timeout_packet,
)
from tieline.protocol.handlers import (
    send_packet as send,
)
from tieline.protocol.handlers import (
    write_acknowledgement as answer,
)
from tieline.protocol.handlers.context import Freshness
from tieline.protocol.messages import AcknowledgePacket, RecvPacket, SendPacket, TimeoutPacket
from tieline.protocol.packet import Acknowledgement, Packet, Payload

SENTINEL = Acknowledgement((ERROR_ACKNOWLEDGEMENT,))


def send_packet(ctx: Context, source_client: str, timeout_s: int, payload: Payload) -> Packet:
    """
    Send one payload through a client and return the packet.

    Raises:
        CounterpartyNotFound, ClientNotActive, TimeoutElapsed, InvalidTimeout, InvalidPayload.
    """
    view = IbcView(ctx)
    packet = send.validate(view, source_client, timeout_s, (payload,))
    send.execute(view, packet)
    return packet


def write_acknowledgement(
    ctx: Context, destination_client: str, sequence: int, acknowledgement: bytes | None
) -> Packet:
    """
    Answer a packet that was received with ``RecvResult.later()``, and return it.

    Args:
        ctx: The transaction.
        destination_client: The client on this ledger.
        sequence: The packet's.
        acknowledgement: The application's answer; None writes the sentinel.

    Raises:
        AcknowledgementExists: It was answered.
        AsyncPacketNotFound: It does not wait.
    """
    view = IbcView(ctx)
    packet = answer.find_kept(view, destination_client, sequence)
    whole = SENTINEL if acknowledgement is None else _success(acknowledgement)
    answer.validate(view, packet, whole)
    answer.execute(view, packet, whole)
    return packet


def kept_packet(ctx: Context, destination_client: str, sequence: int) -> Packet:
    """Return a packet that waits for its answer. Raises as ``write_acknowledgement``."""
    return answer.find_kept(IbcView(ctx), destination_client, sequence)


def _success(acknowledgement: bytes) -> Acknowledgement:
    assert acknowledgement != ERROR_ACKNOWLEDGEMENT, "an application never writes the sentinel"
    return Acknowledgement((acknowledgement,))


class Router:
    """Takes the packet messages and calls the application of the port."""

    def __init__(self, applications: Iterable[IbcApplication]) -> None:
        self._by_port: dict[str, IbcApplication] = {}
        for application in applications:
            assert application.port not in self._by_port, f"two on port {application.port}"
            self._by_port[application.port] = application

    def register(self, dispatch: Dispatch) -> None:
        """Put the packet handlers in the table."""
        dispatch.register(SendPacket, self.handle_send)
        dispatch.register(RecvPacket, self.handle_recv)
        dispatch.register(AcknowledgePacket, self.handle_acknowledge)
        dispatch.register(TimeoutPacket, self.handle_timeout)

    def handle_send(self, ctx: Context, message: SendPacket) -> None:
        """
        Send for an application that lets anyone do so.

        Raises:
            Unauthorized: Nothing is bound to the port, or its application sends by itself only.
            ContractError: The application refuses.
        """
        view = IbcView(ctx)
        packet = send.validate(view, message.source_client, message.timeout_s, message.payloads)
        port = packet.payloads[0].source_port
        application = self._by_port.get(port)
        if application is None or not application.allows_plain_send:
            raise Unauthorized("no plain sends on this port", port=port)
        send.execute(view, packet)
        application.on_send(ctx, packet)

    def handle_recv(self, ctx: Context, message: RecvPacket) -> Outcome:
        """Receive: skipped without receipt if nobody here speaks the payload's language."""
        view = IbcView(ctx)
        if recv_packet.validate(view, message) is Freshness.ALREADY_DONE:
            return Outcome.ALREADY_DONE
        packet = message.packet
        application = self._speaker(packet.payloads[0])
        if application is None:
            ctx.emit(_skipped(packet))
            return Outcome.DONE
        recv_packet.execute(view, packet)
        result = self._ask(ctx, application, packet)
        if result.status is RecvStatus.ASYNC:
            answer.keep_for_later(view, packet)
            return Outcome.DONE
        is_success = result.status is RecvStatus.SUCCESS
        whole = _success(result.acknowledgement) if is_success else SENTINEL
        answer.validate(view, packet, whole)
        answer.execute(view, packet, whole)
        return Outcome.DONE

    def handle_acknowledge(self, ctx: Context, message: AcknowledgePacket) -> Outcome:
        """Take an answer; the application learns of it in the same transaction."""
        view = IbcView(ctx)
        if acknowledge_packet.validate(view, message) is Freshness.ALREADY_DONE:
            return Outcome.ALREADY_DONE
        acknowledge_packet.execute(view, message.packet)
        said = message.acknowledgement.app_acknowledgements[0]
        self._sender(message.packet).on_acknowledge(ctx, message.packet, said)
        return Outcome.DONE

    def handle_timeout(self, ctx: Context, message: TimeoutPacket) -> Outcome:
        """Take the proof that a packet never arrives; the application learns of it."""
        view = IbcView(ctx)
        if timeout_packet.validate(view, message) is Freshness.ALREADY_DONE:
            return Outcome.ALREADY_DONE
        timeout_packet.execute(view, message.packet)
        self._sender(message.packet).on_timeout(ctx, message.packet)
        return Outcome.DONE

    def _speaker(self, payload: Payload) -> IbcApplication | None:
        application = self._by_port.get(payload.destination_port)
        if application is None or not application.speaks(payload):
            return None
        return application

    def _sender(self, packet: Packet) -> IbcApplication:
        application = self._by_port.get(packet.payloads[0].source_port)
        assert application is not None, "what was sent from here has an application here"
        return application

    @staticmethod
    def _ask(ctx: Context, application: IbcApplication, packet: Packet) -> RecvResult:
        """Call the application; what it did before an error answer is undone."""
        mark = ctx.checkpoint()
        result = application.on_recv(ctx, packet)
        if result.status is RecvStatus.ERROR:
            ctx.rollback(mark)
            for event in result.events:
                ctx.emit(event)
        return result


def _skipped(packet: Packet) -> Event:
    payload = packet.payloads[0]
    return Event(
        "packet_skipped",
        (
            ("packet_source_client", packet.source_client),
            ("packet_dest_client", packet.destination_client),
            ("packet_sequence", str(packet.sequence)),
            ("port", payload.destination_port),
            ("version", payload.version),
            ("encoding", payload.encoding),
        ),
    )
