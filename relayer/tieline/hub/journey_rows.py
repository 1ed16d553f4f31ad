"""Packets and locks as the journal's rows, for operators: what changed since the last time."""

from __future__ import annotations

from tieline.interfaces.journal import JourneyRow
from tieline.relay.lock_watch import LockWatch
from tieline.relay.packet_journey import PacketJourney
from tieline.relay.view import RelayView


def changed_rows(view: RelayView) -> list[JourneyRow]:
    """Return rows of what changed, and take the changes as told."""
    rows = [
        _packet_row(view, view.journeys[key])
        for key in view.changed_journeys
        if key in view.journeys
    ]
    for ledger_id, lock_id in view.changed_locks:
        lock = view.ledgers[ledger_id].locks.get(lock_id)
        if lock is not None:
            rows.append(_lock_row(view, lock))
    view.changed_journeys.clear()
    view.changed_locks.clear()
    return rows


def _packet_row(view: RelayView, journey: PacketJourney) -> JourneyRow:
    source = view.ledgers[journey.key.source.ledger_id]
    heights = (
        f"sent={journey.sent_height} received={journey.received_height} "
        f"answered={journey.answered_height}"
    )
    return JourneyRow(
        key=str(journey.key),
        route=f"{journey.key.source}->{journey.destination}",
        status=journey.status.name,
        slot_start=journey.packet.timeout_s + source.terms.tau_lead_s,
        updated_s=source.time_s,
        detail=heights,
        is_done=journey.is_done,
    )


def _lock_row(view: RelayView, lock: LockWatch) -> JourneyRow:
    return JourneyRow(
        key=str(lock),
        route=f"{lock.ledger_id}/{lock.client}",
        status=f"LOCK_{lock.status.name}",
        slot_start=lock.slot_start,
        updated_s=view.ledgers[lock.ledger_id].time_s,
        detail=f"energy={lock.energy_wh} cap={lock.cap_wh} paid={lock.paid_wh}",
        is_done=lock.is_over and lock.lock_id not in view.ledgers[lock.ledger_id].share_locks,
    )
