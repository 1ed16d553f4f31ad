"""
What a chain is whose blocks are made when somebody says so, and what such a block tells: py-evm in
this process, or a geth beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tieline.wire.evm.blocks import EvmBlock
from tieline.wire.evm.logs import Log

BLOCK_GAS = 1 << 32
"""Nobody waits for room in a block of ours; each transaction has its own limit."""
DOOR = 2
"""Code of what no block could hold."""


@dataclass(frozen=True, slots=True)
class Executed:
    """What one transaction of a block came to."""

    is_success: bool
    output: bytes
    """What was returned, or why it reverted; empty if it broke down."""
    breakdown: str
    """The EVM's word for what went wrong; empty for success and for reverts."""
    logs: tuple[Log, ...]
    gas_used: int


@dataclass(frozen=True, slots=True)
class MadeBlock:
    """A block that was just made."""

    block: EvmBlock
    executed: tuple[Executed, ...]


class MadeChain(Protocol):
    """Blocks one after another, at times that the caller gives; all states are kept."""

    @property
    def height(self) -> int:
        """Number of the last block; 0 is genesis."""
        ...

    @property
    def time_s(self) -> int:
        """Time of the last block, unix seconds; 0 at genesis."""
        ...

    def block_hash(self, height: int) -> bytes:
        """Return a block's hash."""
        ...

    def header(self, height: int) -> bytes:
        """Return a header's RLP."""
        ...

    def time_of(self, height: int) -> int:
        """Return a block's time, unix seconds."""
        ...

    def state_root(self, height: int) -> bytes:
        """Return the root of the state after a block."""
        ...

    def storage_root(self, address: bytes, height: int) -> bytes:
        """Return the root of an account's storage after a block. The account must be there."""
        ...

    def check(self, raw: bytes) -> None:
        """Check what can be checked before a block. Raises Rejected: no block could hold it."""
        ...

    def make_block(self, time_s: int, transactions: Sequence[bytes]) -> MadeBlock:
        """
        Execute *transactions* in order and add them as one block.

        Args:
            time_s: Later than the last block's.
            transactions: All of which ``check`` took, with the senders' next nonces.
        """
        ...

    def nonce(self, account: bytes) -> int:
        """Return the next nonce of an account after the last block."""
        ...

    def balance(self, account: bytes) -> int:
        """Return wei of an account after the last block."""
        ...

    def code(self, address: bytes) -> bytes:
        """Return the code at an address after the last block."""
        ...

    def account_proof(self, address: bytes, height: int) -> tuple[bytes, ...]:
        """Return the nodes that show an account, or its absence, after block *height*."""
        ...

    def storage_proof(
        self, address: bytes, slot: bytes, height: int
    ) -> tuple[bytes | None, tuple[bytes, ...]]:
        """Return a slot's value without leading zeros (None: absent) and its proof's nodes."""
        ...

    def close(self) -> None:
        """Let go of what runs outside this process."""
        ...


ChainBegins = Callable[[int, Mapping[bytes, int], bytes], MadeChain]
"""
Begins a chain, or takes up the one that is there: chain id, wei of accounts from block 0 on, and up
to 32 bytes in block 0 so that its hash names more than the chain id.
"""
