"""
Runs the peers of a ledger: contract host and engine of each peer are one unit, since an engine does
not outlive its host. A watch restarts a unit of which either has ended.

The host ends with this process (its standard input closes), the engine with its host.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tieline.contract.genesis import Genesis
from tieline.interfaces.engines import CLOCK_VARIABLE, find_engine
from tieline.interfaces.errors import ConfigError, NotYet, Unavailable
from tieline.ledgers.tendermint.clock_file import ClockFile
from tieline.ledgers.tendermint.gateway.process import GatewayProcess
from tieline.ledgers.tendermint.home import (
    Pace,
    PeerHome,
    Ports,
    engine_genesis,
    settings_of,
)
from tieline.ledgers.tendermint.ports import free_ports
from tieline.ledgers.tendermint.rpc import CometRpc
from tieline.protocol.time import NANOSECONDS_PER_SECOND

READY_HEIGHT = 2
READY_S = 60.0
STOP_S = 10.0
RESTARTS_A_MINUTE = 30
"""Faster than that a unit is not brought back, but it always is."""
_POLL_S = 0.1
_MINUTE_S = 60.0
_log = logging.getLogger("tieline.engine")


@dataclass(frozen=True, slots=True)
class PeerPlan:
    """What one peer is started with."""

    home: PeerHome
    program: Path
    ports: Ports
    genesis_file: Path
    installation: str
    clock_file: Path | None = None
    """The engine's time, if it is driven."""
    minimum_gas_price: str = ""


class Peer:
    """Contract host and engine of one peer."""

    def __init__(self, plan: PeerPlan) -> None:
        """Prepare; ``start`` starts."""
        self._plan = plan
        self._host: subprocess.Popen[bytes] | None = None
        self._engine: subprocess.Popen[bytes] | None = None
        self.rpc = CometRpc("127.0.0.1", plan.ports.rpc)

    @property
    def pids(self) -> tuple[int, int]:
        """Process ids of host and engine. Only while it runs."""
        assert self._host is not None, "not started"
        assert self._engine is not None, "not started"
        return self._host.pid, self._engine.pid

    def start(self) -> None:
        """
        Start the host, then the engine, which would wait three seconds for a late host.

        Raises:
            ConfigError: The host cannot open its state; its log says why.
            Unavailable: The host does not come up.
        """
        plan, folder = self._plan, self._plan.home.folder
        host = [sys.executable, "-m", "tieline.ledgers.tendermint.abci_host"]
        host += ["--genesis", str(plan.genesis_file), "--state", str(folder / "state.sqlite")]
        host += ["--listen", f"127.0.0.1:{plan.ports.abci}", "--installation", plan.installation]
        host += ["--minimum-gas-price", plan.minimum_gas_price]
        with _log_file(folder / "abci.log") as log:
            self._host = subprocess.Popen(  # noqa: S603 -- this interpreter
                host, stdin=subprocess.PIPE, stdout=log, stderr=log, env=_environment()
            )
        self._await_host()
        engine = [str(plan.program), "start", "--home", str(folder)]
        clock = {} if plan.clock_file is None else {CLOCK_VARIABLE: str(plan.clock_file)}
        with _log_file(folder / "engine.log") as log:
            self._engine = subprocess.Popen(  # noqa: S603 -- the engine of our manifest
                engine, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=os.environ | clock
            )

    def is_running(self) -> bool:
        """Return whether both processes live."""
        return all(one is not None and one.poll() is None for one in (self._host, self._engine))

    def stop(self) -> None:
        """End both, the engine first, so that it ends in order."""
        for child in (self._engine, self._host):
            if child is None:
                continue
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
            try:
                child.wait(STOP_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            if child.stdin is not None:
                child.stdin.close()
        self._host = self._engine = None
        self.rpc.close()

    def _await_host(self) -> None:
        assert self._host is not None
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            if self._host.poll() is not None:
                raise ConfigError(
                    "the contract's host has ended", file=str(self._plan.home.folder / "abci.log")
                )
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self._plan.ports.abci), 1.0).close()
                return
            time.sleep(0.02)
        raise Unavailable("the contract's host does not listen")


