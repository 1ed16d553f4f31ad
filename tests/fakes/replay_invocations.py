"""
Repeats recorded invocations in this process and prints what each came to; and starts two such
processes that have nothing in common but the calls.

As a script it reads lines ``wall_s arg arg ...`` in hex from standard input; its argument is
``module:name`` of a function that returns an Installation, or nothing for the microgrid's own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from tieline.contract.chaincode import Chaincode, Invocation
from tieline.contract.invocation_replay import RecordedCall, replay

ROOT = Path(__file__).parents[2]
APART: Sequence[Mapping[str, str]] = (
    {"PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "UTC", "PYTHONUTF8": "0"},
    {"PYTHONHASHSEED": "4242", "LC_ALL": "tr_TR.UTF-8", "TZ": "Pacific/Kiritimati"},
)
"""Hash seed, locale and zone: what two organisations' machines may differ in."""


def line_of_call(call: RecordedCall) -> str:
    """A call as a line; an empty argument is a dash."""
    return " ".join([str(call.wall_s), *(argument.hex() or "-" for argument in call.args)])


def call_of_line(line: str) -> RecordedCall:
    """Read ``line_of_call``."""
    wall_s, *arguments = line.split()
    args = tuple(b"" if argument == "-" else bytes.fromhex(argument) for argument in arguments)
    return RecordedCall(args, int(wall_s))


def line_of_answer(invocation: Invocation) -> str:
    """All of an answer, byte for byte."""
    return repr(invocation)


def answers_apart(calls: Sequence[RecordedCall], installation: str = "") -> list[list[str]]:
    """Repeat *calls* from Init in a process for each of ``APART``; return what each said."""
    roots = [str(ROOT / part) for part in ("relayer", "adapters", "microgrids", "tests")]
    script = str(ROOT / "tests" / "fakes" / "replay_invocations.py")
    told = "\n".join(map(line_of_call, calls))
    answers: list[list[str]] = []
    for difference in APART:
        done = subprocess.run(
            [sys.executable, script, *filter(None, [installation])],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(roots), **difference},
            input=told,
            capture_output=True,
            text=True,
            check=True,
        )
        answers.append(done.stdout.splitlines())
    return answers


def main() -> None:
    """Repeat what standard input holds."""
    installation = None
    if len(sys.argv) > 1:
        module, _, name = sys.argv[1].partition(":")
        installation = getattr(import_module(module), name)()
    calls = [call_of_line(line) for line in sys.stdin]
    for invocation in replay(Chaincode(installation=installation), calls):
        sys.stdout.write(line_of_answer(invocation) + "\n")


if __name__ == "__main__":
    main()
