"""CometBFT's JSON, read to the last nanosecond."""

from __future__ import annotations

import pytest

from tieline.interfaces.errors import Unavailable
from tieline.ledgers.tendermint.rpc_records import (
    committed_of,
    events_of,
    merkle_proof_of,
    signed_header_of,
    time_ns_of,
    validators_of,
)
from tieline.protocol.events import Event
from tieline.wire.cometbft import NO_TIME_NS


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("2026-11-21T16:21:58.853123456Z", 1_795_278_118_853_123_456),
        ("2026-11-21T16:21:58.8Z", 1_795_278_118_800_000_000),
        ("2026-11-21T16:21:58Z", 1_795_278_118_000_000_000),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("0001-01-01T00:00:00Z", NO_TIME_NS),
    ],
)
def test_times_keep_their_nanoseconds(text, time_ns):
    assert time_ns_of(text) == time_ns


@pytest.mark.parametrize("text", ["", "2026-11-21", "2026-11-21T16:21:58+01:00", "now"])
def test_what_is_no_time_of_the_rpc_is_refused(text):
    with pytest.raises(ValueError, match="not a time"):
        time_ns_of(text)


def test_answers_without_sense_are_unavailable():
    for raw in ({}, {"signed_header": None}, {"signed_header": {"header": 7, "commit": {}}}):
        with pytest.raises(Unavailable):
            signed_header_of(raw, 1)
    for raw in ({}, {"validators": [], "total": "0"}, {"validators": [{}], "total": "1"}):
        with pytest.raises(Unavailable):
            validators_of(raw)
    for raw in ({}, {"proofOps": None}, {"proofOps": {"ops": [{"type": "ics23:iavl"}]}}):
        with pytest.raises(Unavailable):
            merkle_proof_of(raw)
    for raw in ({}, {"response": {"data": "a-1", "last_block_height": "x"}}):
        with pytest.raises(Unavailable):
            committed_of(raw)


def test_events_are_ours_again():
    raw = [{"type": "send_packet", "attributes": [{"key": "a", "value": "1", "index": True}]}]
    assert events_of(raw) == (Event("send_packet", (("a", "1"),)),)
    assert events_of(None) == ()
    assert events_of([{"type": "x", "attributes": None}]) == (Event("x", ()),)
