"""A lock as a trade opens it: the trade's own terms, nothing paid, nothing slashed, no cap yet."""

from __future__ import annotations

from tieline.contract.records import LockRecord
from tieline.swap.lock import Leg, LockStatus
from tieline.swap.records import ZERO_HASH, EnergyTrade


def lock_of_trade(
    trade: EnergyTrade,
    *,
    leg: Leg,
    status: LockStatus,
    payer: bytes,
    payee: bytes,
    price: int,
    expiry: int,
    tau: int,
    peer_chain_tag: bytes,
    client: str,
    packet_commitment: bytes,
    sequence: int = 0,
    peer_lock_id: bytes = ZERO_HASH,
    mandate_id: bytes = ZERO_HASH,
    bond_price: int = 0,
    is_buyer_pool: bool = False,
    is_seller_pool: bool = False,
    is_in_vouchers: bool = False,
    is_payee_abroad: bool = False,
) -> LockRecord:
    """Return the record of a new lock; what is asked for differs between legs and routes."""
    return LockRecord(
        leg=leg,
        status=status,
        trade_id=trade.trade_id,
        hash_lock=trade.hashlock,
        payer=payer,
        payee=payee,
        is_buyer_pool=is_buyer_pool,
        is_seller_pool=is_seller_pool,
        energy_wh=trade.energy_wh,
        price=price,
        bond_price=bond_price,
        cap_wh=trade.energy_wh,
        paid_wh=0,
        slashed_wh=0,
        expiry=expiry,
        late_expiry=trade.expiry_in,
        tau=tau,
        verdict_deadline=trade.verdict_deadline,
        slot_start=trade.slot_start,
        slot_length=trade.slot_length,
        level=trade.level,
        cell_set_id=trade.cell_set_id,
        allocations_root=trade.allocations_root,
        peer_chain_tag=peer_chain_tag,
        peer_lock_id=peer_lock_id,
        client=client,
        sequence=sequence,
        packet_commitment=packet_commitment,
        mandate_id=mandate_id,
        is_in_vouchers=is_in_vouchers,
        is_payee_abroad=is_payee_abroad,
    )
