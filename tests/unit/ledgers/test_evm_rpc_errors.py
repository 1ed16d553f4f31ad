"""What geth and anvil say, as they said it, and what is done about it."""

import pytest

from tieline.interfaces.errors import NotYet, Pruned, Rejected, Unavailable
from tieline.ledgers.ethereum.rpc_errors import (
    DoorRefusal,
    Reverted,
    Unsorted,
    door_refusal,
    revert_data,
    sorted_error,
)

READ = [
    ("eth_getLogs", -32602, "block range extends beyond current head block", NotYet),
    ("eth_getLogs", -32000, "invalid block range params", NotYet),
    (
        "eth_getLogs",
        -32602,
        "BlockOutOfRangeError: block height is 1 but requested was 2183",
        NotYet,
    ),
    (
        "eth_getProof",
        -32602,
        "BlockOutOfRangeError: block height is 56 but requested was 32",
        Pruned,
    ),
    ("eth_call", -32000, "header not found", NotYet),
    ("eth_getBlockByNumber", -39001, "finalized block not found", NotYet),
    (
        "eth_getProof",
        -32000,
        "historical state 0x45 is not available, last available 0x46",
        Pruned,
    ),
    ("eth_getBalance", -32000, "missing trie node 5fe3 (path ) state 0x5fe3 is not here", Pruned),
    ("eth_getLogs", 4444, "pruned history unavailable", Pruned),
    ("eth_nope", -32601, "the method eth_nope does not exist/is not available", Unsorted),
    ("eth_chainId", -32005, "rate limit exceeded", Unavailable),
    ("eth_call", -32016, "Too Many Requests", Unavailable),
]
DOOR = [
    ("already known", DoorRefusal.KNOWN),
    ("transaction already imported", DoorRefusal.KNOWN),
    ("nonce too low", DoorRefusal.NONCE_USED),
    ("nonce too low: next nonce 3, tx nonce 0", DoorRefusal.NONCE_USED),
    ("replacement transaction underpriced", DoorRefusal.REPLACEMENT_UNDERPRICED),
    (
        "transaction underpriced: gas tip cap 0, minimum needed 1",
        DoorRefusal.UNDERPRICED,
    ),
    (
        "max fee per gas less than block base fee: address 0x07, maxFeePerGas: 1, baseFee: 7",
        DoorRefusal.UNDERPRICED,
    ),
    ("Insufficient funds for gas * price + value", DoorRefusal.UNDERFUNDED),
    ("insufficient funds for gas * price + value: balance 0, tx cost 9", DoorRefusal.UNDERFUNDED),
    ("txpool is full", DoorRefusal.FULL),
    ("Failed to decode transaction", DoorRefusal.OTHER),
    ("exceeds block gas limit", DoorRefusal.OTHER),
]


@pytest.mark.parametrize(("method", "code", "message", "kind"), READ)
def test_a_node_that_cannot_answer_says_whether_waiting_helps(method, code, message, kind):
    error = sorted_error(method, {"code": code, "message": message})
    assert type(error) is kind
    assert message in str(error)


@pytest.mark.parametrize(("message", "kind"), DOOR)
def test_a_node_that_takes_no_transaction_says_why(message, kind):
    assert door_refusal(message) is kind
    error = sorted_error("eth_sendRawTransaction", {"code": -32000, "message": message})
    assert isinstance(error, Rejected)
    assert error.log == message


@pytest.mark.parametrize("method", ["eth_call", "eth_estimateGas"])
@pytest.mark.parametrize(
    "data", ["0x2043f5fd", {"data": "0x2043f5fd"}, "Reverted 0x2043f5fd"], ids=str
)
def test_a_contracts_reason_is_found_however_a_node_wraps_it(method, data):
    error = sorted_error(method, {"code": 3, "message": "execution reverted", "data": data})
    assert isinstance(error, Reverted)
    assert error.data == bytes.fromhex("2043f5fd")


def test_an_estimate_that_runs_out_of_gas_is_a_refusal_without_a_reason():
    message = "gas required exceeds allowance (60000000)"
    error = sorted_error("eth_estimateGas", {"code": -32000, "message": message})
    assert isinstance(error, Reverted)
    assert error.data == b""


def test_an_estimate_for_a_poor_account_says_so():
    said = "failed with 1677 gas: insufficient funds for gas * price + value: have 0 want 9"
    error = sorted_error("eth_estimateGas", {"code": -32000, "message": said})
    assert isinstance(error, Rejected)
    assert door_refusal(error.log) is DoorRefusal.UNDERFUNDED


@pytest.mark.parametrize("data", [None, 7, "0x1", {"data": None}, "nothing"])
def test_what_is_no_revert_data_is_none(data):
    assert revert_data(data) == b""
