"""
The golden trade through the contract's own handlers: every business field of the shared vector
comes out of execution. Only what needs keys that nobody has (orders, quorums) is laid in place.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.golden_host import (
    BOND_PRICE,
    DEST_CLIENT,
    DIRECT,
    EXPECTED,
    INPUTS,
    POOLED,
    SOURCE_CLIENT,
    T_A,
    T_B,
    TAU,
    D,
    Host,
    S,
    collect,
    delivered,
    direct_leaves,
    golden_leaf,
    host_a,
    host_b,
    lay_verdict,
    order_from,
    proved,
    raw,
    receive,
    send,
)

from tieline.contract.accounts import pay_balance
from tieline.contract.application import RecvStatus
from tieline.contract.energy_trade import EnergyTradeApplication
from tieline.contract.exits import handle_claim, handle_refund
from tieline.contract.keys import (
    lock_key,
    pending_key,
)
from tieline.contract.locks import require_lock
from tieline.contract.records import (
    PendingRecord,
    encode_pending,
)
from tieline.contract.vaults import shard_balance
from tieline.contract.verdicts import handle_apply_verdict
from tieline.protocol import commitment
from tieline.swap.lock import LockStatus
from tieline.swap.messages import (
    MsgApplyVerdict,
    MsgClaim,
    MsgRefund,
)
from tieline.swap.records import (
    ZERO_HASH,
    Allocation,
    DeliveryLeaf,
    EnergyTrade,
    Level,
    Order,
    OwnLeaf,
    Side,
)
from tieline.wire.abi import (
    encode_delivery_leaf,
    encode_id_leaf,
)
from tieline.wire.hashes import sha256, tag
from tieline.wire.merkle import MerkleTree


def test_the_direct_trade_is_byte_for_byte_the_vectors() -> None:
    a, b = host_a(), host_b()
    buy, sell = direct_leaves()
    assert a.lay_order(order_from(INPUTS["buyOrder"])) == raw(EXPECTED["buyOrderId"])
    assert b.lay_order(order_from(INPUTS["sellOrder"])) == raw(EXPECTED["sellOrderId"])
    for host in (a, b):
        host.clear(raw(EXPECTED["clearingRoot"]), Level.INTER)

    packet = send(a, DIRECT, (buy,))
    assert packet.payloads[0].value == raw(EXPECTED["payload"])
    assert sha256(packet.payloads[0].value) == raw(EXPECTED["payloadSha256"])
    key = commitment.packet_commitment_key(SOURCE_CLIENT, 1)
    assert a.ibc.get(key) == raw(EXPECTED["packetCommitment"])
    assert a.state.get(lock_key(raw(EXPECTED["lockIdA"]))) is not None

    assert receive(b, packet, DIRECT, (sell,)) is RecvStatus.ASYNC
    lock_b = raw(EXPECTED["lockIdB"])
    assert b.state.get(pending_key(tag(DEST_CLIENT), 1)) == encode_pending(
        PendingRecord(lock_b, raw(EXPECTED["packetCommitment"]))
    )
    reserved = 10**12 - shard_balance(b.state, raw(INPUTS["connectorOut"]), 0)
    assert reserved == EXPECTED["payOutFullNanoEur"]

    leaves = [golden_leaf("leaf1"), golden_leaf("leaf2")]
    root, accept = proved(leaves, leaves[0])
    assert root == raw(EXPECTED["decisionsRoot"])
    lay_verdict(b, root)
    handle_apply_verdict(b.context(TAU), MsgApplyVerdict(b"\x09" * 20, S, root, (accept,)))
    ack_key = commitment.acknowledgement_key(DEST_CLIENT, 1)
    assert b.ibc.get(ack_key) == raw(EXPECTED["ackCommitment"])

    EnergyTradeApplication().on_acknowledge(a.context(D), packet, raw(EXPECTED["ack"]))
    confirmed = require_lock(a.context(D), raw(EXPECTED["lockIdA"]))
    assert (confirmed.status, confirmed.cap_wh) == (LockStatus.CONFIRMED, 3750)

    wh = INPUTS["delivery"]["deliveredWh"]
    for host, lock_id in ((a, raw(EXPECTED["lockIdA"])), (b, lock_b)):
        host.lay_delivery(raw(EXPECTED["deliveriesRoot"]))
        claim = MsgClaim(
            b"\x09" * 20, lock_id, raw(INPUTS["preimage"]), delivered(DIRECT.trade_id, wh)
        )
        handle_claim(host.context(T_B - 1), claim)
    paid = shard_balance(a.state, raw(INPUTS["connectorIn"]), 0)
    assert paid == EXPECTED["payInFor3600Wh"]
    assert pay_balance(b.state, raw(INPUTS["seller"])) == 3600 * 200_000 + BOND_PRICE * (
        3600 + 1250
    )


def test_the_third_leafs_tree_holds_the_same_accept() -> None:
    leaves = [golden_leaf(name) for name in ("leaf1", "leaf2", "leaf3")]
    root, _ = proved(leaves, leaves[0])
    assert root == raw(EXPECTED["decisionsRootOf3"])


# --- pooled ---------------------------------------------------------------------------------


def pooled_orders(side: Side) -> list[Order]:
    """The pool's orders: accounts, meters and energies are in the vector's note."""
    if side is Side.BUY:
        rows = [(0xA2, 0x40, 1200), (0xA3, 0x41, 2300), (0xA4, 0x42, 1501)]
        fields = INPUTS["buyOrder"]
    else:
        rows = [(0xB2, 0x48, 2000), (0xB3, 0x49, 3001)]
        fields = INPUTS["sellOrder"]
    return [
        order_from(
            fields,
            account=bytes([account]) * 20,
            meter_id=bytes([meter]) * 32,
            energy_wh=wh,
            levels=6,
            delivery=1,
            anchor=ZERO_HASH,
        )
        for account, meter, wh in rows
    ]


def pooled_leaves(name: str) -> tuple[OwnLeaf, ...]:
    """Leaves with their proofs as the vector prints them."""
    return tuple(
        OwnLeaf(
            Allocation(
                raw(row["orderId"]),
                raw(row["account"]),
                row["energyWh"],
                row["price"],
                row["offsetWh"],
            ),
            tuple(raw(node) for node in row["proof"]),
        )
        for row in POOLED[name]
    )


def pooled_trade() -> EnergyTrade:
    """The pooled position."""
    trade_id = raw(POOLED["tradeId"])
    return replace(
        DIRECT,
        trade_id=trade_id,
        allocations_root=raw(POOLED["allocationsRoot"]),
        buyer=raw(POOLED["poolA"]),
        seller=raw(POOLED["poolB"]),
        energy_wh=POOLED["energyWh"],
        hashlock=raw(POOLED["H"]),
        lock_id_in=raw(POOLED["lockIdA"]),
        clearing_root=MerkleTree([encode_id_leaf(trade_id)]).root,
    )


@pytest.fixture
def pooled() -> tuple[Host, Host, EnergyTrade]:
    """Both locks of the pooled position open, the destination's LOCKED with the whole energy."""
    a, b, trade = host_a(), host_b(), pooled_trade()
    for host, side, name in ((a, Side.BUY, "buyLeaves"), (b, Side.SELL, "sellLeaves")):
        laid = {host.lay_order(order) for order in pooled_orders(side)}
        assert laid == {raw(row["orderId"]) for row in POOLED[name]}
        host.clear(trade.clearing_root, Level.INTER)
    packet = send(a, trade, pooled_leaves("buyLeaves"))
    assert receive(b, packet, trade, pooled_leaves("sellLeaves")) is RecvStatus.ASYNC
    leaf = replace(
        golden_leaf("leaf1"),
        packet_commitment=commitment.commit_packet(packet),
        trade_id=trade.trade_id,
        cap_wh=trade.energy_wh,
    )
    root, accept = proved([leaf], leaf)
    lay_verdict(b, root)
    handle_apply_verdict(b.context(TAU), MsgApplyVerdict(b"\x09" * 20, S, root, (accept,)))
    return a, b, trade


