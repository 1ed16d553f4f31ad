"""
What ledgers with the contract in this process do alike: they pass on to ``ContractHost``. Blocks,
headers and proofs are the ledger's own.
"""

from __future__ import annotations

from collections.abc import Sequence

from tieline.contract.block import Application
from tieline.contract.host import ContractHost
from tieline.interfaces.ledger import BlockEvents, Capabilities, Message, SubmitResult
from tieline.interfaces.signer import Signer


class HostedLedger:
    """The part of ``interfaces.ledger.Ledger`` that needs no headers."""

    def __init__(
        self, application: Application, capabilities: Capabilities, *, proves_by_next_block: bool
    ) -> None:
        """
        Host *application*, which has no blocks yet.

        Args:
            application: The contract.
            capabilities: What the ledger can do.
            proves_by_next_block: A block's state is provable with the next header only.
        """
        self._capabilities = capabilities
        self._host = ContractHost(application, proves_by_next_block=proves_by_next_block)

    @property
    def ledger_id(self) -> str:
        """The chain id."""
        return self._host.application.genesis.chain_id

    @property
    def capabilities(self) -> Capabilities:
        """What this ledger can do."""
        return self._capabilities

    @property
    def application(self) -> Application:
        """The contract, for reading."""
        return self._host.application

    @property
    def chain_tag(self) -> bytes:
        """32 bytes that name this ledger. Raises LookupError before block 1."""
        return self._host.application.chain_tag

    @property
    def wants_block(self) -> bool:
        """Whether a block is due even if no deadline is."""
        return self._host.wants_block

    def add_lane(self, name: str, key: Signer) -> None:
        """Let *name* submit with *key*."""
        self._host.add_lane(name, key)

    def lane_account(self, lane: str) -> bytes:
        """Return the 20-byte account of *lane*."""
        return self._host.lane_account(lane)

    async def latest_height(self) -> int:
        """Return the height of the latest block; 0 before the first."""
        return self._host.height

    async def latest_time_s(self) -> int:
        """Return the time of the latest block, unix seconds."""
        return self._host.time_s

    async def query(self, store: str, key: bytes) -> bytes | None:
        """Return a committed value, unproved."""
        return self._host.application.query(store, key)

    async def scan(self, store: str, prefix: bytes) -> Sequence[tuple[bytes, bytes]]:
        """Return all committed pairs under *prefix*, ascending."""
        return self._host.application.scan(store, prefix)

    async def blocks_after(self, height: int, limit: int = 100) -> Sequence[BlockEvents]:
        """Return blocks above *height*, ascending, without gaps."""
        return self._host.blocks_after(height, limit)

    async def submit(self, lane: str, messages: Sequence[Message]) -> SubmitResult:
        """Sign *messages* as one transaction and hand it in. Raises Rejected."""
        return self._host.submit(lane, messages)
