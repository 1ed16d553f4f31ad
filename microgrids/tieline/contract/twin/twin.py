"""
The twin of an EVM ledger's contracts: their logs folded, block by block, into the stores and the
domain events of our own contract.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tieline.contract.genesis import Genesis
from tieline.contract.store import IBC, TIELINE
from tieline.interfaces.ledger import BlockEvents
from tieline.wire.evm.logs import LoggedBlock


@dataclass(frozen=True, slots=True)
class TwinOf:
    """Which contracts are followed."""

    genesis: Genesis
    chain_tag: bytes
    host: bytes
    """Address of the IBC host, 20 bytes."""
    app: bytes
    """Address of the trade application, 20 bytes."""


class Twin:
    """An EVM ledger as our contract would hold it, as of the last block that was folded."""

    def __init__(self, of: TwinOf) -> None:
        self._of = of
        self._stores: dict[str, dict[bytes, bytes]] = {IBC: {}, TIELINE: {}}
        self._height = 0

    @property
    def height(self) -> int:
        """The last block folded; 0 before the first."""
        return self._height

    def fold(self, block: LoggedBlock) -> BlockEvents:
        """Take in the next final block and return what it did in domain events."""
        raise NotImplementedError

    def query(self, store: str, key: bytes) -> bytes | None:
        """Return a value of store ``ibc`` or ``tieline``."""
        return self._stores[store].get(key)

    def scan(self, store: str, prefix: bytes) -> Sequence[tuple[bytes, bytes]]:
        """Return all pairs under *prefix*, ascending."""
        found = self._stores[store].items()
        return sorted((key, value) for key, value in found if key.startswith(prefix))
