"""How a ledger is called, once the first thing that happened to it is known."""

from __future__ import annotations

from tieline.contract.context import LedgerNames
from tieline.contract.genesis import Genesis
from tieline.wire import ids
from tieline.wire.typed_data import domain_separator


def chain_tag_of(genesis: Genesis, genesis_hash: bytes) -> bytes:
    """Return the chain tag; *genesis_hash* is 32 bytes, as ``docs/spec/bytes.md`` has it."""
    return ids.chain_tag(genesis.kind, genesis.chain_id, genesis_hash, genesis.host_id)


def ledger_names(genesis: Genesis, chain_tag: bytes) -> LedgerNames:
    """Return what all transactions of a ledger know it by."""
    return LedgerNames(
        genesis.chain_id,
        chain_tag,
        genesis.network_id,
        domain_separator(genesis.network_id),
        genesis.cell_address,
        genesis.kind,
    )
