"""
An EVM ledger in this process: the contracts on py-evm, in blocks that a driven clock dates.

What is missing is consensus: the operator's sealers sign each header that is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tieline.contract.genesis import Genesis
from tieline.interfaces.ledger import Capabilities, Finality
from tieline.interfaces.signer import Signer

CAPABILITIES = Capabilities(
    kind="evm",
    client_type="evm-sealed",
    merkle_prefix=(b"",),
    finality=Finality.DETERMINISTIC,
    proof_lag=0,
    in_flight_max=64,
)


class EmbeddedEthereum:
    """Implements ``interfaces.ledger.Ledger``."""

    def __init__(
        self,
        genesis: Genesis,
        deployer: Signer,
        sealers: Sequence[Signer],
        store: Path | None = None,
        *,
        is_synced: bool = False,
    ) -> None:
        """
        Begin a ledger, or open one that has blocks; then call ``resume`` before anything else.

        Args:
            genesis: The ledger's birth, of kind ``evm``; accounts are EVM addresses, and those
                with PAY and the cell have gas from block 0 on.
            deployer: Sends the transactions that create the contracts, in block 1.
            sealers: The operator's keys that seal headers, all of them every time.
            store: Folder for the blocks; None keeps them in memory.
            is_synced: Wait for the disk at every block.

        Raises:
            ConfigError: The folder belongs to another ledger.
        """
        self._genesis = genesis
        self._deployer = deployer
        self._sealers = sealers
        self._store = store
        self._is_synced = is_synced
