"""Why a transaction failed: what a node says of it, and never that a node said nothing."""

import pytest
from fakes.driven import finish
from fakes.header_node import HeaderNode, chain_of

from tieline.interfaces.errors import HubError, NotYet, Unavailable
from tieline.ledgers.ethereum.endpoints import EvmEndpoints
from tieline.ledgers.ethereum.refused import Refused
from tieline.ledgers.ethereum.rpc_errors import Reverted, sorted_error

HEIGHT = 7


class CallNode(HeaderNode):
    """Runs calls as a test scripts it."""

    def __init__(self, *outcomes):
        super().__init__(chain_of(HEIGHT))
        self.outcomes = list(outcomes)

    async def batch(self, calls):
        outcomes = await super().batch(calls)
        if any(isinstance(one, OSError) for one in outcomes):
            raise Unavailable("no answer: node: TimeoutError")
        return outcomes

    def _eth_getTransactionByHash(self, _tx_hash):
        return {"from": "0x0a", "to": "0x0b", "input": "0x", "gas": "0x5208"}

    def _eth_call(self, _again, _place):
        return self.outcomes.pop(0)


def told(code, message):
    return sorted_error("eth_call", {"code": code, "message": message})


def why(node):
    try:
        return finish(Refused(EvmEndpoints("eth-1", [node])).why(b"\1" * 32, HEIGHT))
    except HubError as exc:
        return exc


def test_a_node_that_falls_silent_is_no_reason():
    node = CallNode(OSError(), Reverted("execution reverted", b"\x01\x02\x03\x04"))
    assert isinstance(why(node), Unavailable), "the block is read again"
    data, _ = why(node)
    assert data == b"\x01\x02\x03\x04"


def test_a_node_that_has_left_the_block_is_no_reason():
    node = CallNode(told(-32000, "header not found"))
    del node.headers[HEIGHT:]
    assert isinstance(why(node), NotYet)


@pytest.mark.parametrize("is_first", [True, False])
def test_what_a_node_with_the_block_cannot_run_holds_nothing_up(is_first):
    strange = told(-32000, "header not found"), told(-32000, "historical state is not available")
    node = CallNode(*(strange if is_first else reversed(strange)))
    assert why(node) == (b"", "it failed in its block and would not fail alone")


def test_an_error_that_nobody_knows_is_the_reason():
    assert why(CallNode(told(-32603, "stack underflow"))) == (
        b"",
        "eth_call: stack underflow code=-32603",
    )
