"""
One account's transactions on their way into the ledger: many under way at once, handed in in order,
their sequences counted here.

A transaction that was handed in is never sent again by itself: when an engine has lost it, the next
one takes its sequence, so no more than one of the two can land.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from tieline.interfaces.errors import HubError, NotYet, Rejected, Unavailable
from tieline.interfaces.ledger import SubmitResult
from tieline.ledgers.tendermint.endpoints import CometEndpoints
from tieline.ledgers.tendermint.rpc import BATCH_MAX, TX_IN_CACHE, Json
from tieline.wire.codec import transaction_hash

REQUEST_BYTES_MAX: Final = 600_000
"""Transactions of one request; CometBFT takes 1 MB, and base64 makes four bytes of three."""
ATTEMPTS_MAX: Final = 4
"""So often a transaction is signed before a refusal of its sequence is told: someone else keeps on
using the account."""
WAITS_S: Final = 60.0
"""A transaction that was taken longer ago is in a block, or lost."""
WRONG_SEQUENCE: Final = ("sdk", 32)
TOO_LARGE: Final = ("sdk", 21)
_EXPECTED = re.compile(r"expected[ =](\d+)")

Sign = Callable[[int], bytes]
"""Makes the transaction with a sequence."""


class _Entry:
    def __init__(self, sign: Sign) -> None:
        self.sign = sign
        self.attempts = 0
        self.outcome: SubmitResult | Exception | None = None


class LaneQueue:
    """The queue of one account."""

    def __init__(
        self,
        endpoints: CometEndpoints,
        stored_sequence: Callable[[], Awaitable[int]],
        bytes_max: int,
    ) -> None:
        """
        Begin without knowing a sequence.

        Args:
            endpoints: Where transactions go.
            stored_sequence: Reads the account's next sequence as the ledger has committed it.
            bytes_max: A longer transaction is refused here.
        """
        self._endpoints = endpoints
        self._stored_sequence = stored_sequence
        self._bytes_max = bytes_max
        self._waiting: list[_Entry] = []
        self._next: int | None = None
        self._taken_at = float("-inf")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn = asyncio.Lock()

    async def submit(self, sign: Sign) -> SubmitResult:
        """
        Hand in a transaction behind those that were handed in before.

        Raises:
            Rejected: The door refused it; it holds no sequence.
            NotYet: The mempool is full, or the peer is behind; it did not go in.
            Unavailable: It is not known whether it went in; look before sending it again.
        """
        entry = _Entry(sign)
        self._waiting.append(entry)
        try:
            async with self._lock():
                while entry.outcome is None:  # else the one before took it along
                    await self._send_some()
        finally:
            if entry in self._waiting:
                self._waiting.remove(entry)
        if isinstance(entry.outcome, Exception):
            raise entry.outcome
        return entry.outcome

    def _lock(self) -> asyncio.Lock:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._turn = loop, asyncio.Lock()
        return self._turn

    async def _send_some(self) -> None:
        """Send the first that wait in one request and tell them what came of it."""
        if self._next is None:
            self._next = await self._stored_sequence()
        signed = self._sign(self._next)
        if not signed:
            return
        try:
            outcomes, may_be_twice = await self._endpoints.broadcast([raw for _, raw in signed])
        except BaseException as exc:  # told to those who wait, then raised again
            # Cancelled or unanswered: what was sent may have gone in all the same.
            self._next = None
            unknown = exc if isinstance(exc, HubError) else Unavailable("given up on the way")
            for entry, _ in signed:
                self._end(entry, unknown)
            if not isinstance(exc, HubError):
                raise
            return
        await self._judge(signed, outcomes, may_be_twice=may_be_twice)

    def _sign(self, sequence: int) -> list[tuple[_Entry, bytes]]:
        signed: list[tuple[_Entry, bytes]] = []
        room = REQUEST_BYTES_MAX
        for entry in self._waiting[:BATCH_MAX]:
            try:
                raw = entry.sign(sequence + len(signed))
            except Exception as exc:  # noqa: BLE001 -- whatever it is, it is this one's alone
                self._end(entry, exc)
                continue
            if len(raw) > self._bytes_max:
                log = f"transaction too large: bytes={len(raw)} most={self._bytes_max}"
                self._end(entry, Rejected(*TOO_LARGE, log))
                continue
            room -= len(raw)
            if room < 0 and signed:
                break
            signed.append((entry, raw))
        return signed

    async def _judge(
        self,
        signed: Sequence[tuple[_Entry, bytes]],
        outcomes: Sequence[Json | HubError],
        *,
        may_be_twice: bool,
    ) -> None:
        """Sort what came of each, in order, and know the next sequence from it."""
        assert self._next is not None, "nothing was counted"
        first = following = self._next
        is_lost = False
        for number, ((entry, raw), outcome) in enumerate(zip(signed, outcomes, strict=True)):
            refusal = _refusal(outcome)
            if refusal is None:
                self._end(entry, SubmitResult(transaction_hash(raw)))
                self._taken_at = time.monotonic()
                following = first + number + 1
            elif not _is_wrong_sequence(refusal):
                is_lost |= isinstance(refusal, Unavailable)
                self._end(entry, refusal)
            elif may_be_twice:
                # The peer before may have taken this very transaction, and told this one of it.
                is_lost = True
                self._end(entry, Unavailable(f"not known whether it went in: {refusal}"))
            else:
                expected = _EXPECTED.search(str(refusal))
                following = int(expected[1]) if expected else -1
                entry.attempts += 1
                if entry.attempts >= ATTEMPTS_MAX:
                    self._end(entry, refusal)
        self._next = None if is_lost or following < 0 else following
        if self._next is not None and self._next < first:
            await self._go_back(self._next, first)

    async def _go_back(self, expected: int, counted: int) -> None:
        """
        Take up a lower sequence than was counted, unless the peer that wants it is behind, or what
        was counted waits in its mempool.
        """
        waits = await self._waits()
        # Read after that: a block may have come in between, and then the mempool is empty for it.
        stored = await self._stored_sequence()
        if stored > expected:
            self._next = None
            reason = f"the peer is behind: expects sequence {expected}, stored is {stored}"
        elif waits:
            self._next = counted
            reason = "earlier transactions of the account wait for a block"
        else:
            return
        for entry in [one for one in self._waiting if one.attempts]:
            self._end(entry, NotYet(reason))

    async def _waits(self) -> bool:
        """
        Return whether transactions that were counted are likely to wait in the mempool. A peer
        that does not check it again after a block knows nothing of those from before it, and two
        with one sequence cannot both land.
        """
        if time.monotonic() - self._taken_at > WAITS_S:
            return False
        waiting = await self._endpoints.call("num_unconfirmed_txs")
        return waiting.get("n_txs") != "0"

    def _end(self, entry: _Entry, outcome: SubmitResult | Exception) -> None:
        entry.outcome = outcome
        if entry in self._waiting:
            self._waiting.remove(entry)


def _refusal(outcome: Json | HubError) -> HubError | None:
    """Return why a transaction was not taken; one that is in the mempool already was."""
    if isinstance(outcome, Rejected) and (outcome.codespace, outcome.code) == TX_IN_CACHE:
        return None
    if isinstance(outcome, HubError):
        return outcome
    return refusal_of(outcome)


def refusal_of(result: Json) -> HubError | None:
    """Return what the answer of ``broadcast_tx_sync`` says against a transaction."""
    code = result.get("code", 0)
    if not isinstance(code, int):
        return Unavailable(f"answer without sense: code={code!r}")
    if not code:
        return None
    return Rejected(str(result.get("codespace", "")), code, str(result.get("log", "")))


def _is_wrong_sequence(refusal: HubError) -> bool:
    return isinstance(refusal, Rejected) and (refusal.codespace, refusal.code) == WRONG_SEQUENCE
