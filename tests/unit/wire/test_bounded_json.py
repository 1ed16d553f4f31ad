"""JSON of strangers is read alike on every host, whatever its depth."""

from __future__ import annotations

import json
import sys

import pytest

from tieline.wire import bounded_json
from tieline.wire.bounded_json import DEPTH_MAX
from tieline.wire.errors import Malformed
from tieline.wire.trade_memo import trade_in_memo
from tieline.wire.transfer_data import decode_transfer_data

DEEP = "[" * 100_000


@pytest.fixture
def lax_stack():
    """Some libraries raise the interpreter's limit so far that its parser breaks the process."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize("depth", [1, DEPTH_MAX - 1, DEPTH_MAX])
def test_depth_up_to_the_bound_is_read(depth):
    text = "[" * depth + "]" * depth
    assert bounded_json.loads(text) == json.loads(text)


@pytest.mark.parametrize("bracket", ["[", '{"a":'])
def test_depth_beyond_the_bound_is_refused(bracket):
    with pytest.raises(ValueError, match="nested deeper"):
        bounded_json.loads(bracket * (DEPTH_MAX + 1))


def test_many_brackets_side_by_side_or_in_strings_are_not_deep():
    text = json.dumps({"memo": "[{" * 10_000 + '\\"[', "list": [[]] * 500})
    assert bounded_json.loads(text) == json.loads(text)


def test_a_string_without_end_hides_no_depth():
    with pytest.raises(ValueError, match="nested deeper"):
        bounded_json.loads(DEEP + '"')


@pytest.mark.usefixtures("lax_stack")
def test_a_deep_memo_is_none_of_ours():
    assert trade_in_memo(DEEP) is None
    assert trade_in_memo('{"tieline":' + DEEP) is None


@pytest.mark.usefixtures("lax_stack")
def test_deep_transfer_data_is_malformed():
    with pytest.raises(Malformed, match="not a transfer"):
        decode_transfer_data(DEEP.encode(), "application/json")
