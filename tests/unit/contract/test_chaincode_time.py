"""
Time on Fabric: who sets the clock, who reads it, and what is true once it has passed. Each story
uses the chaincode's real read sets under Fabric's own rule of what is valid.
"""

from __future__ import annotations

import pytest
from fakes.fabric_world import Channel, FabricLedger, FabricWorld, Watched, refusal_of
from fakes.microgrid import key
from fakes.trade_records import CLIENT, TAU, D, S
from fakes.trade_story import tell_story
from fakes.trade_world import Position, account

from tieline.contract.chaincode import Chaincode
from tieline.hub.refusals import Refusal, sort_refusal
from tieline.protocol.commitment import packet_receipt_key
from tieline.protocol.packet import Packet
from tieline.swap.messages import MsgPlaceOrders
from tieline.swap.records import Side
from tieline.wire.codec import build_transaction
from tieline.wire.fabric.invocations import (
    CLOCK_KEY,
    absence_key,
    encode_number,
    ibc_key,
    init_args,
    invocation_hash,
    marker_key,
    marker_value,
    prove_absence_args,
    submit_args,
    tick_args,
)
from tieline.wire.hashes import sha256

NOW_S = S - 7200


def codes(watched: Watched) -> tuple[str, int]:
    """Codespace and code of a refusal."""
    refusal = refusal_of(watched)
    return refusal.codespace, refusal.code


@pytest.fixture(scope="module")
def genesis() -> bytes:
    """Of one of the trade world's ledgers."""
    return FabricWorld().a.genesis.to_bytes()


@pytest.fixture
def channel(genesis: bytes) -> Channel:
    """A channel that has begun and knows no time."""
    channel = Channel(Chaincode())
    assert channel.invoke(init_args(genesis, bytes(32))).invocation.is_ok
    return channel


# --- Tick -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("skew", "is_taken"), [(-31, False), (-30, True), (0, True), (30, True), (31, False)]
)
def test_a_tick_is_within_thirty_seconds_of_the_endorsers_clock(
    channel: Channel, skew: int, is_taken: bool
) -> None:
    done = channel.invoke(tick_args(NOW_S + skew), NOW_S)
    assert done.invocation.is_ok is is_taken
    assert is_taken or codes(done) == ("tieline", 43)


@pytest.mark.parametrize(
    ("later", "is_taken"), [(-1, False), (0, False), (1, False), (14, False), (15, True)]
)
def test_a_tick_is_fifteen_seconds_after_the_last(
    channel: Channel, later: int, is_taken: bool
) -> None:
    assert channel.invoke(tick_args(NOW_S), NOW_S).invocation.is_ok
    done = channel.invoke(tick_args(NOW_S + later), NOW_S + 16)
    assert done.invocation.is_ok is is_taken
    assert is_taken or codes(done)[0] == "tieline"


def test_a_tick_writes_the_clock_and_its_marker_and_nothing_else(channel: Channel) -> None:
    done = channel.invoke(tick_args(NOW_S), NOW_S)
    marker = marker_key(invocation_hash(tick_args(NOW_S)))
    assert dict(done.invocation.writes) == {
        CLOCK_KEY: encode_number(NOW_S),
        marker: marker_value([(CLOCK_KEY, encode_number(NOW_S))]),
    }
    assert done.invocation.event == b""


def test_of_two_ticks_in_one_block_one_is_valid(channel: Channel) -> None:
    ticks = [channel.endorse(tick_args(NOW_S + n), NOW_S) for n in range(2)]
    assert channel.order(*ticks) == [True, False]


def test_only_a_tick_asks_for_the_endorsers_clock(genesis: bytes) -> None:
    """Two peers with other clocks would otherwise answer differently."""

    def no_clock() -> int:
        message = "asked for the wall clock"
        raise AssertionError(message)

    calls = Channel(Chaincode())
    calls.invoke(init_args(genesis, bytes(32)))
    for args in (
        prove_absence_args(CLIENT, 1, NOW_S),
        submit_args(b"\x0a"),
        (b"ReadBack", b"clock"),
        (b"Query", b"ibc", b"k"),
        (b"Version",),
        (b"Tick", b"short"),
        init_args(genesis, bytes(32)),
    ):
        calls.chaincode.invoke(args, calls.state.unwatched(), no_clock)


# --- who reads the clock ------------------------------------------------------------------------


