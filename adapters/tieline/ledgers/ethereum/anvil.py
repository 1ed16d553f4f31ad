"""
Anvil: a chain that a test holds in its hand. Blocks come with each transaction, at a pace, or when
told; time can be set, and the last blocks can be taken back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tieline.ledgers.ethereum.chain_process import ChainProcess
from tieline.ledgers.ethereum.genesis_file import GAS_LIMIT

HARDFORK: Final = "osaka"
"""Named, because the default moves with the version."""


class AnvilProcess(ChainProcess):
    """One anvil. Its state is on disk once a second and when it is stopped."""

    engine = "anvil"

    def __init__(
        self,
        folder: Path,
        chain_id: int,
        balances_wei: Mapping[bytes, int],
        *,
        genesis_time_s: int | None = None,
        block_s: int = 0,
        is_mining: bool = True,
    ) -> None:
        """
        As ``ChainProcess``.

        Args:
            folder: Its home.
            chain_id: What transactions are signed for.
            balances_wei: By 20-byte address.
            genesis_time_s: Of block 0; now by default.
            block_s: Seconds from block to block; 0 makes one for each transaction at once.
            is_mining: False makes blocks only when ``evm_mine`` or ``anvil_mine`` is called.
        """
        super().__init__(folder, chain_id, balances_wei, genesis_time_s=genesis_time_s)
        self._state = folder / "state.json"
        self._block_s = block_s
        self._is_mining = is_mining

    def command(self) -> list[str]:
        """Return how it is started."""
        pace = ("--block-time", str(self._block_s)) if self._block_s else ()
        birth = json.loads(self.genesis_file.read_bytes())
        kept = ("--load-state", str(self._state)) if self._state.exists() else ()
        return [
            str(self.program),
            *("--host", "127.0.0.1", "--port", str(self.port), "--silent"),
            # A genesis file and a state on disk exclude one another, so accounts get theirs later.
            *("--chain-id", str(self.chain_id), "--timestamp", str(int(birth["timestamp"], 16))),
            *("--hardfork", HARDFORK, "--accounts", "0", "--gas-limit", str(GAS_LIMIT)),
            # An epoch of one slot: ``safe`` is one block behind the head, ``finalized`` two.
            *("--slots-in-an-epoch", "1"),
            *("--dump-state", str(self._state), "--state-interval", "1", *kept),
            "--preserve-historical-states",
            *(pace if self._is_mining else ("--no-mining",)),
        ]

    def begin(self) -> None:
        """Give accounts what they have at first, and a block that no re-org goes behind."""
        birth = json.loads(self.genesis_file.read_bytes())
        for account, entry in birth["alloc"].items():
            self.call("anvil_setBalance", account, entry["balance"])
        self.call("evm_mine")
