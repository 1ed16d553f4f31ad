"""All messages of the trade application, in one table for the host to run."""

from __future__ import annotations

from collections.abc import Mapping

from tieline.contract.abroad import handle_open_abroad
from tieline.contract.connector import handle_set_mandate
from tieline.contract.deliveries import handle_post_delivery
from tieline.contract.dispatch import Handler
from tieline.contract.energy_trade import handle_lock_and_send
from tieline.contract.evidence import handle_trade_evidence
from tieline.contract.exits import handle_claim, handle_refund, handle_waive
from tieline.contract.genesis import Genesis
from tieline.contract.local_trades import handle_open_local
from tieline.contract.order_book import (
    handle_cancel,
    handle_place_orders,
    handle_release_order,
)
from tieline.contract.owed import handle_retry_owed, handle_take_owed
from tieline.contract.shares import handle_collect_share
from tieline.contract.slots import handle_set_bands
from tieline.contract.stock_chains import handle_set_stock_chain
from tieline.contract.store import KeyValues
from tieline.contract.transfer import handle_transfer
from tieline.contract.vaults import credit_evenly, handle_deposit, handle_withdraw
from tieline.contract.verdicts import handle_apply_verdict, handle_expire_pending
from tieline.protocol.messages import Transfer
from tieline.swap.messages import (
    MsgApplyVerdict,
    MsgCancel,
    MsgClaim,
    MsgCollectShare,
    MsgDeposit,
    MsgExpirePending,
    MsgLockAndSend,
    MsgOpenAbroad,
    MsgOpenLocal,
    MsgPlaceOrders,
    MsgPostDelivery,
    MsgRefund,
    MsgReleaseOrder,
    MsgRetryOwed,
    MsgSetBands,
    MsgSetMandate,
    MsgSetStockChain,
    MsgTakeOwed,
    MsgTradeEvidence,
    MsgWaive,
    MsgWithdraw,
)

TRADE_HANDLERS: Mapping[type, Handler] = {
    MsgSetBands: handle_set_bands,
    MsgPlaceOrders: handle_place_orders,
    MsgCancel: handle_cancel,
    MsgReleaseOrder: handle_release_order,
    MsgSetMandate: handle_set_mandate,
    MsgDeposit: handle_deposit,
    MsgWithdraw: handle_withdraw,
    MsgTradeEvidence: handle_trade_evidence,
    MsgLockAndSend: handle_lock_and_send,
    MsgOpenLocal: handle_open_local,
    MsgApplyVerdict: handle_apply_verdict,
    MsgExpirePending: handle_expire_pending,
    MsgPostDelivery: handle_post_delivery,
    MsgClaim: handle_claim,
    MsgWaive: handle_waive,
    MsgRefund: handle_refund,
    MsgCollectShare: handle_collect_share,
    Transfer: handle_transfer,
    MsgSetStockChain: handle_set_stock_chain,
    MsgOpenAbroad: handle_open_abroad,
    MsgRetryOwed: handle_retry_owed,
    MsgTakeOwed: handle_take_owed,
}
"""Cell sets, clearings and sends of PAY are core's."""


def write_vaults(state: KeyValues, genesis: Genesis) -> None:
    """Put what connectors deposited before the first block into their vaults."""
    for account, amount in genesis.vaults:
        credit_evenly(state, account, genesis.parameters.vault_shards, amount)
