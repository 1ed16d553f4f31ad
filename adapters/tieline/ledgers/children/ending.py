"""How a child process is ended: asked first, killed if it does not listen."""

from __future__ import annotations

import contextlib
import subprocess


def end_child(child: subprocess.Popen[bytes], patience_s: float) -> None:
    """End *child* and let go of its input; one that has ended already is no error."""
    with contextlib.suppress(ProcessLookupError):
        child.terminate()
    try:
        child.wait(patience_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    if child.stdin is not None:
        child.stdin.close()
