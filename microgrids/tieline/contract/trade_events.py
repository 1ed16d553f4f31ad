"""
What the trade application tells observers. Nothing that binds rests on events; bytes are
lower-case hex, integers decimal.
"""

from __future__ import annotations

from tieline.contract.records import LockRecord, OrderRecord
from tieline.protocol.events import Event
from tieline.swap.lock import LockStatus
from tieline.swap.records import Reason

Value = bytes | int | str


def _event(kind: str, **attributes: Value) -> Event:
    return Event(kind, tuple((name, _text(value)) for name, value in attributes.items()))


def _text(value: Value) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def order_placed(order_id: bytes, order: OrderRecord) -> Event:
    """Rows A1, B0; escrow is money of a buy, bond of a sell, nano-EUR."""
    return _event(
        "order_placed",
        order_id=order_id,
        account=order.account,
        side=order.side,
        slot_start=order.slot_start,
        slot_length=order.slot_length,
        energy_wh=order.energy_wh,
        escrow=order.money_left,
    )


def order_cancelled(order_id: bytes) -> Event:
    """Rows A2, B0a."""
    return _event("order_cancelled", order_id=order_id)


def order_released(order_id: bytes, amount: int) -> Event:
    """Rows A4, B0b; nano-EUR back to the account."""
    return _event("order_released", order_id=order_id, amount=amount)


def lock_opened(lock_id: bytes, lock: LockRecord) -> Event:
    """Rows A3, B1 and open_local; ``client`` and ``sequence`` name the packet."""
    return _event(
        "lock_opened",
        lock_id=lock_id,
        trade_id=lock.trade_id,
        leg=lock.leg.name.lower(),
        status=lock.status.name,
        hashlock=lock.hash_lock,
        payer=lock.payer,
        payee=lock.payee,
        energy_wh=lock.energy_wh,
        price=lock.price,
        expiry=lock.expiry,
        slot_start=lock.slot_start,
        slot_length=lock.slot_length,
        client=lock.client,
        sequence=lock.sequence,
        peer_lock_id=lock.peer_lock_id,
    )


def receive_refused(client: str, sequence: int, reason: Reason, detail: str) -> Event:
    """B1: the reason lies in the packet, or in the payee's or the connector's funds."""
    return _event(
        "receive_refused", client=client, sequence=sequence, reason=reason.name, detail=detail
    )


def verdict_posted(
    slot_start: int, verdict_hash: bytes, decisions_root: bytes, signers: int
) -> Event:
    """The slot's verdict is stored, with the bitmap of its signers."""
    return _event(
        "verdict_posted",
        slot_start=slot_start,
        verdict_hash=verdict_hash,
        decisions_root=decisions_root,
        signers=signers,
    )


def verdict_signed(slot_start: int, verdict_hash: bytes, signers: int) -> Event:
    """The stored verdict has more signers: these, as a bitmap."""
    return _event(
        "verdict_signed", slot_start=slot_start, verdict_hash=verdict_hash, signers=signers
    )


def conflicting_verdict(
    slot_start: int, stored_hash: bytes, verdict_hash: bytes, signers: int
) -> Event:
    """Evidence: *signers* (bitmap) signed a verdict other than the one that is stored."""
    return _event(
        "conflicting_verdict",
        slot_start=slot_start,
        stored_hash=stored_hash,
        verdict_hash=verdict_hash,
        signers=signers,
    )


def verdict_applied(lock_id: bytes, decision: str, cap_wh: int, reason: Reason) -> Event:
    """Rows B2, B3."""
    return _event(
        "verdict_applied", lock_id=lock_id, decision=decision, cap_wh=cap_wh, reason=reason.name
    )


def lock_confirmed(lock_id: bytes, cap_wh: int) -> Event:
    """Row A5."""
    return _event("lock_confirmed", lock_id=lock_id, cap_wh=cap_wh)


def pending_expired(lock_id: bytes) -> Event:
    """Row B4."""
    return _event("pending_expired", lock_id=lock_id)


def delivery_posted(tick_start: int, index: int, deliveries_root: bytes, signers: int) -> Event:
    """Rows A8, B5; *signers* is a bitmap."""
    return _event(
        "delivery_posted",
        slot_start=tick_start,
        index=index,
        deliveries_root=deliveries_root,
        signers=signers,
    )


def delivery_signed(tick_start: int, index: int, deliveries_root: bytes, signers: int) -> Event:
    """A stored statement has more signers: these, as a bitmap."""
    return _event(
        "delivery_signed",
        slot_start=tick_start,
        index=index,
        deliveries_root=deliveries_root,
        signers=signers,
    )


def conflicting_delivery(tick_start: int, index: int, signers: int) -> Event:
    """Evidence: a tick has a second, different statement, signed by *signers* (bitmap)."""
    return _event("conflicting_delivery", slot_start=tick_start, index=index, signers=signers)


def claimed(lock_id: bytes, wh: int, amount: int, preimage: bytes) -> Event:
    """Rows A9, B6; the preimage is public from here on."""
    return _event("claimed", lock_id=lock_id, wh=wh, amount=amount, preimage=preimage)


def waived(lock_id: bytes, wh: int, amount: int) -> Event:
    """Rows A10, B7; *wh* and *amount* were given up."""
    return _event("waived", lock_id=lock_id, wh=wh, amount=amount)


def refunded(lock_id: bytes, wh: int, amount: int) -> Event:
    """Rows A5 (cap), A6, A7, A11, B2 (surplus), B3, B4, B8."""
    return _event("refunded", lock_id=lock_id, wh=wh, amount=amount)


def lock_closed(lock_id: bytes, lock: LockRecord) -> Event:
    """The lock has ended, CLOSED or REFUSED; two numbers say how."""
    assert lock.status in {LockStatus.CLOSED, LockStatus.REFUSED}
    return _event(
        "lock_closed", lock_id=lock_id, paid_wh=lock.paid_wh, refunded_wh=lock.refunded_wh
    )


def share_collected(
    lock_id: bytes, side: int, order_id: bytes, used_wh: int, credited: int
) -> Event:
    """Rows A13, B10; nano-EUR to the order's account, bond included."""
    return _event(
        "share_collected",
        lock_id=lock_id,
        side=side,
        order_id=order_id,
        used_wh=used_wh,
        credited=credited,
    )


def alarm(lock_id: bytes, reason: str) -> Event:
    """Contradictory evidence; people must look."""
    return _event("alarm", lock_id=lock_id, reason=reason)
