"""Whether what was to be done about a packet is seen to be done."""

from __future__ import annotations

from tieline.relay.packet_journey import JourneyKey, JourneyStatus
from tieline.relay.view import RelayView


def has_taken_effect(view: RelayView, name: str) -> bool:
    """
    Return whether the events say that an effect on a packet took place: it is not decided again,
    and need not be remembered.

    Args:
        view: With the events of the block that holds the effect.
        name: Of an effect; what is about no packet has never been seen to take place here.
    """
    ledger_id, *rest = name.rsplit("/", 3)
    if len(rest) != 3:
        return False
    kind, client_id, sequence = rest
    here = view.topology.endpoint(ledger_id, client_id)
    if here is None or not sequence.isdigit():
        return False
    if kind == "recv":
        journey = view.journeys.get(JourneyKey(view.topology.peer(here), int(sequence)))
        return journey is not None and journey.status >= JourneyStatus.RECEIVED
    if kind in {"ack", "timeout"}:
        journey = view.journeys.get(JourneyKey(here, int(sequence)))
        return journey is not None and journey.is_done
    return False
