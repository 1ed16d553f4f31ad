"""Fabric's bytes: what is written reads back, and no bit of it is without meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from fakes.fabric_messages import official
from fakes.fabric_samples import BLOCK, CONTENT, ENDORSED, NESTED, PROPOSAL, envelope_of
from hypothesis import given
from hypothesis import strategies as st

from tieline.wire.errors import Malformed
from tieline.wire.fabric.blocks import Block, BlockHeader, check_well_formed
from tieline.wire.fabric.config_groups import Config, ConfigGroup, ConfigPolicy, ConfigValue
from tieline.wire.fabric.envelopes import ChannelHeader, Envelope
from tieline.wire.fabric.lifecycle import ChaincodeDefinition, after_writes
from tieline.wire.fabric.policies import ApplicationPolicy
from tieline.wire.fabric.proposals import Proposal, arguments_of, propose
from tieline.wire.fabric.reader import Message, is_as_written
from tieline.wire.fabric.responses import ChaincodeEvent, Response, ResponsePayload
from tieline.wire.fabric.rwsets import NamespaceSet, Read, ReadWriteSet, Version, Write
from tieline.wire.fabric.transactions import decode_transaction
from tieline.wire.proto_fields import bytes_field, message_field, uint_field

UINT64 = st.integers(0, 2**64 - 1)
TEXT = st.text(max_size=8)
OCTETS = st.binary(max_size=40)
VERSIONS = st.builds(Version, UINT64, UINT64)
NAMESPACES = st.builds(
    NamespaceSet,
    TEXT,
    st.lists(st.builds(Read, TEXT, st.none() | VERSIONS), max_size=4).map(tuple),
    st.lists(st.builds(Write, TEXT, OCTETS, st.booleans()), max_size=4).map(tuple),
    st.lists(OCTETS, max_size=2).map(tuple),
    st.lists(OCTETS, max_size=2).map(tuple),
    st.lists(OCTETS, max_size=2).map(tuple),
)
SETS = st.lists(NAMESPACES, max_size=3, unique_by=lambda one: one.namespace).map(
    lambda found: ReadWriteSet(tuple(found))
)
HASHES = st.binary(min_size=32, max_size=32)


@given(st.builds(BlockHeader, UINT64, HASHES, HASHES), st.lists(OCTETS), st.lists(OCTETS))
def test_blocks_read_back(header: BlockHeader, data: list[bytes], metadata: list[bytes]) -> None:
    block = Block(header, tuple(data), tuple(metadata[:16]))
    assert Block.decode(block.encode()) == block
    assert official("Block").FromString(block.encode()).SerializeToString() == block.encode()


@given(HASHES, SETS, st.integers(-(2**31), 2**31 - 1), TEXT, OCTETS, st.none() | OCTETS)
def test_responses_read_back(
    told: bytes, sets: ReadWriteSet, status: int, text: str, answer: bytes, event: bytes | None
) -> None:
    happened = None if event is None else ChaincodeEvent("cc", "id", text, event)
    content = ResponsePayload(told, "cc", "1", sets, Response(status, text, answer), happened)
    assert ResponsePayload.decode(content.encode()) == content


@given(st.lists(OCTETS, max_size=5), OCTETS, OCTETS, st.integers(0, 2**62))
def test_proposals_read_back(args: list[bytes], creator: bytes, nonce: bytes, time_ns: int) -> None:
    made = propose("channel", "cc", args, creator, nonce, time_ns)
    assert Proposal.decode(made.encode()) == made
    assert arguments_of(made.payload) == tuple(args)
    assert ChannelHeader.decode(made.channel_header).tx_id == made.tx_id


@given(st.lists(st.tuples(st.integers(1, 9), TEXT, OCTETS), min_size=1, max_size=6))
def test_definitions_are_what_all_their_writes_left(steps: list[tuple[int, str, bytes]]) -> None:
    held: ChaincodeDefinition | None = None
    for sequence, version, parameter in steps:
        new = ChaincodeDefinition("cc", sequence, version, parameter)
        held = after_writes("cc", held, new.writes(held)) if new != held else held
        assert held == new


def envelope_bytes(payload: bytes, signature: bytes, rest: bytes) -> bytes:
    """An envelope, and fields behind it that Go keeps."""
    return Envelope(payload, signature).encode() + rest


PARTS = st.binary(min_size=1, max_size=40)
ENVELOPE_BYTES = st.builds(
    envelope_bytes, PARTS, PARTS, st.sampled_from([b"", b"\x1a\x01u", b"\x18\x80\x00"])
)


@given(st.lists(ENVELOPE_BYTES, min_size=1, max_size=4), st.lists(st.integers(0, 200)))
def test_data_is_cut_into_envelopes_in_one_way(data: list[bytes], places: list[int]) -> None:
    """However the same bytes are cut, only the cut that was hashed is well-formed."""
    check_well_formed(data)
    joined = b"".join(data)
    ends = sorted({min(place, len(joined)) for place in places} | {0, len(joined)})
    cut = [joined[start:end] for start, end in pairwise(ends)]
    if cut != data:
        with pytest.raises(Malformed):
            check_well_formed(cut)


FIELDS = st.one_of(
    st.builds(bytes_field, st.integers(1, 4), OCTETS),
    st.builds(message_field, st.integers(1, 4), OCTETS),
    st.builds(uint_field, st.integers(1, 4), UINT64),
    st.sampled_from([b"\x0d1234", b"\x1112345678", b"\x1b\x08\x01\x1c", b"\x0a\x80\x00", b"\x0b"]),
)


@given(st.lists(FIELDS, max_size=6))
def test_many_spellings_are_read_and_judged_as_the_official_class_does(parts: list[bytes]) -> None:
    """An envelope: unknown fields, repeated ones, groups, numbers in the place of bytes."""
    data = b"".join(parts)
    try:
        taken = Envelope.decode(data)
    except Malformed:
        with pytest.raises(Exception, match="parsing"):
            official("Envelope").FromString(data)
        return
    read = official("Envelope").FromString(data)
    assert (read.payload, read.signature) == (taken.payload, taken.signature)
    assert (read.SerializeToString() == data) == is_as_written(data, known=2)


NO_DELETION = ReadWriteSet(
    (NamespaceSet("cc", (Read("k", Version(7, 300)),), (Write("k", b"v"),)),)
)
SMALL_GROUP = ConfigGroup({"below": ConfigGroup()}, {"v": ConfigValue(b"1")},
                          {"p": ConfigPolicy(NESTED.encode(), "", 3)})  # fmt: skip
WHOLE: list[tuple[str, bytes, Callable[[bytes], Any]]] = [
    ("block", BLOCK.encode(), Block.decode),
    ("transaction", envelope_of(ENDORSED), decode_transaction),
    # A truth value has many spellings that peers take; none is in these.
    ("response", replace(CONTENT, sets=NO_DELETION).encode(), ResponsePayload.decode),
    ("channel header", PROPOSAL.channel_header, ChannelHeader.decode),
    ("policy", ApplicationPolicy(NESTED).encode(), ApplicationPolicy.decode),
    ("tree", Config(1, SMALL_GROUP).encode(), Config.decode),
]


@pytest.mark.parametrize(("name", "data", "decode"), WHOLE, ids=[name for name, _, _ in WHOLE])
def test_every_truncation_and_every_flipped_bit_is_malformed_or_says_something_else(
    name: str, data: bytes, decode: Callable[[bytes], Any]
) -> None:
    value = decode(data)
    spoiled = [data[:end] for end in range(len(data))]
    for place in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            spoiled.append(bytes(changed))
    for one in spoiled:
        try:
            assert decode(one) != value, (name, one.hex())
        except Malformed:
            continue


def test_a_group_may_be_as_deep_as_go_lets_it() -> None:
    depth = 10_000
    assert not Message(b"\x0b" * depth + b"\x0c" * depth).has(1)
    for data in (b"\x0b" * (depth + 1) + b"\x0c" * (depth + 1), b"\x0b\x14", b"\x0c", b"\x0b\x0b"):
        with pytest.raises(Malformed):
            Message(data)


@pytest.mark.parametrize(
    "data", [b"\x08" + b"\xff" * 9 + b"\x02", b"\x08" + b"\x80" * 10 + b"\x00"]
)
def test_a_number_beyond_64_bits_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        Message(data)
    assert Message(b"\x08" + b"\xff" * 9 + b"\x01").int64(1) == -1
