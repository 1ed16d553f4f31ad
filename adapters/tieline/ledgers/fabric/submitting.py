"""
Our transactions on their way: endorsed, ordered, and endorsed anew when others were faster.

One inner transaction keeps its bytes for ever; its marker lets it take effect once. So a proposal
that lost to another's writes is made anew of the same bytes, and an envelope of which nothing is
known is handed in again as it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tieline.interfaces.errors import Rejected, Unavailable
from tieline.interfaces.ledger import TxEvents
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
    RETRIED,
    TOO_LARGE,
    name_of,
    refusal_of,
)
from tieline.ledgers.fabric.seen_blocks import SeenBlock, SeenInvocation
from tieline.ledgers.fabric.settings import FabricSettings
from tieline.wire.fabric.invocations import Function, submit_args
from tieline.wire.fabric.responses import ResponsePayload
from tieline.wire.hashes import sha256

_LOG = logging.getLogger(__name__)
_SUBMIT = Function.SUBMIT.encode()
_NO_KEYS: frozenset[str] = frozenset()


@dataclass(eq=False, slots=True)
class Flight:
    """One inner transaction on its way."""

    raw: bytes
    tx_hash: bytes
    account: bytes
    waits_for: frozenset[bytes] = frozenset()
    """
    Transactions that were under way when it was refused: it may rest on them, so it is judged when
    they are in blocks.
    """
    tries: int = 0
    lost_by: int = Validation.MVCC_READ_CONFLICT
    """Why the last proposal came to nothing."""
    tx_ids: set[str] = field(default_factory=set[str])
    """Of all its proposals."""
    envelope: bytes = b""
    """Of the newest proposal; empty while there is none that may still be valid."""
    handed_in_at: float = 0.0
    reads: frozenset[str] = _NO_KEYS
    """As of its last simulation."""
    writes: frozenset[str] = _NO_KEYS


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
        self._looked_at = float("-inf")

    @property
    def under_way(self) -> int:
        """How many are in no block yet."""
        return len(self._flights)

    def count_of(self, account: bytes) -> int:
        """Return how many of an account are under way."""
        return sum(flight.account == account for flight in self._flights.values())

    # --- the first time ---------------------------------------------------------------------

    async def submit(self, raw: bytes, account: bytes, bytes_max: int) -> bytes:
        """
        Have a TxRaw endorsed and ordered, and return its hash. If it is refused while others of
        this process are under way, it is judged when they are in blocks: it may rest on them.

        Args:
            raw: The transaction.
            account: Whose.
            bytes_max: Longer ones are refused here.

        Raises:
            Rejected: The contract said no, or it is too large; it holds no nonce.
            EndorsementsDiffer: Peers did not agree in all tries; it was not ordered.
            Unavailable: No peer answers; it was not ordered.
            ConfigError: The operator must act.
        """
        if len(raw) > bytes_max:
            raise Rejected(
                *TOO_LARGE, f"transaction too large: bytes={len(raw)} most={bytes_max}"
            )
        tx_hash = sha256(raw)
        before = frozenset(self._flights)
        flight = self._flights[tx_hash] = Flight(raw, tx_hash, account)
        try:
            endorsed = await self._endorse_often(flight)
        except InvocationRefused as refused:
            if not before & frozenset(self._flights):
                del self._flights[tx_hash]
                raise refusal_of(refused) from refused
            flight.waits_for = before
        except BaseException:  # cancelled too: nothing of it is ordered
            del self._flights[tx_hash]
            raise
        else:
            await self._hand_in_first(flight, endorsed)
        return tx_hash

    async def _endorse_often(self, flight: Flight) -> Endorsed:
        """Endorse; peers that are behind each other agree in a moment."""
        for _ in range(self._settings.tries_max - 1):
            try:
                return await self._port.endorse(submit_args(flight.raw))
            except EndorsementsDiffer as differ:
                _LOG.debug("endorsed again tx=%s %s", flight.tx_hash.hex(), differ)
                await asyncio.sleep(self._settings.poll_s)
        return await self._port.endorse(submit_args(flight.raw))

    async def _hand_in_first(self, flight: Flight, endorsed: Endorsed) -> None:
        try:
            await self._take_up(flight, endorsed)
        except Rejected:
            del self._flights[flight.tx_hash]
            raise

    async def _take_up(self, flight: Flight, endorsed: Endorsed) -> None:
        """
        Order a fresh proposal; one that read what is about to be written by another of ours would
        be in vain, and waits for that one.
        """
        most = self._settings.envelope_bytes_max
        if len(endorsed.envelope) > most:
            raise Rejected(
                *TOO_LARGE, f"envelope too large: bytes={len(endorsed.envelope)} most={most}"
            )
        sets = ResponsePayload.decode(endorsed.response_payload).sets.of(CHAINCODE)
        flight.reads = frozenset(one.key for one in sets.reads)
        flight.writes = frozenset(one.key for one in sets.writes)
        if self._is_overtaken(flight):
            return
        flight.tx_ids.add(endorsed.tx_id)
        flight.envelope = endorsed.envelope
        await self._order(flight)

    def _is_overtaken(self, flight: Flight) -> bool:
        """Return whether what it read is written by another of ours that is ordered."""
        return any(
            other.envelope and other is not flight and not flight.reads.isdisjoint(other.writes)
            for other in self._flights.values()
        )

    async def _order(self, flight: Flight) -> None:
        flight.handed_in_at = self._monotonic()
        try:
            await self._port.order(flight.envelope)
        except Unavailable as exc:
            # It may be ordered all the same. The same envelope goes again until a block shows it.
            _LOG.warning("not known whether it is ordered tx=%s %s", flight.tx_hash.hex(), exc)

    # --- blocks -----------------------------------------------------------------------------

    def take(self, block: SeenBlock) -> list[TxEvents]:
        """End what a block holds, and return what finally failed in it."""
        ours = [
            (invocation, flight)
            for invocation in block.invocations
            if invocation.function == _SUBMIT and (flight := self._flight_of(invocation))
        ]
        for _, flight in (pair for pair in ours if pair[0].is_valid):
            self._flights.pop(flight.tx_hash, None)
        is_progress = any(invocation.is_valid for invocation, _ in ours)
        failed: list[TxEvents] = []
        for invocation, flight in ours:
            if invocation.is_valid or invocation.code == Validation.DUPLICATE_TXID:
                continue
            if flight.tx_hash not in self._flights or not flight.envelope:
                continue
            flight.envelope = b""
            flight.lost_by = invocation.code
            flight.tries += not is_progress
            if invocation.code not in RETRIED or flight.tries >= self._settings.tries_max:
                failed.append(self._fail(flight))
        return failed

    def _flight_of(self, invocation: SeenInvocation) -> Flight | None:
        """
        Return which of ours a transaction is. A valid one may have been carried by anybody; an
        invalid one counts if it is of a proposal of ours.
        """
        flight = self._flights.get(sha256(invocation.args[1]))
        if flight is None or invocation.is_valid or invocation.tx_id in flight.tx_ids:
            return flight
        return None

    async def go_on(self) -> list[TxEvents]:
        """
        Endorse anew what lost or waited, hand in again what nothing was heard of, and return what
        finally failed. Never raises for a network that does not answer: later then.
        """
        failed: list[TxEvents] = []
        for flight in list(self._flights.values()):
            try:
                if flight.envelope:
                    await self._again(flight)
                elif not self._is_overtaken(flight):
                    failed += await self._anew(flight)
            except Unavailable as exc:
                _LOG.debug("later tx=%s %s", flight.tx_hash.hex(), exc)
        return failed

    async def _again(self, flight: Flight) -> None:
        """Hand in the same envelope if no block has shown it for a while."""
        if self._monotonic() - flight.handed_in_at >= self._settings.again_s:
            await self._order(flight)

    async def _anew(self, flight: Flight) -> list[TxEvents]:
        """Endorse a fresh proposal of the same transaction."""
        if flight.tx_hash not in self._flights:
            return []
        is_last_word = not flight.waits_for & frozenset(self._flights)
        try:
            endorsed = await self._port.endorse(submit_args(flight.raw))
        except InvocationRefused as refused:
            if not is_last_word:
                return []
            said = refusal_of(refused)
            self._flights.pop(flight.tx_hash, None)
            return [TxEvents(flight.tx_hash, said.code, said.log, (), said.codespace)]
        except EndorsementsDiffer as differ:
            flight.tries += 1
            if flight.tries < self._settings.tries_max:
                raise
            return [self._fail(flight, str(differ))]
        try:
            await self._take_up(flight, endorsed)
        except Rejected as said:
            self._flights.pop(flight.tx_hash, None)
            return [TxEvents(flight.tx_hash, said.code, said.log, (), said.codespace)]
        return []

    def _fail(self, flight: Flight, why: str = "") -> TxEvents:
        self._flights.pop(flight.tx_hash, None)
        word = name_of(flight.lost_by)
        log = f"{why or word}: tries={flight.tries}; nothing of it took effect"
        return TxEvents(flight.tx_hash, flight.lost_by, log, (), CODESPACE)

    async def known_statuses(self) -> Sequence[tuple[bytes, int]]:
        """Return hash and validation code of those under way that a peer knows by their ids."""
        found: list[tuple[bytes, int]] = []
        for flight in list(self._flights.values()):
            for tx_id in sorted(flight.tx_ids):
                status = await self._port.commit_status(tx_id)
                if status is not None:
                    found.append((flight.tx_hash, status.code))
        return found