class PeerGroup:
    """All peers of one ledger that run on this machine."""

    def __init__(
        self,
        genesis: Genesis,
        folder: Path,
        *,
        validator_count: int = 1,
        pace: Pace | None = None,
        installation: str = "",
        clock: ClockFile | None = None,
        has_gateways: bool = False,
        minimum_gas_price: str = "",
    ) -> None:
        """
        Lay out the folders of a ledger, or take up those that are there.

        Args:
            genesis: The ledger's birth.
            folder: One folder a peer is made in it.
            validator_count: Peers, all validators of equal power; four bear one that is lost.
            pace: How fast blocks come.
            installation: ``module:function`` of what is installed instead of the microgrid's
                contract; called with the genesis.
            clock: What the engines take for the time, with ``cometbft-driven``; None: real time,
                with ``cometbft``. Must be set before.
            has_gateways: Serve gRPC and REST for Cosmos wallets beside each peer.
            minimum_gas_price: What every peer asks for, such as ``0.025neur``; empty: nothing.

        Raises:
            ConfigError: The engine is not built, or the folder is another ledger's.
        """
        program = find_engine("cometbft" if clock is None else "cometbft-driven").program
        folder.mkdir(parents=True, exist_ok=True)
        genesis_file = folder / "genesis.json"
        if not genesis_file.exists():
            genesis_file.write_bytes(genesis.to_bytes())
        homes = [PeerHome(folder / f"peer{n}", program) for n in range(validator_count)]
        content = engine_genesis(
            genesis,
            [home.validator() for home in homes],
            None if clock is None else clock.time_ns // NANOSECONDS_PER_SECOND,
        )
        clock_file = None if clock is None else clock.path.absolute()
        ports = [Ports(*free_ports(3)) for _ in homes]
        addresses = [
            f"{home.peer_id()}@127.0.0.1:{own.p2p}"
            for home, own in zip(homes, ports, strict=True)
            if validator_count > 1
        ]
        for index, (home, own) in enumerate(zip(homes, ports, strict=True)):
            home.write_genesis(content)
            others = [one for other, one in enumerate(addresses) if other != index]
            home.write_settings(settings_of(own, pace or Pace(), others))
        self.peers: Sequence[Peer] = tuple(
            Peer(
                PeerPlan(
                    home, program, own, genesis_file, installation, clock_file, minimum_gas_price
                )
            )
            for home, own in zip(homes, ports, strict=True)
        )
        self.gateways: Sequence[GatewayProcess] = tuple(
            GatewayProcess(own.rpc, free_ports(2), home.folder / "gateway.log")
            for home, own in zip(homes, ports, strict=True)
            if has_gateways
        )
        self.restarts = 0
        self._is_ending = threading.Event()
        self._watch = threading.Thread(target=self._keep_running, name="engines", daemon=True)

    def start(self) -> None:
        """
        Start all peers and return when blocks are made.

        Raises:
            ConfigError: A host cannot open its state.
            Unavailable: No block within a minute; the logs lie in the peers' folders.
        """
        try:
            for peer in self.peers:
                peer.start()
            for gateway in self.gateways:
                gateway.start()
            self._await_blocks()
            for gateway in self.gateways:
                gateway.await_ready()
        except BaseException:  # an interrupt too: nothing may be left running
            self.stop()
            raise
        self._watch.start()

    def stop(self) -> None:
        """End all peers."""
        self._is_ending.set()
        if self._watch.is_alive():
            self._watch.join()
        for gateway in self.gateways:
            gateway.stop()
        for peer in self.peers:
            peer.stop()

    def _await_blocks(self) -> None:
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            if not all(peer.is_running() for peer in self.peers):
                raise Unavailable("an engine has ended; its log is in the peer's folder")
            with contextlib.suppress(Unavailable, NotYet):
                status = self.peers[0].rpc.call_now("abci_info")
                if int(status["response"].get("last_block_height", 0)) >= READY_HEIGHT:
                    return
            time.sleep(0.05)
        raise Unavailable(f"no block within {READY_S:.0f} s")

    def _keep_running(self) -> None:
        recent: deque[float] = deque(maxlen=RESTARTS_A_MINUTE)
        while not self._is_ending.wait(_POLL_S):
            for gateway in self.gateways:
                if not gateway.is_running():
                    gateway.stop()
                    gateway.start()
            for peer in self.peers:
                if peer.is_running():
                    continue
                now = time.monotonic()
                if len(recent) == recent.maxlen and now - recent[0] < _MINUTE_S:
                    _log.error("engines end again and again: restarts=%d", self.restarts)
                    if self._is_ending.wait(_MINUTE_S - (now - recent[0])):
                        return
                recent.append(now)
                self.restarts += 1
                peer.stop()
                try:
                    peer.start()
                except (ConfigError, Unavailable):
                    _log.exception("a peer did not start again")


def _log_file(path: Path) -> IO[bytes]:
    return path.open("ab")


def _environment() -> dict[str, str]:
    """Let the child import what this process can."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
