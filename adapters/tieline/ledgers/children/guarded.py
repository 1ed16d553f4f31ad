"""
One program as a child of this process: its log in a file, ended with this process even when that is
killed, asked to end before it is killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from tieline.interfaces.errors import Unavailable
from tieline.ledgers.children import guard
from tieline.ledgers.children.ending import end_child

STOP_S: Final = 10.0
"""How long a program may take to end by itself."""
_POLL_S: Final = 0.02
_TAIL_BYTES: Final = 2048


class GuardedProgram:
    """A program that can be started, stopped, killed and started again."""

    def __init__(
        self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        """
        Prepare; ``start`` starts.

        Args:
            command: The program and its arguments.
            log: Where what it says is appended.
            environment: What it finds in its environment besides ours.
        """
        self.command = tuple(command)
        self.log = log
        self._environment = environment or {}
        self._guard: subprocess.Popen[bytes] | None = None
        self._pid = 0

    @property
    def pid(self) -> int:
        """The program's process id. Only while it runs."""
        assert self._guard is not None, "not started"
        return self._pid

    def is_running(self) -> bool:
        """Return whether it lives."""
        return self._guard is not None and self._guard.poll() is None

    def start(self) -> None:
        """Start it, and return at once."""
        assert not self.is_running(), "started twice"
        guard_command = [sys.executable, "-I", "-S", str(guard.__file__), str(STOP_S)]
        with self.log.open("ab") as log:
            self._guard = subprocess.Popen(  # noqa: S603 -- this interpreter
                [*guard_command, *self.command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=os.environ | self._environment,
            )
        assert self._guard.stdout is not None, "it is a pipe"
        with self._guard.stdout as told:
            line = told.readline()
        if not line.strip().isdigit():
            self.stop()
            raise Unavailable(f"{self.command[0]} did not start: {self.last_words()}")
        self._pid = int(line)

    def await_ready(self, is_ready: Callable[[], bool], seconds: float) -> None:
        """
        Wait until *is_ready*.

        Raises:
            Unavailable: It ended, or was not ready in time; quotes its last words.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if is_ready():
                return
            if not self.is_running():
                raise Unavailable(f"{self.command[0]} has ended: {self.last_words()}")
            time.sleep(_POLL_S)
        raise Unavailable(f"not ready within {seconds:.0f} s: {self.command[0]}; log: {self.log}")

    def stop(self) -> None:
        """Ask it to end, wait, and kill it if it does not listen; it can be started again."""
        self.begin_stop()
        child, self._guard = self._guard, None
        if child is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(STOP_S + 1.0)
        end_child(child, 1.0)

    def begin_stop(self) -> None:
        """Ask it to end, without waiting; ``stop`` must follow."""
        child = self._guard
        if child is not None and child.stdin is not None:
            with contextlib.suppress(OSError):
                child.stdin.close()

    def kill(self) -> None:
        """End it as a power cut does; it can be started again."""
        self.signal_kill()
        self.stop()

    def signal_kill(self) -> None:
        """Do so without waiting; ``stop`` must follow."""
        if self.is_running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    def last_words(self) -> str:
        """Return the end of its log, in one line."""
        try:
            text = self.log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace")
        except OSError:
            return "no log"
        return " | ".join(text.splitlines()[-3:])
