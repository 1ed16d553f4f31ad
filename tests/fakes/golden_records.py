"""The records of ``tests/vectors/trade_bytes.json``; what they must hash to is there too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tieline.swap.records import (
    Allocation,
    AttestorKey,
    Clearing,
    Delivery,
    DeliveryLeaf,
    EnergyTrade,
    Order,
    PendingLeaf,
    Reading,
    TradeAck,
    Verdict,
    VerdictLeaf,
)
from tieline.wire import abi, ids, merkle, typed_data
from tieline.wire.hashes import sha256, tag

VECTORS = json.loads(
    (Path(__file__).parents[1] / "vectors" / "trade_bytes.json").read_text(encoding="utf-8")
)
INPUTS: dict[str, Any] = VECTORS["inputs"]
EXPECTED: dict[str, Any] = VECTORS["expected"]


def raw(text: str) -> bytes:
    """Bytes of a vector's hex, with or without 0x."""
    return bytes.fromhex(text.removeprefix("0x"))


SLOT = INPUTS["slotStart"]
LENGTH = INPUTS["slotLength"]
DOMAIN = typed_data.domain_separator(raw(INPUTS["networkId"]))
TAGS = {
    side: ids.chain_tag(kind, native_id, raw(genesis), raw(host))
    for side, (kind, native_id, genesis, host) in (
        ("A", INPUTS["chainA"]),
        ("B", INPUTS["chainB"]),
    )
}
HASHLOCK = sha256(raw(INPUTS["preimage"]))
CELLS = tuple(map(raw, INPUTS["cells"]))
CLIENT = tag(INPUTS["client"])


def order(row: dict[str, Any]) -> Order:
    """An order of the vector."""
    return Order(
        chain_tag=TAGS[row["chain"]],
        account=raw(row["account"]),
        meter_id=raw(row["meterId"]),
        side=row["side"],
        levels=row["levels"],
        delivery=row["delivery"],
        slot_start=SLOT,
        slot_length=LENGTH,
        energy_wh=row["energyWh"],
        price_min=row["priceMin"],
        price_max=row["priceMax"],
        anchor=HASHLOCK if row["anchor"] == "H" else raw(row["anchor"]),
        nonce=row["nonce"],
    )


BUY = order(INPUTS["buyOrder"])
SELL = order(INPUTS["sellOrder"])
ORDER_IDS = {"buyOrder": typed_data.order_id(BUY), "sellOrder": typed_data.order_id(SELL)}
ALLOCATIONS = [
    Allocation(ORDER_IDS[name], raw(account), energy, price, offset)
    for name, account, energy, price, offset in INPUTS["allocations"]
]
ALLOCATIONS_ROOT = merkle.merkle_root(map(abi.encode_allocation, ALLOCATIONS))
TRADE_ID = ids.trade_id(
    TAGS["A"], TAGS["B"], SLOT, LENGTH, INPUTS["level"], ALLOCATIONS_ROOT, HASHLOCK
)
CELL_SET_ID = ids.cell_set_id(
    raw(INPUTS["networkId"]), raw(INPUTS["networkEpoch"]), INPUTS["cellSetEpoch"], CELLS
)
LOCK_A = ids.lock_id(
    TAGS["A"],
    TRADE_ID,
    HASHLOCK,
    raw(INPUTS["buyer"]),
    raw(INPUTS["connectorIn"]),
    INPUTS["energyWh"],
    INPUTS["priceIn"],
    INPUTS["T_A"],
)
LOCK_B = ids.lock_id(
    TAGS["B"],
    TRADE_ID,
    HASHLOCK,
    raw(INPUTS["connectorOut"]),
    raw(INPUTS["seller"]),
    INPUTS["energyWh"],
    INPUTS["priceOut"],
    INPUTS["T_B"],
)
CLEARING_ROOT = merkle.merkle_root([abi.encode_id_leaf(TRADE_ID)])
TRADE = EnergyTrade(
    version=1,
    level=INPUTS["level"],
    trade_id=TRADE_ID,
    cell_set_id=CELL_SET_ID,
    cell_set_epoch=INPUTS["cellSetEpoch"],
    slot_start=SLOT,
    slot_length=LENGTH,
    source_chain_tag=TAGS["A"],
    dest_chain_tag=TAGS["B"],
    allocations_root=ALLOCATIONS_ROOT,
    buyer=raw(INPUTS["buyer"]),
    seller=raw(INPUTS["seller"]),
    connector_in=raw(INPUTS["connectorIn"]),
    connector_out=raw(INPUTS["connectorOut"]),
    energy_wh=INPUTS["energyWh"],
    price_in=INPUTS["priceIn"],
    price_out=INPUTS["priceOut"],
    hashlock=HASHLOCK,
    expiry_in=INPUTS["T_A"],
    expiry_out=INPUTS["T_B"],
    verdict_deadline=INPUTS["D"],
    lock_id_in=LOCK_A,
    clearing_root=CLEARING_ROOT,
)
PACKET_COMMITMENT = raw(EXPECTED["packetCommitment"])


