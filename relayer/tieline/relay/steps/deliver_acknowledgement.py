"""Bring answers home at once: a success raises no money, a refusal returns it."""

from __future__ import annotations

from collections.abc import Iterator

from tieline.protocol.commitment import acknowledgement_key
from tieline.protocol.messages import AcknowledgePacket
from tieline.relay.effects import NO_HEIGHT, NO_SIGNER, Effect, StepName, effect_name
from tieline.relay.packet_journey import JourneyStatus
from tieline.relay.published import Published
from tieline.relay.view import RelayView


def deliver_acknowledgement(view: RelayView, _board: Published) -> Iterator[Effect]:
    """Decide which answers can be proved to the source. No deadline: they always clear it."""
    for journey in view.journeys_in(JourneyStatus.ANSWERED):
        if journey.acknowledgement is None or journey.key.source.ledger_id in view.closed:
            continue
        packet = journey.packet
        key = f"ack/{packet.source_client}/{packet.sequence}"
        if effect_name(journey.key.source.ledger_id, key) in view.blocked:
            continue
        proof = view.want_proof(
            journey.key.source,
            acknowledgement_key(packet.destination_client, packet.sequence),
            state_height_min=journey.answered_height,
            is_present=True,
        )
        if proof is None:
            continue
        message = AcknowledgePacket(NO_SIGNER, packet, journey.acknowledgement, b"", NO_HEIGHT)
        yield Effect(
            StepName.DELIVER_ACKNOWLEDGEMENT,
            journey.key.source.ledger_id,
            key,
            (message,),
            proof,
        )
