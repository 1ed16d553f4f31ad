"""
The account of a key, 20 bytes, as its ledger makes it: one rule a kind of ledger.

Sources:
    ``docs/spec/bytes.md`` (Accounts).
"""

from __future__ import annotations

from typing import Final

from tieline.wire.keys import address_of, cosmos_account_of

EVM_KIND: Final = "evm"
"""What chain tags call Ethereum and its like."""
FABRIC_KIND: Final = "fabric"
"""What chain tags call a channel of Hyperledger Fabric."""


def account_of(kind: str, public_key: bytes) -> bytes:
    """
    Return the account of a key on a ledger.

    Args:
        kind: Of the ledger, as its chain tag names it: cometbft, evm, fabric, cosmos or sim.
        public_key: 33 bytes, compressed.
    """
    return address_of(public_key) if kind == EVM_KIND else cosmos_account_of(public_key)
