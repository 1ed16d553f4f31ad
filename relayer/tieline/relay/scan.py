"""
What to ask a ledger on start, because memory is not trusted: store prefixes, and what they mean.

Events tell what packets hold; stores tell what still stands. Where a store and the view differ, the
store is right, and the difference is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tieline.contract import records
from tieline.contract.cell_sets import cell_set_key, decode_cell_set
from tieline.contract.keys import order_key
from tieline.contract.transfer_records import decode_owed
from tieline.protocol.commitment import client_prefix
from tieline.relay import packet_journey
from tieline.relay.ledger_view import LedgerView
from tieline.relay.lock_watch import LockWatch
from tieline.relay.packet_journey import JourneyKey
from tieline.relay.route import Endpoint
from tieline.relay.view import RelayView, pool_sides
from tieline.swap.lock import TERMINAL
from tieline.swap.order_escrow import OrderStatus
from tieline.swap.records import Side

IBC_STORE = "ibc"
TRADE_STORE = "tieline"

_COMMITMENT_TAG = b"\x01"
_CONSENSUS_STATES = b"consensusStates/"
_ID_BYTES = 32


@dataclass(frozen=True, slots=True, order=True)
class Question:
    """A prefix of one of a ledger's stores."""

    store: str
    prefix: bytes


Answers = Mapping[Question, Sequence[tuple[bytes, bytes]]]

LOCKS = Question(TRADE_STORE, b"l")
ORDERS = Question(TRADE_STORE, b"o")
CURSORS = Question(TRADE_STORE, b"y")
CLEARINGS = Question(TRADE_STORE, b"c")
CELL_SETS = Question(TRADE_STORE, b"s")
VERDICTS = Question(TRADE_STORE, b"v")
DELIVERIES = Question(TRADE_STORE, b"d")
OWED = Question(TRADE_STORE, b"u")
_TRADE_QUESTIONS = (LOCKS, ORDERS, CURSORS, CLEARINGS, CELL_SETS, VERDICTS, DELIVERIES, OWED)


class PacketsUnknown(Exception):
    """The ledger holds commitments whose packets are not in the events that were read."""

    def __init__(self, keys: Sequence[JourneyKey]) -> None:
        super().__init__(f"packets unknown: count={len(keys)} first={keys[0]}")
        self.keys = tuple(keys)


def commitments_of(client_id: str) -> Question:
    """Return the prefix of the packets that a client's ledger still holds open."""
    return Question(IBC_STORE, client_id.encode() + _COMMITMENT_TAG)


def consensus_states_of(client_id: str) -> Question:
    """Return the prefix of the heights that a client can verify against."""
    return Question(IBC_STORE, client_prefix(client_id) + _CONSENSUS_STATES)


def questions(view: RelayView, ledger_id: str) -> tuple[Question, ...]:
    """Return all prefixes that say where a ledger stands."""
    asked: list[Question] = []
    for endpoint in view.topology.clients_on(ledger_id):
        asked += [commitments_of(endpoint.client_id), consensus_states_of(endpoint.client_id)]
    return (*asked, *_TRADE_QUESTIONS) if view.ledgers[ledger_id].terms.has_cells else tuple(asked)


def reconcile_store(view: RelayView, ledger_id: str, answers: Answers) -> list[str]:
    """
    Correct *view* by what a ledger's stores hold; return the corrections in words.

    Raises:
        PacketsUnknown: Older events must be read first; nothing of packets was corrected.
    """
    ledger = view.ledgers[ledger_id]
    corrections: list[str] = []
    if ledger.terms.has_cells:
        corrections += _reconcile_posted(ledger, answers)
        corrections += _reconcile_orders(ledger, answers[ORDERS])
        corrections += _reconcile_owed(ledger, answers[OWED])
        corrections += _reconcile_locks(view, ledger, answers)
    for endpoint in view.topology.clients_on(ledger_id):
        for key, _ in answers[consensus_states_of(endpoint.client_id)]:
            height = key.rpartition(b"-")[2]
            if height.isdigit():
                ledger.add_client_height(endpoint.client_id, int(height))
        commitments = answers[commitments_of(endpoint.client_id)]
        corrections += _reconcile_packets(view, endpoint, commitments)
    return corrections


def _reconcile_posted(ledger: LedgerView, answers: Answers) -> list[str]:
    """Take in records that never change once stored; events of old ones are not read again."""
    ledger.clearing_roots.update(key[1:] for key, _ in answers[CLEARINGS])
    for key, value in answers[CELL_SETS]:
        cell_set_id = key[1:]
        if key == cell_set_key(cell_set_id) and len(cell_set_id) == _ID_BYTES:
            ledger.cell_set_epochs.add(decode_cell_set(cell_set_id, value).epoch)
    for key, value in answers[VERDICTS]:
        slot_start = int.from_bytes(key[1:9], "big")
        verdict = records.decode_verdict(value)
        ledger.add_verdict(slot_start, verdict.verdict_hash, verdict.signers)
    for key, value in answers[DELIVERIES]:
        tick, index = int.from_bytes(key[1:9], "big"), int.from_bytes(key[9:17], "big")
        statement = records.decode_delivery(value)
        ledger.add_delivery(tick, statement.deliveries_root, index, statement.signers)
    return []


