"""
One account's way into the chain: each transaction has a nonce of its own, is on disk before it is
broadcast, and is looked after until it is in a final block (``looking_after``).

Nothing is paid twice: a nonce has one content, and where a node has taken another for it, it has
not taken ours.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from tieline.interfaces.errors import HubError, NotYet, Rejected, Unavailable
from tieline.ledgers.ethereum.account_book import Account, AccountBook
from tieline.ledgers.ethereum.fees import Fees
from tieline.ledgers.ethereum.looking_after import SendingPace, look_after
from tieline.ledgers.ethereum.rpc_errors import DoorRefusal, door_refusal
from tieline.ledgers.ethereum.transaction_journal import Form

SENT_AT_ONCE: Final = 50
ATTEMPTS_MAX: Final = 4
"""So often a transaction is signed before a refusal is told."""
UNDERPRICED: Final = ("sdk", 13)


class _Entry:
    def __init__(self, to: bytes | None, data: bytes, gas: int, fees: Fees) -> None:
        self.to = to
        self.data = data
        self.gas = gas
        self.fees = fees
        self.attempts = 0
        self.outcome: bytes | Exception | None = None


class AccountSender:
    """The queue of one account."""

    def __init__(
        self,
        account: Account,
        pace: SendingPace,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Take up what the journal has under way.

        Args:
            account: Whose.
            pace: When something is done about what waits.
            clock: Seconds that never go back.
        """
        self._account = account
        self._pace = pace
        self._clock = clock
        self._book = AccountBook(account)
        self._waiting: list[_Entry] = []
        self._gone_above: int | None = None
        """The last block that still stands, until what the others ended is under way again."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn = asyncio.Lock()

    @property
    def has_unmined(self) -> bool:
        """Whether something is under way that was in no block at the last look."""
        return len(self._book.open) > len(self._book.mined)

    @property
    def under_way(self) -> int:
        """How many transactions are in no final block yet."""
        return len(self._book.open)

    async def submit(self, to: bytes | None, data: bytes, gas: int, base_fee: int) -> bytes:
        """
        Hand in a call behind those that were handed in before, and return the hash by which it is
        known from now on, whatever form of it gets into a block.

        Args:
            to: The contract, 20 bytes; None creates one.
            data: Call data.
            gas: Limit.
            base_fee: Of the last block, wei.

        Raises:
            Rejected: No node takes it; it holds no nonce.
            NotYet: There is no room, or the base fee is above the cap; it holds no nonce.
            Unavailable: No nonce could be read; nothing was sent.
        """
        entry = _Entry(to, data, gas, self._account.policy.fees(base_fee))
        self._waiting.append(entry)
        try:
            async with self._lock():
                while entry.outcome is None:  # else the one before took it along
                    await self._send_some(base_fee)
        finally:
            if entry in self._waiting:
                self._waiting.remove(entry)
        if isinstance(entry.outcome, Exception):
            raise entry.outcome
        return entry.outcome

    async def look(self, height: int, final_height: int, base_fee: int) -> None:
        """
        Look after what is under way. Somebody who is sending is not waited for.

        Args:
            height: Of the last block.
            final_height: Of the last final block.
            base_fee: Of the last block, wei.

        Raises:
            Unavailable: No node, or the journal, does not answer; nothing has changed.
        """
        lock = self._lock()
        if lock.locked():
            return
        self._reopen()
        if not (self._book.open or self._book.gaps):
            return
        async with lock:
            await look_after(
                self._book,
                self._pace,
                self._clock(),
                height=height,
                final_height=final_height,
                base_fee=base_fee,
            )

    def reopen_above(self, height: int) -> None:
        """
        Blocks above *height* are gone: what they ended is under way again from the next look or
        submission on. It is said once, so this neither waits nor fails.
        """
        self._gone_above = height if self._gone_above is None else min(self._gone_above, height)

    def _reopen(self) -> None:
        """Do so. Raises Unavailable: the journal does not answer; the next one does it."""
        if self._gone_above is not None:
            self._account.journal.reopen_above(self._gone_above)
            self._book.read_again()
            self._gone_above = None

    def _lock(self) -> asyncio.Lock:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._turn = loop, asyncio.Lock()
        return self._turn

    async def _send_some(self, base_fee: int) -> None:
        """Sign those that wait, write them down, send them in one request, tell what came of it."""
        book = self._book
        self._reopen()
        if book.next is None:
            await book.count()
        entries = self._waiting[:SENT_AT_ONCE]
        signed = [
            (entry, nonce, self._account.sign(entry.to, entry.data, entry.gas, nonce, entry.fees))
            for entry, nonce in zip(entries, book.take(len(entries)), strict=True)
        ]
        try:
            book.write([(nonce, form) for _, nonce, form in signed])
        except HubError:
            book.next = None  # these nonces are nobody's: count again
            raise
        try:
            raws = [form.raw for *_, form in signed]
            outcomes, may_be_twice = await self._account.broadcast(raws)
        except asyncio.CancelledError:
            # All of them are on disk, and go: whoever is still there must not sign again.
            for entry, _, form in signed:
                self._end(entry, form.tx_hash)
            raise
        now = self._clock()
        for (entry, nonce, form), outcome in zip(signed, outcomes, strict=True):
            book.sent_at[nonce] = now
            if may_be_twice or not isinstance(outcome, Rejected):
                # On its way, or it will be: it is broadcast until it is in a block.
                self._end(entry, form.tx_hash)
                continue
            try:
                self._judge(entry, nonce, form, outcome, base_fee)
            except Unavailable:  # the journal: what stays in it is broadcast again
                self._end(entry, form.tx_hash)

    def _judge(
        self, entry: _Entry, nonce: int, form: Form, refusal: Rejected, base_fee: int
    ) -> None:
        """Sort what a node said against a transaction whose nonce is new."""
        kind, book = door_refusal(refusal.log), self._book
        entry.attempts += 1
        is_last = entry.attempts >= ATTEMPTS_MAX
        match kind:
            case DoorRefusal.KNOWN:
                self._end(entry, form.tx_hash)
            case DoorRefusal.NONCE_USED | DoorRefusal.REPLACEMENT_UNDERPRICED:
                # Somebody else sends from this account: the nonce is theirs, ours is the next.
                book.leave(nonce)
                if kind is DoorRefusal.NONCE_USED:
                    book.next = None
                if is_last:
                    self._end(entry, refusal)
            case DoorRefusal.UNDERPRICED:
                book.give_back(nonce)
                self._offer_more(entry, refusal, base_fee, is_last=is_last)
            case DoorRefusal.UNDERFUNDED:
                book.give_back(nonce)
                self._end(entry, self._account.underfunded(entry.gas, entry.fees, refusal.log))
            case DoorRefusal.FULL:
                book.give_back(nonce)
                self._end(entry, NotYet(refusal.log))
            case DoorRefusal.OTHER:
                book.give_back(nonce)
                self._end(entry, refusal)

    def _offer_more(
        self, entry: _Entry, refusal: Rejected, base_fee: int, *, is_last: bool
    ) -> None:
        raised = self._account.policy.raised(entry.fees, base_fee)
        if raised is None or is_last:
            log = f"{refusal.log}; {entry.fees.max_fee} wei a gas were offered: raise max_fee_gwei"
            self._end(entry, Rejected(*UNDERPRICED, log))
        else:
            entry.fees = raised

    def _end(self, entry: _Entry, outcome: bytes | Exception) -> None:
        entry.outcome = outcome
        self._waiting.remove(entry)
