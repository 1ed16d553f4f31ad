"""
What was written when: blocks folded into the state of our chaincode, each key with all that it ever
held, so that a proof can name the transaction which wrote it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass

from tieline.interfaces.errors import Contradicted
from tieline.ledgers.fabric.port import CHAINCODE
from tieline.ledgers.fabric.seen_blocks import SeenBlock, SeenInvocation
from tieline.wire.errors import Malformed
from tieline.wire.fabric.invocations import (
    CLOCK_KEY,
    Function,
    decode_number,
    invocation_hash,
    marker_key,
    physical_key,
    store_key_of,
)
from tieline.wire.fabric.lifecycle import ChaincodeDefinition, after_writes
from tieline.wire.fabric.rwsets import Write
from tieline.wire.hashes import tag
from tieline.wire.ids import chain_tag

_TICK = Function.TICK.encode()
_INIT = Function.INIT.encode()


@dataclass(frozen=True, slots=True)
class Written:
    """One write of a key."""

    block: int
    index: int
    value: bytes | None
    """None: it was deleted."""


@dataclass(frozen=True, slots=True)
class Defined:
    """A definition of our chaincode, and the transaction that committed it."""

    block: int
    index: int
    definition: ChaincodeDefinition


class History:
    """All blocks of one channel from number 0 on, as far as they were read."""

    def __init__(self, fabric_channel: str) -> None:
        """Begin without a block."""
        self._channel = fabric_channel
        self._writes: dict[str, list[Written]] = {}
        self._keys: list[str] = []
        """Ascending, of all that was ever written."""
        self._markers: dict[tuple[int, int], str] = {}
        self._hashes: list[bytes] = []
        self._data_hashes: list[bytes] = []
        self._times = array("Q")
        self._ticks: dict[int, int] = {}
        """Blocks with a valid Tick, and its place."""
        self._tick_blocks: list[int] = []
        self._configs: list[int] = []
        self._definitions: list[Defined] = []
        self._changed_at = -1
        self.genesis: bytes = b""
        """What the ledger was begun with, as Init was given it; empty before."""

    # --- taking blocks ----------------------------------------------------------------------

    def take(self, block: SeenBlock) -> None:
        """
        Add the next block.

        Raises:
            Contradicted: It does not follow the last one: another channel, or one begun anew.
        """
        expected = self.height + 1
        if block.number != expected:
            raise Contradicted(f"block out of turn: number={block.number} expected={expected}")
        if block.previous_hash != (self._hashes[-1] if self._hashes else b""):
            raise Contradicted(
                f"block {block.number} of {self._channel} does not follow block {expected - 1}: "
                "the peer is of another channel, or the channel was begun anew"
            )
        time_s = self.time_s
        for invocation in block.invocations:
            if invocation.is_valid:
                time_s = self._run(block.number, invocation, time_s)
        self._hashes.append(block.hash)
        self._data_hashes.append(block.data_hash)
        self._times.append(time_s)
        if block.is_config:
            self._configs.append(block.number)
        for index, writes in block.definitions:
            self._define(block.number, index, writes)

    def _run(self, number: int, invocation: SeenInvocation, time_s: int) -> int:
        for key, value in sorted(invocation.writes.items()):
            if key not in self._writes:
                self._writes[key] = []
                insort(self._keys, key)
            self._writes[key].append(Written(number, invocation.index, value))
        self._markers[number, invocation.index] = marker_key(invocation_hash(invocation.args))
        if invocation.function == _TICK:
            self._ticks[number] = invocation.index
            self._tick_blocks.append(number)
            return decode_number(invocation.writes.get(CLOCK_KEY) or b"")
        if invocation.function == _INIT and not self.genesis:
            self.genesis = invocation.args[1]
        self._changed_at = number
        return time_s

    def _define(self, number: int, index: int, writes: Sequence[Write]) -> None:
        before = self._definitions[-1].definition if self._definitions else None
        try:
            definition = after_writes(CHAINCODE, before, writes)
        except Malformed as exc:
            raise Contradicted(f"no definition, yet valid: block={number}: {exc}") from exc
        if definition is not None:
            self._definitions.append(Defined(number, index, definition))

    # --- blocks -----------------------------------------------------------------------------

    @property
    def height(self) -> int:
        """Number of the newest block; -1 before the first."""
        return len(self._hashes) - 1

    @property
    def time_s(self) -> int:
        """What the clock shows, unix seconds; 0 before the first Tick."""
        return self._times[-1] if self._times else 0

    @property
    def chain_tag(self) -> bytes:
        """The 32 bytes that name this ledger. Raises LookupError before block 0."""
        if not self._hashes:
            raise LookupError("the chain tag is known after block 0")
        return chain_tag("fabric", self._channel, self._hashes[0], tag(CHAINCODE))

    @property
    def owes_tick(self) -> bool:
        """Whether something was written since the newest height that can be proved."""
        return self._changed_at > self.newest_tick

    @property
    def newest_tick(self) -> int:
        """Number of the newest block with a Tick; -1 if there is none."""
        return self._tick_blocks[-1] if self._tick_blocks else -1

    @property
    def oldest_tick(self) -> int:
        """Number of the oldest block with a Tick; -1 if there is none."""
        return self._tick_blocks[0] if self._tick_blocks else -1

    def time_at(self, number: int) -> int:
        """Return what the clock showed after a block, unix seconds."""
        return self._times[number]

    def tick_at(self, number: int) -> int | None:
        """Return the place of the Tick in a block; None if it has none."""
        return self._ticks.get(number)

    def hash_at(self, number: int) -> bytes:
        """Return the hash of a block's header."""
        return self._hashes[number]

    def data_hashes(self, above: int, up_to: int) -> tuple[bytes, ...]:
        """Return the data hashes of the blocks above one number, up to another."""
        return tuple(self._data_hashes[above + 1 : up_to + 1])

    def configs(self, above: int, up_to: int) -> Sequence[int]:
        """Return the numbers of configuration blocks in that range."""
        configs = self._configs
        return configs[bisect_right(configs, above) : bisect_right(configs, up_to)]

    def definitions(self, above: int, up_to: int) -> Sequence[Defined]:
        """Return the definitions of the chaincode that were committed in that range."""
        return [one for one in self._definitions if above < one.block <= up_to]

    # --- keys -------------------------------------------------------------------------------

    def marker(self, number: int, index: int) -> str:
        """Return the marker's key of a valid transaction. Raises KeyError for any other."""
        return self._markers[number, index]

    def value(self, key: str) -> bytes | None:
        """Return what a physical key holds now."""
        writes = self._writes.get(key)
        return writes[-1].value if writes else None

    def written(self, key: str, number: int | None = None) -> Written | None:
        """Return the last write of a physical key up to a block; None if there was none."""
        writes = self._writes.get(key, [])
        if number is not None:
            writes = writes[: bisect_right(writes, number, key=lambda one: one.block)]
        return writes[-1] if writes else None

    def scan(self, store: str, prefix: bytes) -> list[tuple[bytes, bytes]]:
        """Return what a store holds under a prefix now, ascending."""
        start = physical_key(store, prefix)
        found: list[tuple[bytes, bytes]] = []
        for place in range(bisect_left(self._keys, start), len(self._keys)):
            key = self._keys[place]
            if not key.startswith(start):
                break
            value, named = self.value(key), store_key_of(key)
            if value is not None and named is not None:
                found.append((named[1], value))
        return found
