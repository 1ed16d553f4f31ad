"""
One peer as processes: the contract's host and its engine are one unit, since an engine does not
outlive its host. Logs lie in the peer's folder; why a unit has ended is read from their last lines.

The host ends with this process (its standard input closes) and takes its engine along.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Final

from tieline.interfaces.engines import CLOCK_VARIABLE
from tieline.interfaces.errors import ConfigError, Unavailable
from tieline.ledgers.children.ending import end_child
from tieline.ledgers.tendermint.home import PeerHome, Ports
from tieline.ledgers.tendermint.rpc import CometRpc

READY_S: Final = 60.0
STOP_S: Final = 10.0
LOG_BYTES_MAX: Final = 16 * 1024 * 1024
"""A longer log is put aside when its process is started again; one such is kept."""
SAID_MAX: Final = 300
RESTART_S: Final = 0.25
RESTART_S_MAX: Final = 10.0
"""A unit that ends again and again is brought back more slowly, but it always is."""
RESTARTS_A_MINUTE: Final = 20
"""So many are made at once, if the unit came up."""
_MINUTE_S: Final = 60.0
_POLL_S: Final = 0.05
_TAIL_BYTES: Final = 8192
_PORT_TAKEN: Final = re.compile("address already in use|Address already in use")
_WHY: Final = re.compile(
    r"tieline:|ERROR|level=ERROR|panic:|Error|Unavailable|CONSENSUS FAILURE|No space left"
)
_log = logging.getLogger("tieline.engine")


class PortTaken(Unavailable):
    """Another process listens where a peer wants to; with other ports it goes on."""


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

    @property
    def abci_log(self) -> Path:
        """What the contract's host says."""
        return self.home.folder / "abci.log"

    @property
    def engine_log(self) -> Path:
        """What the engine says."""
        return self.home.folder / "engine.log"

    def host_command(self) -> list[str]:
        """Return how the contract's host is started."""
        return [
            *(sys.executable, "-m", "tieline.ledgers.tendermint.abci_host"),
            *("--genesis", str(self.genesis_file)),
            *("--state", str(self.home.folder / "state.sqlite")),
            *("--listen", f"127.0.0.1:{self.ports.abci}"),
            *("--installation", self.installation),
            *("--minimum-gas-price", self.minimum_gas_price),
        ]


@dataclass(slots=True)
class _Place:
    """Where a log ended before its process was started."""

    path: Path
    start: int = field(default=0)

    def since(self) -> str:
        try:
            with self.path.open("rb") as file:
                file.seek(max(self.start, self.path.stat().st_size - _TAIL_BYTES))
                return file.read().decode(errors="replace")
        except OSError:
            return ""


class _RestartPace:
    """How long to wait before a unit is brought back."""

    def __init__(self) -> None:
        self.failed_starts = 0
        """How often it did not even come up, since it last did."""
        self._recent: deque[float] = deque()

    def delay_s(self, now_s: float) -> float:
        """Return it, and count the restart that follows."""
        while self._recent and now_s - self._recent[0] > _MINUTE_S:
            self._recent.popleft()
        self._recent.append(now_s)
        often = min(max(len(self._recent) - RESTARTS_A_MINUTE, self.failed_starts), 10)
        return min(RESTART_S * 2 ** (often - 1), RESTART_S_MAX) if often > 0 else 0.0


