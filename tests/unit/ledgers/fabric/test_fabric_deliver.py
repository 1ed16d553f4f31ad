"""Blocks as a peer delivers them, and what a peer may deliver instead."""

import asyncio
import contextlib

import pytest
from fabric_protos.orderer import ab_pb2

from tieline.interfaces.errors import ConfigError, Unavailable
from tieline.ledgers.fabric.deliver import read_blocks, seek_envelope
from tieline.ledgers.fabric.material import ALWAYS, MemberCarrier, Role, make_organisation
from tieline.ledgers.fabric.peer_calls import PeerAddress
from tieline.wire.fabric.blocks import Block, BlockHeader
from tieline.wire.fabric.envelopes import ChannelHeader, Envelope, Payload
from tieline.wire.proto_fields import message_field, uint_field

SUCCESS, BAD_REQUEST, FORBIDDEN, NOT_FOUND, UNAVAILABLE = 200, 400, 403, 404, 503


def block(number):
    return Block(BlockHeader(number, b"", b"\x01" * 32), (b"data",), (b"",) * 5).encode()


def delivered(number):
    return message_field(2, block(number))


def status(code):
    return uint_field(1, code)


def read(*answers, first=0):
    async def stream():
        for answer in answers:
            yield answer

    async def run():
        async with contextlib.aclosing(stream()) as answers_of_peer:
            return await read_blocks(answers_of_peer, first, "peer0")

    return asyncio.run(run())


@pytest.mark.parametrize("end", [SUCCESS, NOT_FOUND])
def test_blocks_come_until_the_peer_says_that_is_all(end):
    assert read(delivered(3), delivered(4), status(end), first=3) == [block(3), block(4)]
    assert read(status(end), first=3) == []


@pytest.mark.parametrize("wrong", [2, 4, 9])
def test_a_block_out_of_turn_is_not_taken(wrong):
    with pytest.raises(Unavailable, match=f"number={wrong}"):
        read(delivered(wrong), status(SUCCESS), first=3)


def test_what_is_no_answer_is_not_taken():
    with pytest.raises(Unavailable, match="delivers no block"):
        read(b"\x12\xff", first=3)


def test_a_peer_that_does_not_let_us_read_says_whose_turn_it_is():
    with pytest.raises(ConfigError, match="identity of an organisation") as told:
        read(status(FORBIDDEN))
    assert told.value.key == "peer0"


def test_a_peer_that_refuses_the_request_itself_is_said_with_the_clock():
    """It holds a request against its own clock, and tells nobody but its log."""
    with pytest.raises(ConfigError, match=r"BAD_REQUEST; set this computer's clock.*NTP") as told:
        read(status(BAD_REQUEST))
    assert told.value.key == "peer0"


def test_a_peer_that_cannot_now_may_be_asked_again():
    with pytest.raises(Unavailable, match="SERVICE_UNAVAILABLE"):
        read(delivered(0), status(UNAVAILABLE))


def test_the_request_is_signed_tied_to_the_connection_and_names_its_blocks():
    member = make_organisation("Org1MSP", [("hub", Role.CLIENT)], ALWAYS, seed=b"x").member("hub")
    tls = member.tls.certificate_pem
    address = PeerAddress("peer0", "localhost:1", b"", tls, b"")
    carrier = MemberCarrier.of(member)
    first, second = (
        Envelope.decode(seek_envelope(carrier, address, "lab", 5, 9)) for _ in range(2)
    )
    assert first.signature == carrier.sign(first.payload)
    assert first.payload != second.payload, "a nonce of its own"
    payload = Payload.decode(first.payload)
    header = ChannelHeader.decode(payload.channel_header)
    assert (header.type, header.channel_id, len(header.tls_cert_hash)) == (5, "lab", 32)
    seek = ab_pb2.SeekInfo.FromString(payload.data)
    assert (seek.start.specified.number, seek.stop.specified.number) == (5, 9)
    assert seek.behavior == ab_pb2.SeekInfo.FAIL_IF_NOT_READY
    plain = PeerAddress("peer0", "localhost:1", b"", b"", b"")
    bare = Payload.decode(Envelope.decode(seek_envelope(carrier, plain, "lab", 0, 0)).payload)
    assert ChannelHeader.decode(bare.channel_header).tls_cert_hash == b""
