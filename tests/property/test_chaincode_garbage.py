"""
Whatever is handed to the chaincode is answered: with 200, or with 500 and nothing written. A peer
that met an exception instead would say nothing, and a client would wait for its deadline.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from fakes.fabric_world import Channel, FabricWorld
from fakes.trade_story import tell_story
from hypothesis import given, settings
from hypothesis import strategies as st

from tieline.contract.chaincode import Chaincode, Invocation
from tieline.contract.invocation_replay import ReplayedState
from tieline.wire.fabric.invocations import Function, decode_refusal, encode_number

NAMES = [function.encode() for function in Function]
WORDS = [b"", b"\0", b"ibc", b"tieline", b"clock", b"07-fake-0", bytes(32), b"\xff" * 32, b"i:00"]

words = (
    st.sampled_from(WORDS) | st.binary(max_size=80) | st.integers(0, 2**64 - 1).map(encode_number)
)
calls = st.tuples(st.sampled_from(NAMES) | st.binary(max_size=12), st.lists(words, max_size=4))


@cache
def played() -> Channel:
    """A ledger on which a whole trade has run."""
    ledger = tell_story(FabricWorld()).ledgers[1]
    assert ledger.channel is not None
    return ledger.channel


def answer(args: tuple[bytes, ...], state: ReplayedState | None = None) -> Invocation:
    """Invoke on the played ledger, and hold the answer to its form."""
    channel = played()
    shown = channel.state.unwatched() if state is None else state
    before = dict(shown.values)
    invocation = channel.chaincode.invoke(args, shown, lambda: channel.now_s)
    assert shown.values == before, "an invocation changes nothing by itself"
    if invocation.is_ok:
        assert invocation.message == ""
        assert list(invocation.writes) == sorted(dict(invocation.writes).items())
        assert all(value != b"" for _, value in invocation.writes)
        return invocation
    assert invocation.status == 500
    assert (invocation.writes, invocation.payload, invocation.event) == ((), b"", b"")
    assert decode_refusal(invocation.message).code > 0
    return invocation


@settings(max_examples=120, deadline=None)
@given(calls)
def test_any_arguments_are_answered(call: tuple[bytes, list[bytes]]) -> None:
    answer((call[0], *call[1]))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=300))
def test_any_list_of_bytes_is_answered(args: list[bytes]) -> None:
    answer(tuple(args))


@st.composite
def spoiled_calls(draw: Callable[..., Any]) -> tuple[bytes, ...]:
    """A recorded invocation with a few bytes of one argument replaced, dropped or put in."""
    calls_made = played().calls
    args = list(calls_made[draw(st.integers(0, len(calls_made) - 1))].args)
    which = draw(st.integers(0, len(args) - 1))
    for _ in range(draw(st.integers(1, 3))):
        data = args[which]
        place = draw(st.integers(0, len(data)))
        cut = draw(st.integers(0, 3))
        args[which] = data[:place] + draw(st.binary(max_size=3)) + data[place + cut :]
    return tuple(args)


@settings(max_examples=100, deadline=None)
@given(spoiled_calls())
def test_recorded_invocations_with_a_few_bytes_changed_are_answered(
    args: tuple[bytes, ...],
) -> None:
    answer(args)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from(["00" * 20, "zz", "1" * 40, "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=4,
)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_spoiled_genesis_is_refused_in_words(data: Any) -> None:
    genesis = json.loads(played().state.values["t:" + b"zgenesis".hex()])
    place = genesis
    name = data.draw(st.sampled_from(sorted(genesis)))
    if isinstance(genesis[name], dict) and data.draw(st.booleans()):
        place = genesis[name]
        name = data.draw(st.sampled_from([*sorted(place), "extra"]))
    place[name] = data.draw(json_values)
    raw = json.dumps(genesis, sort_keys=True, separators=(",", ":")).encode()
    invocation = Chaincode().invoke((b"Init", raw, bytes(32)), ReplayedState(), lambda: 0)
    assert invocation.is_ok or decode_refusal(invocation.message).code in {18, 45}


@pytest.mark.parametrize("length", [1_000_000, 3_000_000])
def test_long_arguments_are_refused_by_their_length(length: int) -> None:
    assert answer((b"Submit", b"\x0a" * length)).status == 500
