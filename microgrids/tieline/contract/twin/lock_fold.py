"""
What the application told of locks. The terms of a lock stand in the packet that opened it, which
the host told of before; money is price x Wh, and goes where the swap machine's effects say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tieline.contract import trade_events
from tieline.contract.accounts import credit_pay
from tieline.contract.connector import mandate_id_of, release_open
from tieline.contract.keys import (
    hash_lock_key,
    local_pending_key,
    lock_key,
    mandate_open_key,
    order_key,
    outflow_key,
    pending_key,
    share_cursor_key,
    verdict_key,
)
from tieline.contract.new_locks import lock_of_trade
from tieline.contract.records import (
    LockRecord,
    PendingRecord,
    VerdictRecord,
    decode_amount,
    decode_lock,
    decode_order,
    decode_verdict,
    encode_amount,
    encode_lock,
    encode_pending,
    encode_verdict,
    encode_wh,
)
from tieline.contract.shares import share_cursor
from tieline.contract.terms import lock_id_out
from tieline.contract.twin.book_fold import SHARD
from tieline.contract.twin.state import TwinState, client_id_of
from tieline.contract.vaults import credit_shard, debit_shard, imbalance_account
from tieline.protocol.commitment import commit_packet
from tieline.swap.lock import Leg, LockStatus
from tieline.swap.records import LOCAL_CLIENT, ZERO_HASH, Decision, Level, LocalTrade, Reason
from tieline.wire.abi import decode_energy_trade
from tieline.wire.hashes import tag

Values = Mapping[str, Any]

_BUYER_POOL, _SELLER_POOL = 1, 2
_ALARMS = {
    1: "ACK_UNREADABLE",
    2: "SENTINEL_AFTER_CLAIM",
    3: "SENTINEL_AFTER_SUCCESS",
    4: "TIMEOUT_AFTER_CLAIM",
    5: "TIMEOUT_AFTER_SUCCESS",
}


def lock_of(state: TwinState, lock_id: bytes) -> LockRecord:
    """Return a lock that was opened here. Raises KeyError."""
    return decode_lock(state.trade[lock_key(lock_id)])


def lock_opened(state: TwinState, values: Values) -> None:
    """Rows A3, B1."""
    client, sequence = client_id_of(values["client"]), values["sequence"]
    is_source = values["leg"] == Leg.IN
    packet = (state.sent if is_source else state.received)[client, sequence]
    trade = decode_energy_trade(packet.payloads[0].value)
    commitment = commit_packet(packet)
    if is_source:
        record = lock_of_trade(
            trade,
            leg=Leg.IN,
            status=LockStatus.OPEN,
            payer=trade.buyer,
            payee=trade.connector_in,
            is_buyer_pool=values["isPool"],
            price=trade.price_in,
            expiry=trade.expiry_in,
            tau=packet.timeout_s,
            peer_chain_tag=trade.dest_chain_tag,
            peer_lock_id=lock_id_out(trade),
            client=client,
            sequence=sequence,
            packet_commitment=commitment,
        )
    else:
        record = lock_of_trade(
            trade,
            leg=Leg.OUT,
            status=LockStatus.PENDING,
            payer=trade.connector_out,
            payee=trade.seller,
            is_seller_pool=values["isPool"],
            price=trade.price_out,
            bond_price=values["bondPrice"],
            expiry=trade.expiry_out,
            tau=packet.timeout_s,
            peer_chain_tag=trade.source_chain_tag,
            peer_lock_id=trade.lock_id_in,
            client=client,
            sequence=sequence,
            packet_commitment=commitment,
            mandate_id=mandate_id_of(trade, client),
        )
        _reserve(state, record)
        pending = PendingRecord(values["lockId"], commitment)
        state.trade.set(pending_key(tag(client), sequence), encode_pending(pending))
    _open(state, values["lockId"], record)


def local_opened(state: TwinState, values: Values) -> None:
    """An INTRA trade waits for its verdict."""
    trade = LocalTrade(*values["trade"])
    points = state.deadlines(trade.slot_start, trade.slot_length)
    record = LockRecord(
        leg=Leg.LOCAL,
        status=LockStatus.PENDING,
        trade_id=trade.trade_id,
        hash_lock=trade.hashlock,
        payer=trade.buyer,
        payee=trade.seller,
        is_buyer_pool=bool(values["pools"] & _BUYER_POOL),
        is_seller_pool=bool(values["pools"] & _SELLER_POOL),
        energy_wh=trade.energy_wh,
        price=trade.price,
        bond_price=values["bondPrice"],
        cap_wh=trade.energy_wh,
        paid_wh=0,
        slashed_wh=0,
        expiry=trade.expiry,
        late_expiry=trade.expiry,
        tau=points.tau,
        verdict_deadline=points.verdict_deadline,
        slot_start=trade.slot_start,
        slot_length=trade.slot_length,
        level=Level.INTRA,
        cell_set_id=trade.cell_set_id,
        allocations_root=trade.allocations_root,
        peer_chain_tag=state.of.chain_tag,
        peer_lock_id=ZERO_HASH,
        client=LOCAL_CLIENT,
        sequence=0,
        packet_commitment=trade.trade_id,
        mandate_id=ZERO_HASH,
    )
    pending = PendingRecord(values["lockId"], trade.trade_id)
    state.trade.set(local_pending_key(trade.trade_id), encode_pending(pending))
    _open(state, values["lockId"], record)


def receive_refused(state: TwinState, values: Values) -> None:
    """B1: the reason lies in the packet, or in funds."""
    rule = values["rule"].rstrip(b"\0").decode("ascii", "replace")
    state.emit(
        trade_events.receive_refused(
            client_id_of(values["client"]), values["sequence"], Reason(values["reason"]), rule
        )
    )


def verdict_posted(state: TwinState, values: Values) -> None:
    """The slot's verdict is stored."""
    slot_start, signers = values["slotStart"], values["signers"]
    record = VerdictRecord(values["verdictHash"], values["decisionsRoot"], signers)
    state.trade.set(verdict_key(slot_start), encode_verdict(record))
    state.emit(
        trade_events.verdict_posted(slot_start, record.verdict_hash, record.decisions_root, signers)
    )


