"""
Runs one program and ends it when standard input closes, that is, when its parent has ended, however
that came about. Run as a script, with the standard library alone: it costs a few megabytes.

    python guard.py PATIENCE_S PROGRAM ARGUMENT...

The program's process id is written to standard output, one line. Its exit code is the guard's own,
128 + n if signal n ended it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
from typing import Final

_PARENT_DIES: Final = 1
"""PR_SET_PDEATHSIG of prctl: the program ends too if it is the guard that is killed."""
_POLL_MS: Final = 200
_SIGNALLED: Final = 128


def main() -> int:
    """Run the program to its end or to that of the parent; return its exit code."""
    patience_s, command = float(sys.argv[1]), sys.argv[2:]
    # An interrupt at the terminal is the parent's to judge; a request to end is passed on below.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _only_wake)
    read_end, write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(write_end)
    signal.signal(signal.SIGCHLD, _only_wake)
    child = subprocess.Popen(  # noqa: S603 -- what the parent names
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        # No other thread runs here.
        preexec_fn=_end_with_guard if sys.platform == "linux" else None,  # noqa: PLW1509
        start_new_session=True,
    )
    sys.stdout.write(f"{child.pid}\n")
    sys.stdout.flush()
    with contextlib.suppress(OSError):
        os.close(sys.stdout.fileno())
    is_asked = False
    while child.poll() is None and not is_asked:
        ready, _, _ = select.select([sys.stdin, read_end], [], [], _POLL_MS / 1000)
        is_asked = (sys.stdin in ready and not os.read(sys.stdin.fileno(), 1)) or (
            read_end in ready and signal.SIGTERM in os.read(read_end, 64)
        )
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(patience_s)
        except subprocess.TimeoutExpired:
            child.kill()
    code = child.wait()
    return code if code >= 0 else _SIGNALLED - code


def _only_wake(_number: int, _frame: object) -> None:
    """What has come is read from the pipe."""


def _end_with_guard() -> None:
    ctypes.CDLL(None).prctl(_PARENT_DIES, signal.SIGTERM)


if __name__ == "__main__":
    # The descriptor is closed above; nothing is to be flushed to it again.
    os._exit(main())
