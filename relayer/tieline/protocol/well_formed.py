"""What every packet and acknowledgement must look like, before anything is looked up."""

from __future__ import annotations

from tieline.protocol.errors import (
    InvalidAcknowledgement,
    InvalidIdentifier,
    InvalidPacket,
    InvalidPayload,
    InvalidTimeout,
)
from tieline.protocol.identifiers import parse_client_id, parse_port_id, parse_sequence
from tieline.protocol.limits import (
    ACKNOWLEDGEMENT_BYTES_MAX,
    ENCODING_LENGTH_MAX,
    PAYLOAD_BYTES_MAX,
    PAYLOADS_PER_PACKET,
    VERSION_LENGTH_MAX,
)
from tieline.protocol.packet import Acknowledgement, Packet, Payload

_TIMEOUT_S_MAX = 2**63 - 1
"""Larger seconds do not fit the time types of Cosmos chains."""


def require_packet(packet: Packet) -> None:
    """
    Check a packet's form.

    Raises:
        InvalidPacket: Sequence or client ids are wrong.
        InvalidTimeout: The timeout is zero or no time at all.
        InvalidPayload: Not exactly one payload, or it is not well formed.
    """
    try:
        parse_sequence(packet.sequence)
        parse_client_id(packet.source_client)
        parse_client_id(packet.destination_client)
    except InvalidIdentifier as exc:
        raise InvalidPacket(f"invalid packet, {exc}") from exc
    if not 0 < packet.timeout_s <= _TIMEOUT_S_MAX:
        raise InvalidTimeout("timeout out of range", timeout_s=packet.timeout_s)
    require_payloads(packet.payloads)


def require_payloads(payloads: tuple[Payload, ...]) -> None:
    """
    Check a packet's payloads.

    Raises:
        InvalidPayload: Not exactly one, or it is not well formed.
    """
    if len(payloads) != PAYLOADS_PER_PACKET:
        raise InvalidPayload("a packet has exactly one payload", count=len(payloads))
    for payload in payloads:
        try:
            parse_port_id(payload.source_port)
            parse_port_id(payload.destination_port)
        except InvalidIdentifier as exc:
            raise InvalidPayload(f"invalid payload, {exc}") from exc
        _require_text("version", payload.version, VERSION_LENGTH_MAX)
        _require_text("encoding", payload.encoding, ENCODING_LENGTH_MAX)
        if not 0 < len(payload.value) <= PAYLOAD_BYTES_MAX:
            raise InvalidPayload("payload value out of range", length=len(payload.value))


def require_acknowledgement(acknowledgement: Acknowledgement) -> None:
    """
    Check an acknowledgement's form: one answer, for one payload.

    Raises:
        InvalidAcknowledgement: None, several, or an answer that is empty or too long.
    """
    answers = acknowledgement.app_acknowledgements
    if len(answers) != PAYLOADS_PER_PACKET:
        raise InvalidAcknowledgement("an acknowledgement has one answer", count=len(answers))
    if not 0 < len(answers[0]) <= ACKNOWLEDGEMENT_BYTES_MAX:
        raise InvalidAcknowledgement("answer length out of range", length=len(answers[0]))


def _require_text(name: str, text: str, length_max: int) -> None:
    if not text.strip() or len(text) > length_max:
        raise InvalidPayload(f"{name} is blank or too long", length=len(text))
