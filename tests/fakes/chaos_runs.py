"""A run that kills programs: how long, from which seed, and what repeats it."""

from __future__ import annotations

import contextlib
import os
import sys
import time

ROUNDS = int(os.environ.get("CHAOS_ROUNDS") or 1)
BLOCKS = int(os.environ.get("CHAOS_BLOCKS") or 40)
SEED = int(os.environ.get("CHAOS_SEED") or time.time_ns() % 2**32)
RELAYER = "relayer"
"""What it is called among the programs that are killed."""


def say(text):
    """Tell what repeats a run; pytest shows it with ``-s``, and when a test fails."""
    sys.stdout.write(f"\n{text}\n")


@contextlib.contextmanager
def running(world):
    """Start a world, and end all of it whatever happens."""
    try:
        world.start()
        yield world
    finally:
        world.stop()
