"""
Block headers of EVM ledgers, from Frontier to Osaka: fields, bytes, hash.

Sources:
    Yellow paper 4.4.2; EIP-1559, 4895, 4844, 4788, 7685.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from tieline.wire.errors import Malformed
from tieline.wire.evm import rlp
from tieline.wire.hashes import keccak

HEADER_BYTES_MAX = 16_384
"""Extra data of a QBFT header with 64 validators takes 6 kB; the rest is below 1 kB."""

HASH_BYTES = 32
ADDRESS_BYTES = 20
BLOOM_BYTES = 256
NONCE_BYTES = 8

_UINT64_BITS = 64
_UINT256_BITS = 256
_FIELD_COUNTS = frozenset({15, 16, 17, 20, 21})
"""Before London, London, Shanghai, Cancun (three fields at once), Prague and Osaka."""


@dataclass(frozen=True, slots=True)
class EvmHeader:
    """A block header. Fields in the order of its RLP; those a fork added are None before it."""

    parent_hash: bytes
    uncles_hash: bytes
    beneficiary: bytes
    state_root: bytes
    transactions_root: bytes
    receipts_root: bytes
    logs_bloom: bytes
    difficulty: int
    number: int
    gas_limit: int
    gas_used: int
    timestamp: int
    """Unix seconds."""
    extra_data: bytes
    mix_hash: bytes
    """Or the beacon's randomness."""
    nonce: bytes
    base_fee: int | None = None
    """wei per gas; from London on."""
    withdrawals_root: bytes | None = None
    """From Shanghai on."""
    blob_gas_used: int | None = None
    """From Cancun on, with the two that follow."""
    excess_blob_gas: int | None = None
    parent_beacon_root: bytes | None = None
    requests_hash: bytes | None = None
    """From Prague on."""

    def items(self) -> list[rlp.Item]:
        """Return the fields as RLP holds them."""
        values = [getattr(self, name) for name, _ in _FIELDS]
        present = [value for value in values if value is not None]
        if len(present) not in _FIELD_COUNTS or None in values[: len(present)]:
            raise Malformed("header of no known fork")
        return [rlp.uint_octets(one) if isinstance(one, int) else one for one in present]

    def encode(self) -> bytes:
        """Write the RLP. Raises Malformed if the fields are of no known fork."""
        return rlp.encode(self.items())

    def hash(self) -> bytes:
        """Return the block hash."""
        return keccak(self.encode())


_FIELDS: tuple[tuple[str, int], ...] = (
    ("parent_hash", HASH_BYTES),
    ("uncles_hash", HASH_BYTES),
    ("beneficiary", ADDRESS_BYTES),
    ("state_root", HASH_BYTES),
    ("transactions_root", HASH_BYTES),
    ("receipts_root", HASH_BYTES),
    ("logs_bloom", BLOOM_BYTES),
    ("difficulty", -_UINT256_BITS),
    ("number", -_UINT64_BITS),
    ("gas_limit", -_UINT64_BITS),
    ("gas_used", -_UINT64_BITS),
    ("timestamp", -_UINT64_BITS),
    ("extra_data", 0),
    ("mix_hash", HASH_BYTES),
    ("nonce", NONCE_BYTES),
    ("base_fee", -_UINT256_BITS),
    ("withdrawals_root", HASH_BYTES),
    ("blob_gas_used", -_UINT64_BITS),
    ("excess_blob_gas", -_UINT64_BITS),
    ("parent_beacon_root", HASH_BYTES),
    ("requests_hash", HASH_BYTES),
)
"""Name, and bytes; 0 for any number of them; below zero: bits of a number."""

assert tuple(name for name, _ in _FIELDS) == tuple(one.name for one in fields(EvmHeader))


def decode_header(data: bytes) -> EvmHeader:
    """
    Read what ``EvmHeader.encode`` writes.

    Raises:
        Malformed: Too long, not strict RLP, a field of another length, or of no known fork.
    """
    if len(data) > HEADER_BYTES_MAX:
        raise Malformed(f"header too long: bytes={len(data)}")
    items = rlp.decode_list(data, depth_max=1, items_max=len(_FIELDS) + 1)
    if len(items) not in _FIELD_COUNTS:
        raise Malformed(f"header of no known fork: fields={len(items)}")
    values: dict[str, Any] = {}
    for (name, size), item in zip(_FIELDS, items, strict=False):
        values[name] = rlp.to_uint(item, -size) if size < 0 else rlp.to_octets(item, size or None)
    return EvmHeader(**values)


_RPC_NAMES = (
    "parentHash",
    "sha3Uncles",
    "miner",
    "stateRoot",
    "transactionsRoot",
    "receiptsRoot",
    "logsBloom",
    "difficulty",
    "number",
    "gasLimit",
    "gasUsed",
    "timestamp",
    "extraData",
    "mixHash",
    "nonce",
    "baseFeePerGas",
    "withdrawalsRoot",
    "blobGasUsed",
    "excessBlobGas",
    "parentBeaconBlockRoot",
    "requestsHash",
)


def header_of_rpc_block(block: Mapping[str, Any]) -> EvmHeader:
    """
    Return the header of a block as ``eth_getBlockByNumber`` returns it.

    Args:
        block: Values as 0x text, as bytes, or as integers.

    Raises:
        Malformed: A field is missing or of another form. The hash is not compared: the caller has
            the hash that it wants.
    """
    values: dict[str, Any] = {}
    for (name, size), key in zip(_FIELDS, _RPC_NAMES, strict=True):
        value = block.get(key)
        if value is None:
            continue
        values[name] = _number(key, value) if size < 0 else _octets(key, value)
    try:
        header = EvmHeader(**values)
    except TypeError as exc:
        raise Malformed(f"block lacks a header field: {exc}") from exc
    return decode_header(header.encode())


def _number(key: str, value: object) -> int:
    if isinstance(value, int) and value >= 0:
        return value
    if isinstance(value, str) and value.startswith("0x"):
        try:
            return int(value, 16)
        except ValueError:
            pass
    raise Malformed(f"not a number: {key}")


def _octets(key: str, value: object) -> bytes:
    if isinstance(value, bytes):
        return bytes(value)
    if isinstance(value, str) and value.startswith("0x"):
        try:
            return bytes.fromhex(value[2:])
        except ValueError:
            pass
    raise Malformed(f"not bytes: {key}")
