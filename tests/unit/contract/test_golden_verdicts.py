"""INTRA trades, groups and refused payloads of the shared vector, through the handlers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.golden_host import (
    BOND_PRICE,
    DEST_CLIENT,
    DIRECT,
    EXPECTED,
    GOLDEN,
    INPUTS,
    INTRA,
    SOURCE_CLIENT,
    T_B,
    TAG_A,
    TAG_B,
    TAU,
    Host,
    S,
    collect,
    delivered,
    direct_leaves,
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
from tieline.contract.energy_trade import EnergyTradeApplication, payload_of
from tieline.contract.evidence import handle_trade_evidence
from tieline.contract.exits import handle_claim, handle_refund
from tieline.contract.ibc_view import IbcView
from tieline.contract.keys import (
    lock_key,
    mandate_open_key,
    pending_key,
)
from tieline.contract.local_trades import handle_open_local
from tieline.contract.locks import lock_of, require_lock
from tieline.contract.records import (
    PendingRecord,
    encode_amount,
    encode_lock,
    encode_pending,
)
from tieline.contract.trade_errors import VerdictMismatch
from tieline.contract.verdicts import handle_apply_verdict
from tieline.protocol.handlers import write_acknowledgement
from tieline.protocol.packet import Packet
from tieline.swap.lock import LockStatus
from tieline.swap.messages import (
    MsgApplyVerdict,
    MsgClaim,
    MsgOpenLocal,
    MsgRefund,
    MsgTradeEvidence,
    ProvedVerdictLeaf,
)
from tieline.swap.records import (
    ZERO_HASH,
    Allocation,
    DeliveryLeaf,
    Level,
    LocalTrade,
    Order,
    OwnLeaf,
    Side,
    TradeEvidence,
    VerdictLeaf,
)
from tieline.wire.abi import (
    encode_allocation,
    encode_delivery_leaf,
    encode_id_leaf,
)
from tieline.wire.hashes import tag
from tieline.wire.merkle import MerkleTree
from tieline.wire.typed_data import order_id

# --- INTRA ----------------------------------------------------------------------------------


def intra_position() -> tuple[Order, Order, LocalTrade, tuple[OwnLeaf, ...]]:
    """The vector's INTRA trade."""
    buy = order_from(
        INPUTS["buyOrder"],
        account=b"\xa7" * 20,
        meter_id=b"\x4c" * 32,
        levels=1,
        energy_wh=700,
        delivery=1,
    )
    sell = order_from(
        INPUTS["sellOrder"],
        chain_tag=TAG_A,
        account=b"\xa6" * 20,
        meter_id=b"\x4b" * 32,
        levels=1,
        energy_wh=700,
        delivery=1,
        anchor=ZERO_HASH,
    )
    leaves = [Allocation(order_id(order), order.account, 700, 180_000, 0) for order in (buy, sell)]
    tree = MerkleTree([encode_allocation(leaf) for leaf in leaves])
    trade_id = raw(INTRA["tradeId"])
    trade = LocalTrade(
        trade_id=trade_id,
        cell_set_id=raw(EXPECTED["cellSetId"]),
        cell_set_epoch=INPUTS["cellSetEpoch"],
        slot_start=S,
        slot_length=900,
        allocations_root=raw(INTRA["allocationsRoot"]),
        buyer=raw(INTRA["payer"]),
        seller=raw(INTRA["payee_sellersPool"]),
        energy_wh=700,
        price=180_000,
        hashlock=raw(INTRA["H"]),
        expiry=T_B,
        clearing_root=MerkleTree([encode_id_leaf(trade_id)]).root,
    )
    own = tuple(OwnLeaf(leaf, tree.proof(encode_allocation(leaf))) for leaf in leaves)
    return buy, sell, trade, own


def intra_leaf() -> VerdictLeaf:
    """The vector's decision on the INTRA trade."""
    fields = INTRA["verdictLeafFields"]
    trade_id = raw(INTRA["tradeId"])
    return VerdictLeaf(
        TAG_A,
        tag("local"),
        fields["sequence"],
        trade_id,
        trade_id,
        fields["decision"],
        fields["capWh"],
        0,
        fields["group"],
        fields["groupSize"],
        fields["owners"],
    )


def open_intra() -> tuple[Host, LocalTrade, tuple[OwnLeaf, ...]]:
    """The INTRA lock, pending."""
    host = host_a()
    buy, sell, trade, own = intra_position()
    assert host.lay_order(buy) == raw(INTRA["buyOrderId"])
    assert host.lay_order(sell) == raw(INTRA["sellOrderId"])
    host.clear(trade.clearing_root, Level.INTRA)
    ctx = host.context(TAU - 1)
    handle_trade_evidence(ctx, MsgTradeEvidence(ctx.signer, TradeEvidence(trade.trade_id, (), own)))
    handle_open_local(ctx, MsgOpenLocal(ctx.signer, trade))
    return host, trade, own


