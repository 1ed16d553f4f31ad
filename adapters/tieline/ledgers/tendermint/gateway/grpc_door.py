"""gRPC: every method by its name, requests and responses as bytes."""

from __future__ import annotations

import logging
from typing import Any, Final, cast

import grpc
from grpc import aio

from tieline.ledgers.tendermint.gateway.gateway import Gateway
from tieline.ledgers.tendermint.gateway.refusal import Refusal, Status

HEIGHT_HEADER: Final = "x-cosmos-block-height"
CALLS_AT_ONCE: Final = 256
"""More are refused at once, so that the peer behind is never asked more than that."""
_STATUSES: Final = {one.value[0]: one for one in grpc.StatusCode}
_log = logging.getLogger("tieline.gateway")


def height_of(text: str) -> int:
    """Read the header that names a height. Raises Refusal."""
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
        raise Refusal(Status.INVALID_ARGUMENT, f"invalid {HEIGHT_HEADER}: {text[:40]!r}")
    return int(digits)


class _Methods:
    """Takes every unary method there is."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def service(self, handler_call_details: Any) -> Any:
        """Return what handles one call."""
        method, metadata = handler_call_details.method, handler_call_details.invocation_metadata
        asked = next((value for key, value in metadata or () if key == HEIGHT_HEADER), "0")

        async def handle(request: bytes, context: Any) -> bytes:
            try:
                answer = await self._gateway.answer(method, request, height_of(asked))
            except Refusal as exc:
                await context.abort(_STATUSES[int(exc.status)], str(exc))
                raise  # abort never returns
            except Exception as exc:  # one request must not end the gateway
                _log.exception("a request broke down: method=%s", method)
                await context.abort(grpc.StatusCode.INTERNAL, repr(exc))
                raise
            if answer.height:
                context.set_trailing_metadata(((HEIGHT_HEADER, str(answer.height)),))
            return answer.data

        handler: Any = cast("Any", grpc).unary_unary_rpc_method_handler(handle)
        return handler


async def start_grpc(gateway: Gateway, address: str) -> aio.Server:
    """Serve on ``HOST:PORT``. Raises RuntimeError if the port is taken."""
    server = aio.server(maximum_concurrent_rpcs=CALLS_AT_ONCE, options=(("grpc.so_reuseport", 0),))
    handlers: Any = (_Methods(gateway),)
    server.add_generic_rpc_handlers(handlers)
    server.add_insecure_port(address)
    await server.start()
    return server
