"""Declarations as Solidity writes them, and the committed ABI they must equal."""

import pytest
from eth_utils import event_abi_to_log_topic, function_abi_to_4byte_selector

from tieline.ledgers.ethereum.artifacts import declaration_of, load_artifact
from tieline.wire.errors import Malformed
from tieline.wire.evm import contract_calls, contract_events
from tieline.wire.evm.declarations import EventKind, Function, read_declarations
from tieline.wire.evm.logs import Log

APP = ("App", "Trade", "Exits", "Book")
TRANSFER = "event Transfer(address indexed from, address indexed to, uint256 value)"


def entries(names, kind):
    """What the committed ABI of these contracts has of a kind."""
    return [one for name in names for one in load_artifact(name).abi if one["type"] == kind]


def test_selectors_and_topics_are_those_that_everybody_knows():
    """ERC-20's."""
    function = Function("function transfer(address to, uint256 value) external returns (bool)")
    assert function.selector.hex() == "a9059cbb"
    assert EventKind(TRANSFER).topic.hex().startswith("ddf252ad1be2c89b69c2b068fc378daa")


def test_structs_are_written_as_tuples_and_spaces_do_not_count():
    """As in our tables."""
    function = Function(
        "function f(uint64 client,\n  (bytes data, (uint8 a, bytes32[] b)[] c)   proof)"
    )
    assert function.signature == "f(uint64,(bytes,(uint8,bytes32[])[]))"
    assert function.names == ("client", "proof")


@pytest.mark.parametrize(
    ("functions", "contracts"),
    [
        (contract_calls.HOST_FUNCTIONS, ("Host",)),
        (contract_calls.APP_FUNCTIONS, APP),
        ((contract_calls.APPROVE,), ("Pay",)),
    ],
)
def test_every_function_that_we_call_is_in_the_committed_abi(functions, contracts):
    """With this very signature; selectors computed by eth-utils."""
    known = {function_abi_to_4byte_selector(one) for one in entries(contracts, "function")}
    assert not [one.signature for one in functions if one.selector not in known]


@pytest.mark.parametrize(
    ("kinds", "contracts"),
    [(contract_events.HOST_EVENT_KINDS, ("Host",)), (contract_events.APP_EVENT_KINDS, APP)],
)
def test_the_events_that_we_read_are_exactly_those_of_the_committed_abi(kinds, contracts):
    """None is missing: what an index does not read, it loses. Indexed fields are the same."""
    theirs = entries(contracts, "event")
    assert set(kinds) == {event_abi_to_log_topic(one) for one in theirs}
    for one in theirs:
        indexed = tuple(field["name"] for field in one["inputs"] if field["indexed"])
        assert kinds[event_abi_to_log_topic(one)].indexed == indexed


@pytest.mark.parametrize("name", ["Host", *APP, "Pay"])
def test_declarations_made_of_an_abi_have_its_selectors(name):
    """Errors are read by declarations that the artifacts give."""
    for one in entries((name,), "error"):
        assert Function(declaration_of(one)).selector == function_abi_to_4byte_selector(one)


def test_a_log_is_read_by_name():
    """Topics and data in one mapping."""
    kind = EventKind("event E(uint64 indexed a, bytes32 indexed b, string c, (uint8 d)[] e)")
    body = Function("function f(string c, (uint8 d)[] e)").encode("text", [(7,), (8,)])[4:]
    log = Log(bytes(20), (kind.topic, (5).to_bytes(32, "big"), b"\x01" * 32), body)
    assert kind.decode(log) == {"a": 5, "b": b"\x01" * 32, "c": "text", "e": ((7,), (8,))}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda log: Log(log.address, log.topics[:-1], log.data),
        lambda log: Log(log.address, (b"\0" * 32, *log.topics[1:]), log.data),
        lambda log: Log(log.address, (*log.topics[:-1], b"\xff" * 32), log.data),
        lambda log: Log(log.address, log.topics, log.data[:-1]),
    ],
)
def test_a_log_of_another_form_is_malformed(spoil):
    """A topic too few, another topic, dirty bits, data too short."""
    kind = EventKind(TRANSFER)
    good = Log(bytes(20), (kind.topic, bytes(32), bytes(32)), bytes(32))
    assert kind.decode(good)["value"] == 0
    with pytest.raises(Malformed):
        kind.decode(spoil(good))


def test_logs_of_other_contracts_tell_nothing():
    """A stranger may copy our events, but not our address."""
    host, app = b"\x01" * 20, b"\x02" * 20
    topic = EventKind("event LockConfirmed(bytes32 indexed lockId, uint64 capWh)").topic
    log = Log(app, (topic, b"\x03" * 32), bytes(32))
    read = contract_events.read_log
    told = read(log, host=host, app=app)
    assert told is not None
    assert (told.name, told.values["capWh"]) == ("LockConfirmed", 0)
    assert read(Log(b"\x09" * 20, log.topics, log.data), host=host, app=app) is None
    assert read(Log(host, log.topics, log.data), host=host, app=app) is None
    assert read(Log(app, (b"\x07" * 32,), b""), host=host, app=app) is None
    assert read(Log(app, (), b""), host=host, app=app) is None


def test_declarations_are_split_at_semicolons():
    """Comments are left out."""
    assert read_declarations("// all\nevent A(uint8 a);\nevent B(\n uint8 b);\n") == [
        "event A(uint8 a)",
        "event B(  uint8 b)",
    ]


def test_another_call_is_not_decoded():
    """The selector decides."""
    with pytest.raises(Malformed, match="not a call of send"):
        contract_calls.SEND.decode(contract_calls.DEPOSIT.encode(5))
