"""
Runs a chaincode as a service, one process a peer: ``python -m
tieline.ledgers.fabric.chaincode_main``.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import logging
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

from tieline.contract.chaincode import Chaincode
from tieline.interfaces.engines import CLOCK_VARIABLE
from tieline.interfaces.errors import ConfigError
from tieline.ledgers.fabric.chaincode import ChaincodeServer, ServerKeys
from tieline.ledgers.fabric.port import CHAINCODE
from tieline.ledgers.fabric.shim_stream import Invocable
from tieline.ledgers.fabric.tls_files import read_pair, read_roots

_PACKAGE_ID: Final = re.compile(r"[A-Za-z0-9_.+-]+:[0-9a-f]{64}")
_CLOCK_BYTES: Final = 8
_NS_PER_S: Final = 10**9
_log = logging.getLogger("tieline.chaincode")


def open_chaincode(factory: str, argument: str) -> Invocable:
    """
    Return the contract, or what *factory* makes.

    Args:
        factory: ``module:function``, called with *argument*; empty: the microgrid's contract.
        argument: For the contract hex of the sha256 of the only genesis it takes; empty: any.

    Raises:
        ConfigError: The argument is no hash.
    """
    if factory:
        module, _, function = factory.partition(":")
        return cast("Invocable", getattr(importlib.import_module(module), function)(argument))
    try:
        expected = bytes.fromhex(argument)
    except ValueError:
        expected = b"?"
    if len(expected) not in {0, 32}:
        raise ConfigError(
            f"the genesis hash is {argument!r}", key="--argument", instead="give 64 hex digits"
        )
    return Chaincode(expected or None)


def wall_clock(file: str) -> Callable[[], int]:
    """Return the clock in *file*, 8 bytes of unix nanoseconds; the computer's if empty."""
    if not file:
        return lambda: int(time.time())
    path = Path(file)
    return lambda: int.from_bytes(path.read_bytes()[:_CLOCK_BYTES], "little") // _NS_PER_S


def read_keys(folder: Path) -> ServerKeys:
    """
    Return the keys of a folder with ``server.crt``, ``server.key`` and ``ca.crt``.

    Raises:
        ConfigError: One is not there, or not what it must be.
    """
    certificate, key = read_pair(folder / "server.crt", folder / "server.key")
    return ServerKeys(certificate, key, read_roots(folder / "ca.crt"))


def read_package_id(text: str) -> str:
    """Return *text* if it may be one. Raises ConfigError: a peer would only time out."""
    if not _PACKAGE_ID.fullmatch(text):
        raise ConfigError(
            f"no package id: {text!r}",
            key="--package-id",
            instead="give label:hash as the peer calls the installed package",
        )
    return text


def main() -> None:
    """Serve until asked to end."""
    parser = argparse.ArgumentParser(prog="tieline.ledgers.fabric.chaincode_main")
    parser.add_argument("--listen", required=True, help="HOST:PORT")
    parser.add_argument("--package-id", required=True, help="LABEL:HASH, as peers installed it")
    parser.add_argument("--tls", type=Path, help="folder of keys; without: no TLS")
    parser.add_argument("--factory", default="", help="MODULE:FUNCTION of another chaincode")
    parser.add_argument("--argument", default="", help="hash of the only genesis, in hex")
    given = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s level=%(levelname)s %(message)s", stream=sys.stderr
    )
    try:
        package_id = read_package_id(given.package_id)
        chaincode = open_chaincode(given.factory, given.argument)
        keys = None if given.tls is None else read_keys(given.tls)
        clock = wall_clock(os.environ.get(CLOCK_VARIABLE, ""))
        called_as = "" if given.factory else CHAINCODE
        server = ChaincodeServer(package_id, chaincode, clock, keys=keys, called_as=called_as)
        server.start(given.listen)
    except ConfigError as exc:
        sys.exit(f"tieline: {exc}")
    # What was loaded stays; a full collection over it would stop all invocations for a moment.
    gc.collect()
    gc.freeze()
    _log.info("listening: address=%s package=%s", given.listen, given.package_id)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    server.stop()


if __name__ == "__main__":
    # Peers that are dialling hold threads; there is nothing to be saved.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
    os._exit(0)
