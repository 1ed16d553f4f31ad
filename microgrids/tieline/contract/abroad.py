"""
Trades whose buyers are here and whose seller is on a stock chain (X2): one pending lock here, the
verdict applied here, nothing on the stock chain until a claim is sent there.

Sources:
    ``docs/spec/trade.md`` 6 (X2); ``docs/adr/0021``.
"""

from __future__ import annotations

from tieline.contract.conditional_transfers import connector_refusal
from tieline.contract.context import Context, Outcome
from tieline.contract.errors import InvalidMessage
from tieline.contract.evidence import (
    Fills,
    order_refusal,
    position_of,
    read_fills,
    require_clearing,
    require_evidence,
    take_fills,
)
from tieline.contract.keys import local_pending_key, stock_terms_key
from tieline.contract.locks import is_hash_lock_used, lock_of, open_lock
from tieline.contract.new_locks import lock_of_trade
from tieline.contract.records import LockRecord, PendingRecord, encode_pending
from tieline.contract.registry import require_own_cell
from tieline.contract.slots import deadlines_of
from tieline.contract.stock_chains import party_on, stock_chain
from tieline.contract.terms import (
    clearing_refusal,
    ladder_refusal,
    lock_id_abroad,
    members_refusal,
    payload_refusal,
    require_members,
)
from tieline.contract.trade_errors import TooLate, TradeRefused
from tieline.contract.transfer_records import StockTerms, encode_stock_terms
from tieline.swap.lock import Leg, LockStatus
from tieline.swap.messages import MsgOpenAbroad
from tieline.swap.records import LOCAL_CLIENT, EnergyTrade, Reason, Side


def handle_open_abroad(ctx: Context, message: MsgOpenAbroad) -> Outcome:
    """
    Open the pending locks of trades with sellers on stock chains; a repeat is a no-op.

    Raises:
        NotPermitted: The signer is not this ledger's utility cell.
        NotYetPosted: Clearing, cell set or evidence is missing, or a proof is false.
        TradeRefused: Fields, chains, ladder, hash lock or orders do not hold.
        TooLate: From tau on: the pending set is closed.
    """
    require_own_cell(ctx)
    if not message.trades:
        raise InvalidMessage("no trades")
    is_any_new = False
    for trade in message.trades:
        is_any_new |= _open(ctx, trade)
    return Outcome.DONE if is_any_new else Outcome.ALREADY_DONE


def _open(ctx: Context, trade: EnergyTrade) -> bool:
    terms = _check_terms(ctx, trade)
    lock_id = lock_id_abroad(ctx.chain_tag, trade, trade.expiry_in)
    if lock_of(ctx, lock_id) is not None:
        return False
    tau = deadlines_of(ctx, trade.slot_start, trade.slot_length).tau
    _require(Reason.LADDER, ladder_refusal(ctx, trade, tau))
    if ctx.now_s >= tau:
        raise TooLate("lock for a seller abroad from tau on", tau=tau)
    if is_hash_lock_used(ctx, trade.hashlock):
        raise TradeRefused("hash lock is used", reason=Reason.H_USED.name)
    stored = require_clearing(ctx, trade.clearing_root)
    _require(Reason.CELL_SET, clearing_refusal(stored, trade))
    members = require_members(ctx, trade.cell_set_id)
    _require(Reason.CELL_SET, members_refusal(members, trade))
    evidence = require_evidence(ctx, trade.trade_id, trade.clearing_root)
    fills = read_fills(ctx, evidence, position_of(trade, Side.BUY))
    _require(Reason.ORDER, order_refusal(ctx, fills))
    take_fills(ctx, fills, trade.price_in)
    pending = PendingRecord(lock_id, trade.trade_id)
    ctx.state.set(local_pending_key(trade.trade_id), encode_pending(pending))
    ctx.state.set(stock_terms_key(lock_id), encode_stock_terms(terms))
    open_lock(ctx, lock_id, _record(trade, tau, fills))
    return True


def _require(reason: Reason, refusal: str | None) -> None:
    if refusal is not None:
        raise TradeRefused(refusal, reason=reason.name)


def _check_terms(ctx: Context, trade: EnergyTrade) -> StockTerms:
    """Return where the seller is, if the trade's own fields hold."""
    if trade.source_chain_tag != ctx.chain_tag:
        raise TradeRefused("trade of another source", chain_tag=trade.source_chain_tag.hex())
    _require(Reason.PAYLOAD, payload_refusal(trade) or connector_refusal(trade))
    destination = stock_chain(ctx, trade.dest_chain_tag)
    if destination is None:
        raise TradeRefused(
            "destination is no stock chain of this ledger", chain_tag=trade.dest_chain_tag.hex()
        )
    return StockTerms(trade.dest_chain_tag, None, party_on(destination, trade.seller))


def _record(trade: EnergyTrade, tau: int, fills: Fills) -> LockRecord:
    return lock_of_trade(
        trade,
        leg=Leg.LOCAL,
        status=LockStatus.PENDING,
        payer=trade.buyer,
        payee=trade.seller,
        is_buyer_pool=fills.is_pool,
        price=trade.price_in,
        expiry=trade.expiry_in,
        tau=tau,
        peer_chain_tag=trade.dest_chain_tag,
        client=LOCAL_CLIENT,
        packet_commitment=trade.trade_id,
        is_payee_abroad=True,
    )
