"""
What happened on a ledger, by trade and slot, as its events tell. Hints: what a cell signs, it
proves first.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tieline.interfaces.ledger import BlockEvents, Ledger
from tieline.protocol.events import Event


@dataclass(frozen=True, slots=True)
class SeenLock:
    """A lock as it was opened."""

    lock_id: bytes
    trade_id: bytes
    leg: str
    """in, out or local."""
    client: str
    sequence: int
    height: int
    time_s: int


@dataclass(slots=True)
class LedgerIndex:
    """Follows one ledger by height; ``follow`` brings it up to the latest block."""

    ledger: Ledger
    height: int = 0
    time_s: int = 0
    block_times: dict[int, int] = field(default_factory=dict[int, int])
    """Height to chain time, unix seconds."""
    provable_times: dict[int, int] = field(default_factory=dict[int, int])
    """The same of the blocks whose headers a light client can hold, ascending."""
    locks: dict[tuple[bytes, str], SeenLock] = field(
        default_factory=dict[tuple[bytes, str], SeenLock]
    )
    """By trade id and leg."""
    ends: dict[bytes, list[tuple[str, int, int]]] = field(
        default_factory=dict[bytes, list[tuple[str, int, int]]]
    )
    """By lock id: event type, height, chain time, in the order they came."""
    clearings: set[bytes] = field(default_factory=set[bytes])
    """Clearing roots stored here."""
    deliveries: set[bytes] = field(default_factory=set[bytes])
    """Delivery roots stored here."""
    accepted: dict[bytes, int] = field(default_factory=dict[bytes, int])
    """By lock id: cap of the applied verdict, Wh."""
    accepted_heights: dict[bytes, int] = field(default_factory=dict[bytes, int])
    """By lock id: the block that applied that verdict."""
    closed: set[bytes] = field(default_factory=set[bytes])
    """Lock ids that are closed."""

    async def follow(self) -> None:
        """Read what is new."""
        while True:
            blocks = await self.ledger.blocks_after(self.height)
            if not blocks:
                return
            for block in blocks:
                self._take(block)

    def first_height_from(self, time_s: int) -> int | None:
        """Return the first height with chain time >= *time_s*, None while there is none."""
        for height in sorted(self.block_times):
            if self.block_times[height] >= time_s:
                return height
        return None

    def first_provable_from(self, height: int) -> int | None:
        """Return the first height >= *height* that a light client can hold, None if not yet."""
        return next((known for known in self.provable_times if known >= height), None)

    def newest_provable(self) -> int:
        """Return the newest height that a light client can hold; 0 before the first."""
        return next(reversed(self.provable_times), 0)

    def _take(self, block: BlockEvents) -> None:
        self.height, self.time_s = block.height, block.time_s
        self.block_times[block.height] = block.time_s
        if block.is_provable:
            self.provable_times[block.height] = block.time_s
        for transaction in block.transactions:
            if transaction.code == 0:
                for event in transaction.events:
                    self._learn(event, block)

    def _learn(self, event: Event, block: BlockEvents) -> None:
        if event.type == "lock_opened":
            lock = SeenLock(
                bytes.fromhex(event.get("lock_id")),
                bytes.fromhex(event.get("trade_id")),
                event.get("leg"),
                event.get("client"),
                int(event.get("sequence")),
                block.height,
                block.time_s,
            )
            self.locks[lock.trade_id, lock.leg] = lock
        elif event.type == "clearing_posted":
            self.clearings.add(bytes.fromhex(event.get("clearing_root")))
        elif event.type == "delivery_posted":
            self.deliveries.add(bytes.fromhex(event.get("deliveries_root")))
        elif event.type == "verdict_applied" and event.get("decision") == "ACCEPT":
            lock_id = bytes.fromhex(event.get("lock_id"))
            self.accepted[lock_id] = int(event.get("cap_wh"))
            self.accepted_heights[lock_id] = block.height
        elif event.type == "lock_closed":
            self.closed.add(bytes.fromhex(event.get("lock_id")))
        if event.type in LOCK_EVENTS:
            lock_id = bytes.fromhex(event.get("lock_id"))
            self.ends.setdefault(lock_id, []).append((event.type, block.height, block.time_s))


LOCK_EVENTS = frozenset(
    {
        "lock_opened",
        "verdict_applied",
        "pending_expired",
        "lock_confirmed",
        "claimed",
        "waived",
        "refunded",
        "lock_closed",
        "alarm",
    }
)
