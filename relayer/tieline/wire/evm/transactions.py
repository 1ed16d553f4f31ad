"""
Transactions of EVM ledgers (EIP-1559): bytes, hash, signature.

Sources:
    EIP-1559, EIP-2718, EIP-155 (the chain id binds a signature to one chain).
"""

from __future__ import annotations

from dataclasses import dataclass

from tieline.wire.errors import Malformed
from tieline.wire.evm import rlp
from tieline.wire.hashes import keccak
from tieline.wire.keys import DigestSigner

_TYPE = b"\x02"
_V_BASE = 27
_NUMBER_BYTES = 32
_DATA_PLACE = 7
"""Of call data among a transaction's fields."""
_FIELDS = 12
"""Of a signed transaction."""
_UINT256_BITS = 256


@dataclass(frozen=True, slots=True)
class EvmTransaction:
    """A call, or the creation of a contract, that moves no ether."""

    chain_id: int
    nonce: int
    gas: int
    max_fee: int
    """wei per gas, base fee included."""
    max_priority_fee: int
    """wei per gas for whoever makes the block."""
    to: bytes | None
    """20 bytes; None creates a contract."""
    data: bytes

    def items(self) -> list[rlp.Item]:
        """Return the fields that are signed, as RLP holds them."""
        return [
            rlp.uint_octets(self.chain_id),
            rlp.uint_octets(self.nonce),
            rlp.uint_octets(self.max_priority_fee),
            rlp.uint_octets(self.max_fee),
            rlp.uint_octets(self.gas),
            self.to or b"",
            b"",
            self.data,
            [],
        ]

    def digest(self) -> bytes:
        """Return what is signed, 32 bytes."""
        return keccak(_TYPE + rlp.encode(self.items()))

    def sign(self, key: DigestSigner) -> bytes:
        """Return the bytes that a node takes; ``transaction_hash`` of them is its hash."""
        signature = key.sign_digest(self.digest())
        numbers = (signature[64] - _V_BASE, *_two_numbers(signature[:64]))
        return _TYPE + rlp.encode([*self.items(), *map(rlp.uint_octets, numbers)])


def _two_numbers(pair: bytes) -> tuple[int, int]:
    return int.from_bytes(pair[:_NUMBER_BYTES], "big"), int.from_bytes(pair[_NUMBER_BYTES:], "big")


def transaction_hash(raw: bytes) -> bytes:
    """Return a signed transaction's hash."""
    if raw[:1] != _TYPE:
        raise Malformed("not an EIP-1559 transaction")
    return keccak(raw)


def call_data(raw: bytes) -> bytes:
    """Return a signed transaction's call data. Raises Malformed."""
    if raw[:1] != _TYPE:
        raise Malformed("not an EIP-1559 transaction")
    items = rlp.decode_list(raw[1:])
    if len(items) <= _DATA_PLACE:
        raise Malformed("transaction ends early")
    return rlp.to_octets(items[_DATA_PLACE])


def decode_transaction(raw: bytes) -> EvmTransaction:
    """
    Return what a signed transaction says; its signature is not looked at.

    Raises:
        Malformed: Not what ``EvmTransaction.sign`` makes: it moves ether, or has an access list.
    """
    if raw[:1] != _TYPE:
        raise Malformed("not an EIP-1559 transaction")
    items = rlp.decode_list(raw[1:])
    if len(items) != _FIELDS or items[6] != b"" or items[8] != []:
        raise Malformed("not a plain call of EIP-1559")
    chain_id, nonce, tip, max_fee, gas = (rlp.to_uint(item, _UINT256_BITS) for item in items[:5])
    to = rlp.to_octets(items[5])
    return EvmTransaction(chain_id, nonce, gas, max_fee, tip, to or None, rlp.to_octets(items[7]))
