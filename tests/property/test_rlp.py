"""RLP against the reference library: the same bytes, the same refusals."""

import pytest
import rlp as reference
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tieline.wire.errors import Malformed
from tieline.wire.evm import rlp

items = st.recursive(
    st.binary(max_size=70), lambda inner: st.lists(inner, max_size=6), max_leaves=20
)
depth_5 = items.filter(lambda item: depth(item) <= 5)


def depth(item) -> int:
    return 0 if isinstance(item, bytes) else 1 + max(map(depth, item), default=0)


@given(depth_5)
def test_what_is_written_is_what_the_reference_writes(item):
    data = rlp.encode(item)
    assert data == reference.encode(item)
    assert rlp.decode(data) == item


@given(st.binary(min_size=56, max_size=70_000))
@settings(max_examples=20)
def test_long_bytes_and_lists_too(octets):
    assert rlp.encode(octets) == reference.encode(octets)
    assert rlp.encode([octets, octets]) == reference.encode([octets, octets])
    assert rlp.decode(rlp.encode([octets])) == [octets]


@given(st.integers(0, 2**256 - 1))
@example(0)
@example(127)
@example(128)
def test_numbers_are_as_the_reference_writes_them(number):
    data = rlp.encode_uint(number)
    assert data == reference.encode(number)
    assert rlp.to_uint(rlp.decode(data), 256) == number


@given(
    st.one_of(
        st.binary(max_size=80),
        st.tuples(items.map(reference.encode), st.integers(0, 200), st.binary(max_size=3)).map(
            lambda part: part[0][: part[1]] + part[2] + part[0][part[1] + 1 :]
        ),
    )
)
@settings(max_examples=500)
def test_any_bytes_are_read_as_the_reference_reads_them_or_refused_like_it(data):
    try:
        theirs = reference.decode(data, strict=True)
    except reference.DecodingError:
        with pytest.raises(Malformed):
            rlp.decode(data, depth_max=99)
    else:
        assert rlp.decode(data, depth_max=99) == plain(theirs)


def plain(item):
    return bytes(item) if isinstance(item, bytes) else [plain(one) for one in item]


@pytest.mark.parametrize(
    ("hexadecimal", "reason"),
    [
        ("", "cut short"),
        ("8100", "byte with a length before it"),
        ("817f", "byte with a length before it"),
        ("b800", "second spelling"),
        ("b837" + "00" * 55, "second spelling"),
        ("b90038" + "00" * 56, "second spelling"),
        ("f837" + "00" * 55, "second spelling"),
        ("83aabb", "cut short"),
        ("c3aabb", "cut short"),
        ("c2830102", "cut short"),
        ("b8", "length out of range"),
        ("bf" + "ff" * 8, "length out of range"),
        ("bc0100000000", "length out of range"),
        ("ff" + "ff" * 8, "length out of range"),
        ("0101", "followed by something"),
        ("c000", "followed by something"),
    ],
)
def test_every_second_spelling_is_refused(hexadecimal, reason):
    with pytest.raises(Malformed, match=reason):
        rlp.decode(bytes.fromhex(hexadecimal))


def test_a_list_inside_too_many_others_is_refused():
    data = b"\xc0"
    for _ in range(rlp.DEPTH_MAX - 1):
        data = rlp.encode([rlp.decode(data)])
    rlp.decode(data)
    with pytest.raises(Malformed, match="too deep"):
        rlp.decode(bytes([0xC0 + len(data)]) + data)
    with pytest.raises(Malformed, match="too deep"):
        rlp.decode(b"\xc0", depth_max=0)


def test_more_items_than_allowed_are_refused():
    rlp.decode(rlp.encode([b"\1"] * 4), items_max=5)
    with pytest.raises(Malformed, match="too many items"):
        rlp.decode(rlp.encode([b"\1"] * 5), items_max=5)


def test_depth_does_not_end_the_interpreter():
    with pytest.raises(Malformed):
        rlp.decode(b"\xc1" * 100_000 + b"\xc0", depth_max=rlp.DEPTH_MAX)


@pytest.mark.parametrize(
    ("item", "bits", "reason"),
    [([], 64, "list where bytes"), (b"\0", 64, "leading zero"), (b"\1" * 9, 64, "out of range")],
)
def test_what_is_no_number_is_refused(item, bits, reason):
    with pytest.raises(Malformed, match=reason):
        rlp.to_uint(item, bits)


def test_bytes_of_another_length_are_refused():
    assert rlp.to_octets(b"ab", 2) == b"ab"
    with pytest.raises(Malformed, match="expected=3 got=2"):
        rlp.to_octets(b"ab", 3)


def test_bytes_are_not_a_list():
    with pytest.raises(Malformed, match="not a list"):
        rlp.decode_list(b"\1")
