"""
CometBFT's JSON-RPC at one address, as this house calls it: connections that are kept, several calls
in one request, errors sorted by what to do.

Sources:
    CometBFT 0.38 ``rpc/openapi/openapi.yaml``, ``rpc/jsonrpc/server/http_json_handler.go``.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self, cast
from urllib.parse import urlsplit

from tieline.interfaces.errors import (
    ConfigError,
    HubError,
    NotYet,
    Pruned,
    Rejected,
    Unavailable,
)
from tieline.ledgers.tendermint.http_reply import BadReply, HttpReply, http_request
from tieline.wire.bounded_json import loads

TIMEOUT_S: Final = 10.0
"""CometBFT itself gives up an answer after that time."""
IDLE_S: Final = 5.0
"""CometBFT closes a connection that was idle for ten seconds."""
BATCH_MAX: Final = 10
"""Calls in one request; CometBFT's own ``max_request_batch_size``."""
PAGE: Final = 100
"""Validators a page; the RPC's own maximum."""
TX_IN_CACHE: Final = ("sdk", 19)
"""Codespace and code of "tx already in mempool", as the Cosmos SDK has them."""
_READ_BYTES: Final = 262_144
_DEPTH_MAX: Final = 5_000
"""
Brackets that may be open at once: the process's stack holds several times as many, and where the
limit of recursion is lower, that is met first. What is honest has a dozen; a lower bound would cost
a second look at each long answer.
"""

Json = dict[str, Any]
Hook = Callable[[Json], object]


@dataclass(frozen=True, slots=True)
class Call:
    """A method and its parameters; heights and other numbers are strings."""

    method: str
    parameters: Json = field(default_factory=dict[str, Any])


class CometRpc:
    """One peer's RPC address. Sockets belong to no loop: each call may come from another."""

    def __init__(self, host: str, port: int, *, timeout_s: float = TIMEOUT_S) -> None:
        """Talk to ``http://host:port``; a call that takes longer than *timeout_s* has failed."""
        self._host = host
        self._port = port
        self._timeout_s = timeout_s
        self._idle: list[tuple[socket.socket, float]] = []
        """With the time of last use, the latest at the end."""

    @classmethod
    def parse(cls, address: str, *, timeout_s: float = TIMEOUT_S) -> Self:
        """
        Read an address such as ``http://127.0.0.1:26657``, ``tcp://...`` or ``host:port``.

        Raises:
            ConfigError: It is none; TLS is left to a proxy beside this process.
        """
        scheme, host, port, is_root = "", None, None, False
        with contextlib.suppress(ValueError):
            parts = urlsplit(address if "://" in address else f"http://{address}")
            scheme, host, port = parts.scheme, parts.hostname, parts.port
            is_root = parts.path in {"", "/"} and not parts.query and not parts.username
        is_one_word = address.isprintable() and " " not in address
        if scheme not in {"http", "tcp"} or not host or not port or not is_root or not is_one_word:
            raise ConfigError(
                f"not an RPC address: {address!r}", instead="write http://HOST:PORT, without TLS"
            )
        return cls(host, port, timeout_s=timeout_s)

    @property
    def address(self) -> str:
        """Host and port, for messages."""
        return f"{self._host}:{self._port}"

    def move_to(self, port: int) -> None:
        """Talk to another port of the same host from now on."""
        self.close()
        self._port = port

    async def call(self, method: str, **parameters: object) -> Json:
        """
        Return the result of a method.

        Raises:
            NotYet: It is about a height that is not there yet, or the mempool is full.
            Pruned: It is about a height that this peer no longer has.
            Rejected: The mempool refused a transaction before the contract saw it.
            Unavailable: No answer, or one that makes no sense.
        """
        (outcome,) = await self.batch([Call(method, parameters)])
        if isinstance(outcome, HubError):
            raise outcome
        return outcome

    async def batch(self, calls: Sequence[Call], hook: Hook | None = None) -> list[Json | HubError]:
        """
        Run calls in order, ``BATCH_MAX`` in a request (one by one with a *hook*), and return what
        came of each.

        Args:
            calls: What is asked.
            hook: Called for every JSON object from the inside out; what it returns stands in its
                place, so that large answers are never whole in memory.

        Raises:
            Unavailable: A request as a whole was not answered; what it held may have been done.
        """
        outcomes: list[Json | HubError] = []
        size = BATCH_MAX if hook is None else 1
        for start in range(0, len(calls), size):
            part = calls[start : start + size]
            outcomes += _outcomes(self.address, part, await self._exchange(_request(part)), hook)
        return outcomes

    async def call_many(self, method: str, calls: Sequence[Json]) -> list[Json]:
        """
        Return the results of one method for many sets of parameters, in their order. Raises as
        ``call`` does, for the first that failed.
        """
        results: list[Json] = []
        for outcome in await self.batch([Call(method, parameters) for parameters in calls]):
            if isinstance(outcome, HubError):
                raise outcome
            results.append(outcome)
        return results

    def call_now(self, method: str, **parameters: object) -> Json:
        """As ``call``, in this thread and without a loop."""
        call = Call(method, parameters)
        (outcome,) = _outcomes(self.address, [call], self._exchange_now(_request([call])))
        if isinstance(outcome, HubError):
            raise outcome
        return outcome

    def close(self) -> None:
        """Let go of idle connections; the next call opens one again."""
        while self._idle:
            self._idle.pop()[0].close()

    def _take(self) -> socket.socket | None:
        """Return a connection that is idle and still open, as far as one can see."""
        while self._idle:
            connection, used = self._idle.pop()
            if time.monotonic() - used < IDLE_S and _is_open(connection):
                return connection
            connection.close()
        return None

    async def _exchange(self, body: bytes) -> bytes:
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = self._take() or await self._connect()
                with contextlib.ExitStack() as undo:
                    # Failed, or cancelled in the middle: what is still on the way is nobody's.
                    undo.callback(connection.close)
                    reply = await _converse(connection, http_request(self.address, body))
                    undo.pop_all()
        except (OSError, BadReply) as exc:  # a timeout is an OSError
            raise Unavailable(f"no answer: {self.address}: {exc!r}") from exc
        self._give_back(connection, reply)
        return reply.body

    def _exchange_now(self, body: bytes) -> bytes:
        connection: socket.socket | None = None
        try:
            connection = socket.create_connection((self._host, self._port), self._timeout_s)
            connection.sendall(http_request(self.address, body))
            reply = HttpReply()
            while not reply.feed(connection.recv(_READ_BYTES)):
                pass
        except (OSError, BadReply) as exc:
            raise Unavailable(f"no answer: {self.address}: {exc!r}") from exc
        finally:
            if connection is not None:
                connection.close()
        return reply.body

    def _give_back(self, connection: socket.socket, reply: HttpReply) -> None:
        if reply.keeps_open:
            self._idle.append((connection, time.monotonic()))
        else:
            connection.close()

    async def _connect(self) -> socket.socket:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        connection = socket.socket(family, kind, protocol)
        with contextlib.ExitStack() as undo:
            undo.callback(connection.close)  # after an interrupt too: it is nobody's yet
            connection.setblocking(False)  # noqa: FBT003 -- the name says it
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(connection, address)
            undo.pop_all()
        return connection


