"""
How each packet ended: acknowledged, refused, timed out or stranded; and that its two ends agree.

Sources:
    ``docs/spec/trade.md`` 5 and 8; ``docs/spec/bytes.md`` (refusal).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tieline.audit.findings import Check, Findings, Place
from tieline.audit.ledger_history import LedgerEvent, LedgerHistory
from tieline.audit.light_client_states import LightClientRow
from tieline.audit.lock_endings import Ledgers
from tieline.protocol.commitment import is_error
from tieline.protocol.denom import TRANSFER_PORT
from tieline.wire.abi import decode_energy_trade
from tieline.wire.codec import decode_acknowledgement, decode_packet
from tieline.wire.errors import Malformed
from tieline.wire.trade_memo import trade_in_memo
from tieline.wire.transfer_data import decode_transfer_data

SENT_KINDS = ("send_packet", "acknowledge_packet", "timeout_packet")
RECEIVED_KINDS = ("recv_packet", "write_acknowledgement")


@dataclass(frozen=True, slots=True)
class PacketEnding:
    """What became of a packet. A height of 0 is "never"."""

    source_ledger: str
    destination_ledger: str
    """Empty if the other end is no ledger of this run."""
    source_client: str
    sequence: int
    trade_id: str
    """Empty if it carries no energy trade."""
    sent_height: int
    received_height: int
    answered_height: int
    """On the destination."""
    ended_height: int
    """On the source."""
    ending: str
    """``acknowledged``, ``refused``, ``timed out`` or ``stranded``."""
    reason: str
    """Of a stranded one, in words."""


_End = tuple[str, str, int]
"""Kind of event, the client on this very ledger, sequence."""
_Ends = Mapping[_End, LedgerEvent]


def packet_endings(
    ledgers: Ledgers, clients: Sequence[LightClientRow], findings: Findings
) -> tuple[PacketEnding, ...]:
    """Return all packets that were sent; contradictions between their ends are findings."""
    ends = {history.chain_id: _ends_of(history, findings) for history in ledgers.values()}
    behind = {(row.host, row.client_id): row for row in clients}
    rows: list[PacketEnding] = []
    origins: set[tuple[str, str, int]] = set()
    for history in ledgers.values():
        for sent in history.of_kind("send_packet"):
            row = behind.get((history.chain_id, sent["packet_source_client"]))
            other = row.tracked if row is not None and row.tracked in ends else ""
            sequence = int(sent["packet_sequence"])
            origins.add((other, sent["packet_dest_client"], sequence))
            there = ends.get(other, {})
            rows.append(_ending(history, sent, other, ends[history.chain_id], there, findings))
    for chain_id, known in ends.items():
        for (kind, client, sequence), event in known.items():
            if kind == "recv_packet" and (chain_id, client, sequence) not in origins:
                place = Place(chain_id, event.height)
                rule = f"packet received over {client}, sequence {sequence}"
                findings.refuse(place, Check.PACKETS, rule, "one that was sent", "never sent")
    return tuple(sorted(rows, key=lambda row: (row.source_ledger, row.source_client, row.sequence)))


def _ends_of(history: LedgerHistory, findings: Findings) -> dict[_End, LedgerEvent]:
    """Return the events of all packets at this ledger; each happens at most once."""
    ends: dict[_End, LedgerEvent] = {}
    for event in history.of_kind(*SENT_KINDS, *RECEIVED_KINDS):
        is_source = event.kind in SENT_KINDS
        client = event["packet_source_client" if is_source else "packet_dest_client"]
        end = (event.kind, client, int(event["packet_sequence"]))
        if end in ends:
            rule = f"{event.kind} of {client}, sequence {end[2]}"
            found = f"again after height {ends[end].height}"
            findings.refuse(
                Place(history.chain_id, event.height), Check.PACKETS, rule, "once", found
            )
        ends[end] = event
    return ends


def _ending(
    history: LedgerHistory,
    sent: LedgerEvent,
    other: str,
    here: _Ends,
    there: _Ends,
    findings: Findings,
) -> PacketEnding:
    client, remote = sent["packet_source_client"], sent["packet_dest_client"]
    sequence = int(sent["packet_sequence"])
    received = there.get(("recv_packet", remote, sequence))
    answered = there.get(("write_acknowledgement", remote, sequence))
    acknowledged = here.get(("acknowledge_packet", client, sequence))
    timed_out = here.get(("timeout_packet", client, sequence))
    _check_ends(history, sent, (received, answered, acknowledged, timed_out), findings)
    ending, reason = "stranded", _why_stranded(received, answered)
    if acknowledged is not None and answered is not None:
        answer = decode_acknowledgement(bytes.fromhex(answered["encoded_acknowledgement_hex"]))
        ending, reason = ("refused" if is_error(answer) else "acknowledged"), ""
    elif timed_out is not None:
        ending, reason = "timed out", ""
    ended = acknowledged or timed_out
    return PacketEnding(
        source_ledger=history.chain_id,
        destination_ledger=other,
        source_client=client,
        sequence=sequence,
        trade_id=_trade_id(sent),
        sent_height=sent.height,
        received_height=_height(received),
        answered_height=_height(answered),
        ended_height=_height(ended),
        ending=ending,
        reason=reason,
    )


def _check_ends(
    history: LedgerHistory,
    sent: LedgerEvent,
    ends: tuple[LedgerEvent | None, ...],
    findings: Findings,
) -> None:
    """Check that all ends speak of the same packet, and that it ended in one way only."""
    received, answered, acknowledged, timed_out = ends
    place = Place(history.chain_id, sent.height)
    name = f"packet {sent['packet_source_client']}/{sent['packet_sequence']}"
    packet = sent["encoded_packet_hex"]
    for event in ends:
        if event is not None:
            rule = f"{name}: bytes at {event.kind}"
            findings.expect(place, Check.PACKETS, rule, packet, event["encoded_packet_hex"])
    contradictions = (
        (acknowledged is not None and answered is None, "acknowledged, but never answered"),
        (timed_out is not None and received is not None, "timed out, but received"),
        (timed_out is not None and acknowledged is not None, "acknowledged and timed out"),
    )
    for is_so, words in contradictions:
        findings.require(
            place, Check.PACKETS, f"{name}: ends", holds=not is_so, expected="one", found=words
        )


def _why_stranded(received: LedgerEvent | None, answered: LedgerEvent | None) -> str:
    if received is None:
        return "not received, and nobody proved its timeout"
    if answered is None:
        return "received, and nobody answered it"
    return "answered, and nobody brought the answer back"


def _trade_id(sent: LedgerEvent) -> str:
    payload = decode_packet(bytes.fromhex(sent["encoded_packet_hex"])).payloads[0]
    try:
        if payload.destination_port == TRANSFER_PORT:
            memo = decode_transfer_data(payload.value, payload.encoding).memo
            encoded = trade_in_memo(memo)
            return "" if encoded is None else decode_energy_trade(encoded).trade_id.hex()
        return decode_energy_trade(payload.value).trade_id.hex()
    except Malformed:
        return ""


def _height(event: LedgerEvent | None) -> int:
    return 0 if event is None else event.height
