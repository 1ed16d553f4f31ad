"""Roots over lists, and receipts, against py-evm and the trie package."""

import pytest
import rlp as pyrlp
from eth.rlp.logs import Log as EvmLog
from eth.rlp.receipts import Receipt as EvmReceipt
from eth.vm.forks.london.receipts import LondonReceiptBuilder
from hypothesis import given
from hypothesis import strategies as st
from trie.hexary import HexaryTrie

from tieline.wire.errors import Malformed
from tieline.wire.evm.ordered_trie import ordered_root
from tieline.wire.evm.receipts import bloom_of, decode_receipt

HOST, TOPIC = b"\x11" * 20, b"\x22" * 32


@given(st.lists(st.binary(min_size=1, max_size=80), max_size=300))
def test_the_root_of_a_list_is_that_of_the_trie_package(values: list[bytes]) -> None:
    trie = HexaryTrie({})
    for place, value in enumerate(values):
        trie[pyrlp.encode(place)] = value
    assert ordered_root(values) == trie.root_hash


def receipt(*logs: EvmLog, status: bytes = b"\x01") -> EvmReceipt:
    return EvmReceipt(status, 21_000, logs)


LOGS = (
    EvmLog(HOST, [int.from_bytes(TOPIC, "big"), 7], b"data"),
    EvmLog(b"\x33" * 20, [], b""),
)


@pytest.mark.parametrize("is_typed", [False, True])
@pytest.mark.parametrize("status", [b"", b"\x01"])
def test_a_receipt_of_py_evm_is_read(status: bytes, is_typed: bool) -> None:
    plain = receipt(*LOGS, status=status)
    encoded = pyrlp.encode(plain)
    if is_typed:
        encoded = LondonReceiptBuilder.typed_receipt_class(2, plain).encode()
    read = decode_receipt(encoded)
    assert (read.is_success, read.gas_used_so_far) == (bool(status), 21_000)
    assert read.bloom == int(plain.bloom).to_bytes(256, "big") == bloom_of(read.logs)
    assert [log.address for log in read.logs] == [HOST, b"\x33" * 20]
    assert read.logs[0].topics == (TOPIC, (7).to_bytes(32, "big"))
    assert read.logs[0].data == b"data"


def test_every_changed_byte_of_a_receipt_is_refused_or_read_otherwise() -> None:
    encoded = pyrlp.encode(receipt(*LOGS))
    whole = decode_receipt(encoded)
    for place in range(len(encoded)):
        changed = bytearray(encoded)
        changed[place] ^= 1
        try:
            assert decode_receipt(bytes(changed)) != whole
        except Malformed:
            continue


@pytest.mark.parametrize("data", [b"", b"\x02", b"\xc0", b"\xc3\x01\x02\x03"])
def test_what_is_no_receipt_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode_receipt(data)
