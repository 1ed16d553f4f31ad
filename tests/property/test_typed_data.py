"""Our packers against eth-abi and eth-account, which share no code with them."""

import dataclasses
import re
from typing import Any

import pytest
from eth_abi import encode as abi_encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from tieline.wire import abi, typed_data
from tieline.wire.errors import Malformed
from tieline.wire.hashes import keccak
from tieline.wire.keys import SecpKey, recover, recover_address
from tieline.wire.words import Words, snake_case

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "uint8": st.integers(0, 2**8 - 1),
    "uint16": st.integers(0, 2**16 - 1),
    "uint32": st.integers(0, 2**32 - 1),
    "uint64": st.integers(0, 2**64 - 1),
    "uint128": st.integers(0, 2**128 - 1),
    "uint256": st.integers(0, 2**256 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "address": st.binary(min_size=20, max_size=20),
    "bytes32": st.binary(min_size=32, max_size=32),
}
COLUMN = st.sampled_from(sorted(VALUES)).flatmap(
    lambda kind: st.tuples(st.just(kind), VALUES[kind])
)
KEY = SecpKey(b"\x21" * 32)
NETWORK_ID = b"\xee" * 32


@given(st.lists(COLUMN, min_size=1, max_size=12))
@settings(deadline=None)
def test_words_are_those_of_eth_abi_and_read_back(columns: list[tuple[str, Any]]) -> None:
    kinds = [kind for kind, _ in columns]
    values = tuple(value for _, value in columns)
    words = Words(*kinds)
    packed = words.pack(*values)
    assert packed == abi_encode(kinds, values)
    assert words.unpack(packed) == values


@given(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=4), st.data())
@settings(deadline=None)
def test_words_with_dirty_high_bits_are_refused(kinds: list[str], data: st.DataObject) -> None:
    """Whatever reads at all is what eth-abi writes of the values read."""
    words = Words(*kinds)
    values = tuple(data.draw(VALUES[kind]) for kind in kinds)
    packed = words.pack(*values)
    place = data.draw(st.integers(0, len(packed) - 1))
    changed = packed[:place] + bytes([packed[place] ^ 0x80]) + packed[place + 1 :]
    try:
        read = words.unpack(changed)
    except Malformed:
        return
    assert abi_encode(kinds, read) == changed != packed


@pytest.mark.parametrize("kind", sorted(VALUES))
def test_bit_above_a_value_is_refused(kind: str) -> None:
    words = Words(kind)
    bits = {"address": 160, "bytes32": 256}.get(kind) or int(kind.strip("uint"))
    for bit in range(bits, 256):
        with pytest.raises(Malformed, match="dirty"):
            words.unpack((1 << bit).to_bytes(32))
    if kind.startswith("int"):
        for bit in range(bits - 1, 256):
            with pytest.raises(Malformed, match="dirty"):
                words.unpack(((1 << 256) - 1 - (1 << bit)).to_bytes(32))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("uint8", 256),
        ("uint16", -1),
        ("uint64", 2**64),
        ("uint128", 2**128),
        ("int64", 2**63),
        ("int64", -(2**63) - 1),
        ("address", bytes(21)),
        ("bytes32", bytes(31)),
        ("bytes32", 5),
        ("uint64", b"5"),
        ("uint128", "5"),
    ],
)
def test_value_that_does_not_fit_is_refused(kind: str, value: Any) -> None:
    with pytest.raises(Malformed):
        Words("uint8", kind).pack(1, value)


def eip712(record: Any) -> dict[str, Any]:
    """The record as eth-account wants it, from the printed type string alone."""
    text = typed_data.TYPES[type(record)]
    name, columns = re.fullmatch(r"(\w+)\((.*)\)", text).groups()  # type: ignore[union-attr]
    fields = [
        dict(zip(("type", "name"), column.split(), strict=True)) for column in columns.split(",")
    ]
    message = {
        field["name"]: "0x" + value.hex() if isinstance(value, bytes) else value
        for field, value in zip(fields, dataclasses.astuple(record), strict=True)
    }
    return {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "salt", "type": "bytes32"},
            ],
            name: fields,
        },
        "primaryType": name,
        "domain": {"name": "tieline", "version": "1", "salt": "0x" + NETWORK_ID.hex()},
        "message": message,
    }


def record_of(kind: type) -> st.SearchStrategy[Any]:
    text = typed_data.TYPES[kind]
    columns = text[text.index("(") + 1 : -1].split(",")
    return st.builds(kind, *(VALUES[column.split()[0]] for column in columns))


@pytest.mark.parametrize("kind", typed_data.TYPES, ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_digest_and_signature_are_those_of_eth_account(kind: type, data: st.DataObject) -> None:
    record = data.draw(record_of(kind))
    domain = typed_data.domain_separator(NETWORK_ID)
    signable = encode_typed_data(full_message=eip712(record))
    digest = keccak(b"\x19" + signable.version + signable.header + signable.body)
    assert digest == typed_data.digest(domain, record)
    assert signable.body == typed_data.struct_hash(record)
    signature = typed_data.sign_record(KEY, domain, record)
    assert signature == Account.sign_message(signable, b"\x21" * 32).signature
    assert typed_data.recover_signer(domain, record, signature) == KEY.public_key
    assert typed_data.recover_signer_address(domain, record, signature) == KEY.address


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
@settings(max_examples=30, deadline=None)
def test_recovery_names_the_signer(secret: bytes, digest: bytes) -> None:
    try:
        key = SecpKey(secret)
    except Malformed:
        return
    signature = key.sign_digest(digest)
    assert recover(digest, signature) == key.public_key
    assert recover_address(digest, signature) == key.address
    assert key.address == bytes.fromhex(Account.from_key(secret).address[2:])


def test_names_are_those_of_the_type_strings() -> None:
    assert snake_case("importRegisterWh") == "import_register_wh"


@given(VALUES["bytes32"], VALUES["uint32"], VALUES["int64"], VALUES["int64"])
@settings(max_examples=30, deadline=None)
def test_zone_leaf_keeps_signs(salt: bytes, bus: int, active: int, reactive: int) -> None:
    encoded = abi.encode_zone_leaf(salt, bus, active, reactive)
    assert encoded == abi_encode(
        ["bytes32", "uint32", "int64", "int64"], [salt, bus, active, reactive]
    )
    assert abi.decode_zone_leaf(encoded) == (salt, bus, active, reactive)
