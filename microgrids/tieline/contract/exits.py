"""
How money leaves a lock: claim, waiver, refund. No pause stops these, no packet and no light
client is needed, anyone may push them, and they pay a fixed account only.

Sources:
    ``docs/spec/trade.md`` 3 (A9 to A12) and 4 (B6 to B9).
"""

from __future__ import annotations

from tieline.contract import trade_events
from tieline.contract.context import Context, Outcome
from tieline.contract.deliveries import delivered_by_all, delivered_wh
from tieline.contract.errors import NotPermitted
from tieline.contract.limits import SIGNATURE_GAS
from tieline.contract.locks import move_lock, require_lock
from tieline.contract.records import LockRecord
from tieline.contract.registry import role_key
from tieline.contract.terms import require_members
from tieline.contract.trade_errors import TooEarly, TooLate
from tieline.swap.lock import TERMINAL, Leg
from tieline.swap.lock_events import ClaimAsked, PayPayee, RefundAsked, WaiverAsked
from tieline.swap.lock_events import Outcome as Moved
from tieline.swap.messages import MsgClaim, MsgRefund, MsgWaive
from tieline.swap.records import Role, Waive
from tieline.wire.errors import Malformed
from tieline.wire.typed_data import recover_signer_address

STATEMENTS_MAX = 64
"""Leaves in one refund; a quorum has to sign each of their statements."""


def handle_claim(ctx: Context, message: MsgClaim) -> Outcome:
    """
    Pay the payee for what was delivered (A9, B6); nothing to pay is a no-op.

    Raises:
        LockNotFound: No such lock.
        NotYetPosted, ProofRefused: The leaf is not in a stored statement.
        TooLate: From the expiry on.
        LockRefused: Before the verdict, or the preimage is not the lock's.
    """
    record = require_lock(ctx, message.lock_id)
    if record.status in TERMINAL:
        return Outcome.ALREADY_DONE
    if ctx.now_s >= record.expiry:
        raise TooLate("claim from the expiry on", expiry=record.expiry)
    wh = delivered_wh(ctx, record, message.delivery)
    moved = move_lock(ctx, message.lock_id, record, ClaimAsked(message.preimage, wh))
    if moved.outcome is not Moved.MOVED:
        return Outcome.ALREADY_DONE
    paid_wh = sum(effect.wh for effect in moved.effects if isinstance(effect, PayPayee))
    ctx.emit(
        trade_events.claimed(message.lock_id, paid_wh, paid_wh * record.price, message.preimage)
    )
    return Outcome.DONE


def handle_waive(ctx: Context, message: MsgWaive) -> Outcome:
    """
    Give up a lock above some Wh (A10, B7).

    Raises:
        LockNotFound: No such lock.
        NotPermitted: Not the payee; for a pool, not this ledger's cell with the grid operator's.
        LockRefused: Before the verdict, or outside paid..cap.
    """
    record = require_lock(ctx, message.lock_id)
    if record.status in TERMINAL:
        return Outcome.ALREADY_DONE
    _require_payee(ctx, record, message)
    moved = move_lock(ctx, message.lock_id, record, WaiverAsked(message.wh, is_by_payee=True))
    if moved.outcome is not Moved.MOVED:
        return Outcome.ALREADY_DONE
    given_up_wh = record.cap_wh - message.wh
    ctx.emit(trade_events.waived(message.lock_id, given_up_wh, given_up_wh * record.price))
    return Outcome.DONE


def _require_payee(ctx: Context, record: LockRecord, message: MsgWaive) -> None:
    if not record.is_seller_pool or record.leg is Leg.IN:
        if ctx.signer != record.payee:
            raise NotPermitted("waiver by the payee only", payee=record.payee.hex())
        return
    if ctx.state.get(role_key(ctx.signer_address)) is None:
        raise NotPermitted("a pool's waiver is its utility cell's", signer=ctx.signer.hex())
    ctx.charge(SIGNATURE_GAS)
    try:
        cosigner = recover_signer_address(
            ctx.domain, Waive(message.lock_id, message.wh), message.cosignature
        )
    except Malformed as exc:
        raise NotPermitted(f"co-signature is malformed: {exc}") from exc
    members = require_members(ctx, record.cell_set_id)
    if cosigner not in {row.cell for row in members.rows if row.role == Role.GRID}:
        raise NotPermitted("a pool's waiver needs the grid operator's co-signature")


def handle_refund(ctx: Context, message: MsgRefund) -> Outcome:
    """
    Return what an expired lock still holds (A11, B8); a seller's shortfall costs its bond.

    Raises:
        LockNotFound: No such lock.
        TooEarly: Before the expiry; or, before T_A, without a leaf from every stored statement.
        NotYetPosted, ProofRefused: A leaf is not in a stored statement.
        LockRefused: The lock is pending: it expires instead.
    """
    record = require_lock(ctx, message.lock_id)
    if record.status in TERMINAL:
        return Outcome.ALREADY_DONE
    if ctx.now_s < record.expiry:
        raise TooEarly("refund before the expiry", expiry=record.expiry)
    asked = RefundAsked()
    if record.leg is not Leg.IN:
        if len(message.deliveries) > STATEMENTS_MAX:
            raise NotPermitted("too many leaves", leaves=len(message.deliveries))
        delivered = delivered_by_all(ctx, record, message.deliveries)
        if delivered is None and ctx.now_s < record.late_expiry:
            raise TooEarly(
                "refund without a leaf from every stored statement", until=record.late_expiry
            )
        asked = RefundAsked(delivered or (), is_every_root_covered=delivered is not None)
    move_lock(ctx, message.lock_id, record, asked)
    return Outcome.DONE
