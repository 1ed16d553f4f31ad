"""What an Ethereum node answers, as records of ours. Whatever has another form is no answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from tieline.interfaces.errors import NotYet, Unavailable
from tieline.wire.errors import Malformed
from tieline.wire.evm.header import EvmHeader, header_of_rpc_block
from tieline.wire.evm.logs import Log

_HASH_BYTES, _ADDRESS_BYTES = 32, 20
_WORD_CHARACTERS = 2 + 2 * 32


@dataclass(frozen=True, slots=True)
class SeenBlock:
    """A block's header as a node tells it; its hash is computed, not taken over."""

    header: EvmHeader
    hash: bytes
    transactions: tuple[bytes, ...]
    """Hashes, in order."""

    @property
    def height(self) -> int:
        """Its number."""
        return self.header.number


@dataclass(frozen=True, slots=True)
class SeenLog:
    """A log, and where it stands."""

    log: Log
    height: int
    block_hash: bytes
    tx_hash: bytes
    place: int
    """Of the transaction in its block."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """How a transaction ended."""

    height: int
    block_hash: bytes
    place: int
    is_success: bool
    gas_used: int


@dataclass(frozen=True, slots=True)
class AccountProof:
    """What ``eth_getProof`` answers; nothing of it is verified here."""

    nodes: tuple[bytes, ...]
    """From the state root down to the account."""
    storage_root: bytes
    values: tuple[int, ...]
    storage_nodes: tuple[tuple[bytes, ...], ...]
    """From the storage root down, for each slot."""


def block_call(place: int | str) -> tuple[str, tuple[Any, ...]]:
    """Return method and parameters that ask for a block, by height or tag, without contents."""
    return "eth_getBlockByNumber", (place if isinstance(place, str) else hex(place), False)


def number_of(value: object) -> int:
    """Read a quantity, one word at most. Raises Unavailable if it is none."""
    if isinstance(value, str) and value.startswith("0x") and len(value) <= _WORD_CHARACTERS:
        try:
            return int(value, 16)
        except ValueError:
            pass
    raise Unavailable(f"answer without sense: not a quantity: {str(value)[:40]}")


def octets_of(value: object, size: int | None = None) -> bytes:
    """Read data, of *size* bytes if given. Raises Unavailable if it is none."""
    if isinstance(value, str) and value.startswith("0x"):
        try:
            data = bytes.fromhex(value[2:])
        except ValueError:
            data = None
        if data is not None and size in {None, len(data)}:
            return data
    raise Unavailable(f"answer without sense: not data: {str(value)[:40]}")


def block_of(answer: object) -> SeenBlock:
    """
    Read a block without its transactions' contents.

    Raises:
        NotYet: There is none.
        Unavailable: It makes no sense, or its hash is not that of its header.
    """
    if answer is None:
        raise NotYet("no such block yet")
    content = _object(answer)
    try:
        header = header_of_rpc_block(content)
    except Malformed as exc:
        raise Unavailable(f"answer without sense: {exc}") from exc
    block_hash = header.hash()
    if block_hash != octets_of(content.get("hash"), _HASH_BYTES):
        raise Unavailable(
            f"a block whose hash is not that of its header: height={header.number}; is it a fork "
            "that is newer than this program?"
        )
    listed = content.get("transactions")
    hashes = cast("list[object]", listed) if isinstance(listed, list) else []
    return SeenBlock(header, block_hash, tuple(octets_of(one, _HASH_BYTES) for one in hashes))


def logs_of(answer: object) -> list[SeenLog]:
    """Read what ``eth_getLogs`` answers, in the order of the chain. Raises Unavailable."""
    if not isinstance(answer, list):
        raise Unavailable("answer without sense: no list of logs")
    return [_log(_object(one)) for one in cast("list[object]", answer)]


def _log(entry: Mapping[str, Any]) -> SeenLog:
    topics = entry.get("topics")
    words = cast("list[object]", topics) if isinstance(topics, list) else []
    log = Log(
        octets_of(entry.get("address"), _ADDRESS_BYTES),
        tuple(octets_of(one, _HASH_BYTES) for one in words),
        octets_of(entry.get("data")),
    )
    return SeenLog(
        log,
        number_of(entry.get("blockNumber")),
        octets_of(entry.get("blockHash"), _HASH_BYTES),
        octets_of(entry.get("transactionHash"), _HASH_BYTES),
        number_of(entry.get("transactionIndex")),
    )


def receipt_of(answer: object) -> Receipt | None:
    """Read a receipt; None if the transaction is in no block. Raises Unavailable."""
    if answer is None:
        return None
    content = _object(answer)
    if content.get("blockNumber") is None:
        return None
    return Receipt(
        number_of(content["blockNumber"]),
        octets_of(content.get("blockHash"), _HASH_BYTES),
        number_of(content.get("transactionIndex")),
        number_of(content.get("status")) == 1,
        number_of(content.get("gasUsed")),
    )


def proof_of(answer: object) -> AccountProof:
    """Read an account's proof and those of its slots. Raises Unavailable."""
    content = _object(answer)
    slots = content.get("storageProof")
    entries = (
        [_object(one) for one in cast("list[object]", slots)] if isinstance(slots, list) else []
    )
    return AccountProof(
        _nodes(content.get("accountProof")),
        octets_of(content.get("storageHash"), _HASH_BYTES),
        tuple(number_of(one.get("value")) for one in entries),
        tuple(_nodes(one.get("proof")) for one in entries),
    )


def _nodes(listed: object) -> tuple[bytes, ...]:
    if not isinstance(listed, list):
        raise Unavailable("answer without sense: no list of nodes")
    return tuple(octets_of(one) for one in cast("list[object]", listed))


def _object(answer: object) -> Mapping[str, Any]:
    if not isinstance(answer, dict):
        raise Unavailable(f"answer without sense: no object: {str(answer)[:40]}")
    return cast("Mapping[str, Any]", answer)
