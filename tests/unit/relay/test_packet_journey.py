"""A journey adds up what two ledgers tell, in any order, and takes nothing back."""

from itertools import permutations

import pytest
from fakes.relay_view import END_A, END_B, packet

from tieline.protocol.packet import Acknowledgement
from tieline.relay.packet_journey import (
    AcknowledgementWritten,
    JourneyKey,
    JourneyStatus,
    PacketAcknowledged,
    PacketReceived,
    PacketSent,
    PacketTimedOut,
    advance,
    start,
)

KEY = JourneyKey(END_A, 1)
ANSWER = Acknowledgement((b"done",))
SENT, RECEIVED = PacketSent(packet(), 5), PacketReceived(packet(), 7)
ANSWERED = AcknowledgementWritten(packet(), ANSWER, 9)


@pytest.mark.parametrize("events", list(permutations((SENT, RECEIVED, ANSWERED))))
def test_the_order_of_ledgers_does_not_matter(events: tuple) -> None:
    first, *rest = events
    journey = start(KEY, END_B, first)
    for event in rest:
        journey = advance(journey, event)
    assert journey.status is JourneyStatus.ANSWERED
    heights = (journey.sent_height, journey.received_height, journey.answered_height)
    assert heights == (5, 7, 9)
    assert journey.acknowledgement == ANSWER


@pytest.mark.parametrize("event", [SENT, RECEIVED, ANSWERED])
def test_what_is_told_twice_changes_nothing(event: object) -> None:
    journey = start(KEY, END_B, event)
    assert advance(journey, event) is journey


def test_a_later_height_does_not_replace_the_first() -> None:
    journey = start(KEY, END_B, RECEIVED)
    assert advance(journey, PacketReceived(packet(), 8)).received_height == 7


@pytest.mark.parametrize("end", [PacketAcknowledged(), PacketTimedOut()])
def test_an_ended_packet_stays_as_it_ended(end: object) -> None:
    journey = advance(start(KEY, END_B, SENT), end)
    assert journey.is_done
    for late in (PacketAcknowledged(), PacketTimedOut()):
        assert advance(journey, late) is journey
    assert advance(journey, ANSWERED).status is journey.status


def test_stored_numbers_of_statuses_do_not_move() -> None:
    assert {status.name: int(status) for status in JourneyStatus} == {
        "SENT": 1,
        "RECEIVED": 2,
        "ANSWERED": 3,
        "ACKNOWLEDGED": 4,
        "TIMED_OUT": 5,
    }
