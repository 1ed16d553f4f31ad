"""
Locks on this ledger: the swap machine's states as records, and its effects as money.

The rules are in ``tieline.swap.lock`` alone. Here Wh become nano-EUR (price x Wh, exact) and go to
a fixed payee or payer. What belongs to a pool waits in the lock for ``collect_share``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from tieline.contract import trade_events
from tieline.contract.accounts import credit_pay
from tieline.contract.connector import release_open
from tieline.contract.context import Context
from tieline.contract.keys import hash_lock_key, lock_key, shard_of
from tieline.contract.records import LockRecord, decode_lock, encode_lock
from tieline.contract.stock_locks import forget_reserved, pay_seller, return_home
from tieline.contract.trade_errors import LockNotFound, LockRefused
from tieline.contract.vaults import credit_shard, imbalance_account
from tieline.swap import lock as machine
from tieline.swap.lock import TERMINAL, Leg, LockState, LockStatus, LockTerms, Transition
from tieline.swap.lock_events import (
    Acknowledge,
    AcknowledgeRefusal,
    Effect,
    LockEvent,
    Outcome,
    PayPayee,
    RaiseAlarm,
    RefundPayer,
    ReturnBond,
    SlashBond,
)
from tieline.swap.secret import HashLock


def lock_of(ctx: Context, lock_id: bytes) -> LockRecord | None:
    """Return a stored lock."""
    value = ctx.state.get(lock_key(lock_id))
    return None if value is None else decode_lock(value)


def require_lock(ctx: Context, lock_id: bytes) -> LockRecord:
    """Return a stored lock. Raises LockNotFound."""
    record = lock_of(ctx, lock_id)
    if record is None:
        raise LockNotFound("no such lock", lock_id=lock_id.hex())
    return record


def is_hash_lock_used(ctx: Context, hash_lock: bytes) -> bool:
    """Say whether any lock of this ledger ever used this H."""
    return ctx.state.get(hash_lock_key(hash_lock)) is not None


def terms_of(record: LockRecord) -> LockTerms:
    """Return what the swap machine must know of a lock."""
    return LockTerms(
        leg=record.leg,
        hash_lock=HashLock(record.hash_lock),
        energy_wh=record.energy_wh,
        expiry=record.expiry,
        tau=record.tau,
        verdict_deadline=record.verdict_deadline,
        late_expiry=record.late_expiry,
    )


def state_of(record: LockRecord) -> LockState:
    """Return a lock as the swap machine sees it."""
    return LockState(
        terms_of(record), record.status, record.cap_wh, record.paid_wh, record.slashed_wh
    )


def open_lock(ctx: Context, lock_id: bytes, record: LockRecord) -> None:
    """Store a fresh lock whose money, energy and bond the caller has reserved; mark its H."""
    terms = terms_of(record)
    opened = machine.open_source(terms) if record.leg is Leg.IN else machine.open_pending(terms)
    assert opened == state_of(record), "a fresh lock is what the machine opens"
    ctx.state.set(hash_lock_key(record.hash_lock), lock_id)
    ctx.state.set(lock_key(lock_id), encode_lock(record))
    ctx.emit(trade_events.lock_opened(lock_id, record))


def move_lock(ctx: Context, lock_id: bytes, record: LockRecord, event: LockEvent) -> Transition:
    """
    Run *event* through the swap machine, store the next state and move the money.

    Acknowledgements are the caller's: it finds them among the effects.

    Raises:
        LockRefused: The machine refuses; the rule is in the text.
    """
    moved = machine.advance(state_of(record), event, ctx.now_s)
    if moved.outcome is Outcome.REFUSED:
        raise LockRefused(moved.refusal, lock_id=lock_id.hex(), now_s=ctx.now_s)
    after = replace(
        record,
        status=moved.next_state.status,
        cap_wh=moved.next_state.cap_wh,
        paid_wh=moved.next_state.paid_wh,
        slashed_wh=moved.next_state.slashed_wh,
    )
    if after != record:
        ctx.state.set(lock_key(lock_id), encode_lock(after))
    is_refused = after.status is LockStatus.REFUSED
    for effect in moved.effects:
        _perform(ctx, lock_id, record, effect, is_refused=is_refused)
    if after.status in TERMINAL and record.status not in TERMINAL:
        ctx.emit(trade_events.lock_closed(lock_id, after))
    return moved


def _perform(
    ctx: Context, lock_id: bytes, record: LockRecord, effect: Effect, *, is_refused: bool
) -> None:
    match effect:
        case PayPayee(wh):
            _pay(ctx, lock_id, record, wh * record.price)
        case RefundPayer(wh) if record.is_in_vouchers:
            if is_refused:
                forget_reserved(ctx, record, wh * record.price)
            else:
                return_home(ctx, lock_id, record, wh * record.price)
            ctx.emit(trade_events.refunded(lock_id, wh, wh * record.price))
        case RefundPayer(wh):
            _refund(ctx, record, wh * record.price)
            ctx.emit(trade_events.refunded(lock_id, wh, wh * record.price))
        case ReturnBond(wh):
            if not record.is_seller_pool:
                _credit(ctx, record.payee, wh * record.bond_price)
        case SlashBond(wh):
            pool = imbalance_account(ctx.chain_tag)
            credit_shard(ctx.state, pool, _shard(ctx, record), wh * record.bond_price)
        case RaiseAlarm(reason):
            ctx.emit(trade_events.alarm(lock_id, reason))
        case Acknowledge() | AcknowledgeRefusal():
            pass
        case _:
            assert_never(effect)


def _shard(ctx: Context, record: LockRecord) -> int:
    return shard_of(record.trade_id, ctx.parameters.vault_shards)


def _credit(ctx: Context, account: bytes, amount: int) -> None:
    if amount:
        credit_pay(ctx.state, account, amount)


def _pay(ctx: Context, lock_id: bytes, record: LockRecord, amount: int) -> None:
    if record.is_in_vouchers or record.is_payee_abroad:
        pay_seller(ctx, lock_id, record, amount)
        return
    match record.leg:
        case Leg.IN:
            # Into its vault, which is split: many claims of one block must not meet in one key.
            credit_shard(ctx.state, record.payee, _shard(ctx, record), amount)
        case Leg.OUT | Leg.LOCAL:
            if not record.is_seller_pool:
                _credit(ctx, record.payee, amount)
    _release_open(ctx, record, amount)


def _refund(ctx: Context, record: LockRecord, amount: int) -> None:
    match record.leg:
        case Leg.OUT:
            credit_shard(ctx.state, record.payer, _shard(ctx, record), amount)
        case Leg.IN | Leg.LOCAL:
            if not record.is_buyer_pool:
                _credit(ctx, record.payer, amount)
    _release_open(ctx, record, amount)


def _release_open(ctx: Context, record: LockRecord, amount: int) -> None:
    if record.leg is Leg.OUT:
        release_open(ctx.state, record.mandate_id, _shard(ctx, record), amount)
