"""All messages of the trade application, in one table for the host to run."""

from __future__ import annotations

from tieline.contract.connector import handle_set_mandate
from tieline.contract.deliveries import handle_post_delivery
from tieline.contract.dispatch import Dispatch
from tieline.contract.energy_trade import handle_lock_and_send
from tieline.contract.evidence import handle_trade_evidence
from tieline.contract.exits import handle_claim, handle_refund, handle_waive
from tieline.contract.local_trades import handle_open_local
from tieline.contract.order_book import (
    handle_cancel,
    handle_place_orders,
    handle_release_order,
)
from tieline.contract.shares import handle_collect_share
from tieline.contract.slots import handle_set_bands
from tieline.contract.vaults import handle_deposit, handle_withdraw
from tieline.contract.verdicts import handle_apply_verdict, handle_expire_pending
from tieline.swap.messages import (
    MsgApplyVerdict,
    MsgCancel,
    MsgClaim,
    MsgCollectShare,
    MsgDeposit,
    MsgExpirePending,
    MsgLockAndSend,
    MsgOpenLocal,
    MsgPlaceOrders,
    MsgPostDelivery,
    MsgRefund,
    MsgReleaseOrder,
    MsgSetBands,
    MsgSetMandate,
    MsgTradeEvidence,
    MsgWaive,
    MsgWithdraw,
)


def register_trade_messages(dispatch: Dispatch) -> None:
    """Put the trade application's handlers in the table; cell sets and clearings are core's."""
    dispatch.register(MsgSetBands, handle_set_bands)
    dispatch.register(MsgPlaceOrders, handle_place_orders)
    dispatch.register(MsgCancel, handle_cancel)
    dispatch.register(MsgReleaseOrder, handle_release_order)
    dispatch.register(MsgSetMandate, handle_set_mandate)
    dispatch.register(MsgDeposit, handle_deposit)
    dispatch.register(MsgWithdraw, handle_withdraw)
    dispatch.register(MsgTradeEvidence, handle_trade_evidence)
    dispatch.register(MsgLockAndSend, handle_lock_and_send)
    dispatch.register(MsgOpenLocal, handle_open_local)
    dispatch.register(MsgApplyVerdict, handle_apply_verdict)
    dispatch.register(MsgExpirePending, handle_expire_pending)
    dispatch.register(MsgPostDelivery, handle_post_delivery)
    dispatch.register(MsgClaim, handle_claim)
    dispatch.register(MsgWaive, handle_waive)
    dispatch.register(MsgRefund, handle_refund)
    dispatch.register(MsgCollectShare, handle_collect_share)