def verdict_signed(state: TwinState, values: Values) -> None:
    """The stored verdict has more signers."""
    slot_start, signers = values["slotStart"], values["signers"]
    key = verdict_key(slot_start)
    record = replace(decode_verdict(state.trade[key]), signers=signers)
    state.trade.set(key, encode_verdict(record))
    state.emit(trade_events.verdict_signed(slot_start, record.verdict_hash, signers))


def conflicting_verdict(state: TwinState, values: Values) -> None:
    """Evidence against cells."""
    slot_start = values["slotStart"]
    stored = decode_verdict(state.trade[verdict_key(slot_start)]).verdict_hash
    state.emit(
        trade_events.conflicting_verdict(
            slot_start, stored, values["verdictHash"], values["signers"]
        )
    )


def verdict_applied(state: TwinState, values: Values) -> None:
    """Rows B2, B3; what it refunds is told beside it."""
    lock_id, decision = values["lockId"], Decision(values["decision"])
    record = lock_of(state, lock_id)
    if decision is Decision.ACCEPT:
        cap_wh = values["capWh"]
        _return_bond(state, lock_id, record, record.energy_wh - cap_wh)
        _store(state, lock_id, replace(record, status=LockStatus.LOCKED, cap_wh=cap_wh))
    else:
        cap_wh = 0
        _refuse(state, lock_id, record)
    reason = Reason(values["reason"])
    state.emit(trade_events.verdict_applied(lock_id, decision.name, cap_wh, reason))


def pending_expired(state: TwinState, values: Values) -> None:
    """Row B4."""
    _refuse(state, values["lockId"], lock_of(state, values["lockId"]))
    state.emit(trade_events.pending_expired(values["lockId"]))


def lock_confirmed(state: TwinState, values: Values) -> None:
    """Row A5."""
    record = lock_of(state, values["lockId"])
    confirmed = replace(record, status=LockStatus.CONFIRMED, cap_wh=values["capWh"])
    _store(state, values["lockId"], confirmed)
    state.emit(trade_events.lock_confirmed(values["lockId"], values["capWh"]))


def claimed(state: TwinState, values: Values) -> None:
    """Rows A9, B6."""
    lock_id, wh, amount = values["lockId"], values["wh"], values["amount"]
    record = lock_of(state, lock_id)
    if record.leg is Leg.IN:
        credit_shard(state.trade, record.payee, SHARD, amount)
    else:
        if not record.is_seller_pool:
            credit_pay(state.trade, record.payee, amount)
        _return_bond(state, lock_id, record, wh)
    _release_open(state, record, amount)
    _store(state, lock_id, replace(record, paid_wh=record.paid_wh + wh))
    state.emit(trade_events.claimed(lock_id, wh, amount, values["preimage"]))


def waived(state: TwinState, values: Values) -> None:
    """Rows A10, B7; what it refunds and slashes is told beside it."""
    lock_id, wh = values["lockId"], values["wh"]
    record = lock_of(state, lock_id)
    _store(state, lock_id, replace(record, cap_wh=record.cap_wh - wh))
    state.emit(trade_events.waived(lock_id, wh, values["amount"]))


def refunded(state: TwinState, values: Values) -> None:
    """Rows A5 to A7, B2 to B4, B7."""
    lock_id, amount = values["lockId"], values["amount"]
    record = lock_of(state, lock_id)
    if record.leg is Leg.OUT:
        credit_shard(state.trade, record.payer, SHARD, amount)
    elif not record.is_buyer_pool:
        credit_pay(state.trade, record.payer, amount)
    _release_open(state, record, amount)
    state.emit(trade_events.refunded(lock_id, values["wh"], amount))


