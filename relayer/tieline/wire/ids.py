"""
Identifiers that two implementations must compute alike.

Chain tags, cell sets, meters, trades, pools, locks, seals.

Sources:
    ``docs/spec/bytes.md``; golden cases ``tests/vectors/trade_bytes.json``.
"""

from __future__ import annotations

from collections.abc import Sequence

from tieline.swap.records import ZERO_HASH, RegistryRow
from tieline.wire.attestations import ROTATE_TAG, attestation_digest
from tieline.wire.errors import Malformed
from tieline.wire.hashes import keccak, tag
from tieline.wire.words import RecordWords, Words

CHAIN_KINDS = frozenset({"cometbft", "evm", "fabric", "cosmos", "sim"})
CELLS_MAX = 64
"""A signer bitmap is one uint64."""

HASH_BYTES = 32
_ACCOUNT_BYTES = 20
_INT64_MIN = -(1 << 63)
_INT64_MAX = (1 << 63) - 1
_CHAIN_TAG = Words("bytes32", "bytes32", "bytes32", "bytes32", "bytes32")
_CELL_SET = Words("bytes32", "bytes32", "bytes32", "uint64", "bytes32")
_REGISTRY_ROW = RecordWords(RegistryRow, "address cell,bytes32 chainTag,uint8 role")
_METER = Words("bytes32", "bytes32", "address")
_TRADE = Words("bytes32", "bytes32", "bytes32", "uint64", "uint32", "uint8", "bytes32", "bytes32")
_POOL = Words("bytes32", "bytes32", "bytes32", "uint8")
_LOCK = Words(
    "bytes32",
    "bytes32",
    "bytes32",
    "bytes32",
    "address",
    "address",
    "uint64",
    "uint64",
    "uint64",
)
_ROTATE = Words("bytes32", "bytes32", "bytes32", "uint32", "uint64")
_SEAL = Words("bytes32", "bytes32", "bytes32")
_MANDATE_KEY = Words("bytes32", "bytes32", "address", "address")

_CHAIN_V1 = tag("tieline/chain/v1")
_CELL_SET_V1 = tag("tieline/cellset/v1")
_METER_V1 = tag("tieline/meter/v1")
_TRADE_V1 = tag("tieline/trade/v1")
_POOL_V1 = tag("tieline/pool/v1")
_LOCK_V1 = tag("tieline/lock/v1")
_SEAL_V1 = tag("tieline/seal/v1")


def chain_tag(kind: str, native_id: str, genesis_hash: bytes, host_id: bytes = ZERO_HASH) -> bytes:
    """
    Return the 32 bytes that name one ledger instance.

    Args:
        kind: cometbft, evm, fabric, cosmos or sim.
        native_id: Chain id, decimal chain id, or name of the Fabric channel.
        genesis_hash: 32 bytes; header hash at the initial height, block 0 hash, or sha256 of
            block 0's header bytes.
        host_id: 32 bytes; zero, the left-padded address of the host contract, or T(chaincode
            name).
    """
    if kind not in CHAIN_KINDS:
        raise Malformed(f"unknown kind of ledger: {kind}")
    return keccak(_CHAIN_TAG.pack(_CHAIN_V1, tag(kind), tag(native_id), genesis_hash, host_id))


def addresses_hash(addresses: Sequence[bytes]) -> bytes:
    """
    Return the hash of an address list, 20 bytes each.

    Raises:
        Malformed: Not strictly ascending, or not 20 bytes each.
    """
    previous = b""
    for address in addresses:
        if len(address) != _ACCOUNT_BYTES or address <= previous:
            raise Malformed("addresses are not strictly ascending")
        previous = address
    return keccak(b"".join(addresses))


def cells_hash(cells: Sequence[bytes]) -> bytes:
    """Return the hash of a cell set's addresses, 1 to 64, strictly ascending, else Malformed."""
    if not 0 < len(cells) <= CELLS_MAX:
        raise Malformed(f"number of cells out of range: {len(cells)}")
    return addresses_hash(cells)


def cell_set_id(
    network_id: bytes, network_epoch: bytes, epoch: int, cells: Sequence[bytes]
) -> bytes:
    """Return the id of the set of *cells* (addresses, strictly ascending, else Malformed)."""
    return keccak(_CELL_SET.pack(_CELL_SET_V1, network_id, network_epoch, epoch, cells_hash(cells)))


