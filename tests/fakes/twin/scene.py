"""Ledger x in both languages, opened."""

from __future__ import annotations

from fakes.trade_world import START_S
from fakes.twin.agree import no_one_to_compare
from fakes.twin.parties import GENESIS_HASH, Cells, genesis_of
from fakes.twin.python_ledger import PythonLedger
from fakes.twin.world import TwinWorld

CELLS = ("cell x", "cell y", "cell z", "cell grid")


def open_world(cell_names: tuple[str, ...] = CELLS) -> TwinWorld:
    """A world at its birth."""
    genesis = genesis_of(7, b"\x99" * 20, cell_names)
    ledger = PythonLedger(genesis, GENESIS_HASH, START_S)
    return TwinWorld([ledger], Cells(ledger.chain_tag, cell_names), no_one_to_compare)
