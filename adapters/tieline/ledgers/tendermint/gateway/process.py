"""A gateway as a child: it may end and come back without its peer noticing."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tieline.interfaces.errors import Unavailable
from tieline.ledgers.children.ending import end_child

READY_S = 60.0
STOP_S = 5.0


class GatewayProcess:
    """gRPC and REST of one peer, on ports of the loopback address."""

    def __init__(self, rpc_port: int, ports: Sequence[int], log_file: Path) -> None:
        """Prepare for a peer's RPC port, and for *ports* of gRPC and REST; ``start`` starts."""
        grpc_port, rest_port = ports
        self.grpc_url = f"grpc+http://127.0.0.1:{grpc_port}"
        """As cosmpy's ``NetworkConfig`` takes it."""
        self.rest_url = f"rest+http://127.0.0.1:{rest_port}"
        self._ports = (grpc_port, rest_port)
        self._command = [sys.executable, "-m", "tieline.ledgers.tendermint.gateway"]
        self._command += ["--rpc", f"127.0.0.1:{rpc_port}", "--ends-with-parent"]
        self._command += ["--grpc", f"127.0.0.1:{grpc_port}", "--rest", f"127.0.0.1:{rest_port}"]
        self._log_file = log_file
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id. Only while it runs."""
        assert self._child is not None, "not started"
        return self._child.pid

    def start(self) -> None:
        """Start it; ``await_ready`` waits for it."""
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)
        }
        with self._log_file.open("ab") as log:
            self._child = subprocess.Popen(  # noqa: S603 -- this interpreter
                self._command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment
            )

    def await_ready(self) -> None:
        """Return when both ports answer. Raises Unavailable."""
        end = time.monotonic() + READY_S
        for port in self._ports:
            while True:
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), 1.0).close()
                    break
                if not self.is_running() or time.monotonic() > end:
                    raise Unavailable(f"the gateway does not listen; see {self._log_file}")
                time.sleep(0.02)

    def is_running(self) -> bool:
        """Return whether it lives."""
        return self._child is not None and self._child.poll() is None

    def stop(self) -> None:
        """End it."""
        child, self._child = self._child, None
        if child is None:
            return
        end_child(child, STOP_S)
