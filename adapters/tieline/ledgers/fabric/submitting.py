"""
Our invocations on their way: endorsed, ordered, and endorsed anew when others were faster.

An invocation keeps its arguments for ever; its marker lets it take effect once. So a proposal that
lost to another's writes is made anew of the same arguments, and an envelope of which nothing is
known is handed in again as it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tieline.interfaces.errors import Rejected, Unavailable
from tieline.interfaces.ledger import TxEvents
from tieline.ledgers.fabric.agreeing import endorse_agreed
from tieline.ledgers.fabric.port import (
    CHAINCODE,
    Endorsed,
    EndorsementsDiffer,
    FabricPort,
    InvocationRefused,
    Validation,
)
from tieline.ledgers.fabric.refusals import (
    CODESPACE,
    EXECUTED,
    RETRIED,
    TOO_LARGE,
    name_of,
    refusal_of,
)
from tieline.ledgers.fabric.seen_blocks import SeenBlock, SeenInvocation
from tieline.ledgers.fabric.settings import FabricSettings
from tieline.wire.fabric.invocations import invocation_hash

_LOG = logging.getLogger(__name__)
_NO_KEYS: frozenset[str] = frozenset()


@dataclass(eq=False, slots=True)
class Flight:
    """One invocation on its way."""

    args: tuple[bytes, ...]
    name: bytes
    """Its hash, by which its marker is called; of a TxRaw, the transaction's hash."""
    account: bytes
    """Whose transaction; empty for what the adapter itself wants done."""
    waits_for: frozenset[bytes] = frozenset()
    """
    What was under way when it was refused: it may rest on these, so it is judged when they are in
    blocks.
    """
    tries: int = 0
    """Proposals that lost, but to others of ours."""
    differed: int = 0
    """Proposals on which peers disagreed."""
    lost_by: int = Validation.MVCC_READ_CONFLICT
    """Why the last proposal came to nothing."""
    tx_id: str = ""
    """Of the newest proposal."""
    envelope: bytes = b""
    """Of the newest proposal; empty while there is none that may still be valid."""
    tried_at: float = float("-inf")
    reads: frozenset[str] = _NO_KEYS
    """As of its last simulation."""
    writes: frozenset[str] = _NO_KEYS
    is_busy: bool = True
    """Whether it is being endorsed or handed in right now."""


