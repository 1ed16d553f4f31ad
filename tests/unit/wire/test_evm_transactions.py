"""Transactions, held to eth-account; blocks as they are kept."""

import pytest
from eth_account import Account
from eth_account.typed_transactions import TypedTransaction
from hexbytes import HexBytes

from tieline.wire.errors import Malformed
from tieline.wire.evm import rlp
from tieline.wire.evm.blocks import EvmBlock
from tieline.wire.evm.transactions import EvmTransaction, call_data, transaction_hash
from tieline.wire.keys import SecpKey

SECRET = b"\x42" * 32


def transaction(to=b"\x22" * 20, nonce=7, data=b"\x01\x02\x03"):
    return EvmTransaction(1337, nonce, 21_000_000, 10**11, 5, to, data)


@pytest.mark.parametrize("nonce", [0, 127, 128, 2**40])
@pytest.mark.parametrize("to", [b"\x22" * 20, None])
def test_a_signed_transaction_is_byte_for_byte_eth_accounts(to, nonce):
    """Both sign as RFC 6979 says, so the whole is equal."""
    ours = transaction(to, nonce)
    theirs = Account.from_key(SECRET).sign_transaction(
        {
            "type": 2,
            "chainId": 1337,
            "nonce": nonce,
            "gas": 21_000_000,
            "maxFeePerGas": 10**11,
            "maxPriorityFeePerGas": 5,
            "to": to or b"",
            "value": 0,
            "data": ours.data,
        }
    )
    raw = ours.sign(SecpKey(SECRET))
    assert raw == bytes(theirs.raw_transaction)
    assert transaction_hash(raw) == bytes(theirs.hash)
    assert ours.digest() == bytes(TypedTransaction.from_bytes(HexBytes(raw)).hash())


def test_call_data_is_read_back():
    """What a block's transaction asked for."""
    raw = transaction(data=b"\x09" * 300).sign(SecpKey(SECRET))
    assert call_data(raw) == b"\x09" * 300


@pytest.mark.parametrize("raw", [b"", b"\x01\xc0", b"\x02\xc0", b"\x02\x80", b"\x02\xff"])
def test_what_is_no_transaction_of_ours_is_malformed(raw):
    """Another type, too few fields, no list."""
    with pytest.raises(Malformed):
        call_data(raw)


def test_a_block_comes_back_whole():
    """Header, transactions and receipts, in their order."""
    block = EvmBlock(b"\xc0header", (b"one", b"two" * 100), (b"", b"receipt"))
    assert EvmBlock.decode(block.encode()) == block


@pytest.mark.parametrize(
    "items",
    [
        [b"header", [b"one"]],
        [[b"header"], [], []],
        [b"header", b"one", []],
        [b"header", [[b"one"]], []],
    ],
)
def test_what_is_no_block_is_malformed(items):
    """Parts missing, or of another kind."""
    with pytest.raises(Malformed):
        EvmBlock.decode(rlp.encode(items))
