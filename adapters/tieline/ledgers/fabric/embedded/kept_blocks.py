"""Where a network's committed blocks are kept, and read again by number."""

from __future__ import annotations

from typing import Protocol


class KeptBlocks(Protocol):
    """Whole committed blocks from number 0 on, as peers keep them."""

    def __len__(self) -> int:
        """Return how many there are."""
        ...

    def __getitem__(self, number: int) -> bytes:
        """Return ``common.Block`` with the peers' metadata."""
        ...

    def append(self, block: bytes) -> None:
        """Keep the next one; it is told to nobody before."""
        ...


class BlocksInMemory:
    """Implements ``KeptBlocks``."""

    def __init__(self) -> None:
        """Begin with none."""
        self._blocks: list[bytes] = []

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._blocks)

    def __getitem__(self, number: int) -> bytes:
        """Return one."""
        return self._blocks[number]

    def append(self, block: bytes) -> None:
        """Keep the next one."""
        self._blocks.append(block)