def bond_slashed(state: TwinState, values: Values) -> None:
    """Row B7; our contract tells nothing of it."""
    record = lock_of(state, values["lockId"])
    pool = imbalance_account(state.of.chain_tag)
    credit_shard(state.trade, pool, SHARD, values["amount"])
    state.bonds[values["lockId"]] -= values["wh"]
    slashed = replace(record, slashed_wh=record.slashed_wh + values["wh"])
    _store(state, values["lockId"], slashed)


def lock_refunded(state: TwinState, values: Values) -> None:
    """Rows A11, B8: refund, what is slashed, and the end in one."""
    lock_id, wh, slashed_wh = values["lockId"], values["wh"], values["slashedWh"]
    record = lock_of(state, lock_id)
    refunded(state, {"lockId": lock_id, "wh": wh, "amount": wh * record.price})
    if record.leg is not Leg.IN:
        amount = slashed_wh * record.bond_price
        bond_slashed(state, {"lockId": lock_id, "wh": slashed_wh, "amount": amount})
    lock_closed(state, {"lockId": lock_id, "paidWh": record.paid_wh})


def lock_closed(state: TwinState, values: Values) -> None:
    """The lock has ended."""
    lock_id = values["lockId"]
    record = lock_of(state, lock_id)
    if record.status is LockStatus.PENDING:
        # What never was payable is told as closed before it is told why.
        record = _refuse(state, lock_id, record)
    elif record.status is not LockStatus.REFUSED:
        # The claim that ends a lock is told after the end, and brings the bond of its own Wh.
        claimed_wh = values["paidWh"] - record.paid_wh
        _return_bond(state, lock_id, record, state.bonds.get(lock_id, 0) - claimed_wh)
        record = replace(record, status=LockStatus.CLOSED)
        _store(state, lock_id, record)
    # A claim that ends its lock is told after the end.
    state.emit(trade_events.lock_closed(lock_id, replace(record, paid_wh=values["paidWh"])))


def share_collected(state: TwinState, values: Values) -> None:
    """Rows A13, B10."""
    lock_id, order_id = values["lockId"], values["orderId"]
    order = decode_order(state.trade[order_key(order_id)])
    side = order.side
    wh = state.fills.pop((lock_id, order_id))
    cursor = share_cursor(state.trade, lock_id, side) + wh
    state.trade.set(share_cursor_key(lock_id, side), encode_wh(cursor))
    credit_pay(state.trade, order.account, values["credited"])
    state.emit(
        trade_events.share_collected(lock_id, side, order_id, values["usedWh"], values["credited"])
    )


def alarm(state: TwinState, values: Values) -> None:
    """Contradictory evidence."""
    reason = _ALARMS.get(values["reason"], str(values["reason"]))
    state.emit(trade_events.alarm(values["lockId"], reason))


def _open(state: TwinState, lock_id: bytes, record: LockRecord) -> None:
    if record.leg is not Leg.IN:
        state.bonds[lock_id] = record.energy_wh
    state.trade.set(hash_lock_key(record.hash_lock), lock_id)
    _store(state, lock_id, record)
    state.emit(trade_events.lock_opened(lock_id, record))


def _reserve(state: TwinState, record: LockRecord) -> None:
    """Move a received trade's money from the connector's vault into its lock."""
    amount = record.energy_wh * record.price
    debit_shard(state.trade, record.payer, SHARD, amount)
    for key in (
        mandate_open_key(record.mandate_id, SHARD),
        outflow_key(record.client, record.slot_start, SHARD),
    ):
        stored = state.trade.get(key)
        held = 0 if stored is None else decode_amount(stored)
        state.trade.set(key, encode_amount(held + amount))


def _release_open(state: TwinState, record: LockRecord, amount: int) -> None:
    if record.leg is Leg.OUT:
        release_open(state.trade, record.mandate_id, SHARD, amount)


def _refuse(state: TwinState, lock_id: bytes, record: LockRecord) -> LockRecord:
    if record.status is LockStatus.REFUSED:
        return record
    _return_bond(state, lock_id, record, record.energy_wh)
    refused = replace(record, status=LockStatus.REFUSED, cap_wh=0)
    _store(state, lock_id, refused)
    return refused


def _return_bond(state: TwinState, lock_id: bytes, record: LockRecord, wh: int) -> None:
    """Give a seller back the bond of *wh*; a pool's waits for its shares."""
    if record.leg is Leg.IN or not wh:
        return
    state.bonds[lock_id] -= wh
    if not record.is_seller_pool and record.bond_price:
        credit_pay(state.trade, record.payee, wh * record.bond_price)


def _store(state: TwinState, lock_id: bytes, record: LockRecord) -> None:
    state.trade.set(lock_key(lock_id), encode_lock(record))
