"""
The process beside an engine: serves ABCI 2.0 on a socket until its parent or the engine ends.

One loop serves all four connections, so requests never overlap and need no locks. Standard input is
the life line: its end means that the parent is gone. Run as
``python -m tieline.ledgers.tendermint.abci_host``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import importlib
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import uvloop
from cosmpy.protos.tendermint.abci import types_pb2 as abci

from tieline.contract.fees import GasPrice
from tieline.contract.genesis import Genesis
from tieline.contract.installation import Installation
from tieline.interfaces.engines import CLOCK_VARIABLE
from tieline.interfaces.errors import ConfigError
from tieline.ledgers.tendermint.abci import AbciApplication
from tieline.ledgers.tendermint.clock_file import ClockFile
from tieline.ledgers.tendermint.state_store import StateStore
from tieline.wire.proto_fields import delimited

REQUEST_BYTES_MAX = 104_857_600
"""As CometBFT's own socket server has it."""
_LENGTH_BYTES_MAX = 5
_log = logging.getLogger("tieline.abci")


class FramingError(ValueError):
    """Bytes on the socket that no engine sends."""


class Framer:
    """Cuts a stream into messages with a varint length before each."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes as they come and return all whole messages. Raises FramingError."""
        self._waiting += data
        messages: list[bytes] = []
        place = 0
        while (head := self._length(place)) is not None:
            length, start = head
            if start + length > len(self._waiting):
                break
            messages.append(bytes(self._waiting[start : start + length]))
            place = start + length
        del self._waiting[:place]
        return messages

    def _length(self, place: int) -> tuple[int, int] | None:
        """Return the length written at *place* and where the message begins."""
        length = 0
        for index, byte in enumerate(self._waiting[place : place + _LENGTH_BYTES_MAX]):
            length |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                if length > REQUEST_BYTES_MAX:
                    raise FramingError(f"request too long: bytes={length}")
                return length, place + index + 1
        if len(self._waiting) - place >= _LENGTH_BYTES_MAX:
            raise FramingError("length without an end")
        return None


class Connection(asyncio.Protocol):
    """One of the engine's four connections."""

    def __init__(self, application: AbciApplication, fail: Callable[[], None]) -> None:
        """Answer from *application*; call *fail* when it cannot go on."""
        self._application = application
        self._fail = fail
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every whole request, in order."""
        assert self._transport is not None
        answers: list[bytes] = []
        try:
            for raw in self._framer.feed(data):
                answer = self._application.answer(abci.Request.FromString(raw))
                answers.append(delimited(answer.SerializeToString()))
        except Exception as exc:  # noqa: BLE001 -- whatever it is, the engine must be told
            _log.exception("cannot go on")
            reason = abci.ResponseException(error=f"{type(exc).__name__}: {exc}")
            answers.append(delimited(abci.Response(exception=reason).SerializeToString()))
            self._fail()
        self._transport.write(b"".join(answers))


class LifeLine(asyncio.Protocol):
    """
    Notices that nobody holds the other end any more, and ends the engine whose process id and
    folder were told in a line: one that has not found its host yet would look for it for ever.
    """

    def __init__(self, end: asyncio.Event) -> None:
        self._end = end
        self._told = b""

    def data_received(self, data: bytes) -> None:
        """Take in which engine is ours."""
        self._told += data

    def connection_lost(self, exc: Exception | None) -> None:
        """End with the parent, and the engine with both."""
        _log.info("the parent is gone: %s", exc)
        number, _, folder = self._told.decode().strip().partition(" ")
        if number.isdigit() and folder:
            _end_engine(int(number), folder)
        self._end.set()


def _end_engine(pid: int, folder: str) -> None:
    """Kill a process if it is still the engine of *folder*."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return
    if folder.encode() in command.split(b"\0"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def serve(application: AbciApplication, host: str, port: int) -> bool:
    """
    Serve until a signal, the end of standard input, or an error of ours.

    Returns:
        Whether it ended well.
    """
    loop = asyncio.get_running_loop()
    end, failed = asyncio.Event(), asyncio.Event()

    def fail() -> None:
        failed.set()
        loop.call_later(0.5, end.set)  # the engine should read why first

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    await loop.connect_read_pipe(lambda: LifeLine(end), sys.stdin)
    server = await loop.create_server(lambda: Connection(application, fail), host, port)
    _log.info("listening: address=%s:%d", host, port)
    await end.wait()
    server.close()
    return not failed.is_set()


def _installation(name: str, genesis: Genesis) -> Installation | None:
    """Call ``module:function`` with the genesis; the microgrid's own contract without a name."""
    if not name:
        return None
    module, _, function = name.partition(":")
    make = getattr(importlib.import_module(module), function)
    return cast("Installation", make(genesis))


def main() -> None:
    """Open the state and serve it."""
    parser = argparse.ArgumentParser(prog="tieline.ledgers.tendermint.abci_host")
    parser.add_argument("--genesis", type=Path, required=True, help="canonical genesis")
    parser.add_argument("--state", type=Path, required=True, help="SQLite file of the state")
    parser.add_argument("--listen", required=True, help="HOST:PORT")
    parser.add_argument("--installation", default="", help="MODULE:FUNCTION other than the house's")
    parser.add_argument(
        "--minimum-gas-price", default="", help="what this peer asks for, such as 0.025neur"
    )
    given = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s level=%(levelname)s %(message)s", stream=sys.stderr
    )
    genesis = Genesis.from_bytes(given.genesis.read_bytes())
    try:
        least = GasPrice.parse(given.minimum_gas_price)
    except ValueError as exc:
        sys.exit(f"tieline: {exc}")
    try:
        store = StateStore(given.state)
        application = store.open_application(genesis, _installation(given.installation, genesis))
    except ConfigError as exc:
        sys.exit(f"tieline: {exc}")
    _log.info("opened: ledger=%s height=%d", genesis.chain_id, application.height)
    # What was loaded stays; a full collection over it would stop the ledger for a second.
    gc.collect()
    gc.freeze()
    gc.disable()
    host, _, port = given.listen.rpartition(":")
    clock_file = os.environ.get(CLOCK_VARIABLE, "")
    earliest = ClockFile(Path(clock_file)).now_ns if clock_file else lambda: 0
    with contextlib.closing(store):
        serving = serve(AbciApplication(application, store, least, earliest), host, int(port))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            is_well = runner.run(serving)
    sys.exit(0 if is_well else 1)


if __name__ == "__main__":
    main()