def registry_hash(rows: Sequence[RegistryRow]) -> bytes:
    """Return the hash of the registry rows, strictly ascending by cell, else Malformed."""
    previous = b""
    for row in rows:
        if row.cell <= previous:
            raise Malformed("registry rows are not strictly ascending by cell")
        previous = row.cell
    return keccak(b"".join(map(_REGISTRY_ROW.encode, rows)))


def meter_id(chain: bytes, meter_address: bytes) -> bytes:
    """Return the id of the meter whose key has this EVM address, on the ledger of tag *chain*."""
    return keccak(_METER.pack(_METER_V1, chain, meter_address))


def trade_id(
    source_chain_tag: bytes,
    dest_chain_tag: bytes,
    slot_start: int,
    slot_length: int,
    level: int,
    allocations_root: bytes,
    hashlock: bytes,
) -> bytes:
    """Return the id of a trade; both tags are the ledger's own for INTRA."""
    return keccak(
        _TRADE.pack(
            _TRADE_V1,
            source_chain_tag,
            dest_chain_tag,
            slot_start,
            slot_length,
            level,
            allocations_root,
            hashlock,
        )
    )


def pool_account(chain: bytes, trade: bytes, side: int) -> bytes:
    """Return the 20-byte account that stands for all buyers (1) or sellers (2) of a trade."""
    return keccak(_POOL.pack(_POOL_V1, chain, trade, side))[-_ACCOUNT_BYTES:]


def lock_id(
    chain: bytes,
    trade: bytes,
    hashlock: bytes,
    payer: bytes,
    payee: bytes,
    energy_wh: int,
    price: int,
    expiry: int,
) -> bytes:
    """Return the id of a lock: its terms, and the ledger that holds it."""
    return keccak(
        _LOCK.pack(_LOCK_V1, chain, trade, hashlock, payer, payee, energy_wh, price, expiry)
    )


def mandate_key(
    source_chain_tag: bytes, client_tag: bytes, connector_in: bytes, connector_out: bytes
) -> bytes:
    """Return the key of a mandate under prefix ``q``; *client_tag* is T(client id)."""
    return keccak(_MANDATE_KEY.pack(source_chain_tag, client_tag, connector_in, connector_out))


def _signed_table(rows: Sequence[tuple[bytes, int]]) -> bytes:
    table: list[bytes] = []
    previous = b""
    for identifier, value in rows:
        if len(identifier) != HASH_BYTES or identifier <= previous:
            raise Malformed("identifiers are not strictly ascending")
        if not _INT64_MIN <= value <= _INT64_MAX:
            raise Malformed(f"int64 out of range: {value}")
        previous = identifier
        table.append(identifier + value.to_bytes(8, signed=True))
    return b"".join(table)


def estimate_hash(rows: Sequence[tuple[bytes, int]]) -> bytes:
    """Return the hash of estimated energy: meter id and Wh, signed, ascending by meter id."""
    return keccak(_signed_table(rows))


def setpoints_hash(rows: Sequence[tuple[bytes, int]]) -> bytes:
    """
    Return the hash of the set points of a verdict; 32 zero bytes if there are none.

    Args:
        rows: Order id and W, positive into the network, ascending by order id.
    """
    return keccak(_signed_table(rows)) if rows else ZERO_HASH


def header_seal(chain: bytes, header_hash: bytes) -> bytes:
    """Return what an authority seals of an EVM header; never the bare hash."""
    return keccak(_SEAL.pack(_SEAL_V1, chain, header_hash))


def rotate_set_digest(
    chain: bytes, client_id: str, new_addresses: Sequence[bytes], new_m: int, from_height: int
) -> bytes:
    """
    Return what attestors sign to hand a client to a new set.

    Args:
        chain: Tag of the ledger that runs the client.
        client_id: The client there.
        new_addresses: The new attestors, strictly ascending.
        new_m: How many of them must sign.
        from_height: First height that the new set attests.
    """
    data = rotate_set_data(chain, client_id, new_addresses, new_m, from_height)
    return attestation_digest(ROTATE_TAG, data)


def rotate_set_data(
    chain: bytes, client_id: str, new_addresses: Sequence[bytes], new_m: int, from_height: int
) -> bytes:
    """Return the bytes whose digest ``rotate_set_digest`` is."""
    return _ROTATE.pack(chain, tag(client_id), addresses_hash(new_addresses), new_m, from_height)
