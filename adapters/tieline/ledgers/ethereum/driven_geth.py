"""Opens an EVM ledger of a scenario on a geth of its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tieline.contract.genesis import Genesis
from tieline.interfaces.signer import Signer
from tieline.ledgers.ethereum.embedded import EmbeddedEthereum
from tieline.ledgers.ethereum.geth_chain import GethChain


def open_driven_geth(
    genesis: Genesis,
    deployer: Signer,
    sealers: Sequence[Signer],
    store: Path,
    engine: Path,
) -> EmbeddedEthereum:
    """
    Start geth, and open the ledger over it; then call ``resume`` before anything else.

    Args:
        genesis: The ledger's birth, of kind ``evm``.
        deployer: Sends the transactions that create the contracts, in block 1.
        sealers: The operator's keys that seal headers.
        store: Folder for the blocks that are exported.
        engine: Folder of what is the operator's alone: geth's data, the sealers' journal.

    Raises:
        ConfigError: Geth is not built, or a folder is another ledger's.
        Unavailable: Geth does not come up.
    """
    begin = partial(GethChain, folder=engine / "geth")
    return EmbeddedEthereum(
        genesis, deployer, sealers, store, seals=engine / "seals.db", begin=begin
    )
