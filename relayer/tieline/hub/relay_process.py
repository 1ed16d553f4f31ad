"""
The process that `tieline relay start` becomes: it has read its command line and needs nothing of it
any more, so that what stays for months is small.

``python -c "from tieline.hub.relay_process import main; main()" CONFIG LEVEL``
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from tieline.hub.connecting import open_ledgers, refuse_unattested
from tieline.hub.links import LinksFile, routes_of
from tieline.hub.live import LiveRelay
from tieline.hub.relay_config import read_relay_config
from tieline.hub.relay_program import build_relay
from tieline.interfaces.errors import ConfigError, HubError

_PROGRAM = "from tieline.hub.relay_process import main; main()"
_FAILED, _OPERATOR_MUST_ACT = 1, 2


def become(config: Path, level: str) -> NoReturn:
    """
    Replace this process by one that relays.

    Raises:
        ConfigError: The file, a key or a link is not what it must be; nothing was replaced.
    """
    read = read_relay_config(config)
    refuse_unattested(read)
    for ledger in open_ledgers(read, config.parent).values():
        ledger.close()
    routes_of(read, LinksFile(config.parent / read.links_file))
    os.execv(sys.executable, [sys.executable, "-c", _PROGRAM, str(config), level])  # noqa: S606


def main() -> None:
    """Relay until SIGTERM or SIGINT; leave with the exit codes of the command line."""
    config, level = Path(sys.argv[1]), sys.argv[2]
    logging.basicConfig(
        level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr
    )
    try:
        _relay(config)
    except HubError as exc:
        sys.stderr.write(f"tieline: {exc}\n")
        sys.exit(_OPERATOR_MUST_ACT if isinstance(exc, ConfigError) else _FAILED)


def _relay(config: Path) -> None:
    read = read_relay_config(config)
    ledgers = open_ledgers(read, config.parent)
    routes = routes_of(read, LinksFile(config.parent / read.links_file))
    live = build_relay(read, config.parent, ledgers, routes)
    # What is loaded now lives as long as the process: it need not be looked through again.
    gc.collect()
    gc.freeze()
    asyncio.run(_until_stopped(live))
    for ledger in ledgers.values():
        ledger.close()


async def _until_stopped(live: LiveRelay) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, stop.set)
    await live.run(stop)
