"""What genesis writes into the stores, before the first block."""

from __future__ import annotations

from collections.abc import Iterable

from tieline.contract import accounts
from tieline.contract.genesis import Genesis
from tieline.contract.installation import GenesisWriter
from tieline.contract.registry import FOUNDERS_KEY, role_key
from tieline.contract.store import IBC, STORES, TIELINE, Overlay
from tieline.protocol.commitment import NEXT_CLIENT_NUMBER_KEY

CHAIN_TAG_KEY = b"ztag"
"""Written in block 1, whose header hash is in it."""

GENESIS_KEY = b"zgenesis"
"""The genesis itself: every parameter is thereby under the first app hash."""


def write_genesis(genesis: Genesis, writers: Iterable[GenesisWriter]) -> dict[str, Overlay]:
    """Return the stores of a new ledger as writes over nothing."""
    nothing: dict[bytes, bytes] = {}
    overlays = {name: Overlay(nothing) for name in STORES}
    # Absence can be proved only in a store that is not empty.
    overlays[IBC].set(NEXT_CLIENT_NUMBER_KEY, bytes(8))
    state = overlays[TIELINE]
    state.set(GENESIS_KEY, genesis.to_bytes())
    state.set(FOUNDERS_KEY, b"".join(genesis.founding_cells))
    state.set(role_key(genesis.cell_address), bytes([genesis.role]))
    for account, amount in genesis.balances:
        accounts.credit_pay(state, account, amount)
    for write in writers:
        write(state, genesis)
    return overlays
