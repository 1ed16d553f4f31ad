"""JSON of strangers is read alike on every host, whatever its depth."""

from __future__ import annotations

import contextlib
import json
import sys

import pytest

from tieline.interfaces.errors import ConfigError, Unavailable
from tieline.ledgers.ethereum.deployment import Deployment
from tieline.ledgers.tendermint.rpc import Call, _outcomes
from tieline.swap.evidence import SlotEvidence
from tieline.wire import bounded_json
from tieline.wire.bounded_json import DEPTH_MAX
from tieline.wire.canonical_json import parse
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


@pytest.mark.usefixtures("lax_stack")
def test_a_cell_that_posts_deep_records_ends_nobody():
    with pytest.raises(Malformed, match="nested deeper"):
        parse(SlotEvidence, DEEP.encode())


@pytest.mark.usefixtures("lax_stack")
def test_a_node_of_cometbft_that_answers_deeply_ends_nobody():
    with pytest.raises(Unavailable, match="no JSON"):
        _outcomes("127.0.0.1:1", [Call("status")], DEEP.encode())


@pytest.fixture
def strict_stack():
    """As Python starts; other tests' libraries may have raised the limit before this one."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.usefixtures("strict_stack")
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_an_answer_between_the_parsers_depth_and_the_bound_ends_nobody(opening):
    closing = {"[": "]", '{"a":': "}"}[opening]
    text = opening * 3_000 + "1" + closing * 3_000
    for hook in (None, dict):
        outcome = Unavailable("none")
        with contextlib.suppress(Unavailable):
            (outcome,) = _outcomes("127.0.0.1:1", [Call("status")], text.encode(), hook)
        assert isinstance(outcome, Unavailable)


@pytest.mark.usefixtures("lax_stack")
def test_a_deep_record_of_a_deployment_is_refused():
    with pytest.raises(ConfigError, match="not a deployment record: nested deeper"):
        Deployment.from_bytes(DEEP.encode())


def test_objects_are_made_by_a_hook():
    assert bounded_json.loads('{"a":{"b":1}}', object_hook=len) == 1
