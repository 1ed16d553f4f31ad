"""EVM headers: bytes and hash as py-evm's for every fork, and nothing but what one wrote."""

from dataclasses import replace

import pytest
import rlp as reference
from eth.vm.forks.cancun.blocks import CancunBlockHeader
from eth.vm.forks.frontier.blocks import FrontierBlock
from eth.vm.forks.london.blocks import LondonBlockHeader
from eth.vm.forks.prague.blocks import PragueBlockHeader
from eth.vm.forks.shanghai.blocks import ShanghaiBlockHeader
from eth_utils import keccak

from tieline.wire.errors import Malformed
from tieline.wire.evm.header import (
    HEADER_BYTES_MAX,
    EvmHeader,
    decode_header,
    header_of_rpc_block,
)

PRAGUE = EvmHeader(
    parent_hash=b"\x01" * 32,
    uncles_hash=b"\x02" * 32,
    beneficiary=b"\x03" * 20,
    state_root=b"\x04" * 32,
    transactions_root=b"\x05" * 32,
    receipts_root=b"\x06" * 32,
    logs_bloom=b"\x07" * 256,
    difficulty=0,
    number=300,
    gas_limit=30_000_000,
    gas_used=21_000,
    timestamp=1_790_000_000,
    extra_data=b"tieline",
    mix_hash=b"\x08" * 32,
    nonce=bytes(8),
    base_fee=7,
    withdrawals_root=b"\x09" * 32,
    blob_gas_used=0,
    excess_blob_gas=131_072,
    parent_beacon_root=b"\x0a" * 32,
    requests_hash=b"\x0b" * 32,
)
CANCUN = replace(PRAGUE, requests_hash=None)
SHANGHAI = replace(CANCUN, blob_gas_used=None, excess_blob_gas=None, parent_beacon_root=None)
LONDON = replace(SHANGHAI, withdrawals_root=None)
FRONTIER = replace(LONDON, base_fee=None)
FORKS = [
    (PRAGUE, PragueBlockHeader),
    (CANCUN, CancunBlockHeader),
    (SHANGHAI, ShanghaiBlockHeader),
    (LONDON, LondonBlockHeader),
    (FRONTIER, FrontierBlock._meta.fields[0][1]),
]
forks = pytest.mark.parametrize(("ours", "sedes"), FORKS)


@forks
def test_bytes_and_hash_are_as_the_reference_computes_them(ours, sedes):
    data = ours.encode()
    theirs = reference.decode(data, sedes)
    assert reference.encode(theirs, sedes) == data
    assert theirs.hash == ours.hash() == keccak(data)
    assert decode_header(data) == ours
    assert (theirs.block_number, theirs.timestamp) == (ours.number, ours.timestamp)
    assert theirs.state_root == ours.state_root


@forks
def test_every_altered_byte_is_refused_or_changes_the_hash(ours, sedes):
    data = ours.encode()
    for place in range(len(data)):
        spoilt = data[:place] + bytes([data[place] ^ 0x41]) + data[place + 1 :]
        try:
            header = decode_header(spoilt)
        except Malformed:
            continue
        assert header.hash() != ours.hash()
        assert header.encode() == spoilt, f"a second spelling was read: offset={place}"


@pytest.mark.parametrize("count", [0, 1, 14, 18, 19, 22])
def test_a_number_of_fields_that_no_fork_has_is_refused(count):
    items = [*reference.decode(PRAGUE.encode()), b"\1" * 32][:count]
    with pytest.raises(Malformed, match=r"no known fork|too many items"):
        decode_header(reference.encode(items))


@pytest.mark.parametrize("index", range(21))
def test_a_field_of_another_form_is_refused(index):
    items = list(reference.decode(PRAGUE.encode()))
    for wrong in ([], b"\0" + items[index], b"\xff" * 33):
        if index == 12 and isinstance(wrong, bytes):
            continue  # extra data may be any bytes
        spoilt = [*items[:index], wrong, *items[index + 1 :]]
        with pytest.raises(Malformed):
            decode_header(reference.encode(spoilt))


def test_a_hole_in_the_fields_is_not_written():
    with pytest.raises(Malformed, match="no known fork"):
        replace(PRAGUE, base_fee=None).encode()


def test_a_header_without_end_is_refused():
    with pytest.raises(Malformed, match="too long"):
        decode_header(replace(PRAGUE, extra_data=bytes(HEADER_BYTES_MAX)).encode())


RPC_BLOCK = {
    "parentHash": "0x" + "01" * 32,
    "sha3Uncles": "0x" + "02" * 32,
    "miner": "0x" + "03" * 20,
    "stateRoot": "0x" + "04" * 32,
    "transactionsRoot": "0x" + "05" * 32,
    "receiptsRoot": "0x" + "06" * 32,
    "logsBloom": "0x" + "07" * 256,
    "difficulty": "0x0",
    "number": "0x12c",
    "gasLimit": "0x1c9c380",
    "gasUsed": 21_000,
    "timestamp": 1_790_000_000,
    "extraData": b"tieline",
    "mixHash": b"\x08" * 32,
    "nonce": "0x0000000000000000",
    "baseFeePerGas": "0x7",
    "withdrawalsRoot": "0x" + "09" * 32,
    "blobGasUsed": "0x0",
    "excessBlobGas": "0x20000",
    "parentBeaconBlockRoot": "0x" + "0a" * 32,
    "requestsHash": "0x" + "0b" * 32,
    "totalDifficulty": "0x0",
    "transactions": [],
}


def test_a_block_of_an_rpc_gives_its_header():
    assert header_of_rpc_block(RPC_BLOCK) == PRAGUE


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("number", "12"),
        ("number", "0xzz"),
        ("number", -1),
        ("number", b"\1"),
        ("stateRoot", "0x12"),
        ("stateRoot", "04" * 32),
        ("stateRoot", "0xzz"),
        ("stateRoot", 7),
        ("stateRoot", None),
        ("baseFeePerGas", None),
    ],
)
def test_a_block_of_another_form_is_refused(key, value):
    with pytest.raises(Malformed):
        header_of_rpc_block({**RPC_BLOCK, key: value})
