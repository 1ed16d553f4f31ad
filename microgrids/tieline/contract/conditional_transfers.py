"""
Transfers from a stock chain that pay for a trade (X1), and on to another one (X3): the memo names
the trade, the money waits in a lock for the verdict, the acknowledgement waits with it. All
conditions live here; the stock chain only holds the escrow.

Sources:
    ``docs/spec/trade.md`` 6 and 4 (B1); ``docs/adr/0021``.
"""

from __future__ import annotations

from typing import Final

from tieline.contract import trade_events, vouchers
from tieline.contract.context import Context
from tieline.contract.evidence import (
    Fills,
    order_refusal,
    position_of,
    read_fills,
    require_clearing,
    require_evidence,
    take_fills,
)
from tieline.contract.keys import pending_key, stock_terms_key
from tieline.contract.locks import is_hash_lock_used, open_lock
from tieline.contract.new_locks import lock_of_trade
from tieline.contract.records import PendingRecord, encode_pending
from tieline.contract.slots import bands_of
from tieline.contract.stock_chains import account_on, party_on, stock_chain
from tieline.contract.terms import (
    clearing_refusal,
    ladder_refusal,
    lock_id_abroad,
    members_refusal,
    payload_refusal,
    require_members,
)
from tieline.contract.trade_errors import TradeRefused
from tieline.contract.transfer_moves import MODULE_TEXT
from tieline.contract.transfer_records import StockParty, StockTerms, encode_stock_terms
from tieline.contract.vouchers import PAY
from tieline.protocol.commitment import commit_packet
from tieline.protocol.denom import TRANSFER_PORT
from tieline.protocol.events import Event
from tieline.protocol.packet import Packet
from tieline.protocol.transfer import TransferData
from tieline.swap.lock import Leg, LockStatus
from tieline.swap.records import EnergyTrade, Reason, Side
from tieline.wire.abi import decode_energy_trade
from tieline.wire.errors import Malformed
from tieline.wire.hashes import tag
from tieline.wire.trade_memo import trade_in_memo

NOBODY: Final = bytes(20)
"""Both connectors of a trade with a stock chain: there is none, and no fee."""


