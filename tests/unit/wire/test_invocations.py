"""How our chaincode is called and answers: every codec goes both ways, and in one spelling only."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.protocol.events import Event
from tieline.wire.errors import Malformed
from tieline.wire.fabric import invocations
from tieline.wire.fabric.invocations import (
    InvocationRefusal,
    ReadBackAnswer,
    decode_events,
    decode_number,
    decode_read_back,
    decode_refusal,
    encode_events,
    encode_read_back,
    encode_refusal,
    marker_value,
)
from tieline.wire.hashes import sha256, tag

words = st.text(max_size=12)
events = st.builds(Event, words, st.lists(st.tuples(words, words), max_size=3).map(tuple))
values = st.none() | st.binary(min_size=1, max_size=40)
answers = st.builds(
    ReadBackAnswer,
    st.integers(0, 2**64 - 1),
    st.lists(values, max_size=4).map(tuple),
)


@given(st.lists(events, max_size=4))
def test_events_go_both_ways_in_order(told: list[Event]) -> None:
    assert decode_events(encode_events(told)) == tuple(told)


def test_events_and_refusals_are_spelled_as_written_down() -> None:
    """``docs/fabric.md``; whoever listens to the channel with other tools reads these."""
    told = (Event("paid", (("to", "ann"), ("wh", "5"))), Event("end", ()))
    assert encode_events(told) == b'[["paid",[["to","ann"],["wh","5"]]],["end",[]]]'
    refusal = InvocationRefusal("sdk", 5, 'holds "less"')
    expected = r'{"code":5,"codespace":"sdk","log":"holds \"less\""}'
    assert encode_refusal(refusal) == expected


def test_no_events_are_no_bytes() -> None:
    assert encode_events(()) == b""


@given(words, st.integers(1, 2**31), words)
def test_refusals_go_both_ways(codespace: str, code: int, log: str) -> None:
    refusal = InvocationRefusal(codespace, code, log)
    text = encode_refusal(refusal)
    assert decode_refusal(text) == refusal
    assert text.isascii()


@given(answers)
def test_read_backs_go_both_ways(answer: ReadBackAnswer) -> None:
    assert decode_read_back(encode_read_back(answer)) == answer


@given(answers, st.integers(1, 60))
def test_a_read_back_cut_short_is_another_or_none(answer: ReadBackAnswer, cut: int) -> None:
    payload = encode_read_back(answer)
    with suppress(Malformed):
        assert decode_read_back(payload[:-cut]) != answer


@given(st.sampled_from(["ibc", "tieline"]), st.binary(min_size=1, max_size=60))
def test_a_physical_key_names_store_and_key(store: str, key: bytes) -> None:
    physical = invocations.physical_key(store, key)
    assert invocations.store_key_of(physical) == (store, key)
    assert physical == {"ibc": invocations.ibc_key, "tieline": invocations.tieline_key}[store](key)
    assert invocations.is_physical_key(physical)
    assert invocations.invocation_of_marker(physical) is None
    assert invocations.absence_of(physical) is None


def test_markers_and_absence_records_are_named_as_written_down() -> None:
    digest = sha256(b"inner")
    assert invocations.marker_key(digest) == f"x:{digest.hex()}"
    assert invocations.invocation_of_marker(f"x:{digest.hex()}") == digest
    physical = invocations.absence_key("fabric-block-0", 7)
    assert physical == "n:" + (tag("fabric-block-0") + (7).to_bytes(8, "big")).hex()
    assert invocations.absence_of(physical) == (tag("fabric-block-0"), 7)


@pytest.mark.parametrize(
    "text", ["", "i:", "i:0", "i:0G", "i:AB", "i: ab", "j:ab", "iab", "x:ab", "n:ab", "Clock"]
)
def test_a_key_in_another_spelling_is_none(text: str) -> None:
    assert not invocations.is_physical_key(text)


def test_an_invocation_is_named_by_its_transaction_or_by_all_its_arguments() -> None:
    assert invocations.invocation_hash(invocations.submit_args(b"raw")) == sha256(b"raw")
    tick = invocations.tick_args(9)
    spelled = b"\0\0\0\4Tick\0\0\0\x08" + (9).to_bytes(8, "big")
    assert invocations.invocation_hash(tick) == sha256(spelled)
    moved = (b"TickA", b"B")
    assert invocations.invocation_hash(moved) != invocations.invocation_hash((b"Tick", b"AB"))


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"{}",
        b"[[1,[]]]",
        b'[["a"]]',
        b'[["a",[["k"]]]]',
        b'[["a",[["k",1]]]]',
        b'[["a", []]]',
        b'[["\xff",[]]]',
        b"[" * 5_000,
        b"\xff",
    ],
)
def test_what_is_no_list_of_events_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode_events(data)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "chaincode stream terminated",
        "[]",
        '{"code":1,"codespace":"sdk"}',
        '{"code":0,"codespace":"sdk","log":""}',
        '{"code":true,"codespace":"sdk","log":""}',
        '{"code":1,"codespace":2,"log":""}',
        '{"code":1,"codespace":"sdk","log":"","more":1}',
        '{"code": 1,"codespace":"sdk","log":""}',
    ],
)
def test_a_message_that_is_not_the_contracts_is_told_apart(text: str) -> None:
    with pytest.raises(Malformed):
        decode_refusal(text)


@pytest.mark.parametrize(
    "payload", [b"", b"\0" * 7, b"\0" * 8 + b"\2", b"\0" * 8 + b"\1\0\0\0\0", b"\0" * 8 + b"\1\0"]
)
def test_what_is_no_read_back_is_refused(payload: bytes) -> None:
    with pytest.raises(Malformed):
        decode_read_back(payload)


def test_a_number_has_eight_bytes() -> None:
    assert decode_number(b"\0" * 7 + b"\5") == 5
    with pytest.raises(Malformed):
        decode_number(b"\5")


def test_a_marker_holds_the_hash_of_all_else_that_is_written() -> None:
    parts = (
        b"\0\0\0\5clock" + b"\1" + b"\0\0\0\1\7",
        b"\0\0\0\4i:00" + b"\0" + b"\0\0\0\0",
    )
    assert marker_value([("i:00", None), ("clock", b"\7")]) == sha256(b"".join(parts))


@given(st.dictionaries(st.text(max_size=3), st.none() | st.binary(max_size=3), max_size=4))
def test_no_two_lists_of_writes_have_one_marker(writes: dict[str, bytes | None]) -> None:
    value = marker_value(writes.items())
    assert value == marker_value(reversed(writes.items()))
    for key, held in writes.items():
        rest = {other: one for other, one in writes.items() if other != key}
        longer = b"" if held is None else held + b"\0"
        for changed in (rest, {**rest, key: longer}, {**rest, key + "0000": held}):
            assert marker_value(changed.items()) != value
