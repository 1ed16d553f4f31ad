"""
Behind every success there is a verdict: each success acknowledgement, and each trade without one
that was accepted, must have its verdict on its ledger and all that the verdict stands on in the
evidence. A transfer of tokens needs one only if its memo names a trade.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tieline.audit.findings import Check, Findings, Place
from tieline.audit.ledger_history import LedgerHistory
from tieline.audit.lock_endings import Ledgers
from tieline.contract.keys import lock_key, verdict_key
from tieline.contract.records import decode_lock, decode_verdict
from tieline.protocol.commitment import is_error
from tieline.protocol.denom import TRANSFER_PORT
from tieline.protocol.packet import Payload
from tieline.swap.evidence import SlotEvidence
from tieline.swap.lock import Leg
from tieline.swap.records import Decision, VerdictLeaf
from tieline.wire.abi import decode_energy_trade, decode_trade_ack
from tieline.wire.codec import decode_acknowledgement, decode_packet
from tieline.wire.errors import Malformed
from tieline.wire.trade_memo import trade_in_memo
from tieline.wire.transfer_data import decode_transfer_data
from tieline.wire.typed_data import struct_hash


@dataclass(frozen=True, slots=True)
class _Success:
    """Something that a ledger acknowledged."""

    place: Place
    trade_id: bytes
    cap_wh: int
    verdict_root: bytes


def check_acknowledgements(
    ledgers: Ledgers, evidence: Mapping[int, SlotEvidence], findings: Findings
) -> int:
    """
    Check all successes.

    Args:
        ledgers: At their end.
        evidence: By slot start; slots whose file cannot be read are missing.
        findings: Takes every success without a verdict.

    Returns:
        How many successes there were.
    """
    count = 0
    for history in ledgers.values():
        applied = tuple(_applied(history))
        for success in (*_packets(history, applied, findings), *applied):
            count += 1
            _check(history, success, evidence, findings)
    return count


def check_published(
    ledgers: Ledgers, evidence: Mapping[int, SlotEvidence], findings: Findings
) -> None:
    """Check that there is evidence of every slot of which a ledger holds something sealed."""
    for history in ledgers.values():
        for event in history.of_kind("clearing_posted", "verdict_posted", "delivery_posted"):
            slot = int(event["slot_start"])
            findings.require(
                Place(history.chain_id, event.height, slot),
                Check.FILES,
                f"evidence of a slot with {event.kind}",
                holds=slot in evidence,
                expected="a file that can be read",
                found="none",
            )


def _packets(
    history: LedgerHistory, applied: Sequence[_Success], findings: Findings
) -> Iterator[_Success]:
    for event in history.of_kind("write_acknowledgement"):
        answer = decode_acknowledgement(bytes.fromhex(event["encoded_acknowledgement_hex"]))
        if is_error(answer):
            continue
        packet = decode_packet(bytes.fromhex(event["encoded_packet_hex"]))
        place = Place(history.chain_id, event.height)
        if packet.payloads[0].destination_port == TRANSFER_PORT:
            _check_transfer(place, packet.payloads[0], applied, findings)
            continue
        try:
            trade = decode_energy_trade(packet.payloads[0].value)
            ack = decode_trade_ack(answer.app_acknowledgements[0])
        except Malformed as error:
            findings.refuse(place, Check.VERDICTS, "success acknowledgement", "of a trade", error)
            continue
        place = Place(history.chain_id, event.height, trade.slot_start)
        findings.expect(
            place, Check.VERDICTS, "trade of the acknowledgement", trade.trade_id, ack.trade_id
        )
        yield _Success(place, trade.trade_id, ack.cap_wh, ack.verdict_root)


def _check_transfer(
    place: Place, payload: Payload, applied: Sequence[_Success], findings: Findings
) -> None:
    """Check that a transfer which pays for a trade was accepted in the block that answered it."""
    try:
        encoded = trade_in_memo(decode_transfer_data(payload.value, payload.encoding).memo)
        trade = None if encoded is None else decode_energy_trade(encoded)
    except Malformed as error:
        findings.refuse(place, Check.VERDICTS, "success of a transfer", "one that is read", error)
        return
    if trade is None:
        return
    accepted = {(one.place.height, one.trade_id) for one in applied}
    findings.require(
        place,
        Check.VERDICTS,
        f"success of the payment for trade {trade.trade_id.hex()[:16]}",
        holds=(place.height, trade.trade_id) in accepted,
        expected="a verdict applied in the same block",
        found="none",
    )


def _applied(history: LedgerHistory) -> Iterator[_Success]:
    """Yield accepted trades whose answer, if any, does not name the verdict: local, X1, X2, X3."""
    for event in history.of_kind("verdict_applied"):
        data = history.query(lock_key(bytes.fromhex(event["lock_id"])))
        assert data is not None, "locks are never deleted"
        lock = decode_lock(data)
        is_answered_by_name = lock.leg is not Leg.LOCAL and not lock.is_in_vouchers
        if is_answered_by_name or event["decision"] != Decision.ACCEPT.name:
            continue
        place = Place(history.chain_id, event.height, lock.slot_start)
        stored = history.query(verdict_key(lock.slot_start))
        root = b"" if stored is None else decode_verdict(stored).decisions_root
        yield _Success(place, lock.trade_id, int(event["cap_wh"]), root)


def _check(
    history: LedgerHistory,
    success: _Success,
    evidence: Mapping[int, SlotEvidence],
    findings: Findings,
) -> None:
    name = f"success of trade {success.trade_id.hex()[:16]}"
    slot = success.place.slot_start
    data = history.query(verdict_key(slot))
    stored = None if data is None else decode_verdict(data)
    root = b"" if stored is None else stored.decisions_root
    findings.expect(
        success.place,
        Check.VERDICTS,
        f"{name}: verdict root on the ledger",
        success.verdict_root,
        root,
    )
    known = evidence.get(slot)
    if known is None or known.verdict is None or stored is None:
        findings.refuse(
            success.place, Check.VERDICTS, name, "a verdict with its evidence", "no evidence of it"
        )
        return
    findings.expect(
        success.place,
        Check.VERDICTS,
        f"{name}: verdict of the evidence",
        stored.verdict_hash,
        struct_hash(known.verdict.verdict),
    )
    leaf = _leaf(known, success.trade_id)
    found = None if leaf is None else (leaf.decision, leaf.cap_wh)
    expected = (int(Decision.ACCEPT), success.cap_wh)
    findings.expect(
        success.place, Check.VERDICTS, f"{name}: decision and cap in Wh", expected, found
    )


def _leaf(evidence: SlotEvidence, trade_id: bytes) -> VerdictLeaf | None:
    assert evidence.verdict is not None, "the caller looked"
    return next((leaf for leaf in evidence.verdict.leaves if leaf.trade_id == trade_id), None)
