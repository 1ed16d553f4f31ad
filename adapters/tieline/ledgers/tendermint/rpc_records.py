"""Headers, commits, validators and events out of CometBFT's JSON. Times keep their nanoseconds."""

from __future__ import annotations

import calendar
import re
import time
from typing import Any

from tieline.ledgers.tendermint.rpc import Json, from_base64
from tieline.protocol.events import Event
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.wire.blocks import Block
from tieline.wire.cometbft import (
    BLOCK_PROTOCOL,
    NO_TIME_NS,
    BlockId,
    Commit,
    CommitSig,
    Header,
    Validator,
)

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z")
_NO_TIME = "0001-01-01T00:00:00Z"


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