class ConditionalRefused(TradeRefused):
    """A conditional transfer gets the sentinel, for a reason that lies in it."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text, reason=reason.name)
        self.reason = reason
        self.text = text

    def reason_record(self, packet: Packet) -> Event:
        """Return the record of the reason, which the sentinel cannot carry."""
        return trade_events.receive_refused(
            packet.destination_client, packet.sequence, self.reason, self.text
        )


def memo_of_trade(memo: str) -> bytes | None:
    """
    Return the bytes of the trade that a memo names, None for any memo but ours.

    Raises:
        ConditionalRefused: A memo that means us, and does not say it exactly so.
    """
    try:
        return trade_in_memo(memo)
    except Malformed as exc:
        raise ConditionalRefused(Reason.PAYLOAD, str(exc)) from exc


def receive_conditional(
    ctx: Context, packet: Packet, data: TransferData, encoded: bytes | None
) -> None:
    """
    Judge in B1's order, first hit gives the reason, and reserve everything.

    Raises:
        ConditionalRefused: For a reason that lies in the transfer, the orders or a cap.
        NotYetPosted: Clearing, cell set or evidence is missing, or a proof is false.
    """
    trade = _read_trade(encoded, data)
    terms = _stock_terms(ctx, packet, data, trade)
    _refuse(Reason.LADDER, ladder_refusal(ctx, trade, packet.timeout_s))
    if is_hash_lock_used(ctx, trade.hashlock):
        raise ConditionalRefused(Reason.H_USED, "hash lock is used")
    stored = require_clearing(ctx, trade.clearing_root)
    _refuse(Reason.CELL_SET, clearing_refusal(stored, trade))
    members = require_members(ctx, trade.cell_set_id)
    _refuse(Reason.CELL_SET, members_refusal(members, trade))
    evidence = require_evidence(ctx, trade.trade_id, trade.clearing_root)
    fills: Fills | None = None
    bond_price = 0
    if terms.seller is None:
        fills = read_fills(ctx, evidence, position_of(trade, Side.SELL))
        _refuse(Reason.ORDER, order_refusal(ctx, fills))
        bond_price = bands_of(ctx, trade.slot_start, trade.slot_length).bond_price
    voucher = PAY.through(TRANSFER_PORT, packet.destination_client)
    if not vouchers.issue(ctx, voucher, data.amount, packet.sequence):
        raise ConditionalRefused(Reason.CAP, "above the supply cap of this voucher")
    if fills is not None:
        take_fills(ctx, fills, bond_price)
    is_pool = fills is not None and fills.is_pool
    _open_pending(ctx, packet, trade, terms, bond_price=bond_price, is_seller_pool=is_pool)


def _refuse(reason: Reason, text: str | None) -> None:
    if text is not None:
        raise ConditionalRefused(reason, text)


def _read_trade(encoded: bytes | None, data: TransferData) -> EnergyTrade:
    """Return the trade that a transfer pays for, its fields agreeing with one another."""
    if encoded is None:
        raise ConditionalRefused(Reason.PAYLOAD, "the trade module takes transfers for trades only")
    if data.receiver != MODULE_TEXT:
        raise ConditionalRefused(Reason.PAYLOAD, f"a trade is paid for to {MODULE_TEXT}")
    try:
        trade = decode_energy_trade(encoded)
    except Malformed as exc:
        raise ConditionalRefused(Reason.PAYLOAD, str(exc)) from exc
    _refuse(Reason.PAYLOAD, payload_refusal(trade) or connector_refusal(trade))
    if data.denom != PAY.base:
        raise ConditionalRefused(Reason.PAYLOAD, f"a trade is paid for in {PAY.base} of its chain")
    if data.amount != trade.price_out * trade.energy_wh:
        raise ConditionalRefused(Reason.PAYLOAD, "amount is not price times energy")
    return trade


def connector_refusal(trade: EnergyTrade) -> str | None:
    """Say what is wrong with the connectors of a trade with a stock chain, or None."""
    if (trade.connector_in, trade.connector_out) != (NOBODY, NOBODY):
        return "a trade with a stock chain has no connector"
    if trade.price_in != trade.price_out:
        return "without a connector nobody takes a fee"
    return None


def _stock_terms(
    ctx: Context, packet: Packet, data: TransferData, trade: EnergyTrade
) -> StockTerms:
    """Return who is on which stock chain; the packet must come from the buyer, by its client."""
    source = stock_chain(ctx, trade.source_chain_tag)
    if source is None or source.client != packet.destination_client:
        raise ConditionalRefused(Reason.PAYLOAD, "source is not the stock chain of this client")
    if account_on(source, data.sender) != trade.buyer:
        raise ConditionalRefused(Reason.PAYLOAD, "sender is not the trade's buyer")
    buyer = StockParty(packet.destination_client, data.sender)
    if trade.dest_chain_tag == ctx.chain_tag:
        return StockTerms(trade.dest_chain_tag, buyer, None)
    destination = stock_chain(ctx, trade.dest_chain_tag)
    if destination is None:
        raise ConditionalRefused(Reason.PAYLOAD, "trade of another destination")
    return StockTerms(trade.dest_chain_tag, buyer, party_on(destination, trade.seller))


def _open_pending(
    ctx: Context,
    packet: Packet,
    trade: EnergyTrade,
    terms: StockTerms,
    *,
    bond_price: int,
    is_seller_pool: bool,
) -> None:
    client, sequence = packet.destination_client, packet.sequence
    commitment = commit_packet(packet)
    lock_id = lock_id_abroad(ctx.chain_tag, trade, trade.expiry_out)
    record = lock_of_trade(
        trade,
        leg=Leg.OUT,
        status=LockStatus.PENDING,
        payer=trade.buyer,
        payee=trade.seller,
        is_seller_pool=is_seller_pool,
        price=trade.price_out,
        bond_price=bond_price,
        expiry=trade.expiry_out,
        tau=packet.timeout_s,
        peer_chain_tag=trade.source_chain_tag,
        client=client,
        sequence=sequence,
        packet_commitment=commitment,
        is_in_vouchers=True,
        is_payee_abroad=terms.seller is not None,
    )
    pending = PendingRecord(lock_id, commitment)
    ctx.state.set(pending_key(tag(client), sequence), encode_pending(pending))
    ctx.state.set(stock_terms_key(lock_id), encode_stock_terms(terms))
    open_lock(ctx, lock_id, record)
