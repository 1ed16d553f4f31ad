"""
Prove to the source that a packet was not received by its timeout.

The destination's own time decides, at the header that proves: a receipt can appear in no block
from tau on, so absence under a header with time >= tau is final.
"""

from __future__ import annotations

from collections.abc import Iterator

from tieline.protocol.commitment import packet_receipt_key
from tieline.protocol.messages import TimeoutPacket
from tieline.relay.effects import NO_HEIGHT, NO_SIGNER, Effect, StepName, effect_name
from tieline.relay.packet_journey import JourneyStatus
from tieline.relay.published import Published
from tieline.relay.view import RelayView


def deliver_timeout(view: RelayView, _board: Published) -> Iterator[Effect]:
    """Decide which packets have timed out, by the destination's chain time as observed."""
    for journey in view.journeys_in(JourneyStatus.SENT):
        if journey.key.source.ledger_id in view.closed:
            continue
        packet = journey.packet
        destination = view.ledgers[journey.destination.ledger_id]
        if not journey.sent_height or destination.time_s < packet.timeout_s:
            continue
        key = f"timeout/{packet.source_client}/{packet.sequence}"
        if effect_name(journey.key.source.ledger_id, key) in view.blocked:
            continue
        proof = view.want_proof(
            journey.key.source,
            packet_receipt_key(packet.destination_client, packet.sequence),
            state_height_min=1,
            is_present=False,
            time_s_min=packet.timeout_s,
        )
        if proof is None:
            continue
        yield Effect(
            StepName.DELIVER_TIMEOUT,
            journey.key.source.ledger_id,
            key,
            (TimeoutPacket(NO_SIGNER, packet, b"", NO_HEIGHT),),
            proof,
        )
