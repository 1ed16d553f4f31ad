"""Packets between two ledgers of any kinds: delivered once, answered once, or timed out."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from tieline.interfaces.errors import Unavailable
from tieline.protocol.commitment import (
    ERROR_ACKNOWLEDGEMENT,
    acknowledgement_key,
    commit_acknowledgement,
    commit_packet,
    packet_commitment_key,
    packet_receipt_key,
)
from tieline.protocol.messages import AcknowledgePacket, RecvPacket
from tieline.protocol.packet import Acknowledgement
from tieline.wire.codec import decode_acknowledgement


def written(transaction):
    """The answer that a transaction wrote."""
    (event,) = [one for one in transaction.events if one.type == "write_acknowledgement"]
    return decode_acknowledgement(bytes.fromhex(event.get("encoded_acknowledgement_hex")))


def assert_disjoint(accesses):
    """No transaction wrote a key that another read or wrote: they could come in any order."""
    for one, other in permutations(accesses, 2):
        assert not one.writes & (other.reads | other.writes)


def landed(side, count, *, is_in_one_block):
    """Make blocks until *count* transactions are in them, and return these and their keys."""
    transactions, accesses = [], []
    while len(transactions) < count:
        transactions += side.block().transactions
        accesses += side.last_access()
        assert not is_in_one_block or len(transactions) == count
    return transactions, accesses


def names(transaction):
    return [one.type for one in transaction.events]


def test_a_packet_goes_there_and_its_answer_comes_back(link):
    for source in (link.a, link.b):
        destination = link.other(source)
        packet = link.send(source)
        commitment_key = packet_commitment_key(packet.source_client, packet.sequence)
        assert source.query(commitment_key) == commit_packet(packet)
        received = destination.must(*link.receive(packet, source))
        answer = written(received)
        answer_key = acknowledgement_key(packet.destination_client, packet.sequence)
        assert destination.query(answer_key) == commit_acknowledgement(answer)
        acknowledged = source.must(*link.acknowledge(packet, answer, destination))
        assert "acknowledge_packet" in names(acknowledged)
        assert source.query(commitment_key) is None


@pytest.mark.parametrize("value", [b"no", b"ok"])
def test_the_answer_is_the_applications_or_the_sentinel(link, value):
    packet = link.send(link.a, value)
    received = link.b.must(*link.receive(packet, link.a))
    assert written(received) == Acknowledgement((link.b.answer(value),))
    assert (link.b.answer(value) == ERROR_ACKNOWLEDGEMENT) is (value == b"no")


def test_what_comes_twice_changes_nothing(link):
    packet = link.send(link.a)
    first = link.receive(packet, link.a)
    answer = written(link.b.must(*first))
    receipt_key = packet_receipt_key(packet.destination_client, packet.sequence)
    receipt = link.b.query(receipt_key)
    again = link.b.run(*first)
    assert bool(again.code) is link.b.refuses_repeats
    assert "recv_packet" not in names(again)
    assert "write_acknowledgement" not in names(again)
    assert receipt == link.b.query(receipt_key)
    back = link.acknowledge(packet, answer, link.b)
    link.a.must(*back)
    again = link.a.run(*back)
    assert bool(again.code) is link.a.refuses_repeats
    assert "acknowledge_packet" not in names(again)


def test_a_packet_that_was_not_sent_is_not_received(link):
    packet = link.send(link.a)
    update, receive = link.receive(packet, link.a)
    assert isinstance(receive, RecvPacket)
    for forged in (
        replace(packet, timeout_s=packet.timeout_s + 1),
        replace(packet, sequence=packet.sequence + 1),
        replace(packet, payloads=(link.a.payload(b"no"),)),
    ):
        refused = link.b.run(update, replace(receive, packet=forged))
        assert refused.code, forged
    place = receive.proof_height
    older = replace(place, revision_height=place.revision_height - 1)
    assert link.b.run(update, replace(receive, proof_height=older)).code
    assert link.b.must(update, receive)


def test_a_proof_before_its_header_is_refused(link):
    packet = link.send(link.a)
    update, receive = link.receive(packet, link.a)
    assert link.b.run(receive).code
    assert link.b.must(update, receive)


def test_a_packet_that_never_arrives_times_out_and_cannot_arrive_then(link):
    packet = link.send(link.a, timeout_s=link.b.soon_s)
    delivery = link.receive(packet, link.a)
    early = link.time_out(packet, link.b)
    assert link.a.run(*early).code, "its time has not come"
    link.b.pass_until(packet.timeout_s)
    link.align()
    timed_out = link.a.must(*link.time_out(packet, link.b))
    assert "timeout_packet" in names(timed_out)
    commitment_key = packet_commitment_key(packet.source_client, packet.sequence)
    assert link.a.query(commitment_key) is None
    assert link.b.run(*delivery).code, "its time has passed"


def test_a_received_packet_does_not_time_out(link):
    packet = link.send(link.a, timeout_s=link.b.soon_s)
    link.b.must(*link.receive(packet, link.a))
    link.b.pass_until(packet.timeout_s)
    link.align()
    try:
        messages = link.time_out(packet, link.b)
    except Unavailable:
        return  # a ledger that attests commitments only does not even offer this proof
    assert link.a.run(*messages).code


def test_a_packet_that_waits_is_answered_later(link):
    """The receipt is there, the answer is not; absence of the answer is no absence of receipt."""
    packet = link.send(link.a, b"later", timeout_s=link.b.soon_s)
    received = link.b.must(*link.receive(packet, link.a))
    assert "write_acknowledgement" not in names(received)
    assert link.b.query(packet_receipt_key(packet.destination_client, packet.sequence))
    answer_key = acknowledgement_key(packet.destination_client, packet.sequence)
    assert link.b.query(answer_key) is None


def test_two_and_thirty_packets_are_received_and_acknowledged_in_one_block_each(link, run_now):
    """One header, then every packet in a transaction of its own: no two touch one key."""
    lanes = [f"household {n}" for n in range(32)]
    packets = [link.send(link.a, lane=lane) for lane in lanes]
    sent = [packet_commitment_key(one.source_client, one.sequence) for one in packets]
    update, *entries = link.shown(link.a, *sent)
    link.b.must(update)
    for lane, packet, entry in zip(lanes, packets, entries, strict=True):
        signer = link.b.account(lane)
        message = RecvPacket(signer, packet, entry.proof, entry.proof_height)
        run_now(link.b.ledger.submit(lane, [message]))
    # Proofs that are whole blocks fill a block sooner.
    received, accesses = landed(link.b, 32, is_in_one_block=not link.a.proofs_are_blocks)
    assert [one.code for one in received] == [0] * 32
    assert_disjoint(accesses)
    answered = [acknowledgement_key(one.destination_client, one.sequence) for one in packets]
    update, *entries = link.shown(link.b, *answered)
    link.a.must(update)
    answer = written(received[0])
    for lane, packet, entry in zip(lanes, packets, entries, strict=True):
        signer = link.a.account(lane)
        message = AcknowledgePacket(signer, packet, answer, entry.proof, entry.proof_height)
        run_now(link.a.ledger.submit(lane, [message]))
    acknowledged, accesses = landed(link.a, 32, is_in_one_block=not link.b.proofs_are_blocks)
    assert [one.code for one in acknowledged] == [0] * 32
    assert_disjoint(accesses)


def test_an_application_that_cannot_judge_yet_leaves_no_receipt(link_of_ours):
    link = link_of_ours
    packet = link.send(link.a, b"early")
    delivery = link.receive(packet, link.a)
    assert link.b.run(*delivery).code
    assert link.b.query(packet_receipt_key(packet.destination_client, packet.sequence)) is None
