"""
Repeats recorded invocations in this process and prints what each came to; and starts two such
processes that have nothing in common but the calls.

As a script it takes a Fabric ledger's folder (``python tests/fakes/replay_invocations.py FOLDER``)
and says whether all that is valid in its blocks comes to the same again, in both processes.

To itself it gives lines ``wall_s arg arg ...`` in hex, and ``module:name`` of a function that
returns an Installation, or nothing for the microgrid's own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from tieline.contract.chaincode import Chaincode, Invocation
from tieline.contract.invocation_replay import RecordedCall, replay
from tieline.wire.blocks import split_frames
from tieline.wire.fabric.blocks import Block, is_config_block
from tieline.wire.fabric.invocations import CHAINCODE_NAME, STATUS_OK, Function, decode_number
from tieline.wire.fabric.proposals import arguments_of
from tieline.wire.fabric.transactions import VALID, decode_transaction

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


@dataclass(frozen=True)
class Recorded:
    """A valid invocation of our chaincode in a block."""

    call: RecordedCall
    writes: tuple[tuple[str, bytes | None], ...]
    payload: bytes
    event: bytes

    def line(self) -> str:
        """What repeating it must print."""
        return line_of_answer(Invocation(STATUS_OK, "", self.payload, self.event, self.writes))


def recorded_in(blocks: Iterable[Block]) -> list[Recorded]:
    """All valid invocations of our chaincode, in order; a Tick was its endorser's time."""
    found: list[Recorded] = []
    for block in blocks:
        if is_config_block(block.data):
            continue
        for envelope, code in zip(block.data, block.transactions_filter, strict=True):
            transaction = decode_transaction(envelope)
            if code != VALID or transaction.chaincode != CHAINCODE_NAME:
                continue
            content = transaction.opened.content
            args = arguments_of(transaction.endorsed.proposal_payload)
            wall_s = decode_number(args[1]) if args[0] == Function.TICK.encode() else 0
            writes = tuple(
                (write.key, None if write.is_deletion else write.value)
                for write in content.sets.of(CHAINCODE_NAME).writes
            )
            event = b"" if content.event is None else content.event.payload
            call = RecordedCall(args, wall_s)
            found.append(Recorded(call, writes, content.response.payload, event))
    return found


def differences(recorded: Sequence[Recorded], answers: Iterable[Sequence[str]]) -> list[str]:
    """Return every answer of any process that is not the recorded one."""
    expected = [each.line() for each in recorded]
    return [
        f"invocation {place}: {now} instead of {then}"
        for said in answers
        for place, (now, then) in enumerate(zip(said, expected, strict=True))
        if now != then
    ]


def answers_apart(calls: Iterable[RecordedCall], installation: str = "") -> list[list[str]]:
    """Repeat *calls* from Init in a process for each of ``APART``; return what each said."""
    roots = [str(ROOT / part) for part in ("relayer", "adapters", "microgrids", "tests")]
    script = str(ROOT / "tests" / "fakes" / "replay_invocations.py")
    told = "\n".join(map(line_of_call, calls))

    def repeat(difference: Mapping[str, str]) -> list[str]:
        done = subprocess.run(
            [sys.executable, script, *filter(None, [installation])],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(roots), **difference},
            input=told,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.splitlines()

    with ThreadPoolExecutor() as side_by_side:
        return list(side_by_side.map(repeat, APART))


def main() -> None:
    """Repeat what standard input holds, or what a folder holds in two more processes."""
    if len(sys.argv) > 1 and Path(sys.argv[1]).is_dir():
        payloads, _ = split_frames((Path(sys.argv[1]) / "blocks.bin").read_bytes())
        recorded = recorded_in(map(Block.decode, payloads))
        wrong = differences(recorded, answers_apart(each.call for each in recorded))
        sys.stdout.write(f"{len(recorded)} invocations, {len(wrong)} not alike\n")
        sys.exit("\n".join(wrong) or None)
    installation = None
    if len(sys.argv) > 1:
        module, _, name = sys.argv[1].partition(":")
        installation = getattr(import_module(module), name)()
    calls = [call_of_line(line) for line in sys.stdin]
    for invocation in replay(Chaincode(installation=installation), calls):
        sys.stdout.write(line_of_answer(invocation) + "\n")


if __name__ == "__main__":
    main()
