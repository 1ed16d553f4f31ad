"""
A packet on its way, and its status, as a frozen state machine.

Two ledgers tell of one packet, in no common order: what is learned is added up, and nothing that
was learned is taken back. The packet's keys are taken from its source: the relayer knows the same
packet by the same key at both ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import assert_never

from tieline.protocol.packet import Acknowledgement, Packet
from tieline.relay.route import Endpoint


class JourneyStatus(IntEnum):
    """Where a packet is. Numbers are stored and never change; they only rise."""

    SENT = 1
    """Committed on the source, not received."""
    RECEIVED = 2
    """Received, no answer yet: the cells have not judged."""
    ANSWERED = 3
    """The destination wrote an acknowledgement; the source does not know it."""
    ACKNOWLEDGED = 4
    TIMED_OUT = 5


DONE = frozenset({JourneyStatus.ACKNOWLEDGED, JourneyStatus.TIMED_OUT})


@dataclass(frozen=True, slots=True, order=True)
class JourneyKey:
    """A packet's name in the hub."""

    source: Endpoint
    sequence: int

    def __str__(self) -> str:
        return f"{self.source}/{self.sequence}"


@dataclass(frozen=True, slots=True)
class PacketSent:
    """The source committed the packet at a height."""

    packet: Packet
    height: int


@dataclass(frozen=True, slots=True)
class PacketReceived:
    """The destination wrote the receipt at a height. Seen twice for one packet on stock chains."""

    packet: Packet
    height: int


@dataclass(frozen=True, slots=True)
class AcknowledgementWritten:
    """The destination answered at a height."""

    packet: Packet
    acknowledgement: Acknowledgement
    height: int


@dataclass(frozen=True, slots=True)
class PacketAcknowledged:
    """The source took the answer; the commitment is gone."""


@dataclass(frozen=True, slots=True)
class PacketTimedOut:
    """The source took proof that it was never received; the commitment is gone."""


JourneyEvent = (
    PacketSent | PacketReceived | AcknowledgementWritten | PacketAcknowledged | PacketTimedOut
)


@dataclass(frozen=True, slots=True)
class PacketJourney:
    """What is known of one packet. Heights are 0 until the event is seen."""

    key: JourneyKey
    destination: Endpoint
    packet: Packet
    status: JourneyStatus
    sent_height: int = 0
    """On the source."""
    received_height: int = 0
    """On the destination."""
    answered_height: int = 0
    """On the destination."""
    acknowledgement: Acknowledgement | None = None

    @property
    def is_done(self) -> bool:
        """Nothing is left to carry."""
        return self.status in DONE


def start(
    key: JourneyKey,
    destination: Endpoint,
    event: PacketSent | PacketReceived | AcknowledgementWritten,
) -> PacketJourney:
    """Return the journey of a packet that is heard of for the first time."""
    blank = PacketJourney(key, destination, event.packet, JourneyStatus.SENT)
    return advance(blank, event)


def advance(journey: PacketJourney, event: JourneyEvent) -> PacketJourney:
    """
    Add what *event* says. Repeats return the journey itself, so ``is`` tells whether it is news.

    The status never falls: an event that was overtaken only fills in its height.
    """
    match event:
        case PacketSent():
            if journey.sent_height:
                return journey
            return replace(journey, sent_height=event.height)
        case PacketReceived():
            if journey.received_height:
                return journey
            return replace(
                journey,
                received_height=event.height,
                status=max(journey.status, JourneyStatus.RECEIVED),
            )
        case AcknowledgementWritten():
            if journey.answered_height:
                return journey
            return replace(
                journey,
                answered_height=event.height,
                acknowledgement=event.acknowledgement,
                status=max(journey.status, JourneyStatus.ANSWERED),
            )
        case PacketAcknowledged():
            return _end(journey, JourneyStatus.ACKNOWLEDGED)
        case PacketTimedOut():
            return _end(journey, JourneyStatus.TIMED_OUT)
        case _:
            assert_never(event)


def _end(journey: PacketJourney, status: JourneyStatus) -> PacketJourney:
    # A store may have said that a packet is over before the event said how: the first word stays.
    return journey if journey.is_done else replace(journey, status=status)