def verdict_leaf(number: int) -> VerdictLeaf:
    """A verdict leaf of the vector."""
    row = INPUTS[f"leaf{number}"]
    return VerdictLeaf(
        dest_chain_tag=TAGS["B"],
        dest_client=CLIENT,
        sequence=row.get("sequence", INPUTS["sequence"]),
        packet_commitment=raw(row["packetCommitment"])
        if "packetCommitment" in row
        else PACKET_COMMITMENT,
        trade_id=raw(row["tradeId"]) if "tradeId" in row else TRADE_ID,
        decision=row["decision"],
        cap_wh=row["capWh"],
        reason=row["reason"],
        group=row["group"],
        group_size=row["groupSize"],
        owners=row["owners"],
    )


LEAVES = [verdict_leaf(number) for number in (1, 2, 3)]
PENDING_ROOT = merkle.merkle_root(
    abi.encode_pending_leaf(PendingLeaf(TAGS["B"], CLIENT, leaf.sequence, leaf.packet_commitment))
    for leaf in LEAVES[:2]
)
DECISIONS_ROOT = merkle.merkle_root(map(abi.encode_verdict_leaf, LEAVES[:2]))
VERDICT = Verdict(
    CELL_SET_ID,
    INPUTS["cellSetEpoch"],
    SLOT,
    LENGTH,
    raw(INPUTS["networkEpoch"]),
    raw(INPUTS["verdict"]["baselineHash"]),
    PENDING_ROOT,
    DECISIONS_ROOT,
    raw(INPUTS["verdict"]["flowProofHash"]),
    raw(INPUTS["verdict"]["setpointsHash"]),
)
VERDICT_HASH = typed_data.struct_hash(VERDICT)
DELIVERIES_ROOT = merkle.merkle_root(
    [abi.encode_delivery_leaf(DeliveryLeaf(TRADE_ID, INPUTS["delivery"]["deliveredWh"]))]
)
DELIVERY = Delivery(
    CELL_SET_ID,
    INPUTS["cellSetEpoch"],
    SLOT,
    LENGTH,
    VERDICT_HASH,
    raw(INPUTS["delivery"]["readingsRoot"]),
    raw(INPUTS["delivery"]["boundaryRoot"]),
    raw(INPUTS["delivery"]["estimateHash"]),
    DELIVERIES_ROOT,
)
CLEARING = Clearing(
    CELL_SET_ID,
    INPUTS["cellSetEpoch"],
    SLOT,
    LENGTH,
    INPUTS["level"],
    merkle.merkle_root(map(abi.encode_id_leaf, ORDER_IDS.values())),
    CLEARING_ROOT,
)
READING = Reading(
    TAGS[INPUTS["reading"]["chain"]],
    raw(INPUTS["reading"]["meterId"]),
    INPUTS["reading"]["periodStart"],
    INPUTS["reading"]["periodLength"],
    INPUTS["reading"]["importRegisterWh"],
    INPUTS["reading"]["exportRegisterWh"],
    INPUTS["reading"]["counter"],
    INPUTS["reading"]["quality"],
)
ATTESTOR_KEY = AttestorKey(
    TAGS[INPUTS["attestorKey"]["chain"]],
    raw(INPUTS["attestorKey"]["cell"]),
    raw(INPUTS["attestorKey"]["attestor"]),
    INPUTS["attestorKey"]["fromEpoch"],
)
ACK = TradeAck(1, TRADE_ID, LOCK_B, DECISIONS_ROOT, INPUTS["leaf1"]["capWh"], INPUTS["T_B"])
