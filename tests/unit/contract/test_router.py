"""Packets on a ledger: one valid case and everything that can spoil it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from fakes.light_client import HEADER
from fakes.microgrid import LOCAL, REMOTE, START_S, Ledger, key
from fakes.packets import (
    RELAYER,
    TIMEOUT_S,
    acknowledge,
    event,
    incoming,
    names,
    open_ledger,
    payload,
    receive,
    send,
    stored,
    time_out,
)

from tieline.contract.context import Context
from tieline.contract.router import write_acknowledgement
from tieline.contract.store import IBC, TIELINE
from tieline.protocol import commitment
from tieline.protocol.commitment import ERROR_ACKNOWLEDGEMENT
from tieline.protocol.height import Height
from tieline.protocol.messages import (
    AnyMessage,
    RecvPacket,
    SendPacket,
    UpdateClient,
)
from tieline.protocol.packet import Acknowledgement, Packet
from tieline.swap.messages import MsgReleaseOrder
from tieline.wire.codec import decode_acknowledgement, decode_packet


@pytest.fixture
def ledger() -> Ledger:
    """One client, paired, with a consensus state at heights 10 and 11."""
    return open_ledger(Ledger())


def test_a_packet_is_received_answered_and_its_receipt_kept(ledger: Ledger) -> None:
    result = ledger.must("relayer", receive(incoming()))
    assert names(result) == ["recv_packet", "echo_received", "write_acknowledgement"]
    written = event(result, "write_acknowledgement")
    assert dict(written.attributes) == {
        "packet_source_client": REMOTE,
        "packet_dest_client": LOCAL,
        "packet_sequence": "1",
        "packet_timeout_timestamp": str(TIMEOUT_S),
        "encoded_packet_hex": written.get("encoded_packet_hex"),
        "encoded_acknowledgement_hex": written.get("encoded_acknowledgement_hex"),
    }
    answer = decode_acknowledgement(bytes.fromhex(written.get("encoded_acknowledgement_hex")))
    assert answer == Acknowledgement((b"done",))
    assert stored(ledger, commitment.packet_receipt_key) == b"\x02"
    expected = commitment.commit_acknowledgement(answer)
    assert stored(ledger, commitment.acknowledgement_key) == expected


def test_a_refused_packet_gets_receipt_sentinel_and_reason_and_nothing_else(ledger: Ledger) -> None:
    result = ledger.must("relayer", receive(incoming(b"no")))
    assert names(result) == ["recv_packet", "receive_refused", "write_acknowledgement"]
    sentinel = commitment.commit_acknowledgement(Acknowledgement((ERROR_ACKNOWLEDGEMENT,)))
    assert stored(ledger, commitment.acknowledgement_key) == sentinel
    assert stored(ledger, commitment.packet_receipt_key) == b"\x02"
    assert ledger.application.scan(TIELINE, b"zecho") == []


def test_a_packet_that_came_too_early_leaves_no_receipt_and_can_come_again(ledger: Ledger) -> None:
    result = ledger.run("relayer", receive(incoming(b"early")))
    assert (result.codespace, result.code) == ("echo", 2)
    assert stored(ledger, commitment.packet_receipt_key) is None
    assert ledger.application.scan(TIELINE, b"zecho") == []


def test_an_application_that_breaks_down_fails_the_transaction_only(ledger: Ledger) -> None:
    result = ledger.run("relayer", receive(incoming(b"boom")))
    assert (result.codespace, result.code) == ("undefined", 111_222)
    assert stored(ledger, commitment.packet_receipt_key) is None
    assert ledger.run("relayer", receive(incoming())).code == 0


def test_a_late_answer_waits_with_its_packet(ledger: Ledger) -> None:
    result = ledger.must("relayer", receive(incoming(b"later")))
    assert names(result) == ["recv_packet", "echo_received"]
    assert stored(ledger, commitment.acknowledgement_key) is None
    kept = stored(ledger, commitment.async_packet_key)
    assert kept is not None
    assert decode_packet(kept) == incoming(b"later")


@pytest.mark.parametrize(
    "change",
    [{"destination_port": "nobody"}, {"version": "echo-2"}, {"encoding": "application/json"}],
)
def test_what_nobody_here_speaks_is_skipped_without_receipt(
    ledger: Ledger, change: dict[str, str]
) -> None:
    packet = replace(incoming(), payloads=(payload(**change),))
    result = ledger.must("relayer", receive(packet))
    assert names(result) == ["packet_skipped"]
    assert stored(ledger, commitment.packet_receipt_key) is None


def test_a_second_receive_is_a_no_op_even_after_the_timeout(ledger: Ledger) -> None:
    ledger.must("relayer", receive(incoming()))
    before = ledger.application.scan(IBC, b"")
    assert names(ledger.must("relayer", receive(incoming()))) == []
    ledger.now_s = TIMEOUT_S
    assert names(ledger.must("relayer", receive(incoming()))) == []
    assert ledger.application.scan(IBC, b"") == before


@pytest.mark.parametrize(("offset", "code"), [(-1, 0), (0, 9), (1, 9)])
def test_receiving_ends_exactly_at_the_timeout(ledger: Ledger, offset: int, code: int) -> None:
    ledger.now_s = TIMEOUT_S + offset - 5
    assert ledger.run("relayer", receive(incoming())).code == code


SPOILED_RECEIVES: list[tuple[str, Callable[[RecvPacket], RecvPacket], tuple[str, int]]] = [
    ("sequence is zero", lambda m: _with(m, sequence=0), ("channelv2", 2)),
    ("from another client", lambda m: _with(m, source_client="07-fake-8"), ("client", 34)),
    ("to an unknown client", lambda m: _with(m, destination_client="07-fake-7"), ("client", 35)),
    ("timeout is another", lambda m: _with(m, timeout_s=TIMEOUT_S + 1), ("client", 30)),
    ("sequence is another", lambda m: _with(m, sequence=2), ("client", 30)),
    ("payload is another", lambda m: _with(m, payloads=(payload(b"no"),)), ("client", 30)),
    (
        "port is too short",
        lambda m: _with(m, payloads=(payload(source_port="x"),)),
        ("channelv2", 3),
    ),
    ("version is blank", lambda m: _with(m, payloads=(payload(version=" "),)), ("channelv2", 3)),
    ("no payload", lambda m: _with(m, payloads=()), ("channelv2", 3)),
    ("two payloads", lambda m: _with(m, payloads=(payload(), payload())), ("channelv2", 3)),
    ("empty value", lambda m: _with(m, payloads=(payload(b""),)), ("channelv2", 3)),
    ("proof of another height", lambda m: replace(m, proof_height=Height(0, 10)), ("client", 30)),
    ("a height between", lambda m: replace(m, proof_height=Height(0, 9)), ("client", 7)),
    ("a height ahead", lambda m: replace(m, proof_height=Height(0, 12)), ("ibc", 9)),
    ("an empty proof", lambda m: replace(m, proof_commitment=b""), ("client", 30)),
    ("an endless proof", lambda m: replace(m, proof_commitment=bytes(70_000)), ("client", 30)),
    ("a spoiled proof", lambda m: replace(m, proof_commitment=b"\x00" * 32), ("client", 30)),
]


def _with(message: RecvPacket, **change: object) -> RecvPacket:
    return replace(message, packet=replace(message.packet, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("what", "spoil", "expected"), SPOILED_RECEIVES, ids=lambda v: v if isinstance(v, str) else None
)
def test_a_spoiled_receive_is_refused_and_changes_nothing(
    ledger: Ledger,
    what: str,
    spoil: Callable[[RecvPacket], RecvPacket],
    expected: tuple[str, int],
) -> None:
    del what
    before = [ledger.application.scan(IBC, b""), ledger.application.scan(TIELINE, b"z")]
    result = ledger.run("relayer", spoil(receive(incoming())))
    assert (result.codespace, result.code) == expected, result.log
    assert [ledger.application.scan(IBC, b""), ledger.application.scan(TIELINE, b"z")] == before


def test_a_send_commits_counts_and_tells(ledger: Ledger) -> None:
    packet = send(ledger)
    assert packet == Packet(1, LOCAL, REMOTE, TIMEOUT_S, (payload(),))
    assert stored(ledger, commitment.packet_commitment_key) == commitment.commit_packet(packet)
    assert send(ledger).sequence == 2


SPOILED_SENDS: list[tuple[str, dict[str, object], tuple[str, int]]] = [
    ("an unknown client", {"source_client": "07-fake-7"}, ("client", 35)),
    ("a port whose application sends itself", {"port": "private"}, ("ibc", 2)),
    ("a port that nobody is bound to", {"port": "nobody"}, ("ibc", 2)),
    ("a timeout that has passed here", {"timeout_s": START_S}, ("channelv2", 9)),
    ("a timeout beyond a day", {"timeout_s": START_S + 24 * 3600 + 100}, ("channelv2", 8)),
    ("no timeout", {"timeout_s": 0}, ("channelv2", 8)),
    ("no payload", {"payloads": ()}, ("channelv2", 3)),
]


@pytest.mark.parametrize(
    ("what", "change", "expected"), SPOILED_SENDS, ids=lambda v: v if isinstance(v, str) else None
)
def test_a_spoiled_send_is_refused(
    ledger: Ledger, what: str, change: dict[str, object], expected: tuple[str, int]
) -> None:
    del what
    parts: dict[str, object] = dict(change)
    port = parts.pop("port", "echo")
    body = (payload(source_port=str(port)),)
    message = replace(SendPacket(RELAYER, LOCAL, TIMEOUT_S, body), **parts)  # type: ignore[arg-type]
    result = ledger.run("relayer", message)
    assert (result.codespace, result.code) == expected, result.log
    assert stored(ledger, commitment.packet_commitment_key) is None


@pytest.mark.parametrize(("seen_s", "code"), [(TIMEOUT_S - 1, 0), (TIMEOUT_S, 9)])
def test_a_send_is_refused_once_the_other_side_has_reached_the_timeout(
    ledger: Ledger, seen_s: int, code: int
) -> None:
    ledger.must("relayer", UpdateClient(RELAYER, LOCAL, ledger.header(12, seen_s)))
    message = SendPacket(RELAYER, LOCAL, TIMEOUT_S, (payload(),))
    assert ledger.run("relayer", message).code == code


def test_seconds_are_cut_before_they_are_compared(ledger: Ledger) -> None:
    """One nanosecond before the timeout is still before it, as on the receiving side."""
    height, late_ns = 12, TIMEOUT_S * 10**9 - 1
    body = height.to_bytes(8, "big") + late_ns.to_bytes(8, "big")
    packet = send(ledger)
    ledger.must("relayer", UpdateClient(RELAYER, LOCAL, AnyMessage(HEADER, body)))
    assert ledger.run("relayer", time_out(packet, Height(0, 12))).code == 10


@pytest.mark.parametrize(
    "answer", [b"done", ERROR_ACKNOWLEDGEMENT, b"\x00garbage"], ids=["success", "sentinel", "noise"]
)
def test_an_answer_ends_the_packet_and_reaches_the_application(
    ledger: Ledger, answer: bytes
) -> None:
    packet = send(ledger)
    result = ledger.must("relayer", acknowledge(packet, answer))
    assert names(result) == ["acknowledge_packet"]
    assert stored(ledger, commitment.packet_commitment_key) is None
    assert ledger.application.query(TIELINE, b"zacked" + (1).to_bytes(8, "big")) == answer
    assert names(ledger.must("relayer", acknowledge(packet, answer))) == []


def test_a_timeout_ends_the_packet_once(ledger: Ledger) -> None:
    packet = send(ledger)
    ledger.must("relayer", UpdateClient(RELAYER, LOCAL, ledger.header(12, TIMEOUT_S)))
    result = ledger.must("relayer", time_out(packet, Height(0, 12)))
    assert names(result) == ["timeout_packet"]
    assert ledger.application.query(TIELINE, b"ztimed" + (1).to_bytes(8, "big")) == b"\x01"
    assert names(ledger.must("relayer", time_out(packet, Height(0, 12)))) == []
    assert names(ledger.must("relayer", acknowledge(packet, b"done"))) == []


@pytest.mark.parametrize(("seen_s", "code"), [(TIMEOUT_S - 1, 10), (TIMEOUT_S, 0)])
def test_a_timeout_is_judged_at_the_proof_height(ledger: Ledger, seen_s: int, code: int) -> None:
    packet = send(ledger)
    ledger.must("relayer", UpdateClient(RELAYER, LOCAL, ledger.header(12, seen_s)))
    ledger.must("relayer", UpdateClient(RELAYER, LOCAL, ledger.header(13, TIMEOUT_S + 60)))
    assert ledger.run("relayer", time_out(packet, Height(0, 12))).code == code


SPOILED_ENDS: list[tuple[str, Callable[[Packet], object], tuple[str, int]]] = [
    (
        "ack of another packet",
        lambda p: acknowledge(replace(p, timeout_s=1), b"x"),
        ("channelv2", 2),
    ),
    ("ack without an answer", acknowledge, ("channelv2", 5)),
    ("ack with two answers", lambda p: acknowledge(p, b"x", b"y"), ("channelv2", 5)),
    ("ack with an empty answer", lambda p: acknowledge(p, b""), ("channelv2", 5)),
    (
        "ack proved for another answer",
        lambda p: replace(acknowledge(p, b"x"), acknowledgement=Acknowledgement((b"y",))),
        ("client", 30),
    ),
    (
        "ack of another counterparty",
        lambda p: acknowledge(replace(p, destination_client="07-fake-8"), b"x"),
        ("client", 34),
    ),
    ("ack proved ahead", lambda p: acknowledge(p, b"x", height=Height(0, 99)), ("ibc", 9)),
    ("timeout too early", time_out, ("channelv2", 10)),
    ("timeout proved ahead", lambda p: time_out(p, Height(0, 99)), ("ibc", 9)),
    ("timeout at an unknown height", lambda p: time_out(p, Height(0, 9)), ("client", 7)),
    ("timeout of another packet", lambda p: time_out(replace(p, timeout_s=1)), ("channelv2", 2)),
]


@pytest.mark.parametrize(
    ("what", "build", "expected"), SPOILED_ENDS, ids=lambda v: v if isinstance(v, str) else None
)
def test_a_spoiled_end_is_refused_and_the_packet_stays_open(
    ledger: Ledger, what: str, build: Callable[[Packet], object], expected: tuple[str, int]
) -> None:
    del what
    packet = send(ledger)
    result = ledger.run("relayer", build(packet))
    assert (result.codespace, result.code) == expected, result.log
    assert stored(ledger, commitment.packet_commitment_key) is not None


def test_absence_must_be_proved_of_the_receipt_itself(ledger: Ledger) -> None:
    packet = send(ledger)
    ledger.must("relayer", UpdateClient(RELAYER, LOCAL, ledger.header(12, TIMEOUT_S)))
    other = time_out(replace(packet, sequence=2), Height(0, 12))
    result = ledger.run("relayer", replace(other, packet=packet))
    assert (result.codespace, result.code) == ("client", 30)


def test_batches_are_all_or_nothing(ledger: Ledger) -> None:
    bad = replace(receive(incoming(sequence=2)), proof_commitment=b"\x01")
    result = ledger.run("relayer", receive(incoming()), bad)
    assert (result.codespace, result.code) == ("client", 30)
    assert "message index: 1" in result.log
    assert stored(ledger, commitment.packet_receipt_key) is None


def late(ctx: Context, message: MsgReleaseOrder) -> None:
    """Stands for a verdict: answers the packet whose sequence is the order id, with its rest."""
    sequence, said = message.order_id[0], message.order_id[1:].rstrip(b"\x00")
    write_acknowledgement(ctx, LOCAL, sequence, said or None)


@pytest.fixture
def slow_ledger() -> Ledger:
    """The same, with a message that answers late, and one packet that waits."""
    usual = Ledger().installation
    ledger = open_ledger(Ledger(installation=replace(usual, handlers={MsgReleaseOrder: late})))
    ledger.must("relayer", receive(incoming(b"later")))
    return ledger


def verdict(sequence: int, said: bytes) -> MsgReleaseOrder:
    return MsgReleaseOrder(key("ann").cosmos_account, bytes([sequence]) + said.ljust(31, b"\x00"))


@pytest.mark.parametrize("said", [b"capped", b""], ids=["answer", "sentinel"])
def test_a_late_answer_is_written_once_and_the_packet_waits_no_longer(
    slow_ledger: Ledger, said: bytes
) -> None:
    result = slow_ledger.must("ann", verdict(1, said))
    written = event(result, "write_acknowledgement")
    assert decode_packet(bytes.fromhex(written.get("encoded_packet_hex"))) == incoming(b"later")
    expected = commitment.commit_acknowledgement(Acknowledgement((said or ERROR_ACKNOWLEDGEMENT,)))
    assert stored(slow_ledger, commitment.acknowledgement_key) == expected
    assert stored(slow_ledger, commitment.async_packet_key) is None
    again = slow_ledger.run("ann", verdict(1, b"other"))
    assert (again.codespace, again.code) == ("channelv2", 11)
    assert stored(slow_ledger, commitment.acknowledgement_key) == expected


def test_what_was_never_received_cannot_be_answered(slow_ledger: Ledger) -> None:
    result = slow_ledger.run("ann", verdict(2, b"capped"))
    assert (result.codespace, result.code) == ("channelv2", 7)


def test_a_repeat_after_a_late_answer_is_a_no_op(slow_ledger: Ledger) -> None:
    slow_ledger.must("ann", verdict(1, b"capped"))
    assert names(slow_ledger.must("relayer", receive(incoming(b"later")))) == []
    assert stored(slow_ledger, commitment.async_packet_key) is None
