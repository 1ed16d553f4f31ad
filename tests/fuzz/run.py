"""
Feed all decoders with mutated inputs: ``python tests/fuzz/run.py --count 1000000 [--output FILE]``.

Prints one line of JSON. An input that breaks something is printed with its target and seed, and the
exit code is 1; the same ``--target NAME --seed NUMBER`` finds it again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from fuzz.decoders import Target, targets
from fuzz.mutation import mutated

CHUNK = 10_000
"""Hypothesis remembers what it drew in a run; memory is let go of after so many."""


def feed(target: Target, count: int, first_seed: int) -> int:
    """Feed *count* inputs and return how many were taken. Raises what gets out."""
    taken = 0
    for start in range(0, count, CHUNK):
        size = min(CHUNK, count - start)

        @seed(first_seed + start)
        @settings(
            max_examples=size,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        @given(st.integers(0, 2**64 - 1))
        def one(number: int) -> None:
            nonlocal taken
            taken += target.feed(mutated(target.samples, number))

        one()
    return taken


def main() -> int:
    """Share the inputs out over all targets."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--output", type=Path, help="append the line of the result here")
    parser.add_argument("--date", default="", help="of the run, for the line")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", help="only this one")
    asked = parser.parse_args()
    chosen = [one for one in targets() if asked.target in {None, one.name}]
    begun = time.monotonic()
    taken: Counter[str] = Counter()
    broken: dict[str, str] = {}
    share = -(-asked.count // len(chosen))
    for target in chosen:
        try:
            taken[target.name] = feed(target, share, asked.seed)
        except BaseException as exc:  # a decoder that ends the process is what is looked for
            if isinstance(exc, KeyboardInterrupt):
                raise
            broken[target.name] = f"{type(exc).__name__}: {exc}"[:400]
            sys.stderr.write(f"{target.name}: {broken[target.name]}\n")
    line = {
        "fuzz": "decoders",
        "date": asked.date,
        "inputs": share * len(chosen),
        "targets": len(chosen),
        "taken": sum(taken.values()),
        "broken": broken,
        "seed": asked.seed,
        "seconds": round(time.monotonic() - begun, 1),
    }
    text = json.dumps(line)
    sys.stdout.write(text + "\n")
    if asked.output is not None:
        with asked.output.open("a", encoding="utf-8") as kept:
            kept.write(text + "\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