def test_messages_read_the_clock_exactly_if_their_rules_ask_for_the_time() -> None:
    """By the read sets of a whole trade: an order, a trade, an INTRA trade, all their exits."""
    readers = tell_story(FabricWorld()).clock_readers
    assert readers == {
        "AcknowledgePacket": True,
        "CreateClient": True,
        "MsgApplyVerdict": True,
        "MsgCancel": True,
        "MsgClaim": True,
        "MsgCollectShare": False,
        "MsgDeposit": False,
        "MsgExpirePending": True,
        "MsgLockAndSend": True,
        "MsgOpenLocal": True,
        "MsgPlaceOrders": True,
        "MsgPostCellSet": False,
        "MsgPostClearing": False,
        "MsgPostDelivery": False,
        "MsgRefund": True,
        "MsgReleaseOrder": True,
        "MsgSend": False,
        "MsgSetBands": True,
        "MsgSetMandate": False,
        "MsgTradeEvidence": False,
        "MsgWaive": True,
        "MsgWithdraw": False,
        "RecvPacket": True,
        "RegisterCounterparty": False,
        "TimeoutPacket": True,
        "UpdateClient": True,
    }


def test_no_transaction_of_a_trade_writes_the_clock_or_a_key_of_all() -> None:
    story = tell_story(FabricWorld())
    for ledger in story.ledgers:
        writes = [watched.writes for watched in ledger.watched if watched.invocation.is_ok]
        assert len(writes) > 10
        assert all(CLOCK_KEY not in keys for keys in writes)
        assert frozenset.intersection(*writes) == frozenset()
        assert {key[:2] for keys in writes for key in keys} == {"i:", "t:", "x:"}


def test_before_the_first_tick_a_message_that_needs_time_is_true_later() -> None:
    world = FabricWorld()
    ledger = world.a
    assert isinstance(ledger, FabricLedger)
    assert ledger.channel is not None
    del ledger.channel.state.values[CLOCK_KEY]
    signed = world.sign("ann", world.order("ann", Side.BUY, 100))
    raw = build_transaction(
        [MsgPlaceOrders(account("relayer"), (signed,))],
        key("relayer"),
        ledger.chain_id,
        0,
        99,
    )
    refused = ledger.channel.invoke(submit_args(raw))
    assert codes(refused) == ("tieline", 41)
    assert sort_refusal(*codes(refused)) is Refusal.NOT_YET
    ledger.channel.set_clock(ledger.now_s + 15)
    assert ledger.channel.invoke(submit_args(raw)).invocation.is_ok


# --- absence ------------------------------------------------------------------------------------


class Waiting:
    """A packet from a that waits at b, and what anyone may do about it there."""

    def __init__(self) -> None:
        world = self.world = FabricWorld()
        buy = world.place("ann", Side.BUY, 1_000)
        sell = world.place("bob", Side.SELL, 1_000, anchor=sha256(b"\x11" * 32))
        self.position: Position = world.position([(buy, 1_000)], [(sell, 1_000)], b"\x11" * 32)
        assert isinstance(world.b, FabricLedger)
        assert world.b.channel is not None
        self.ledger = world.b
        self.channel: Channel = world.b.channel

    def send(self) -> Packet:
        """Let a send it, and let b know of the clearing."""
        packet = self.world.send(self.position)
        self.world.b.must("relayer", self.world.post_clearing(self.position.clearing))
        return packet

    def be_at(self, now_s: int) -> None:
        """Let time pass on b."""
        self.ledger.now_s = now_s
        self.channel.set_clock(now_s)

    def receive(self, packet: Packet) -> tuple[bytes, bytes]:
        """Two transactions that receive it, unlike by a number only."""
        messages = self.world.receive_messages(self.position, packet)
        one, other = (self.ledger.transaction("relayer", *messages) for _ in range(2))
        return one, other

    def absence(self, tau_s: int) -> Watched:
        """Ask for a record of its absence."""
        return self.channel.endorse(prove_absence_args(CLIENT, 1, tau_s))

    def record(self) -> bytes | None:
        """The absence record."""
        return self.channel.state.values.get(absence_key(CLIENT, 1))


def test_a_record_of_a_packet_not_yet_sent_stops_nothing() -> None:
    """
    Anyone may record an absence early; if receiving looked at records, this packet would be
    stopped for ever by somebody who never had a right to stop it.
    """
    waiting = Waiting()
    early = waiting.ledger.now_s
    assert waiting.channel.order(waiting.absence(early)) == [True]
    assert waiting.record() == encode_number(early)
    packet = waiting.send()
    waiting.be_at(TAU - 60)
    result = waiting.ledger.block(waiting.receive(packet)[0])[0]
    assert result.code == 0, result.log
    receipt = ibc_key(packet_receipt_key(CLIENT, packet.sequence))
    assert receipt in waiting.channel.state.values
    # The early record proves nothing: its tau is before the timeout.
    assert early < packet.timeout_s


