"""How packets end, and which stories about their two ends contradict one another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from tieline.audit.findings import Findings
from tieline.audit.ledger_history import LedgerEvent
from tieline.audit.light_client_states import LightClientRow
from tieline.audit.packet_endings import packet_endings
from tieline.protocol.commitment import ERROR_ACKNOWLEDGEMENT
from tieline.protocol.events import Event
from tieline.protocol.packet import Acknowledgement, Packet, Payload
from tieline.wire.codec import encode_acknowledgement, encode_packet

HERE, THERE = "07-tendermint-1", "07-tendermint-2"
CLIENTS = (
    LightClientRow("mg-a", HERE, "mg-b", THERE, is_frozen=False),
    LightClientRow("mg-b", THERE, "mg-a", HERE, is_frozen=False),
)
PACKET = Packet(1, HERE, THERE, 1_800_000_000, (Payload("echo", "echo", "1", "text", b"x"),))
OTHER = Packet(1, HERE, THERE, 1_800_000_001, PACKET.payloads)


@dataclass
class History:
    """As much of a ledger's history as packets need."""

    chain_id: str
    events: list[LedgerEvent] = field(default_factory=list)

    def of_kind(self, *kinds: str) -> list[LedgerEvent]:
        return [event for event in self.events if event.kind in kinds]

    def tell(self, height: int, kind: str, packet: Packet = PACKET, **more: str) -> None:
        attributes = {
            "packet_source_client": packet.source_client,
            "packet_dest_client": packet.destination_client,
            "packet_sequence": str(packet.sequence),
            "encoded_packet_hex": encode_packet(packet).hex(),
        }
        event = Event(kind, tuple((attributes | more).items()))
        self.events.append(LedgerEvent(height, event))


def answered(raw: bytes) -> dict[str, str]:
    return {"encoded_acknowledgement_hex": encode_acknowledgement(Acknowledgement((raw,))).hex()}


def told(*steps: tuple[str, str, Any]) -> tuple[History, History]:
    ledgers = {"a": History("mg-a"), "b": History("mg-b")}
    for height, (where, kind, more) in enumerate(steps, start=1):
        ledgers[where].tell(height, kind, **more)
    return ledgers["a"], ledgers["b"]


SENT = ("a", "send_packet", {})
RECEIVED = ("b", "recv_packet", {})
SUCCESS = ("b", "write_acknowledgement", answered(b"ok"))
REFUSAL = ("b", "write_acknowledgement", answered(ERROR_ACKNOWLEDGEMENT))
BACK = ("a", "acknowledge_packet", {})
LATE = ("a", "timeout_packet", {})

ENDINGS = [
    # what happened, ending, reason
    ((SENT, RECEIVED, SUCCESS, BACK), "acknowledged", ""),
    ((SENT, RECEIVED, REFUSAL, BACK), "refused", ""),
    ((SENT, LATE), "timed out", ""),
    ((SENT,), "stranded", "not received, and nobody proved its timeout"),
    ((SENT, RECEIVED), "stranded", "received, and nobody answered it"),
    ((SENT, RECEIVED, SUCCESS), "stranded", "answered, and nobody brought the answer back"),
]


@pytest.mark.parametrize(("steps", "ending", "reason"), ENDINGS)
def test_a_packet_has_one_ending(steps, ending, reason):
    source, destination = told(*steps)
    findings = Findings()
    (row,) = packet_endings({b"a": source, b"b": destination}, CLIENTS, findings)
    assert findings.rows == []
    assert (row.ending, row.reason, row.sent_height) == (ending, reason, 1)
    assert (row.source_ledger, row.destination_ledger) == ("mg-a", "mg-b")
    assert row.trade_id == "", "an echo is no trade"


CONTRADICTIONS = [
    ((SENT, BACK), "acknowledged, but never answered"),
    ((SENT, RECEIVED, LATE), "timed out, but received"),
    ((SENT, RECEIVED, SUCCESS, BACK, LATE), "acknowledged and timed out"),
    ((SENT, RECEIVED, RECEIVED), "expected once, found again after height 2"),
    ((RECEIVED,), "expected one that was sent, found never sent"),
    ((SENT, ("b", "recv_packet", {"packet": OTHER})), "bytes at recv_packet"),
]


@pytest.mark.parametrize(("steps", "words"), CONTRADICTIONS)
def test_ends_that_contradict_one_another_are_found(steps, words):
    source, destination = told(*steps)
    findings = Findings()
    packet_endings({b"a": source, b"b": destination}, CLIENTS, findings)
    assert any(words in str(row) for row in findings.rows), [str(row) for row in findings.rows]
    assert all(row.place.ledger and row.place.height for row in findings.rows)


def test_a_packet_to_a_ledger_outside_the_run_is_stranded_here():
    source, _ = told(SENT)
    (row,) = packet_endings({b"a": source}, CLIENTS[:1], Findings())
    assert (row.destination_ledger, row.ending) == ("", "stranded")
