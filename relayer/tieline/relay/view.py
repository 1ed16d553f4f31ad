"""
What the relayer knows of the world, made of the events of all ledgers and nothing else.

Observations go in; steps read. The same blocks give the same view, in whichever order the ledgers
are read, so a lost memory is rebuilt by reading again.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Container, Iterable, Iterator
from itertools import islice
from typing import assert_never

from tieline.interfaces.ledger import BlockEvents
from tieline.relay import lock_watch, observations, packet_journey
from tieline.relay.effects import ProofWanted
from tieline.relay.ended_packets import EndedPackets
from tieline.relay.ledger_view import LedgerView
from tieline.relay.lock_watch import LockWatch
from tieline.relay.observations import Observation, PacketStep, read_event
from tieline.relay.packet_journey import JourneyKey, JourneyStatus, PacketJourney
from tieline.relay.proof_heights import height_of_absence, height_of_presence, serves
from tieline.relay.route import Endpoint, Topology
from tieline.swap.records import Side
from tieline.wire.ids import pool_account

_LOG = logging.getLogger(__name__)

MEMORY_S = 86_400
"""Ended packets and locks are remembered for a day: the other ledger may tell of them late."""

ENDED_REMEMBERED = 256
"""So many packets that are over are remembered whole where there are no trades."""

ALARMS_REMEMBERED_MAX = 1_000
"""The latest; each is in the log and on its ledger besides."""

_FORGET_EVERY_BLOCKS = 256


class RelayView:
    """The relayer's memory. One writer: ``observe``."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.ledgers = {
            ledger_id: LedgerView(terms) for ledger_id, terms in topology.ledgers.items()
        }
        self.journeys: dict[JourneyKey, PacketJourney] = {}
        self.by_status: dict[JourneyStatus, dict[JourneyKey, PacketJourney]] = {
            status: {} for status in JourneyStatus
        }
        self._ended: dict[Endpoint, EndedPackets] = {}
        self.preimages: dict[bytes, bytes] = {}
        """By hash lock: what claims have shown on some ledger, public already."""
        self.changed_journeys: dict[JourneyKey, None] = {}
        self.changed_locks: dict[tuple[str, bytes], None] = {}
        self.alarms: deque[tuple[str, bytes, str]] = deque(maxlen=ALARMS_REMEMBERED_MAX)
        """(ledger, lock, reason), in the order they were seen."""
        self.blocked: Container[str] = ()
        """Names of effects that steps need not decide in this round."""
        self.closed: Container[str] = ()
        """Ledgers to which nothing can be sent in this round."""
        self._chosen_heights: dict[Endpoint, int] = {}

    def forget_all(self) -> None:
        """Know nothing again: as if this view had just been made."""
        RelayView.__init__(self, self.topology)

    def resume_from(self, ledger_id: str, height: int) -> None:
        """Forget what one ledger told, and expect its blocks from above *height* on."""
        ledger = LedgerView(self.topology.ledgers[ledger_id])
        ledger.height = height
        self.ledgers[ledger_id] = ledger

    # --- observing --------------------------------------------------------------------------

    def observe(self, ledger_id: str, block: BlockEvents) -> None:
        """Take in one block. A block that was seen already is skipped."""
        view = self.ledgers[ledger_id]
        if block.height <= view.height:
            return
        view.add_block(block.height, block.time_s, is_provable=block.is_provable)
        has_cells = view.terms.has_cells
        for transaction in block.transactions:
            for event in transaction.events:
                seen = read_event(event, has_cells=has_cells)
                if seen is not None:
                    self._learn(view, block.height, seen)
        if block.height % _FORGET_EVERY_BLOCKS == 0:
            self._forget(view)

    def _learn(self, view: LedgerView, height: int, seen: Observation) -> None:
        match seen:
            case observations.PacketSeen():
                self._packet_seen(view, height, seen)
            case observations.PacketEndSeen():
                self._packet_end(view, seen)
            case observations.LockOpened():
                self._lock_opened(view, height, seen)
            case observations.LockSeen():
                self._lock_event(view, seen)
            case observations.AlarmSeen(lock_id, reason):
                self.alarms.append((view.ledger_id, lock_id, reason))
                _LOG.error(
                    "alarm ledger=%s lock=%s reason=%s", view.ledger_id, lock_id.hex(), reason
                )
            case observations.OwedSeen() | observations.OwedEnded():
                self._learn_owed(view, seen)
            case _:
                self._learn_posted(view, seen)

    @staticmethod
    def _learn_posted(
        view: LedgerView,
        seen: observations.ClientHeightsSeen
        | observations.CellSetSeen
        | observations.ClearingSeen
        | observations.VerdictSeen
        | observations.DeliverySeen
        | observations.OrderSeen
        | observations.OrderEnded,
    ) -> None:
        match seen:
            case observations.ClientHeightsSeen(client_id, heights):
                for client_height in heights:
                    view.add_client_height(client_id, client_height)
            case observations.CellSetSeen(epoch):
                view.cell_set_epochs.add(epoch)
            case observations.ClearingSeen(root):
                view.clearing_roots.add(root)
            case observations.VerdictSeen(slot_start, verdict_hash, signers):
                view.add_verdict(slot_start, verdict_hash, signers)
            case observations.DeliverySeen(slot_start, index, root, signers):
                view.add_delivery(slot_start, root, index, signers)
            case observations.OrderSeen(order_id, slot_start):
                view.add_order(order_id, slot_start)
            case observations.OrderEnded(order_id):
                view.end_order(order_id)
            case _:
                assert_never(seen)

    @staticmethod
    def _learn_owed(view: LedgerView, seen: observations.OwedSeen | observations.OwedEnded) -> None:
        if isinstance(seen, observations.OwedSeen):
            view.add_owed(seen.account, seen.owed_id, seen.client)
        else:
            view.end_owed(seen.account, seen.owed_id)

    def _packet_seen(self, view: LedgerView, height: int, seen: observations.PacketSeen) -> None:
        is_at_source = seen.step is PacketStep.SENT
        client = seen.source_client if is_at_source else seen.destination_client
        here = self.topology.endpoint(view.ledger_id, client)
        if here is None:
            return
        there = self.topology.peer(here)
        source, destination = (here, there) if is_at_source else (there, here)
        expected = (source.client_id, destination.client_id)
        if (seen.source_client, seen.destination_client) != expected:
            # Another pair of clients under the same name; not a packet of ours.
            return
        key = JourneyKey(source, seen.sequence)
        known = self.journeys.get(key)
        if known is None and seen.sequence in self._ended.get(source, ()):
            return
        try:
            packet = seen.packet() if known is None else known.packet
            event = seen.journey_event(packet, height)
        except ValueError:
            _LOG.warning("packet event cannot be read ledger=%s packet=%s", view.ledger_id, key)
            return
        if known is None:
            self._put_journey(None, packet_journey.start(key, destination, event))
        else:
            self._put_journey(known, packet_journey.advance(known, event))

    def _packet_end(self, view: LedgerView, seen: observations.PacketEndSeen) -> None:
        source = self.topology.endpoint(view.ledger_id, seen.source_client)
        if source is None:
            return
        event: packet_journey.JourneyEvent = (
            packet_journey.PacketTimedOut()
            if seen.is_timeout
            else packet_journey.PacketAcknowledged()
        )
        self.apply_journey_event(JourneyKey(source, seen.sequence), event)

    def apply_journey_event(self, key: JourneyKey, event: packet_journey.JourneyEvent) -> None:
        """Add an event to a journey; one of a packet that is not known is skipped."""
        known = self.journeys.get(key)
        if known is not None:
            self._put_journey(known, packet_journey.advance(known, event))

    def _put_journey(self, old: PacketJourney | None, new: PacketJourney) -> None:
        if new is old:
            return
        self.journeys[new.key] = new
        if old is not None and old.status is not new.status:
            del self.by_status[old.status][new.key]
        self.by_status[new.status][new.key] = new
        self.changed_journeys[new.key] = None

    def _lock_opened(self, view: LedgerView, height: int, seen: observations.LockOpened) -> None:
        if seen.lock_id in view.locks:
            return
        lock = LockWatch(
            ledger_id=view.ledger_id,
            lock_id=seen.lock_id,
            trade_id=seen.trade_id,
            leg=seen.leg,
            status=seen.status,
            hashlock=seen.hashlock,
            payer=seen.payer,
            payee=seen.payee,
            energy_wh=seen.energy_wh,
            price=seen.price,
            expiry=seen.expiry,
            slot_start=seen.slot_start,
            slot_length=seen.slot_length,
            client=seen.client,
            sequence=seen.sequence,
            peer_lock_id=seen.peer_lock_id,
            opened_height=height,
            cap_wh=seen.energy_wh,
            pool_sides=pool_sides(view.terms.chain_tag, seen.trade_id, seen.payer, seen.payee),
        )
        self.put_lock(view, lock)

    def put_lock(self, ledger: LedgerView, lock: LockWatch) -> None:
        """Store a watch, and remember that it changed."""
        ledger.put_lock(lock)
        self.changed_locks[ledger.ledger_id, lock.lock_id] = None

    def _lock_event(self, view: LedgerView, seen: observations.LockSeen) -> None:
        lock = view.locks.get(seen.lock_id)
        if lock is None:
            return
        if seen.preimage:
            self.preimages[lock.hashlock] = seen.preimage
        new = lock_watch.advance(lock, seen.event)
        if new is not lock:
            self.put_lock(view, new)

    def _forget(self, view: LedgerView) -> None:
        horizon = min(ledger.time_s for ledger in self.ledgers.values()) - MEMORY_S
        view.forget_before(horizon)
        for status in packet_journey.DONE:
            for key in list(self.by_status[status]):
                if self.journeys[key].packet.timeout_s < horizon:
                    del self.by_status[status][key]
                    del self.journeys[key]
        live = {lock.hashlock for ledger in self.ledgers.values() for lock in ledger.locks.values()}
        for hashlock in [known for known in self.preimages if known not in live]:
            del self.preimages[hashlock]

    def forget_ended(self) -> None:
        """
        Where no ledger has cells, drop packets that are over but for the latest; their sequences
        stay known. What changed and was not told is kept.
        """
        if any(ledger.terms.has_cells for ledger in self.ledgers.values()):
            return
        for status in packet_journey.DONE:
            kept = self.by_status[status]
            for key in list(islice(kept, max(len(kept) - ENDED_REMEMBERED, 0))):
                if key not in self.changed_journeys:
                    self._ended.setdefault(key.source, EndedPackets()).add(key.sequence)
                    del kept[key], self.journeys[key]

    # --- reading ----------------------------------------------------------------------------

    def journeys_in(self, status: JourneyStatus) -> Iterable[PacketJourney]:
        """Return the journeys with a status, in the order in which they came to it."""
        return list(self.by_status[status].values())

    def lock_of_trade(self, ledger_id: str, trade_id: bytes) -> LockWatch | None:
        """Return the trade's lock on a ledger, if there is one."""
        view = self.ledgers[ledger_id]
        lock_id = view.lock_by_trade.get(trade_id)
        return None if lock_id is None else view.locks.get(lock_id)

    def other_leg(self, lock: LockWatch) -> LockWatch | None:
        """Return the lock of the same trade on another ledger, if it has been seen."""
        for ledger_id in self.ledgers:
            if ledger_id != lock.ledger_id:
                other = self.lock_of_trade(ledger_id, lock.trade_id)
                if other is not None:
                    return other
        return None

    def finish_shares(self, lock: LockWatch) -> None:
        """Stop watching a lock whose pools have given out all shares."""
        self.ledgers[lock.ledger_id].share_locks.pop(lock.lock_id, None)

    # --- proofs -----------------------------------------------------------------------------

    def begin_round(self, blocked: Container[str] = (), closed: Container[str] = ()) -> None:
        """
        Forget which proof heights the last round of decisions settled on.

        Args:
            blocked: Names of effects that are not to be decided in this round.
            closed: Ledgers that take nothing in it.
        """
        self._chosen_heights.clear()
        self.blocked = blocked
        self.closed = closed

    def want_proof(
        self,
        verifier: Endpoint,
        key: bytes,
        *,
        state_height_min: int,
        is_present: bool,
        time_s_min: int = 0,
    ) -> ProofWanted | None:
        """
        Choose the height at which *key* is to be proved to the client *verifier*.

        One height serves all proofs of presence of a client in a round; a height that the client
        knows already is taken before one that it could hold: it is updated only when needed. Where
        a time is asked for, it is the first height of that time (``relay.proof_heights``).

        Args:
            verifier: The client that checks the proof.
            key: Raw key in the store ``ibc`` of the ledger that the client tracks.
            state_height_min: The state must be of this block or a later one.
            is_present: Whether presence or absence is proved.
            time_s_min: The header must have at least this time, unix seconds; 0: any.

        Returns:
            None if no header that serves has been seen yet.
        """
        source = self.ledgers[self.topology.peer(verifier).ledger_id]
        host = self.ledgers[verifier.ledger_id]
        lag = source.terms.proof_lag
        header_min = state_height_min + lag
        if time_s_min:
            height = height_of_absence(source, host, verifier.client_id, header_min, time_s_min)
        else:
            height = self._chosen_heights.get(verifier)
            if height is None or not serves(source, height, header_min):
                height = height_of_presence(source, host, verifier.client_id, header_min)
        if height is None:
            return None
        if not time_s_min:
            self._chosen_heights[verifier] = height
        return ProofWanted(verifier, source.ledger_id, key, height - lag, height, is_present)

    def resume_height(self, ledger_id: str) -> int:
        """Return the height up to which a ledger tells of nothing that is still under way."""
        heights = [self.ledgers[ledger_id].resume_height()]
        for status in (JourneyStatus.SENT, JourneyStatus.RECEIVED, JourneyStatus.ANSWERED):
            for journey in self.journeys_in(status):
                if journey.key.source.ledger_id == ledger_id:
                    # Heard of at the destination only: the source tells of it later.
                    heights.append(journey.sent_height - 1 if journey.sent_height else 0)
                if journey.destination.ledger_id == ledger_id and journey.received_height:
                    heights.append(journey.received_height - 1)
        # The preimage that a leg was claimed with stands in its events, and the other leg needs it.
        shown = self._locks_with_an_open_leg_elsewhere(ledger_id)
        heights.extend(lock.opened_height - 1 for lock in shown)
        return max(min(heights), 0)

    def _locks_with_an_open_leg_elsewhere(self, ledger_id: str) -> Iterator[LockWatch]:
        for ledger in self.ledgers.values():
            if ledger.ledger_id == ledger_id:
                continue
            for tick in ledger.open_ticks:
                for lock in ledger.open_locks(tick):
                    here = self.lock_of_trade(ledger_id, lock.trade_id)
                    if here is not None:
                        yield here


def pool_sides(chain_tag: bytes, trade_id: bytes, payer: bytes, payee: bytes) -> tuple[int, ...]:
    """Return the sides (1 buy, 2 sell) whose party in a lock is the trade's pool there."""
    parties = {Side.BUY: payer, Side.SELL: payee}
    return tuple(
        int(side)
        for side, party in parties.items()
        if party == pool_account(chain_tag, trade_id, side)
    )
