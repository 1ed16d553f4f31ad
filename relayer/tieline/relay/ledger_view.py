"""What the relayer has seen of one ledger: how far, at which times, what is stored there."""

from __future__ import annotations

from bisect import bisect_right, insort

from tieline.relay.lock_watch import LockWatch
from tieline.relay.owed_watch import OwedWatch
from tieline.relay.route import LedgerTerms

HEADERS_REMEMBERED = 512
"""Times of so many blocks back are known; a proof is never wanted of an older one."""

CLIENT_HEIGHTS_REMEMBERED = 64
"""A proof uses the newest that serves; older ones are for restarts only."""


class LedgerView:
    """
    One ledger as of the last block that was observed. Changed only by ``RelayView``.

    Mappings keep the order in which things were seen.
    """

    def __init__(self, terms: LedgerTerms) -> None:
        self.terms = terms
        self.height = 0
        self.time_s = 0
        """Chain time of the last observed block, unix seconds."""
        self.left_height = 0
        """Up to here blocks are not those that were shown before a deep re-organisation."""
        self.block_times: dict[int, int] = {}
        self.provable_times: dict[int, int] = {}
        """Of the blocks whose headers a light client can hold, ascending by height."""
        self.has_ticks = False
        """Whether its clock stands still between some of its blocks."""
        self.client_heights: dict[str, list[int]] = {}
        """Ascending header heights that each client here can verify against."""
        self.announced: dict[str, dict[int, int]] = {}
        """
        By client: heights whose update is in a transaction that is on its way, with the height of
        this ledger when it was handed in.
        """
        self.cell_set_epochs: set[int] = set()
        self.clearing_roots: set[bytes] = set()
        self.verdict_hashes: dict[int, bytes] = {}
        """By slot start; the first valid one, the only one that counts here."""
        self.verdict_signers: dict[int, int] = {}
        """By slot start: bitmap of the cells whose signatures are stored."""
        self.deliveries: dict[int, dict[bytes, int]] = {}
        """By tick: deliveries root to the index it is stored under."""
        self.delivery_signers: dict[int, dict[bytes, int]] = {}
        """By tick: deliveries root to the bitmap of its signers."""
        self.orders: dict[int, dict[bytes, int]] = {}
        """By slot start: orders that were neither cancelled nor released, with their height."""
        self.order_slots: dict[bytes, int] = {}
        self.owed: dict[tuple[bytes, bytes], OwedWatch] = {}
        """By account and id: what is owed to accounts of stock chains."""
        self.owed_tries: dict[tuple[bytes, bytes], int] = {}
        """Sends of a debt that are on their way, or came back."""
        self.locks: dict[bytes, LockWatch] = {}
        self.lock_by_trade: dict[bytes, bytes] = {}
        self.open_ticks: dict[int, dict[bytes, None]] = {}
        """By tick: locks that are not over."""
        self.share_locks: dict[bytes, None] = {}
        """Locks that are over and may hold shares of a pool."""

    @property
    def ledger_id(self) -> str:
        """The chain id."""
        return self.terms.ledger_id

    @property
    def provable_height(self) -> int:
        """The highest header seen that a light client can hold; 0 before the first."""
        return next(reversed(self.provable_times), 0)

    def add_block(self, height: int, time_s: int, *, is_provable: bool = True) -> None:
        """Move on to a block. Blocks come without gaps, ascending."""
        self.height = height
        self.time_s = time_s
        self.block_times[height] = time_s
        if is_provable:
            self.provable_times[height] = time_s
        else:
            self.has_ticks = True
        # Each by its own count: where few blocks are provable, the newest of them may be old.
        for times in (self.block_times, self.provable_times):
            if len(times) > HEADERS_REMEMBERED:
                del times[next(iter(times))]

    def add_client_height(self, client_id: str, height: int) -> None:
        """Remember that a client here holds a consensus state of *height*."""
        self.withdraw_client_height(client_id, height)
        heights = self.client_heights.setdefault(client_id, [])
        position = bisect_right(heights, height)
        if position and heights[position - 1] == height:
            return
        insort(heights, height)
        if len(heights) > CLIENT_HEIGHTS_REMEMBERED:
            del heights[0]

    def announce_client_height(self, client_id: str, height: int) -> None:
        """
        An update to *height* is on its way: what is handed in before the next block may rest on
        it. After that block the ledger knows of it by its event, or perhaps not at all.
        """
        self.announced.setdefault(client_id, {})[height] = self.height

    def withdraw_client_height(self, client_id: str, height: int) -> None:
        """No update to *height* is on its way any more."""
        self.announced.get(client_id, {}).pop(height, None)

    def holds_client_height(self, client_id: str, height: int) -> bool:
        """Return whether a client here knows *height*, or will before what is handed in next."""
        if self.announced.get(client_id, {}).get(height) == self.height:
            return True
        return height in self.client_heights.get(client_id, ())

    def newest_client_height(self, client_id: str) -> int:
        """Return the highest height that a client here knows or is about to; 0 if none."""
        known = self.client_heights.get(client_id, ())[-1:]
        return max((*known, *self.announced.get(client_id, ())), default=0)

    def trusted_height(self, client_id: str, below: int) -> int | None:
        """Return the highest height below *below* that a client here trusts."""
        heights = self.client_heights.get(client_id, [])
        position = bisect_right(heights, below - 1)
        return heights[position - 1] if position else None

    def put_lock(self, lock: LockWatch) -> None:
        """Store a watch and keep the indexes true to it."""
        self.locks[lock.lock_id] = lock
        self.lock_by_trade[lock.trade_id] = lock.lock_id
        if lock.is_over:
            open_locks = self.open_ticks.get(lock.tick)
            if open_locks is not None:
                open_locks.pop(lock.lock_id, None)
                if not open_locks:
                    del self.open_ticks[lock.tick]
            if lock.pool_sides:
                self.share_locks[lock.lock_id] = None
        else:
            self.open_ticks.setdefault(lock.tick, {})[lock.lock_id] = None

    def add_verdict(self, slot_start: int, verdict_hash: bytes, signers: int) -> None:
        """Remember the slot's verdict; the first one stays, its signers add up."""
        if self.verdict_hashes.setdefault(slot_start, verdict_hash) == verdict_hash:
            known = self.verdict_signers.get(slot_start, 0)
            self.verdict_signers[slot_start] = known | signers

    def add_delivery(self, tick: int, root: bytes, index: int, signers: int) -> None:
        """Remember a statement and that these cells signed it."""
        self.deliveries.setdefault(tick, {})[root] = index
        signed = self.delivery_signers.setdefault(tick, {})
        signed[root] = signed.get(root, 0) | signers

    def add_order(self, order_id: bytes, slot_start: int) -> None:
        """Remember an order that holds money or bond."""
        self.orders.setdefault(slot_start, {})[order_id] = self.height
        self.order_slots[order_id] = slot_start

    def end_order(self, order_id: bytes) -> None:
        """Forget an order that holds nothing any more. Unknown ones are none of ours."""
        slot = self.order_slots.pop(order_id, None)
        if slot is None:
            return
        remaining = self.orders[slot]
        del remaining[order_id]
        if not remaining:
            del self.orders[slot]

    def add_owed(self, account: bytes, owed_id: bytes, client: str) -> None:
        """Remember a debt; one that was sent before and is back waits longer."""
        name = (account, owed_id)
        tries = self.owed_tries.get(name, 0)
        self.owed[name] = OwedWatch(account, owed_id, client, self.time_s, tries)

    def end_owed(self, account: bytes, owed_id: bytes) -> None:
        """Forget a debt whose packet is on its way; should it come back, that was a try."""
        name = (account, owed_id)
        if self.owed.pop(name, None) is not None:
            self.owed_tries[name] = self.owed_tries.get(name, 0) + 1

    def resume_height(self) -> int:
        """Return the height below which no lock, share or order is under way; never negative."""
        heights = [self.height + 1]
        heights.extend(
            lock.opened_height
            for lock in self.locks.values()
            if not lock.is_over or lock.lock_id in self.share_locks
        )
        for placed in self.orders.values():
            heights.extend(placed.values())
        return min(heights) - 1

    def open_locks(self, tick: int) -> list[LockWatch]:
        """Return the locks of a tick that are not over, oldest first."""
        return [self.locks[lock_id] for lock_id in self.open_ticks.get(tick, ())]

    def forget_before(self, slot_start: int) -> None:
        """Drop what belongs to slots before *slot_start* and is over."""
        for tick in [tick for tick in self.deliveries if tick < slot_start]:
            if tick not in self.open_ticks:
                del self.deliveries[tick]
                self.delivery_signers.pop(tick, None)
        for slot in [slot for slot in self.verdict_hashes if slot < slot_start]:
            del self.verdict_hashes[slot]
            self.verdict_signers.pop(slot, None)
        old = [
            lock
            for lock in self.locks.values()
            if lock.slot_start < slot_start
            and lock.is_over
            and lock.lock_id not in self.share_locks
        ]
        for lock in old:
            del self.locks[lock.lock_id]
            self.lock_by_trade.pop(lock.trade_id, None)
