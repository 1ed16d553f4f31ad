"""Ledger x in both languages, opened."""

from __future__ import annotations

from fakes.trade_records import START_S
from fakes.twin.agree import require_agreement
from fakes.twin.evm_ledger import deploy
from fakes.twin.parties import GENESIS_HASH, Cells
from fakes.twin.python_ledger import PythonLedger
from fakes.twin.world import TwinWorld

CELLS = ("cell x", "cell y", "cell z", "cell grid")


def open_world(cell_names: tuple[str, ...] = CELLS) -> TwinWorld:
    """A world at its birth."""
    byte_code = deploy(cell_names, START_S)
    python = PythonLedger(byte_code.genesis, GENESIS_HASH, START_S)
    assert python.chain_tag == byte_code.chain_tag
    cells = Cells(python.chain_tag, cell_names)
    return TwinWorld([python, byte_code], cells, require_agreement)