def _is_open(connection: socket.socket) -> bool:
    """Return whether the other side has neither closed nor sent what nobody asked for."""
    try:
        connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


async def _converse(connection: socket.socket, request: bytes) -> HttpReply:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(connection, request)
    reply = HttpReply()
    while not reply.feed(await loop.sock_recv(connection, _READ_BYTES)):
        pass
    return reply


def _request(calls: Sequence[Call]) -> bytes:
    requests = [
        {"jsonrpc": "2.0", "id": number, "method": call.method, "params": call.parameters}
        for number, call in enumerate(calls)
    ]
    return json.dumps(requests if len(requests) > 1 else requests[0]).encode()


def _outcomes(
    address: str, calls: Sequence[Call], body: bytes, hook: Hook | None = None
) -> list[Json | HubError]:
    """Return the outcome of every call of one request. CometBFT answers errors as JSON too."""
    length = len(body)
    try:
        text = body.decode()
        del body  # megabytes, with a thousand packets in a block
        content: object = loads(text, _DEPTH_MAX, hook)
    except ValueError as exc:
        raise Unavailable(f"no JSON: {address} bytes={length}") from exc
    del text
    answers = cast("list[object]", content) if isinstance(content, list) else [content]
    entries = [cast("Json", one) for one in answers if isinstance(one, dict)]
    by_number: dict[object, Json] = {one.get("id"): one for one in entries}
    # One answer is that of one call, or an error of the request as a whole.
    is_whole = len(entries) == 1 and (len(calls) == 1 or "error" in entries[0])
    whole = entries[0] if is_whole else Json()
    outcomes: list[Json | HubError] = []
    for number, call in enumerate(calls):
        answer = by_number.get(number, whole)
        error, result = answer.get("error"), answer.get("result")
        if isinstance(error, dict):
            outcomes.append(_sorted_error(call.method, cast("Json", error)))
        elif isinstance(result, dict):
            outcomes.append(cast("Json", result))
        else:
            outcomes.append(Unavailable(f"no result: {address} method={call.method}"))
    return outcomes


def as_base64(data: bytes) -> str:
    """Return bytes as JSON-RPC carries them in a POST."""
    return base64.b64encode(data).decode()


def from_base64(text: str | None) -> bytes:
    """Read bytes that JSON-RPC answers; null is nothing."""
    return base64.b64decode(text) if text else b""


_LATER = re.compile("must be less than or equal to|could not find results")
_NO_LONGER = re.compile("is not available, lowest height is")


def _sorted_error(method: str, error: Json) -> HubError:
    reason = f"{error.get('message', '')}: {error.get('data', '')}"
    if _LATER.search(reason):
        return NotYet(f"{method}: {reason}")
    if _NO_LONGER.search(reason):
        return Pruned(f"{method}: {reason}")
    if "tx already exists in cache" in reason:
        return Rejected(*TX_IN_CACHE, "tx already in mempool")
    if "mempool is full" in reason:
        # It did not go in, and may later, unchanged.
        return NotYet(f"{method}: {reason}")
    if "too large" in reason.lower() and method.startswith("broadcast_tx"):
        return Rejected("sdk", 21, "tx too large")
    return Unavailable(f"{method}: {reason}")