def test_a_record_waits_for_the_clock_and_for_nobody_else() -> None:
    waiting = Waiting()
    waiting.send()
    waiting.be_at(TAU - 1)
    refused = waiting.absence(TAU)
    assert sort_refusal(*codes(refused)) is Refusal.NOT_YET
    waiting.be_at(TAU)
    done = waiting.absence(TAU)
    assert waiting.channel.order(done) == [True]
    receipt = ibc_key(packet_receipt_key(CLIENT, 1))
    marker = marker_key(invocation_hash(prove_absence_args(CLIENT, 1, TAU)))
    record = absence_key(CLIENT, 1)
    assert dict(done.invocation.writes) == {
        record: encode_number(TAU),
        marker: marker_value([(record, encode_number(TAU))]),
    }
    assert {receipt, CLOCK_KEY, record, marker} <= done.reads


def test_a_later_record_takes_the_place_of_an_earlier_one_and_never_the_reverse() -> None:
    waiting = Waiting()
    waiting.be_at(TAU + 100)
    assert waiting.channel.order(waiting.absence(TAU - 50)) == [True]
    assert waiting.channel.order(waiting.absence(TAU)) == [True]
    assert waiting.record() == encode_number(TAU)
    assert codes(waiting.absence(TAU)) == ("tieline", 42)
    assert codes(waiting.absence(TAU - 1)) == ("tieline", 42)
    assert waiting.record() == encode_number(TAU)


def test_a_received_packet_has_no_record_of_absence() -> None:
    waiting = Waiting()
    packet = waiting.send()
    waiting.be_at(TAU - 60)
    waiting.ledger.block(waiting.receive(packet)[0])
    waiting.be_at(D)
    assert codes(waiting.absence(TAU)) == ("tieline", 44)


def test_an_absence_endorsed_beside_the_receipt_is_ordered_and_invalid() -> None:
    """
    Both in one block, both fully endorsed: the record of absence is in the block and was never
    true. Only its read-back tells, by having no marker (``docs/spec/trust.md`` 4.4).
    """
    waiting = Waiting()
    packet = waiting.send()
    waiting.be_at(TAU - 60)
    received = waiting.channel.endorse(submit_args(waiting.receive(packet)[0]))
    absent = waiting.absence(TAU - 100)
    assert waiting.channel.order(received, absent) == [True, False]
    marker = marker_key(invocation_hash(prove_absence_args(CLIENT, 1, TAU - 100)))
    assert marker not in waiting.channel.state.values
    assert waiting.record() is None


def test_a_receive_endorsed_in_time_is_invalid_behind_the_tick_that_ended_it() -> None:
    """The receive read the clock; so no receipt is written once a record could be."""
    waiting = Waiting()
    packet = waiting.send()
    waiting.be_at(TAU - 60)
    one, other = waiting.receive(packet)
    received = waiting.channel.endorse(submit_args(one))
    tick = waiting.channel.endorse(tick_args(TAU), TAU)
    assert waiting.channel.order(tick, received) == [True, False]
    assert waiting.channel.order(waiting.absence(TAU)) == [True]
    again = waiting.channel.invoke(submit_args(other))
    assert codes(again) == ("channelv2", 9)


def test_two_records_of_one_packet_in_one_block_are_one() -> None:
    waiting = Waiting()
    waiting.be_at(D)
    both = [waiting.absence(TAU), waiting.absence(TAU + 1)]
    assert waiting.channel.order(*both) == [True, False]


@pytest.mark.parametrize(
    ("client", "sequence"),
    [(b"07-fake", 1), (b"short-0", 1), (b"\xff" * 9, 1), (b"07-fake-0" * 9, 1), (b"07-fake-0", 0)],
)
def test_a_record_names_a_client_and_a_sequence_that_a_packet_can_have(
    channel: Channel, client: bytes, sequence: int
) -> None:
    channel.set_clock(NOW_S)
    args = (b"ProveAbsence", client, encode_number(sequence), encode_number(NOW_S))
    assert codes(channel.invoke(args))[0] in {"ibc", "sdk"}


def test_a_record_needs_a_clock(channel: Channel) -> None:
    assert codes(channel.invoke(prove_absence_args(CLIENT, 1, 0))) == ("tieline", 41)
