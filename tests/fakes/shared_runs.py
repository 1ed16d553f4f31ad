"""Finished runs that several files of tests read: made once, by whichever process comes first."""

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest

from tieline.scenario.run_folder import RunFolder


def shared_run(
    factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]
) -> RunFolder:
    """Return the run of that *name*, made by *make* if nobody has; read it, or copy it."""
    base = factory.getbasetemp()
    # Each process of pytest-xdist has its own folder in the one that they share.
    folder = (base.parent if base.name.startswith("popen-") else base) / "shared-runs"
    folder.mkdir(exist_ok=True)
    whole = folder / f"{name}.whole"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not whole.exists():
            make(folder / name)
            whole.touch()
    return RunFolder(folder / name)
