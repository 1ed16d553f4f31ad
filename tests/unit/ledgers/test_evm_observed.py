"""What observers see of a block: refusals in words, and what did not arrive."""

import pytest
from fakes.evm_logs import APP, HOST, log
from fakes.microgrid import key

from tieline.contract.genesis import Genesis
from tieline.contract.twin.state import TwinOf
from tieline.contract.twin.twin import Twin
from tieline.ledgers.ethereum.observed import ObservedTransaction, observe_block
from tieline.wire.evm.declarations import Function
from tieline.wire.evm.logs import Log

CELL = key("cell").address
NOT_YET = Function("error NotYetPosted(bytes32 rule)").encode(b"clearing".ljust(32, b"\0"))
CREATED = log(
    HOST, "ClientCreated", (0, 5), "uint64 t, uint32 m, address[] a", 1_800_000_000, 1, [CELL]
)
PAIRED = log(HOST, "CounterpartyRegistered", (0,), "string c", "07-tendermint-0")
UPDATED = log(HOST, "ClientUpdated", (0, 9), "uint64 t", 1_800_000_100)
SKIPPED = log(HOST, "PacketSkipped", (0, 4), "bytes r", NOT_YET)
DEPOSITED = log(APP, "PayDeposited", (int.from_bytes(CELL, "big"), 7), "uint128 a", 50)


def observed(*logs, **how):
    genesis = Genesis("mg-e", b"\xee" * 32, CELL, (CELL,), kind="evm")
    twin = Twin(TwinOf(genesis, b"\x07" * 32, HOST, APP))
    first = ObservedTransaction(b"\x01" * 32, is_success=True, logs=(CREATED, PAIRED))
    observe_block(twin, 1, 1_800_000_000, [first])
    last = ObservedTransaction(b"\x02" * 32, **{"is_success": True, "logs": logs, **how})
    block = observe_block(twin, 2, 1_800_000_005, [last])
    assert (block.height, block.time_s) == (2, 1_800_000_005)
    return twin, block.transactions[0]


def test_a_packet_that_was_skipped_is_a_transaction_that_was_refused():
    """Who brought it alone learns why: here, that it comes too early."""
    twin, transaction = observed(UPDATED, SKIPPED)
    assert (transaction.codespace, transaction.code) == ("tieline", 2)
    assert transaction.log == "NotYetPosted: rule=clearing"
    assert transaction.events == ()
    heights = twin.scan("ibc", b"clients/attestations-0/consensusStates/")
    assert [key.rpartition(b"-")[2] for key, _ in heights] == [b"5", b"9"], "the header stays"


def test_beside_something_that_was_done_it_is_an_event():
    """The rest of a batch goes on."""
    _, transaction = observed(
        SKIPPED, log(HOST, "CounterpartyRegistered", (0,), "string c", "x-client-1")
    )
    assert transaction.code, "pairing tells nothing, so nothing was seen to be done"
    received = log(
        HOST, "ClientCreated", (1, 5), "uint64 t, uint32 m, address[] a", 1_800_000_000, 1, [CELL]
    )
    _, transaction = observed(SKIPPED, received)
    assert transaction.code == 0
    assert [one.type for one in transaction.events] == ["packet_skipped", "create_client"]
    assert transaction.events[0].get("reason") == NOT_YET.hex()
    assert transaction.events[0].get("packet_source_client") == "07-tendermint-0"


def test_a_refused_transaction_changes_nothing():
    twin, transaction = observed(DEPOSITED, is_success=False, output=NOT_YET)
    assert transaction.log == "NotYetPosted: rule=clearing"
    assert not twin.scan("tieline", b"a")
    twin, transaction = observed(DEPOSITED)
    assert transaction.code == 0
    assert twin.scan("tieline", b"a")


def test_a_breakdown_is_said_in_the_engines_words():
    _, transaction = observed(is_success=False, breakdown="OutOfGas: Needed 5")
    assert (transaction.codespace, transaction.log) == ("evm", "OutOfGas: Needed 5")


@pytest.mark.parametrize("address", [b"\x09" * 20, HOST])
def test_a_strangers_log_tells_nothing(address):
    """The application's event from another address is nobody's money."""
    copied = Log(address, DEPOSITED.topics, DEPOSITED.data)
    twin, transaction = observed(copied)
    assert transaction.events == ()
    assert not twin.scan("tieline", b"a")