def test_pooled_shares_when_3601_are_paid(pooled: tuple[Host, Host, EnergyTrade]) -> None:
    a, b, trade = pooled
    before = (a.total(), b.total())
    root = MerkleTree([encode_delivery_leaf(DeliveryLeaf(trade.trade_id, 3601))]).root
    locks = ((a, raw(POOLED["lockIdA"]), T_A), (b, raw(POOLED["lockIdB"]), T_B))
    for host, lock_id, expiry in locks:
        host.lay_delivery(root)
        leaf = delivered(trade.trade_id, 3601)
        handle_claim(host.context(T_B - 1), MsgClaim(b"\x09" * 20, lock_id, b"\x5f" * 32, leaf))
        handle_refund(host.context(expiry), MsgRefund(b"\x09" * 20, lock_id, (leaf,)))
        assert require_lock(host.context(expiry), lock_id).paid_wh == 3601

    wanted = POOLED["sharesWhenPaid3601"]
    bought = collect(a, locks[0][1], Side.BUY, pooled_leaves("buyLeaves"))
    sold = collect(b, locks[1][1], Side.SELL, pooled_leaves("sellLeaves"))
    for found, rows in ((bought, wanted["buyers"]), (sold, wanted["sellers"])):
        assert [(e.get("order_id"), int(e.get("used_wh"))) for e in found] == [
            (row["orderId"], row["usedWh"]) for row in rows
        ]
    assert sum(int(e.get("credited")) for e in bought) == (5001 - 3601) * 200_400
    slashed = require_lock(b.context(T_A), locks[1][1]).slashed_wh
    assert slashed == 5001 - 3601
    assert sum(int(e.get("credited")) for e in sold) == 3601 * (200_000 + BOND_PRICE)
    assert (a.total(), b.total()) == before


def test_nothing_of_a_pool_moves_before_its_shares_are_collected(
    pooled: tuple[Host, Host, EnergyTrade],
) -> None:
    a, b, _ = pooled
    handle_refund(a.context(T_A), MsgRefund(b"\x09" * 20, raw(POOLED["lockIdA"])))
    handle_refund(b.context(T_B), MsgRefund(b"\x09" * 20, raw(POOLED["lockIdB"])))
    for host in (a, b):
        assert all(pay_balance(host.state, bytes([n]) * 20) == 0 for n in range(0xA1, 0xB4))
