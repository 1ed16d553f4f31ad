"""
What payments took lately. One like those that an account made a moment ago goes out without being
run first, which saves a round trip; should it fail, its block says so.

Payments only: they take as much whatever they say. A packet that is skipped takes a tenth of one
that is received, and would speak for it.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tieline.ledgers.ethereum.calls import Call
from tieline.wire.evm.contract_calls import DEPOSIT, SEND, WITHDRAW
from tieline.wire.evm.declarations import SELECTOR_BYTES

KNOWN_S: Final = 60.0
"""So long after it was run a call speaks for others."""
RUNS_MIN: Final = 2
"""So often calls of a shape were run before the next one is not."""
SHAPES_MAX: Final = 512

_PAYMENTS: Final = frozenset(one.selector for one in (SEND, DEPOSIT, WITHDRAW))
_Shape = tuple[bytes, bytes, bytes]


@dataclass(slots=True)
class _Runs:
    count: int
    most: int
    last_at: float


class KnownGas:
    """The calls of one ledger's accounts."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Take a clock of seconds that never go back."""
        self._clock = clock
        self._runs: OrderedDict[_Shape, _Runs] = OrderedDict()

    def find(self, sender: bytes, call: Call) -> int | None:
        """
        Return the most gas that calls like this took; None if it must be run.

        Args:
            sender: Whose call, 20 bytes.
            call: What it does.
        """
        shape = _shape_of(sender, call)
        runs = None if shape is None else self._runs.get(shape)
        if runs is None or runs.count < RUNS_MIN or self._clock() - runs.last_at > KNOWN_S:
            return None
        return runs.most

    def note(self, sender: bytes, call: Call, needed: int) -> None:
        """Remember what a call takes that was run just now, and would succeed."""
        shape = _shape_of(sender, call)
        if shape is None:
            return
        known = self._runs.pop(shape, _Runs(0, 0, 0.0))
        self._runs[shape] = _Runs(known.count + 1, max(known.most, needed), self._clock())
        if len(self._runs) > SHAPES_MAX:
            self._runs.popitem(last=False)

    def forget(self) -> None:
        """Something failed in its block: run all again first."""
        self._runs.clear()


def _shape_of(sender: bytes, call: Call) -> _Shape | None:
    """Return what calls have in common that take about as much; None for what is no payment."""
    selector = call.data[:SELECTOR_BYTES]
    return (sender, call.to, selector) if selector in _PAYMENTS else None
