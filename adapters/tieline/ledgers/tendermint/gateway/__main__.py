"""
The gateway as a process: ``python -m tieline.ledgers.tendermint.gateway --rpc 127.0.0.1:26657``.

It ends with its standard input if it was started with ``--ends-with-parent``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Generator

import uvicorn

from tieline.interfaces.errors import ConfigError
from tieline.ledgers.tendermint.abci_host import LifeLine
from tieline.ledgers.tendermint.gateway.gateway import Gateway
from tieline.ledgers.tendermint.gateway.grpc_door import CALLS_AT_ONCE, start_grpc
from tieline.ledgers.tendermint.gateway.rest_door import rest_application
from tieline.ledgers.tendermint.rpc import CometRpc

GRACE_S = 1.0
_log = logging.getLogger("tieline.gateway")


class _Rest(uvicorn.Server):
    """A server whose process minds the signals itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals alone."""
        yield


async def serve(rpc: CometRpc, grpc: str, rest: str, *, ends_with_parent: bool) -> None:
    """
    Serve both until a signal, or the end of standard input.

    Args:
        rpc: The peer.
        grpc: ``HOST:PORT`` of gRPC.
        rest: ``HOST:PORT`` of REST.
        ends_with_parent: Whether standard input is a life line.
    """
    loop, end = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    if ends_with_parent:
        await loop.connect_read_pipe(lambda: LifeLine(end), sys.stdin)
    gateway = Gateway(rpc)
    grpc_server = await start_grpc(gateway, grpc)
    host, _, port = rest.rpartition(":")
    rest_server = _Rest(
        uvicorn.Config(
            rest_application(gateway),
            host=host,
            port=int(port),
            lifespan="off",
            access_log=False,
            log_config=None,
            limit_concurrency=CALLS_AT_ONCE,
        )
    )
    rest_task = asyncio.create_task(rest_server.serve())
    rest_task.add_done_callback(lambda _: end.set())
    _log.info("listening: grpc=%s rest=%s peer=%s", grpc, rest, rpc.address)
    await end.wait()
    rest_server.should_exit = True
    await grpc_server.stop(GRACE_S)
    await rest_task
    rpc.close()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(
        prog="tieline.ledgers.tendermint.gateway", description="gRPC and REST beside a peer"
    )
    parser.add_argument("--rpc", required=True, help="HOST:PORT of the peer's RPC")
    parser.add_argument("--grpc", default="127.0.0.1:9090", help="HOST:PORT to serve gRPC on")
    parser.add_argument("--rest", default="127.0.0.1:1317", help="HOST:PORT to serve REST on")
    parser.add_argument("--ends-with-parent", action="store_true", help="end with standard input")
    given = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s level=%(levelname)s %(message)s", stream=sys.stderr
    )
    try:
        rpc = CometRpc.parse(given.rpc)
        asyncio.run(serve(rpc, given.grpc, given.rest, ends_with_parent=given.ends_with_parent))
    except (ConfigError, RuntimeError) as exc:
        sys.exit(f"tieline: {exc}")


if __name__ == "__main__":
    main()
