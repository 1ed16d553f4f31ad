"""ABI of types by name, held to eth-abi, which is another's work."""

import eth_abi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieline.wire.errors import Malformed
from tieline.wire.evm.abi_types import parse_type, split_members

WORD = 32

KINDS = {
    "uint8": st.integers(0, 2**8 - 1),
    "uint64": st.integers(0, 2**64 - 1),
    "uint256": st.integers(0, 2**256 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "bool": st.booleans(),
    "address": st.binary(min_size=20, max_size=20),
    "bytes32": st.binary(min_size=32, max_size=32),
    "bytes4": st.binary(min_size=4, max_size=4),
    "bytes": st.binary(max_size=70),
    "string": st.text(max_size=20),
}


def _deeper(inner):
    lists = inner.map(lambda kind: (f"{kind[0]}[]", st.lists(kind[1], max_size=3).map(tuple)))
    structs = st.lists(inner, min_size=1, max_size=3).map(
        lambda kinds: (
            "(" + ",".join(name for name, _ in kinds) + ")",
            st.tuples(*(values for _, values in kinds)),
        )
    )
    return lists | structs


TYPES = st.recursive(st.sampled_from(sorted(KINDS.items())), _deeper, max_leaves=6)


def _as_their_own(kind, value):
    """eth-abi takes addresses as text."""
    if kind == "address":
        return "0x" + value.hex()
    if kind.endswith("[]"):
        return [_as_their_own(kind[:-2], one) for one in value]
    if kind.startswith("("):
        members = split_members(kind[1:-1])
        return tuple(_as_their_own(k, v) for k, v in zip(members, value, strict=True))
    return value


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_value_is_written_as_eth_abi_writes_it_and_read_back(data):
    """Two encoders that share no line agree on every byte."""
    name, values = data.draw(TYPES)
    value = data.draw(values)
    whole = parse_type(f"({name})")
    encoded = whole.encode((value,))
    assert encoded == eth_abi.encode([name], [_as_their_own(name, value)])
    assert whole.decode(encoded) == (value,)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["(bytes,uint64[])", "((bytes,uint8)[],string)"]), st.binary(max_size=200))
def test_bytes_of_strangers_are_values_or_malformed(name, data):
    """Never another exception, and nothing that does not end."""
    try:
        parse_type(name).decode(data)
    except Malformed:
        return


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("uint8", 256),
        ("uint8", -1),
        ("int64", 2**63),
        ("address", b"\x01" * 19),
        ("bytes32", b"\x01" * 31),
        ("bytes", "text"),
        ("string", b"bytes"),
        ("uint64[]", 5),
        ("(uint8,uint8)", (1,)),
        ("uint64", "7"),
    ],
)
def test_a_value_that_does_not_fit_is_not_written(name, value):
    """Range, length and kind are looked at before anything is signed."""
    with pytest.raises(Malformed):
        parse_type(name).encode(value)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("uint8", (256).to_bytes(WORD, "big")),
        ("bool", (2).to_bytes(WORD, "big")),
        ("address", b"\x01" + bytes(31)),
        ("bytes4", b"\x01" * 5 + bytes(27)),
        ("bytes", (33).to_bytes(WORD, "big") + bytes(WORD)),
        ("uint64[]", (2).to_bytes(WORD, "big") + bytes(WORD)),
        ("string", (1).to_bytes(WORD, "big") + b"\xff".ljust(WORD, b"\0")),
        ("uint256", bytes(31)),
        ("(bytes)", (2**200).to_bytes(WORD, "big")),
        ("bytes", (1).to_bytes(WORD, "big") + b"\x01\x01".ljust(WORD, b"\0")),
        ("(uint8)", bytes(2 * WORD)),
    ],
)
def test_what_no_encoder_makes_is_not_read(name, data):
    """Dirty bits, lengths beyond the end, offsets to nowhere."""
    with pytest.raises(Malformed):
        parse_type(name).decode(data)


def test_two_offsets_to_one_place_are_refused():
    """A hundred bytes must not stand for a gigabyte: calls are decoded as others sent them."""
    one = (64).to_bytes(WORD, "big")
    tail = (1).to_bytes(WORD, "big") + b"x".ljust(WORD, b"\0")
    with pytest.raises(Malformed, match="out of order"):
        parse_type("(bytes,bytes)").decode(one + one + tail)


@pytest.mark.parametrize("name", ["uint7", "bytes33", "float", "uint", "function"])
def test_a_type_that_solidity_does_not_have_is_refused(name):
    """A slip in a declaration is found when it is read, not when it is used."""
    with pytest.raises(ValueError, match=r"no ABI type|invalid literal"):
        parse_type(name)
