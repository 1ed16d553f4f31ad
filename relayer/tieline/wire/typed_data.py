"""
EIP-712 of the signed records: struct hashes, digests, signatures.

Type strings stand here once; word layouts are made from them.

Sources:
    EIP-712; ``docs/spec/bytes.md``; golden cases ``tests/vectors/trade_bytes.json``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from tieline.swap.records import (
    AttestorKey,
    Cancel,
    CellSet,
    Clearing,
    Delivery,
    Mandate,
    Order,
    Reading,
    Verdict,
    Waive,
)
from tieline.wire.hashes import keccak, tag
from tieline.wire.keys import DigestSigner, recover, recover_address
from tieline.wire.words import RecordWords, Words

SignedRecord = (
    Order
    | Cancel
    | Mandate
    | Waive
    | CellSet
    | Clearing
    | Verdict
    | Delivery
    | Reading
    | AttestorKey
)
"""Everything that is signed as typed data."""

DOMAIN_TYPE = "EIP712Domain(string name,string version,bytes32 salt)"
DOMAIN_NAME = "tieline"
DOMAIN_VERSION = "1"

TYPES: dict[type[Any], str] = {
    Order: "Order(bytes32 chainTag,address account,bytes32 meterId,uint8 side,uint8 levels,"
    "uint8 delivery,uint64 slotStart,uint32 slotLength,uint64 energyWh,uint64 priceMin,"
    "uint64 priceMax,bytes32 anchor,uint64 nonce)",
    Cancel: "Cancel(bytes32 orderId)",
    Mandate: "Mandate(bytes32 chainTag,bytes32 sourceChainTag,bytes32 client,address connectorIn,"
    "address connectorOut,uint128 maxTrade,uint128 maxOpen,uint64 minFee,uint64 minMargin,"
    "uint64 expiry,uint64 nonce)",
    Waive: "Waive(bytes32 lockId,uint64 wh)",
    CellSet: "CellSet(bytes32 previous,bytes32 networkEpoch,uint64 epoch,bytes32 cellsHash,"
    "bytes32 registryHash,uint64 fromSlot)",
    Clearing: "Clearing(bytes32 cellSetId,uint64 epoch,uint64 slotStart,uint32 slotLength,"
    "uint8 level,bytes32 ordersRoot,bytes32 tradesRoot)",
    Verdict: "Verdict(bytes32 cellSetId,uint64 epoch,uint64 slotStart,uint32 slotLength,"
    "bytes32 networkEpoch,bytes32 baselineHash,bytes32 pendingRoot,bytes32 decisionsRoot,"
    "bytes32 flowProofHash,bytes32 setpointsHash)",
    Delivery: "Delivery(bytes32 cellSetId,uint64 epoch,uint64 slotStart,uint32 slotLength,"
    "bytes32 verdictHash,bytes32 readingsRoot,bytes32 boundaryRoot,bytes32 estimateHash,"
    "bytes32 deliveriesRoot)",
    Reading: "Reading(bytes32 chainTag,bytes32 meterId,uint64 periodStart,uint32 periodLength,"
    "uint64 importRegisterWh,uint64 exportRegisterWh,uint64 counter,uint8 quality)",
    AttestorKey: "AttestorKey(bytes32 chainTag,address cell,address attestor,uint64 fromEpoch)",
}
"""EIP-712 type strings exactly as the specification prints them."""

_LAYOUTS: dict[type[Any], tuple[bytes, RecordWords[Any]]] = {
    record: (tag(text), RecordWords(record, text[text.index("(") + 1 : -1]))
    for record, text in TYPES.items()
}
_DOMAIN = Words("bytes32", "bytes32", "bytes32", "bytes32")
_DOMAIN_BYTES = 32


@lru_cache(maxsize=64)
def domain_separator(network_id: bytes) -> bytes:
    """Return the EIP-712 domain separator of a network of microgrids; *network_id* 32 bytes."""
    return keccak(_DOMAIN.pack(tag(DOMAIN_TYPE), tag(DOMAIN_NAME), tag(DOMAIN_VERSION), network_id))


def struct_hash(record: SignedRecord) -> bytes:
    """Return the struct hash, without the domain. Raises Malformed on a field out of range."""
    type_hash, layout = _LAYOUTS[type(record)]
    return keccak(type_hash + layout.encode(record))


def order_id(order: Order) -> bytes:
    """Return the order's id: its struct hash."""
    return struct_hash(order)


def digest_of_struct_hash(domain: bytes, hashed: bytes) -> bytes:
    """Return the digest that is signed, from a struct hash that is known already."""
    assert len(domain) == _DOMAIN_BYTES
    return keccak(b"\x19\x01" + domain + hashed)


def digest(domain: bytes, record: SignedRecord) -> bytes:
    """Return the digest that is signed. Raises Malformed on a field out of range."""
    return digest_of_struct_hash(domain, struct_hash(record))


def sign_record(key: DigestSigner, domain: bytes, record: SignedRecord) -> bytes:
    """Return the 65-byte signature r, s, v; low s, v 27 or 28."""
    return key.sign_digest(digest(domain, record))


def recover_signer(domain: bytes, record: SignedRecord, signature: bytes) -> bytes:
    """Return the signer's public key, 33 bytes compressed. Raises Malformed (see ``recover``)."""
    return recover(digest(domain, record), signature)


def recover_signer_address(domain: bytes, record: SignedRecord, signature: bytes) -> bytes:
    """Return the signer's EVM address, 20 bytes. Raises Malformed (see ``recover``)."""
    return recover_address(digest(domain, record), signature)
