"""Headers, commits, validators and events out of CometBFT's JSON. Times keep their nanoseconds."""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from tieline.interfaces.errors import Unavailable
from tieline.interfaces.ledger import BlockEvents, TxEvents
from tieline.ledgers.tendermint.rpc import Json, from_base64
from tieline.protocol.events import Event
from tieline.protocol.time import NANOSECONDS_PER_SECOND, TimestampNanoseconds, to_seconds
from tieline.wire.blocks import Block
from tieline.wire.codec import transaction_hash
from tieline.wire.cometbft import (
    BLOCK_PROTOCOL,
    NO_TIME_NS,
    BlockId,
    Commit,
    CommitSig,
    Header,
    SignedHeader,
    Validator,
)
from tieline.wire.proto_fields import message_field
from tieline.wire.store_answers import PROOF_OPS

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z")
_P = ParamSpec("_P")
_T = TypeVar("_T")
PACKET_EVENTS: Final = frozenset(
    {"send_packet", "recv_packet", "write_acknowledgement", "acknowledge_packet", "timeout_packet"}
)
_PACKET_NAME: Final = ("packet_source_client", "packet_dest_client", "packet_sequence")
_NO_TIME = "0001-01-01T00:00:00Z"


def _sound(
    read: Callable[Concatenate[Json, _P], _T],
) -> Callable[Concatenate[Json, _P], _T]:
    """Turn what a peer cannot have meant into Unavailable: another one may answer better."""

    @wraps(read)
    def read_soundly(raw: Json, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return read(raw, *args, **kwargs)
        except (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError) as exc:
            raise Unavailable(f"answer without sense: {read.__name__}: {exc!r}") from exc

    return read_soundly


def time_ns_of(text: str) -> int:
    """Read RFC 3339 in UTC as unix nanoseconds. Raises ValueError."""
    if text == _NO_TIME:
        return NO_TIME_NS
    match = _TIME.fullmatch(text)
    if match is None:
        message = f"not a time of the RPC: {text!r}"
        raise ValueError(message)
    seconds = calendar.timegm(time.strptime(match[1], "%Y-%m-%dT%H:%M:%S"))
    return seconds * NANOSECONDS_PER_SECOND + int((match[2] or "").ljust(9, "0"))


def block_id_of(raw: Json) -> BlockId:
    """Read a block id."""
    parts = raw["parts"]
    return BlockId(bytes.fromhex(raw["hash"]), int(parts["total"]), bytes.fromhex(parts["hash"]))


def header_of(raw: Json) -> Header:
    """Read a header; its hash covers every field."""
    return Header(
        chain_id=raw["chain_id"],
        height=int(raw["height"]),
        time_ns=time_ns_of(raw["time"]),
        last_block_id=block_id_of(raw["last_block_id"]),
        last_commit_hash=bytes.fromhex(raw["last_commit_hash"]),
        data_hash=bytes.fromhex(raw["data_hash"]),
        validators_hash=bytes.fromhex(raw["validators_hash"]),
        next_validators_hash=bytes.fromhex(raw["next_validators_hash"]),
        consensus_hash=bytes.fromhex(raw["consensus_hash"]),
        app_hash=bytes.fromhex(raw["app_hash"]),
        last_results_hash=bytes.fromhex(raw["last_results_hash"]),
        evidence_hash=bytes.fromhex(raw["evidence_hash"]),
        proposer_address=bytes.fromhex(raw["proposer_address"]),
        block_protocol=int(raw["version"].get("block", BLOCK_PROTOCOL)),
        app_protocol=int(raw["version"].get("app", 0)),
    )


def commit_of(raw: Json) -> Commit:
    """Read a commit."""
    signatures = tuple(
        CommitSig(
            one["block_id_flag"],
            bytes.fromhex(one["validator_address"]),
            time_ns_of(one["timestamp"]),
            from_base64(one["signature"]),
        )
        for one in raw["signatures"]
    )
    return Commit(int(raw["height"]), int(raw["round"]), block_id_of(raw["block_id"]), signatures)


def block_of(raw: Json) -> Block:
    """Read a whole block; one with evidence is not ours (ValueError)."""
    if raw["evidence"]["evidence"]:
        message = f"a block with evidence: height={raw['header']['height']}"
        raise ValueError(message)
    transactions = tuple(from_base64(one) for one in raw["data"]["txs"] or ())
    return Block(header_of(raw["header"]), transactions, commit_of(raw["last_commit"]))


def validator_of(raw: Json) -> Validator:
    """
    Read a validator, without the proposer's priority: no hash covers it, and two peers may
    answer with different ones.
    """
    return Validator(from_base64(raw["pub_key"]["value"]), int(raw["voting_power"]))


def events_of(raw: list[Any] | None) -> tuple[Event, ...]:
    """Read a transaction's events."""
    return tuple(
        Event(
            one["type"],
            tuple((pair["key"], pair["value"]) for pair in one["attributes"] or ()),
        )
        for one in raw or ()
    )


@_sound
def signed_header_of(raw: Json, height: int) -> SignedHeader:
    """Read the answer of ``commit``. Raises Unavailable."""
    signed = raw["signed_header"]
    header, commit = header_of(signed["header"]), commit_of(signed["commit"])
    if not height == header.height == commit.height:
        message = f"another height than asked for: {header.height}, not {height}"
        raise ValueError(message)
    return SignedHeader(header, commit)


@_sound
def plain_header_of(raw: Json, height: int) -> Header:
    """Read the answer of ``header``. Raises Unavailable."""
    header = header_of(raw["header"])
    if header.height != height:
        message = f"another height than asked for: {header.height}, not {height}"
        raise ValueError(message)
    return header


@_sound
def whole_block_of(raw: Json, height: int) -> Block:
    """Read the answer of ``block``. Raises Unavailable."""
    block = block_of(raw["block"])
    if block.header.height != height:
        message = f"another height than asked for: {block.header.height}, not {height}"
        raise ValueError(message)
    return block


@_sound
def transactions_of(raw: Json, height: int) -> tuple[Header, tuple[bytes, ...]]:
    """
    Return header and transactions of the answer of ``block``, whatever evidence it holds. Raises
    Unavailable.
    """
    header = header_of(raw["block"]["header"])
    if header.height != height:
        message = f"another height than asked for: {header.height}, not {height}"
        raise ValueError(message)
    return header, tuple(from_base64(one) for one in raw["block"]["data"]["txs"] or ())


@_sound
def block_events_of(block: Json, results: Json, height: int) -> BlockEvents:
    """
    Read the answers of ``block`` and ``block_results``, every packet event once. Raises
    Unavailable.
    """
    header, raw = transactions_of(block, height)
    if int(results["height"]) != height:
        message = f"results of another height: {results['height']}, not {height}"
        raise ValueError(message)
    outcomes: list[Json] = results["txs_results"] or []
    seen: set[tuple[str, ...]] = set()
    transactions = tuple(
        TxEvents(
            transaction_hash(transaction),
            int(outcome["code"]),
            str(outcome["log"]),
            # What was undone has left its events: those of its fee and its signer.
            () if outcome["code"] else once(events_of(outcome["events"]), seen),
            str(outcome["codespace"]),
        )
        for transaction, outcome in zip(raw, outcomes, strict=True)
    )
    return BlockEvents(height, to_seconds(TimestampNanoseconds(header.time_ns)), transactions)


def once(events: Iterable[Event], seen: set[tuple[str, ...]]) -> tuple[Event, ...]:
    """
    Leave out packet events that *seen* holds, and add the others to it.

    A packet is named by its clients and its sequence. ibc-go tells ``recv_packet`` twice, because
    it writes a cached context twice.
    """
    kept: list[Event] = []
    for event in events:
        if event.type in PACKET_EVENTS:
            attributes = dict(event.attributes)
            name = (event.type, *(attributes.get(part, "") for part in _PACKET_NAME))
            if name in seen:
                continue
            seen.add(name)
        kept.append(event)
    return tuple(kept)


@_sound
def validators_of(raw: Json) -> tuple[list[Validator], int]:
    """Read one page of ``validators`` and how many there are in all. Raises Unavailable."""
    validators: list[Json] = raw["validators"]
    if not validators:
        message = "a page without validators"
        raise ValueError(message)
    return [validator_of(one) for one in validators], int(raw["total"])


@_sound
def merkle_proof_of(raw: Json) -> bytes:
    """Return the two proofs of an ``abci_query`` as one MerkleProof. Raises Unavailable."""
    operations: list[Json] = raw["proofOps"]["ops"]
    if tuple(one["type"] for one in operations) != PROOF_OPS:
        message = "not a proof of two levels"
        raise ValueError(message)
    return b"".join(message_field(1, from_base64(one["data"])) for one in operations)


@_sound
def committed_of(raw: Json) -> tuple[str, int, bytes]:
    """Return chain id, height and app hash out of ``abci_info``. Raises Unavailable."""
    response = raw["response"]
    height = int(response.get("last_block_height", 0))
    return response["data"], height, from_base64(response.get("last_block_app_hash"))


@_sound
def tip_of(raw: Json) -> tuple[int, bytes]:
    """Return height and header's app hash of the newest block, of ``status``."""
    tip = raw["sync_info"]
    return int(tip["latest_block_height"]), bytes.fromhex(tip["latest_app_hash"])


@_sound
def network_of(raw: Json) -> str:
    """Return the chain id of the engine, of ``status``. Raises Unavailable."""
    return str(raw["node_info"]["network"])


@_sound
def query_of(raw: Json) -> Json:
    """Return the answer of the application in ``abci_query``. Raises Unavailable."""
    response: Json = raw["response"]
    return dict(response)