class Peer:
    """Contract host and engine of one peer."""

    def __init__(self, plan: PeerPlan) -> None:
        """Prepare; ``start`` starts."""
        self._plan = plan
        self._host: subprocess.Popen[bytes] | None = None
        self._engine: subprocess.Popen[bytes] | None = None
        self._logs = (_Place(plan.abci_log), _Place(plan.engine_log))
        self.rpc = CometRpc("127.0.0.1", plan.ports.rpc)
        self.environment: dict[str, str] = {}
        """What the engine finds in its environment besides ours, from its next start on."""
        self.restarts = 0
        self.reason = ""
        """Why it ended last; empty if it never did."""

    @property
    def pids(self) -> tuple[int, int]:
        """Process ids of host and engine. Only while it runs."""
        assert self._host is not None, "not started"
        assert self._engine is not None, "not started"
        return self._host.pid, self._engine.pid

    @property
    def folder(self) -> Path:
        """Where its keys, its state and its logs are."""
        return self._plan.home.folder

    def move_to(self, ports: Ports) -> None:
        """Listen elsewhere from the next start on; who holds ``rpc`` follows."""
        self._plan = replace(self._plan, ports=ports)
        self.rpc.move_to(ports.rpc)

    def start(self) -> None:
        """
        Start the host, then the engine, which would wait three seconds for a late host.

        Raises:
            ConfigError: The host cannot open its state.
            PortTaken: Another process listens on its port.
            Unavailable: The host does not come up.
        """
        self.start_host()
        self.start_engine()

    def start_host(self) -> None:
        """Start the contract's host; ``start_engine`` waits for it."""
        place = self._logs[0]
        with _open_log(place) as log:
            self._host = subprocess.Popen(  # noqa: S603 -- this interpreter
                self._plan.host_command(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=_environment() | self._clock(),
            )

    def start_engine(self) -> None:
        """Wait for the host, and start the engine. Raises as ``start`` does."""
        self._await_host()
        plan = self._plan
        command = [str(plan.program), "start", "--home", str(plan.home.folder)]
        environment = os.environ | self._clock() | self.environment
        with _open_log(self._logs[1]) as log:
            self._engine = subprocess.Popen(  # noqa: S603 -- the engine of our manifest
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )
        # An engine that has not found its host yet would look for it for ever.
        assert self._host is not None, "the host has been awaited"
        assert self._host.stdin is not None, "it is a pipe"
        with contextlib.suppress(OSError):
            self._host.stdin.write(f"{self._engine.pid} {plan.home.folder}\n".encode())
            self._host.stdin.flush()

    def _clock(self) -> dict[str, str]:
        """Return the variable that drives engine and host, which must agree."""
        file = self._plan.clock_file
        return {} if file is None else {CLOCK_VARIABLE: str(file)}

    def is_running(self) -> bool:
        """Return whether both processes live."""
        return all(one is not None and one.poll() is None for one in (self._host, self._engine))

    def why_ended(self) -> str:
        """Return which process has ended and how, and what it said last that sounds like why."""
        reasons: list[str] = []
        children = (("host", self._host), ("engine", self._engine))
        for (name, child), place in zip(children, self._logs, strict=True):
            code = None if child is None else child.poll()
            if code is None:
                continue
            how = f"killed by signal {-code}" if code < 0 else f"ended with code {code}"
            lines = [line.strip() for line in place.since().splitlines() if _WHY.search(line)]
            said = f": {lines[-1][:SAID_MAX]}" if lines else ""
            reasons.append(f"{name} {how}{said} (log: {place.path})")
        return "; ".join(reasons) or "nothing has ended"

    def raise_ended(self) -> None:
        """Raise PortTaken or Unavailable, for a unit that has ended."""
        taken = any(_PORT_TAKEN.search(place.since()) for place in self._logs)
        reason = f"{self.folder.name} has ended: {self.why_ended()}"
        raise PortTaken(reason) if taken else Unavailable(reason)

    def stop(self) -> None:
        """End both, the engine first, so that it ends in order."""
        for child in (self._engine, self._host):
            if child is None:
                continue
            end_child(child, STOP_S)
        self._host = self._engine = None
        self.rpc.close()

    def keep_running(self, is_ending: threading.Event) -> None:
        """Bring the unit back whenever it has ended, until *is_ending*."""
        pace = _RestartPace()
        while not is_ending.wait(_POLL_S):
            if self.is_running():
                continue
            self.reason = self.why_ended()
            _log.warning("peer ended peer=%s %s", self.folder, self.reason)
            if is_ending.wait(pace.delay_s(time.monotonic())):
                return
            self.restarts += 1
            self.stop()
            try:
                self.start()
            except (ConfigError, Unavailable) as exc:
                pace.failed_starts += 1
                _log.error("peer did not start again peer=%s %s", self.folder, exc)
            else:
                pace.failed_starts = 0

    def _await_host(self) -> None:
        assert self._host is not None, "not started"
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            if self._host.poll() is not None:
                if _PORT_TAKEN.search(self._logs[0].since()):
                    self.raise_ended()
                raise ConfigError(
                    "the contract's host has ended",
                    file=str(self._plan.abci_log),
                    instead=self.why_ended(),
                )
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self._plan.ports.abci), 1.0).close()
                return
            time.sleep(0.02)
        raise Unavailable(f"the contract's host does not listen; log: {self._plan.abci_log}")


def _open_log(place: _Place) -> IO[bytes]:
    """Open a log at its end, and remember where that is; a long one is put aside."""
    size = place.path.stat().st_size if place.path.exists() else 0
    if size > LOG_BYTES_MAX:
        place.path.replace(place.path.with_name(f"{place.path.name}.1"))
        size = 0
    place.start = size
    return place.path.open("ab")


def _environment() -> dict[str, str]:
    """Let the child import what this process can."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
