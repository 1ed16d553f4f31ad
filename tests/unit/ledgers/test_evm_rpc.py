"""What is asked again when a node closes a connection, and what never is."""

import asyncio
import json

import pytest

from tieline.interfaces.errors import Unavailable
from tieline.ledgers.ethereum.rpc import Call, EvmRpc


class Closing:
    """A node that takes its first request and closes the connection without a word."""

    def __init__(self):
        self.asked = []

    async def serve(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        size = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        )
        request = json.loads(await reader.readexactly(size))
        self.asked.append(request["method"])
        if len(self.asked) > 1:
            body = json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": "0x5"}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
        writer.close()


async def asked_of_closing_node(method):
    node = Closing()
    server = await asyncio.start_server(node.serve, "127.0.0.1", 0)
    rpc = EvmRpc(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    try:
        return await rpc.call(method, "0x00"), node.asked
    except Unavailable as exc:
        return exc, node.asked
    finally:
        await rpc._provider.disconnect()
        server.close()


@pytest.mark.parametrize("method", ["eth_getBalance", "eth_estimateGas"])
def test_a_question_is_asked_again_over_a_new_connection(method):
    told, asked = asyncio.run(asked_of_closing_node(method))
    assert told == "0x5"
    assert asked == [method, method]


def test_a_transaction_is_handed_in_once_for_it_may_be_in_a_block_by_now():
    told, asked = asyncio.run(asked_of_closing_node("eth_sendRawTransaction"))
    assert isinstance(told, Unavailable)
    assert asked == ["eth_sendRawTransaction"]


@pytest.mark.parametrize("number", ["\u00b2", "9" * 5000, None, 7.5, {"a": 1}, [1]])
def test_an_answer_with_a_number_that_is_none_is_no_crash(number):
    """What a node answers under a number that nobody gave it is taken in the order it came in."""
    rpc = EvmRpc("http://127.0.0.1:9")
    answers = [{"id": number, "result": "0x1"}, {"id": 0, "result": "0x2"}]
    calls = [Call("eth_chainId"), Call("eth_blockNumber")]
    assert rpc._outcomes(calls, json.dumps(answers).encode()) == ["0x1", "0x2"]
