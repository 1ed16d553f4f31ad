"""
One Ethereum node's JSON-RPC, as this house calls it: several calls in one request, answers of a
bounded size, errors sorted by what to do. Web3's HTTP provider carries the bytes; it is imported
with this module, so import this module late.

Sources:
    ethereum/execution-apis; web3.py 8, ``AsyncHTTPProvider``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self, cast
from urllib.parse import urlsplit

import aiohttp
from web3 import AsyncHTTPProvider
from web3.types import RPCEndpoint

from tieline.interfaces.errors import ConfigError, HubError, Unavailable
from tieline.ledgers.ethereum.rpc_errors import sorted_error
from tieline.wire.bounded_json import loads

TIMEOUT_S: Final = 10.0
ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
"""Of one request; geth itself stops at 25 MB for a batch."""
BATCH_MAX: Final = 100
"""Calls in one request; geth's own bound is 1000, hosted nodes often have 100."""
_CHUNK: Final = 262_144
_CONNECTIONS_MAX: Final = 16
_KEPT_S: Final = 15.0

_LOG = logging.getLogger(__name__)
Json = Any
"""What a node may answer: null, text, lists, objects."""


@dataclass(frozen=True, slots=True)
class Call:
    """A method and its parameters; numbers are hex text with 0x, bytes too."""

    method: str
    parameters: tuple[Json, ...] = ()


class _TooLong(Exception):
    """An answer beyond the bound."""