def test_the_intra_trade_is_the_vectors() -> None:
    host, trade, own = open_intra()
    total = host.total()
    lock_id = raw(INTRA["lockId"])
    assert require_lock(host.context(TAU), lock_id).status is LockStatus.PENDING
    early = MsgClaim(b"\x09" * 20, lock_id, b"\x60" * 32, delivered(trade.trade_id, 600))
    root = MerkleTree([encode_delivery_leaf(DeliveryLeaf(trade.trade_id, 600))]).root
    host.lay_delivery(root)
    with pytest.raises(Exception, match="before the verdict"):
        handle_claim(host.context(TAU), early)
    decisions, accept = proved([intra_leaf()], intra_leaf())
    lay_verdict(host, decisions)
    handle_apply_verdict(host.context(TAU), MsgApplyVerdict(b"\x09" * 20, S, decisions, (accept,)))
    handle_claim(host.context(T_B - 1), early)
    handle_refund(
        host.context(T_B),
        MsgRefund(b"\x09" * 20, lock_id, (delivered(trade.trade_id, 600),)),
    )
    buyer_limit_left = 0  # the buyer's rest above the price stays with the order until released
    assert pay_balance(host.state, trade.buyer) == 100 * 180_000 + buyer_limit_left
    (share,) = collect(host, lock_id, Side.SELL, own[1:])
    assert int(share.get("used_wh")) == 600
    assert int(share.get("credited")) == 600 * (180_000 + BOND_PRICE)
    assert host.total() == total


# --- groups ---------------------------------------------------------------------------------


def group_leaves() -> list[VerdictLeaf]:
    """The vector's group of two, and the INTRA leaf in the same tree."""
    leaves = [
        VerdictLeaf(
            TAG_B,
            tag(DEST_CLIENT),
            sequence,
            raw(packet),
            raw(trade),
            decision,
            cap,
            reason,
            group,
            size,
            owners,
        )
        for sequence, packet, trade, decision, cap, reason, group, size, owners in GOLDEN["groups"][
            "fields"
        ]
    ]
    return [*leaves, intra_leaf()]


def group_host() -> Host:
    """Both trades of the group, pending at the destination."""
    host = host_b()
    a = host_a()
    a.lay_order(order_from(INPUTS["buyOrder"]))
    host.lay_order(order_from(INPUTS["sellOrder"]))
    for each in (a, host):
        each.clear(raw(EXPECTED["clearingRoot"]), Level.INTER)
    buy, sell = direct_leaves()
    packet = send(a, DIRECT, (buy,))
    assert receive(host, packet, DIRECT, (sell,)) is RecvStatus.ASYNC
    pattern = lock_of(host.context(TAU), raw(EXPECTED["lockIdB"]))
    assert pattern is not None
    view = IbcView(host.context(TAU))
    host.state.set(mandate_open_key(pattern.mandate_id, 0), encode_amount(10**13))
    for leaf in group_leaves()[:2]:
        lock_id = bytes([leaf.sequence]) * 32
        record = replace(
            pattern,
            trade_id=leaf.trade_id,
            sequence=leaf.sequence,
            packet_commitment=leaf.packet_commitment,
        )
        host.state.set(lock_key(lock_id), encode_lock(record))
        pending = PendingRecord(lock_id, leaf.packet_commitment)
        host.state.set(pending_key(leaf.dest_client, leaf.sequence), encode_pending(pending))
        write_acknowledgement.keep_for_later(view, replace(packet, sequence=leaf.sequence))
    lay_verdict(host, raw(GOLDEN["groups"]["root"]))
    return host


def group_message(*places: int) -> MsgApplyVerdict:
    """Some leaves of the group with the vector's own proofs."""
    leaves, proofs = group_leaves(), GOLDEN["groups"]["proofs"]
    chosen = tuple(
        ProvedVerdictLeaf(leaves[place], tuple(raw(node) for node in proofs[place]))
        for place in places
    )
    return MsgApplyVerdict(b"\x09" * 20, S, raw(GOLDEN["groups"]["root"]), chosen)


def test_a_whole_group_is_applied_in_one_transaction() -> None:
    host = group_host()
    handle_apply_verdict(host.context(TAU), group_message(0, 1))
    ctx = host.context(TAU)
    caps = [require_lock(ctx, bytes([sequence]) * 32).cap_wh for sequence in (5, 6)]
    assert caps == [10, 11]


@pytest.mark.parametrize("places", [(0,), (1,), (0, 0), (0, 1, 2), (0, 2)])
def test_a_group_that_is_not_whole_is_refused(places: tuple[int, ...]) -> None:
    host = group_host()
    with pytest.raises(VerdictMismatch):
        handle_apply_verdict(host.context(TAU), group_message(*places))


# --- refused payloads -----------------------------------------------------------------------

PAYLOAD = raw(EXPECTED["payload"])
TRUNCATED = [
    ("one byte short", PAYLOAD[:-1]),
    ("one byte long", PAYLOAD + b"\x00"),
    ("level 1", PAYLOAD[:63] + b"\x01" + PAYLOAD[64:]),
    ("version 2", PAYLOAD[:31] + b"\x02" + PAYLOAD[32:]),
    ("dirty bits above the level", PAYLOAD[:62] + b"\x01" + PAYLOAD[63:]),
    ("dirty bits above the buyer", PAYLOAD[:320] + b"\x01" + PAYLOAD[321:]),
    ("nothing", b""),
]


@pytest.mark.parametrize("value", [row[1] for row in TRUNCATED], ids=[row[0] for row in TRUNCATED])
def test_an_undecodable_payload_is_refused_at_once(value: bytes) -> None:
    host = host_b()

    payload = replace(payload_of(DIRECT), value=value)
    packet = Packet(1, SOURCE_CLIENT, DEST_CLIENT, TAU, (payload,))
    answer = EnergyTradeApplication().on_recv(host.context(TAU - 1), packet)
    assert answer.status is RecvStatus.ERROR
    assert answer.events[0].get("reason") == "PAYLOAD"