class Submitter:
    """What one process has under way on one ledger, in the order in which it was handed in."""

    def __init__(
        self, port: FabricPort, settings: FabricSettings, monotonic: Callable[[], float]
    ) -> None:
        """
        Begin with nothing under way.

        Args:
            port: The way in.
            settings: Budgets and paces.
            monotonic: Seconds of a clock that never goes back.
        """
        self._port = port
        self._settings = settings
        self._monotonic = monotonic
        self._flights: dict[bytes, Flight] = {}
        self._failed: list[TxEvents] = []
        """Finally failed, and not returned by ``go_on`` yet."""

    @property
    def under_way(self) -> int:
        """How many are in no block yet."""
        return len(self._flights)

    def is_under_way(self, args: Sequence[bytes]) -> bool:
        """Return whether an invocation is on its way."""
        return invocation_hash(args) in self._flights

    def count_of(self, account: bytes) -> int:
        """Return how many of an account are under way."""
        return sum(flight.account == account for flight in self._flights.values())

    # --- the first time ---------------------------------------------------------------------

    async def submit(self, args: Sequence[bytes], account: bytes = b"") -> bytes:
        """
        Have an invocation endorsed and ordered, and return its hash. A transaction that is refused
        while others of this process are under way is judged when these are in blocks: it may rest
        on them. One that is under way already stays so.

        Args:
            args: Of the invocation.
            account: Whose transaction; empty for what the adapter itself wants done.

        Raises:
            Rejected: The contract said no, or it is too large; nothing of it is under way.
            EndorsementsDiffer: Peers did not agree in all tries; it was not ordered.
            Unavailable: No peer answers; it was not ordered.
            ConfigError: The operator must act.
        """
        name = invocation_hash(args)
        if name in self._flights:
            return name
        before = frozenset(self._flights)
        flight = self._flights[name] = Flight(tuple(args), name, account)
        with contextlib.ExitStack() as undo:
            # Refused, or cancelled in the middle: nothing of it is under way.
            undo.callback(self._flights.pop, name, None)
            try:
                await self._take_up(
                    flight, await endorse_agreed(self._port, flight.args, self._settings)
                )
            except InvocationRefused as refused:
                said = refusal_of(refused)
                may_rest = bool(account) and (said.codespace, said.code) != EXECUTED
                if not may_rest or before.isdisjoint(self._flights):
                    raise said from refused
                flight.waits_for = before
            undo.pop_all()
        flight.is_busy = False
        return name

    async def _take_up(self, flight: Flight, endorsed: Endorsed) -> None:
        """
        Order a fresh proposal; one that read what is about to be written by another of ours would
        be in vain, and waits for that one.
        """
        size, most = len(endorsed.envelope), self._settings.envelope_bytes_max
        if size > most:
            raise Rejected(*TOO_LARGE, f"envelope too large for the channel: {size=} {most=}")
        sets = endorsed.content.sets.of(CHAINCODE)
        flight.reads = frozenset(one.key for one in sets.reads)
        flight.writes = frozenset(one.key for one in sets.writes)
        if self._is_overtaken(flight):
            return
        flight.tx_id = endorsed.tx_id
        flight.envelope = endorsed.envelope
        await self._order(flight)

    def _is_overtaken(self, flight: Flight) -> bool:
        """
        Return whether it has to wait: what it read is written by another of ours that is ordered,
        or an earlier one of its account is not, for whatever reason.
        """
        is_earlier = True
        for other in self._flights.values():
            if other is flight:
                is_earlier = False
            elif other.envelope:
                if not flight.reads.isdisjoint(other.writes):
                    return True
            elif is_earlier and flight.account and other.account == flight.account:
                return True
        return False

    async def _order(self, flight: Flight) -> None:
        flight.tried_at = self._monotonic()
        try:
            await self._port.order(flight.envelope)
        except Unavailable as exc:
            # It may be ordered all the same. The same envelope goes again until a block shows it.
            _LOG.warning("not known whether it is ordered name=%s %s", flight.name.hex(), exc)

    # --- blocks -----------------------------------------------------------------------------

    def take(self, block: SeenBlock) -> list[TxEvents]:
        """End what a block holds, and return what of ours finally failed in it."""
        ours = [
            (invocation, flight)
            for invocation in block.invocations
            if (flight := self._flight_of(invocation)) is not None
        ]
        for invocation, flight in ours:
            if invocation.is_valid:
                self._flights.pop(flight.name, None)
        is_progress = any(invocation.is_valid for invocation, _ in ours)
        failed: list[TxEvents] = []
        for invocation, flight in ours:
            if flight.name in self._flights and invocation.code != Validation.DUPLICATE_TXID:
                flight.envelope = b""
                flight.lost_by = invocation.code
                flight.tries += not is_progress
                if invocation.code not in RETRIED or flight.tries >= self._settings.tries_max:
                    failed += self._fail(flight)
        return failed

    def _flight_of(self, invocation: SeenInvocation) -> Flight | None:
        """
        Return which of ours an invocation is: a valid one whoever carried it, an invalid one if it
        is of our newest proposal.
        """
        if not invocation.args:
            return None
        flight = self._flights.get(invocation_hash(invocation.args))
        is_ours = flight is not None and flight.tx_id == invocation.tx_id
        return flight if invocation.is_valid or is_ours else None

    async def go_on(self) -> list[TxEvents]:
        """
        Endorse anew what lost or waited, hand in again what nothing was heard of, and return what
        finally failed. A network that does not answer is asked later.

        Raises:
            ConfigError: The operator must act.
        """
        chosen: list[Flight] = []
        for flight in self._flights.values():
            if flight.is_busy:
                continue
            # What would be undone by one that is endorsed anew beside it waits for that one.
            is_in_vain = any(not flight.reads.isdisjoint(other.writes) for other in chosen)
            if flight.envelope or not (is_in_vain or self._is_overtaken(flight)):
                chosen.append(flight)
        # Side by side: while they are endorsed nobody reads blocks, which others wait for.
        ended = await asyncio.gather(
            *(self._go_on_with(one) for one in chosen), return_exceptions=True
        )
        for one in ended:
            if isinstance(one, BaseException):
                raise one  # only now that all have come to an end
        failed, self._failed = self._failed, []
        return failed

    async def _go_on_with(self, flight: Flight) -> None:
        flight.is_busy = True
        try:
            if flight.envelope:
                await self._again(flight)
            else:
                self._failed.extend(await self._anew(flight))
        except Unavailable as exc:
            _LOG.debug("later name=%s %s", flight.name.hex(), exc)
        except Rejected as said:
            self._failed.extend(self._refuse(flight, said))
        finally:
            flight.is_busy = False

    async def _again(self, flight: Flight) -> None:
        """Hand in the same envelope if nothing was heard of it for a while."""
        if self._monotonic() - flight.tried_at < self._settings.again_s:
            return
        if await self._port.commit_status(flight.tx_id) is not None:
            return
        try:
            await self._order(flight)
        except Rejected as said:
            # The copy before may be in a block yet: the marker tells, when it is endorsed anew.
            _LOG.warning("not taken again name=%s %s", flight.name.hex(), said)
            flight.envelope = b""

    async def _anew(self, flight: Flight) -> list[TxEvents]:
        """Endorse a fresh proposal of the same invocation."""
        is_last_word = flight.waits_for.isdisjoint(self._flights)
        try:
            endorsed = await self._port.endorse(flight.args)
        except InvocationRefused as refused:
            said = refusal_of(refused)
            if not is_last_word or (said.codespace, said.code) == EXECUTED:
                return []  # the block that holds it is still to be read
            return self._refuse(flight, said)
        except EndorsementsDiffer as differ:
            if self._monotonic() - flight.tried_at < self._settings.poll_s:
                return []
            flight.tried_at = self._monotonic()
            flight.differed += 1
            return (
                self._fail(flight, differ) if flight.differed >= self._settings.differ_max else []
            )
        await self._take_up(flight, endorsed)
        return []

    def _refuse(self, flight: Flight, said: Rejected) -> list[TxEvents]:
        self._flights.pop(flight.name, None)
        _LOG.debug("refused name=%s %s", flight.name.hex(), said)
        if not flight.account:
            return []
        return [TxEvents(flight.name, said.code, said.log, (), said.codespace)]

    def _fail(self, flight: Flight, differ: EndorsementsDiffer | None = None) -> list[TxEvents]:
        word = str(differ) if differ else name_of(flight.lost_by)
        log = f"{word}: tries={flight.tries}; nothing of it took effect"
        return self._refuse(flight, Rejected(CODESPACE, flight.lost_by, log))
