"""
CometBFT's JSON-RPC, as this house calls it: plain HTTP in threads, errors sorted by what to do.

Sources:
    CometBFT 0.38 ``rpc/openapi/openapi.yaml``.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

from tieline.interfaces.errors import NotYet, Rejected, Unavailable

ANSWER_BYTES_MAX = 64 * 1024 * 1024
"""A longer answer is cut off here, and then is no JSON."""
TIMEOUT_S = 10.0
IDLE_S = 5.0
"""CometBFT closes a connection that was idle for ten seconds."""
PAGE = 100
"""Validators a page; the RPC's own maximum."""
CALLS_A_REQUEST = 10
"""``rpc.max_request_batch_size`` as CometBFT has it by default."""

Json = dict[str, Any]


class CometRpc:
    """One engine's RPC address, with the connections that are idle."""

    def __init__(self, host: str, port: int) -> None:
        """Talk to ``http://host:port``."""
        self._host = host
        self._port = port
        self._idle: list[tuple[http.client.HTTPConnection, float]] = []
        """With the time of last use. Threads take and give back in single steps of a list."""

    async def call(self, method: str, **parameters: object) -> Json:
        """
        Return the result of a method.

        Raises:
            NotYet: It is about a height that is not there yet.
            Rejected: The mempool refused a transaction before the contract saw it.
            Unavailable: No answer, or one that makes no sense.
        """
        return await asyncio.to_thread(self.call_now, method, **parameters)

    def call_now(self, method: str, **parameters: object) -> Json:
        """As ``call``, in this thread."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        may_repeat = not method.startswith("broadcast_tx")
        answer = self._post(json.dumps(request).encode(), may_repeat=may_repeat)
        if not isinstance(answer, dict):
            raise Unavailable(f"not an answer: {self._host}:{self._port} method={method}")
        return _result(method, cast("Json", answer))

    async def call_many(self, method: str, calls: Sequence[Mapping[str, object]]) -> list[Json]:
        """
        Return the results of one reading method for many sets of parameters, in their order, ten a
        request. Raises as ``call`` does, for the first that failed.
        """
        results: list[Json] = []
        for start in range(0, len(calls), CALLS_A_REQUEST):
            part = calls[start : start + CALLS_A_REQUEST]
            results += await asyncio.to_thread(self._call_part, method, part)
        return results

    def _call_part(self, method: str, calls: Sequence[Mapping[str, object]]) -> list[Json]:
        request = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}
            for number, parameters in enumerate(calls)
        ]
        answer = self._post(json.dumps(request).encode(), may_repeat=True)
        # An answer to one call comes without its list.
        answers = cast("list[object]", answer) if isinstance(answer, list) else [answer]
        found = [cast("Json", one) for one in answers if isinstance(one, dict)]
        if len(found) != len(calls):
            raise Unavailable(f"not an answer to each call: method={method} calls={len(calls)}")
        by_number: dict[object, Json] = {one.get("id"): one for one in found}
        return [_result(method, by_number.get(number, {})) for number in range(len(calls))]

    def close(self) -> None:
        """Let go of idle connections; the next call opens one again."""
        while self._idle:
            self._idle.pop()[0].close()

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        """Return a connection, and whether it is a new one."""
        while self._idle:
            with contextlib.suppress(IndexError):  # another thread was faster
                connection, used = self._idle.pop()
                if time.monotonic() - used < IDLE_S:
                    return connection, False
                connection.close()
        return http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S), True

    def _post(self, body: bytes, *, may_repeat: bool) -> object:
        connection, is_fresh = self._connection()
        try:
            connection.request("POST", "/", body, {"Content-Type": "application/json"})
            data = connection.getresponse().read(ANSWER_BYTES_MAX)
            # CometBFT answers errors of a method with status 500 and a JSON body.
            answer: object = json.loads(data)
        except (OSError, http.client.HTTPException, ValueError) as exc:
            connection.close()
            if may_repeat and not is_fresh:
                return self._post(body, may_repeat=may_repeat)  # it had closed an idle connection
            raise Unavailable(f"no answer: {self._host}:{self._port}: {exc!r}") from exc
        self._idle.append((connection, time.monotonic()))
        return answer


def as_base64(data: bytes) -> str:
    """Return bytes as JSON-RPC carries them in a POST."""
    return base64.b64encode(data).decode()


def from_base64(text: str | None) -> bytes:
    """Read bytes that JSON-RPC answers; null is nothing."""
    return base64.b64decode(text) if text else b""


def _result(method: str, answer: Json) -> Json:
    error = answer.get("error")
    if error is not None:
        raise _sorted_error(method, cast("Json", error))
    result = answer.get("result")
    if not isinstance(result, dict):
        raise Unavailable(f"no result: method={method}")
    return cast("Json", result)


def _sorted_error(method: str, error: Json) -> Exception:
    reason = f"{error.get('message', '')}: {error.get('data', '')}"
    if "must be less than or equal to" in reason or "could not find results" in reason:
        return NotYet(f"{method}: {reason}")
    if "tx already exists in cache" in reason:
        return Rejected("sdk", 19, "tx already in mempool")
    if "mempool is full" in reason:
        return Rejected("sdk", 20, "mempool is full")
    if "too large" in reason.lower() and method.startswith("broadcast_tx"):
        return Rejected("sdk", 21, "tx too large")
    return Unavailable(f"{method}: {reason}")