class _Provider(AsyncHTTPProvider):
    """
    Web3's provider with connections that are kept, one pool a loop, and answers that end. Its own
    sessions open a connection and visit a thread for each request.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        super().__init__(url, exception_retry_configuration=None)
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def post(self, calls: Sequence[Call]) -> bytes:
        """Return the raw answer to one request."""
        if len(calls) == 1:
            (call,) = calls
            body = self.encode_rpc_request(RPCEndpoint(call.method), call.parameters)
        else:
            body = self.encode_batch_rpc_request(
                [(RPCEndpoint(call.method), call.parameters) for call in calls]
            )
        session = await self._open()
        headers = {"Content-Type": "application/json"}
        async with session.post(str(self.endpoint_uri), data=body, headers=headers) as reply:
            parts: list[bytes] = []
            size = 0
            async for part in reply.content.iter_chunked(_CHUNK):
                size += len(part)
                if size > ANSWER_BYTES_MAX:
                    raise _TooLong
                parts.append(part)
            if reply.status >= 400 and b'"error"' not in b"".join(parts[:1]):
                reply.raise_for_status()
            return b"".join(parts)

    async def _open(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is None or self._session.closed or self._loop is not loop:
            await self.disconnect()
            self._loop = loop
            self._session = aiohttp.ClientSession(
                timeout=self._timeout,
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS_MAX, keepalive_timeout=_KEPT_S),
            )
        return self._session

    async def disconnect(self) -> None:
        """Let go of connections."""
        session, self._session = self._session, None
        if session is not None and self._loop is not None and not self._loop.is_closed():
            await session.close()

    def disconnect_now(self) -> None:
        """The same from outside a loop, or inside one without waiting."""
        session, loop = self._session, self._loop
        self._session = None
        if session is None or loop is None or loop.is_closed():
            return
        if loop.is_running():
            loop.create_task(session.close())
        else:
            loop.run_until_complete(session.close())


def _sends(calls: Sequence[Call]) -> bool:
    return any(call.method == "eth_sendRawTransaction" for call in calls)


class EvmRpc:
    """One node's RPC address."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        """Talk to *url*; a request that takes longer than *timeout_s* has failed."""
        parts = urlsplit(url)
        self.address = f"{parts.scheme}://{parts.hostname}:{parts.port}"
        """For messages: without path and user, which may hold a hosted node's key."""
        self._provider = _Provider(url, timeout_s)

    @classmethod
    def parse(cls, address: str, *, timeout_s: float = TIMEOUT_S) -> Self:
        """
        Read an address such as ``http://127.0.0.1:8545``.

        Raises:
            ConfigError: It is none.
        """
        scheme, host, port = "", None, None
        with contextlib.suppress(ValueError):
            parts = urlsplit(address)
            scheme, host = parts.scheme, parts.hostname
            port = parts.port or {"https": 443, "http": 80}.get(scheme)
        is_one_word = address.isprintable() and " " not in address
        if scheme not in {"http", "https"} or not host or not port or not is_one_word:
            raise ConfigError(
                f"not an RPC address: {scheme}://{host or ''}", instead="write http://HOST:PORT"
            )
        return cls(address, timeout_s=timeout_s)

    async def call(self, method: str, *parameters: Json) -> Json:
        """
        Return the result of a method; null is a result.

        Raises:
            NotYet: It is about a block that is not there yet.
            Pruned: It is about a state that this node no longer has.
            Reverted: A contract refused the call.
            Rejected: The node refused the transaction.
            Unavailable: No answer, or one that makes no sense.
        """
        (outcome,) = await self.batch([Call(method, parameters)])
        if isinstance(outcome, HubError):
            raise outcome
        return outcome

    async def batch(self, calls: Sequence[Call]) -> list[Json | HubError]:
        """
        Run calls in order, ``BATCH_MAX`` in a request, and return what came of each.

        Raises:
            Unavailable: A request as a whole was not answered; what it held may have been done.
        """
        outcomes: list[Json | HubError] = []
        for start in range(0, len(calls), BATCH_MAX):
            part = calls[start : start + BATCH_MAX]
            outcomes += self._outcomes(part, await self._exchange(part))
        return outcomes

    def close(self) -> None:
        """Let go of connections; the next call opens one again."""
        self._provider.disconnect_now()

    async def _exchange(self, calls: Sequence[Call]) -> bytes:
        try:
            try:
                return await self._provider.post(calls)
            except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as exc:
                if isinstance(exc, aiohttp.ClientConnectorError) or _sends(calls):
                    raise
                # A kept connection that the node had closed. What is asked here may be asked twice;
                # a transaction may not: if it is in a block already, "nonce too low" would be said
                # of it as if somebody else had used its nonce.
                return await self._provider.post(calls)
        except (aiohttp.ClientError, OSError, TimeoutError, _TooLong) as exc:
            # Its text may hold the whole URL.
            why = f"{type(exc).__name__} {getattr(exc, 'status', '')}".strip()
            raise Unavailable(f"no answer: {self.address}: {why}") from exc

    def _outcomes(self, calls: Sequence[Call], body: bytes) -> list[Json | HubError]:
        try:
            content: object = loads(body.decode())
        except ValueError as exc:
            raise Unavailable(f"no JSON: {self.address} bytes={len(body)}") from exc
        answers = cast("list[object]", content) if isinstance(content, list) else [content]
        entries = [cast("dict[str, Json]", one) for one in answers if isinstance(one, dict)]
        numbers = [one.get("id") for one in entries]
        if len(calls) > 1 and len(entries) == 1:
            error = entries[0].get("error")
            raise Unavailable(f"batch refused: {self.address}: {error}")
        if len(entries) != len(calls) or len(set(map(str, numbers))) < len(calls):
            raise Unavailable(f"{len(entries)} answers to {len(calls)} calls: {self.address}")
        # The provider counts upwards; a node may answer in any order.
        entries.sort(key=lambda one: one["id"] if isinstance(one.get("id"), int) else 0)
        return [self._outcome(call, entry) for call, entry in zip(calls, entries, strict=True)]

    def _outcome(self, call: Call, entry: dict[str, Json]) -> Json | HubError:
        error = entry.get("error")
        if isinstance(error, dict):
            return sorted_error(call.method, cast("dict[str, Json]", error))
        if "result" not in entry:
            return Unavailable(f"no result: {self.address} method={call.method}")
        return entry["result"]
