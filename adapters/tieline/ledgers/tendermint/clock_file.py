"""The clock of engines that are driven: eight bytes in a file, which they read at every look."""

from __future__ import annotations

import os
from pathlib import Path


class ClockFile:
    """A time that stands still until it is moved on."""

    def __init__(self, path: Path) -> None:
        """Use *path*; the time that is in it already stays."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)

    def now_ns(self) -> int:
        """Return unix nanoseconds; 0 before it was ever set."""
        return int.from_bytes(os.pread(self._file, 8, 0), "little")

    def move_to(self, time_ns: int) -> None:
        """Move on; engines see it at once. An earlier time than before is refused."""
        assert time_ns >= self.now_ns(), f"backwards: {self.now_ns()} -> {time_ns}"
        # One call, so that no engine reads half of it.
        os.pwrite(self._file, time_ns.to_bytes(8, "little"), 0)

    def close(self) -> None:
        """Let go of the file, once; engines keep theirs."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)
