"""The protobuf wire format by hand: one spelling for one content."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.wire.errors import Malformed
from tieline.wire.proto_fields import (
    Fields,
    bytes_field,
    int_field,
    message_field,
    read_uvarint,
    sfixed64_field,
    uint_field,
    uvarint,
    zigzag,
)


@given(st.integers(0, 2**64 - 1))
def test_unsigned_varints_come_back(number):
    encoded = uvarint(number)
    assert read_uvarint(b"\xff" + encoded + b"\x01", 1) == (number, 1 + len(encoded))
    assert Fields(uint_field(3, number), known=3).uint(3) == number


@given(st.integers(-(2**63), 2**63 - 1))
def test_signed_numbers_come_back(number):
    read, _ = read_uvarint(zigzag(number), 0)
    assert (read >> 1) ^ -(read & 1) == number
    assert Fields(int_field(1, number), known=1).int64(1) == number
    assert Fields(sfixed64_field(2, number), known=2).uint(2) == number


@pytest.mark.parametrize(
    "spoiled",
    [b"", b"\x80", b"\x80\x00", b"\x81\x80\x00", b"\xff" * 9 + b"\x02", b"\xff" * 10 + b"\x01"],
)
def test_a_varint_cut_short_too_long_or_not_the_shortest_is_refused(spoiled):
    with pytest.raises(Malformed):
        read_uvarint(spoiled, 0)


@pytest.mark.parametrize(
    "spoiled",
    [
        b"\x00",  # field 0
        b"\x20\x01",  # field 4 of 3
        b"\x0b",  # a group
        b"\x0d\x00\x00\x00\x00",  # fixed32, which no message here has
        b"\x0a\x05abcd",  # a length beyond the end
        b"\x09\x00\x00\x00",  # fixed64 cut short
        b"\x08",  # a key without a value
    ],
)
def test_fields_that_do_not_decode_are_refused(spoiled):
    with pytest.raises(Malformed):
        Fields(spoiled, known=3)


def test_a_field_of_another_kind_or_given_twice_is_refused():
    fields = Fields(uint_field(1, 5) + bytes_field(2, b"\xff") + bytes_field(3, b"a") * 2, known=3)
    assert fields.each_bytes(3) == (b"a", b"a")
    for read in (
        lambda: fields.octets(1),
        lambda: fields.uint(2),
        lambda: fields.text(2),
        lambda: fields.octets(3),
        lambda: fields.each_bytes(1),
    ):
        with pytest.raises(Malformed):
            read()


def test_what_is_not_there_is_zero_or_empty():
    fields = Fields(message_field(1, b""), known=4)
    assert fields.has(1)
    assert not fields.has(2)
    assert (fields.uint(2), fields.octets(3), fields.each_bytes(4)) == (0, b"", ())
    assert uint_field(1, 0) + bytes_field(1, b"") + sfixed64_field(1, 0) == b""