def _reconcile_orders(ledger: LedgerView, stored: Sequence[tuple[bytes, bytes]]) -> list[str]:
    corrections: list[str] = []
    for key, value in stored:
        order_id = key[len(order_key(b"")) :]
        order = records.decode_order(value)
        is_open = order.status is OrderStatus.ORDERED
        if is_open and order_id not in ledger.order_slots:
            ledger.add_order(order_id, order.slot_start)
            corrections.append(f"order found ledger={ledger.ledger_id} order={order_id.hex()}")
        elif not is_open:
            ledger.end_order(order_id)
    return corrections


def _reconcile_owed(ledger: LedgerView, stored: Sequence[tuple[bytes, bytes]]) -> list[str]:
    corrections: list[str] = []
    standing: set[tuple[bytes, bytes]] = set()
    for key, value in stored:
        account, owed_id = key[1:-_ID_BYTES], key[-_ID_BYTES:]
        standing.add((account, owed_id))
        if (account, owed_id) not in ledger.owed:
            ledger.add_owed(account, owed_id, decode_owed(value).client)
            corrections.append(f"debt found ledger={ledger.ledger_id} owed={owed_id.hex()[:16]}")
    for gone in ledger.owed.keys() - standing:
        ledger.end_owed(*gone)
    return corrections


def _reconcile_locks(view: RelayView, ledger: LedgerView, answers: Answers) -> list[str]:
    cursors = {key[1:]: records.decode_wh(value) for key, value in answers[CURSORS]}
    corrections: list[str] = []
    for key, value in answers[LOCKS]:
        lock_id = key[1:]
        record = records.decode_lock(value)
        cursor_wh = tuple(cursors.get(lock_id + bytes((side,)), 0) for side in Side)
        known = ledger.locks.get(lock_id)
        if known is None:
            shares = _sides_that_wait(ledger, record, cursor_wh)
            if record.status in TERMINAL and not shares:
                continue
            known = _watch(ledger, lock_id, record)
            corrections.append(f"lock found lock={known} status={record.status.name}")
        elif known.status is not record.status or known.paid_wh != record.paid_wh:
            corrections.append(
                f"lock differs lock={known} status={known.status.name}/{record.status.name} "
                f"paid={known.paid_wh}/{record.paid_wh}"
            )
        corrected = replace(
            known,
            status=record.status,
            cap_wh=record.cap_wh,
            paid_wh=record.paid_wh,
            cursor_wh=(cursor_wh[0], cursor_wh[1]),
        )
        view.put_lock(ledger, corrected)
        if not _sides_that_wait(ledger, record, cursor_wh):
            ledger.share_locks.pop(lock_id, None)
    return corrections


def _sides_that_wait(
    ledger: LedgerView, record: records.LockRecord, cursor_wh: Sequence[int]
) -> list[int]:
    sides = pool_sides(ledger.terms.chain_tag, record.trade_id, record.payer, record.payee)
    return [side for side in sides if cursor_wh[side - 1] < record.energy_wh]


def _watch(ledger: LedgerView, lock_id: bytes, record: records.LockRecord) -> LockWatch:
    return LockWatch(
        ledger_id=ledger.ledger_id,
        lock_id=lock_id,
        trade_id=record.trade_id,
        leg=record.leg,
        status=record.status,
        hashlock=record.hash_lock,
        payer=record.payer,
        payee=record.payee,
        energy_wh=record.energy_wh,
        price=record.price,
        expiry=record.expiry,
        slot_start=record.slot_start,
        slot_length=record.slot_length,
        client=record.client,
        sequence=record.sequence,
        peer_lock_id=record.peer_lock_id,
        opened_height=ledger.height,
        cap_wh=record.cap_wh,
        pool_sides=pool_sides(ledger.terms.chain_tag, record.trade_id, record.payer, record.payee),
    )


def _reconcile_packets(
    view: RelayView, endpoint: Endpoint, commitments: Sequence[tuple[bytes, bytes]]
) -> list[str]:
    standing = {int.from_bytes(key[-8:], "big") for key, _ in commitments}
    open_keys = {
        key.sequence: key
        for key, journey in view.journeys.items()
        if key.source == endpoint and not journey.is_done
    }
    unknown = sorted(
        sequence for sequence in standing if JourneyKey(endpoint, sequence) not in view.journeys
    )
    if unknown:
        raise PacketsUnknown([JourneyKey(endpoint, sequence) for sequence in unknown])
    gone = [key for sequence, key in open_keys.items() if sequence not in standing]
    for key in gone:
        # Whether it was acknowledged or timed out is in events that were not read; it is over.
        view.apply_journey_event(key, packet_journey.PacketAcknowledged())
    return [f"packet is over packet={key}" for key in gone]
