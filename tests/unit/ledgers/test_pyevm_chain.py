"""A chain of py-evm blocks: what no block could hold, and proofs held to the trie's own."""

import pytest
import rlp
from fakes.microgrid import key
from trie import HexaryTrie

from tieline.interfaces.errors import Rejected
from tieline.ledgers.ethereum.artifacts import artifact_names, load_artifact
from tieline.ledgers.ethereum.deployment import created_address
from tieline.ledgers.ethereum.pyevm_chain import PyEvmChain
from tieline.wire.evm.header import decode_header
from tieline.wire.evm.transactions import EvmTransaction
from tieline.wire.hashes import keccak

RICH, POOR = key("rich"), key("poor")
CREATES = bytes.fromhex("602a5f5560075f5360015ff3")
"""Stores 42 at 0 and leaves one byte of code."""


def chain():
    return PyEvmChain(777, {RICH.address: 10**24}, b"a genesis")


def signed(signer=RICH, **changes):
    fields = {
        "chain_id": 777,
        "nonce": 0,
        "gas": 1_000_000,
        "max_fee": 10**11,
        "max_priority_fee": 0,
        "to": POOR.address,
        "data": b"",
    }
    return EvmTransaction(**{**fields, **changes}).sign(signer)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "no transaction"),
        (b"\x02\xc0", "no transaction"),
        (b"\x07nonsense", "no transaction"),
        (signed(POOR), "too little gas: account=0x.* has=0 needs=100000000000000000 wei"),
    ],
)
def test_what_no_block_could_hold_is_refused_at_the_door(raw, said):
    with pytest.raises(Rejected, match=said) as caught:
        chain().check(raw)
    assert (caught.value.codespace, caught.value.code) == ("evm", 2)


def test_a_good_transaction_is_taken_and_counted():
    one = chain()
    one.check(signed())
    made = one.make_block(1_800_000_000, [signed(), signed(nonce=1)])
    assert [done.is_success for done in made.executed] == [True, True]
    assert [done.gas_used for done in made.executed] == [21_000, 21_000]
    assert (one.nonce(RICH.address), one.height, one.time_s) == (2, 1, 1_800_000_000)
    header = decode_header(made.block.header)
    assert header.hash() == one.block_hash(1)
    assert (header.number, header.parent_hash) == (1, one.block_hash(0))


def test_storage_is_proved_as_the_trie_proves_it():
    """Present, absent, and before it was written."""
    one = chain()
    one.make_block(1_800_000_000, [signed(to=None, data=CREATES)])
    address = created_address(RICH.address, 0)
    assert one.code(address) == b"\x07"
    slot, other = bytes(32), (1).to_bytes(32, "big")
    value, nodes = one.storage_proof(address, slot, 1)
    assert value == b"\x2a"
    root = one.storage_root(address, 1)
    decoded = [rlp.decode(node) for node in nodes]
    assert HexaryTrie.get_from_proof(root, keccak(slot), decoded) == rlp.encode(b"\x2a")
    absent, shown = one.storage_proof(address, other, 1)
    assert absent is None
    decoded = [rlp.decode(node) for node in shown]
    assert HexaryTrie.get_from_proof(root, keccak(other), decoded) == b""


def test_accounts_are_proved_at_every_height():
    one = chain()
    for n in range(3):
        one.make_block(1_800_000_000 + n, [signed(nonce=n)])
    for height in range(4):
        nodes = [rlp.decode(node) for node in one.account_proof(RICH.address, height)]
        root = one.state_root(height)
        account = rlp.decode(HexaryTrie.get_from_proof(root, keccak(RICH.address), nodes))
        assert int.from_bytes(account[0], "big") == height


def test_time_is_the_callers():
    """Two blocks a second apart, then a day."""
    one = chain()
    for time_s in (1_800_000_000, 1_800_000_001, 1_800_086_401):
        one.make_block(time_s, [])
        assert one.time_s == time_s
    assert one.time_of(2) == 1_800_000_001


def test_shipped_code_is_known_whatever_its_immutables_are():
    """And other code is not, nor is code that is cut short."""
    host = load_artifact("Host")
    start, length = host.immutables[0]
    written = bytearray(host.runtime_code)
    written[start : start + length] = b"\x09" * length
    assert host.is_code(bytes(written))
    written[start - 1] ^= 1
    assert not host.is_code(bytes(written))
    assert not host.is_code(host.runtime_code[:-1])
    assert not host.is_code(b"")


def test_every_contract_that_ships_has_code_and_abi():
    names = artifact_names()
    assert {"App", "Book", "Exits", "Host", "Kwh", "Pay", "Trade"} <= set(names)
    for name in names:
        one = load_artifact(name)
        assert one.name == name
        assert one.abi
        assert 0 < len(one.runtime_code) <= 20_000
        assert one.runtime_code[:4] in one.creation_code
