"""tests/vectors/trade_bytes.json, value by value: neither of our languages produced it."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tieline.swap.records import (
    ZERO_HASH,
    Allocation,
    AttestorKey,
    Cancel,
    CellSet,
    Clearing,
    Delivery,
    DeliveryLeaf,
    EnergyTrade,
    Mandate,
    Order,
    PendingLeaf,
    Reading,
    RegistryRow,
    TradeAck,
    Verdict,
    VerdictLeaf,
    Waive,
)
from tieline.wire import abi, ids, merkle, typed_data
from tieline.wire.errors import Malformed
from tieline.wire.hashes import keccak, sha256, tag

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "trade_bytes.json").read_text(encoding="utf-8")
)
INPUTS: dict[str, Any] = VECTORS["inputs"]
EXPECTED: dict[str, Any] = VECTORS["expected"]


def raw(text: str) -> bytes:
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

DIRECT = {
    "domainSeparator": DOMAIN,
    "chainTagA": TAGS["A"],
    "chainTagB": TAGS["B"],
    "H": HASHLOCK,
    "buyOrderId": ORDER_IDS["buyOrder"],
    "sellOrderId": ORDER_IDS["sellOrder"],
    "sellOrderDigest": typed_data.digest(DOMAIN, SELL),
    "allocationsRoot": ALLOCATIONS_ROOT,
    "tradeId": TRADE_ID,
    "lockIdA": LOCK_A,
    "lockIdB": LOCK_B,
    "cellSetId": CELL_SET_ID,
    "clearingRoot": CLEARING_ROOT,
    "payload": abi.encode_energy_trade(TRADE),
    "payloadSha256": hashlib.sha256(abi.encode_energy_trade(TRADE)).digest(),
    "verdictLeaf1": merkle.leaf_hash(abi.encode_verdict_leaf(LEAVES[0])),
    "decisionsRoot": DECISIONS_ROOT,
    "decisionsRootOf3": merkle.merkle_root(map(abi.encode_verdict_leaf, LEAVES)),
    "pendingRoot": PENDING_ROOT,
    "verdictHash": VERDICT_HASH,
    "verdictDigest": typed_data.digest(DOMAIN, VERDICT),
    "ack": abi.encode_trade_ack(ACK),
    "clearingDigest": typed_data.digest(DOMAIN, CLEARING),
    "deliveriesRoot": DELIVERIES_ROOT,
    "deliveryDigest": typed_data.digest(DOMAIN, DELIVERY),
    "readingDigest": typed_data.digest(DOMAIN, READING),
    "attestorKeyDigest": typed_data.digest(DOMAIN, ATTESTOR_KEY),
    "rotateSetDigest": ids.rotate_set_digest(
        TAGS["B"],
        INPUTS["client"],
        CELLS,
        INPUTS["rotate"]["newM"],
        INPUTS["rotate"]["fromHeight"],
    ),
    "seal": ids.header_seal(TAGS["B"], raw(INPUTS["sealHeaderHash"])),
}
ELSEWHERE = {
    # The IBC commitments are protocol.commitment's, the sums the contract's.
    "packetCommitment",
    "ackCommitment",
    "payOutFullNanoEur",
    "payInFor3600Wh",
}


@pytest.mark.parametrize("name", sorted(DIRECT))
def test_direct_case_has_the_expected_bytes(name: str) -> None:
    assert raw(EXPECTED[name]).hex() == DIRECT[name].hex()


def test_no_value_of_the_direct_case_is_left_out() -> None:
    assert set(EXPECTED) == set(DIRECT) | ELSEWHERE


def test_payload_and_acknowledgement_read_back() -> None:
    assert abi.decode_energy_trade(raw(EXPECTED["payload"])) == TRADE
    assert abi.decode_trade_ack(raw(EXPECTED["ack"])) == ACK


def test_cancel_mandate_and_waive_digests() -> None:
    row = VECTORS["mandate"]
    mandate = Mandate(
        TAGS[row["chain"]],
        TAGS[row["source"]],
        tag(row["client"]),
        raw(row["connectorIn"]),
        raw(row["connectorOut"]),
        row["maxTrade"],
        row["maxOpen"],
        row["minFee"],
        row["minMargin"],
        row["expiry"],
        row["nonce"],
    )
    waive = Waive(raw(VECTORS["pooled"]["lockIdB"]), VECTORS["waive"]["wh"])
    cancel = Cancel(ORDER_IDS["buyOrder"])
    assert typed_data.digest(DOMAIN, mandate) == raw(row["digest"])
    assert typed_data.digest(DOMAIN, waive) == raw(VECTORS["waive"]["digest"])
    assert typed_data.digest(DOMAIN, cancel) == raw(VECTORS["cancelDigest"])


def test_cell_set_hashes_and_digest() -> None:
    row = VECTORS["cellSet"]
    tags = {"chainTagA": TAGS["A"], "chainTagB": TAGS["B"]}
    rows = [
        RegistryRow(raw(cell), tags[name] if name in tags else raw(name), role)
        for cell, name, role in row["rows"]
    ]
    cell_set = CellSet(
        raw(row["previous"]),
        raw(row["networkEpoch"]),
        row["epoch"],
        ids.cells_hash([entry.cell for entry in rows]),
        ids.registry_hash(rows),
        row["fromSlot"],
    )
    assert cell_set.cells_hash == raw(row["cellsHash"])
    assert cell_set.registry_hash == raw(row["registryHash"])
    assert typed_data.digest(DOMAIN, cell_set) == raw(row["digest"])


def pooled_order(template: Order, account: int, meter: int, energy_wh: int) -> Order:
    return replace(
        template,
        account=bytes([account] * 20),
        meter_id=bytes([meter] * 32),
        energy_wh=energy_wh,
        levels=6,
        delivery=1,
        anchor=ZERO_HASH,
    )


def allocate(orders: list[Order], price: int) -> list[Allocation]:
    """Fill every order whole, ascending by order id, with the running sum as offset."""
    allocations: list[Allocation] = []
    offset = 0
    for entry in sorted(orders, key=typed_data.order_id):
        allocations.append(
            Allocation(typed_data.order_id(entry), entry.account, entry.energy_wh, price, offset)
        )
        offset += entry.energy_wh
    return allocations


def test_pooled_case() -> None:
    row = VECTORS["pooled"]
    hashlock = sha256(b"\x5f" * 32)
    buys = [
        pooled_order(BUY, *spec)
        for spec in ((0xA2, 0x40, 1200), (0xA3, 0x41, 2300), (0xA4, 0x42, 1501))
    ]
    sells = [pooled_order(SELL, *spec) for spec in ((0xB2, 0x48, 2000), (0xB3, 0x49, 3001))]
    buy_leaves = allocate(buys, row["priceIn"])
    sell_leaves = allocate(sells, row["priceOut"])
    encoded = [abi.encode_allocation(leaf) for leaf in buy_leaves + sell_leaves]
    tree = merkle.MerkleTree(encoded)
    for leaf, expected in zip(
        buy_leaves + sell_leaves, row["buyLeaves"] + row["sellLeaves"], strict=True
    ):
        assert leaf == Allocation(
            raw(expected["orderId"]),
            raw(expected["account"]),
            expected["energyWh"],
            expected["price"],
            expected["offsetWh"],
        )
        data = abi.encode_allocation(leaf)
        assert merkle.leaf_hash(data) == raw(expected["leaf"])
        assert tree.proof(data) == tuple(map(raw, expected["proof"]))
        assert merkle.verify(tree.root, data, tree.proof(data))
    assert tree.root == raw(row["allocationsRoot"])
    trade = ids.trade_id(TAGS["A"], TAGS["B"], SLOT, LENGTH, 2, tree.root, hashlock)
    pool_a = ids.pool_account(TAGS["A"], trade, 1)
    pool_b = ids.pool_account(TAGS["B"], trade, 2)
    connectors = (raw(INPUTS["connectorIn"]), raw(INPUTS["connectorOut"]))
    energy = row["energyWh"]
    assert hashlock == raw(row["H"])
    assert trade == raw(row["tradeId"])
    assert (pool_a, pool_b) == (raw(row["poolA"]), raw(row["poolB"]))
    assert raw(row["lockIdA"]) == ids.lock_id(
        TAGS["A"],
        trade,
        hashlock,
        pool_a,
        connectors[0],
        energy,
        row["priceIn"],
        INPUTS["T_A"],
    )
    assert raw(row["lockIdB"]) == ids.lock_id(
        TAGS["B"],
        trade,
        hashlock,
        connectors[1],
        pool_b,
        energy,
        row["priceOut"],
        INPUTS["T_B"],
    )


def intra_leaf() -> VerdictLeaf:
    row = VECTORS["intra"]
    fields = row["verdictLeafFields"]
    trade = raw(row["tradeId"])
    return VerdictLeaf(
        TAGS["A"],
        tag("local"),
        fields["sequence"],
        trade,
        trade,
        fields["decision"],
        fields["capWh"],
        0,
        fields["group"],
        fields["groupSize"],
        fields["owners"],
    )


def test_intra_case() -> None:
    row = VECTORS["intra"]
    hashlock = sha256(b"\x60" * 32)
    buy = replace(pooled_order(BUY, 0xA7, 0x4C, 700), levels=1, chain_tag=TAGS["A"])
    sell = replace(pooled_order(SELL, 0xA6, 0x4B, 700), levels=1, chain_tag=TAGS["A"])
    leaves = allocate([buy], 180000) + allocate([sell], 180000)
    root = merkle.merkle_root(map(abi.encode_allocation, leaves))
    trade = ids.trade_id(TAGS["A"], TAGS["A"], SLOT, LENGTH, 1, root, hashlock)
    pool = ids.pool_account(TAGS["A"], trade, 2)
    assert typed_data.order_id(buy) == raw(row["buyOrderId"])
    assert typed_data.order_id(sell) == raw(row["sellOrderId"])
    assert hashlock == raw(row["H"])
    assert root == raw(row["allocationsRoot"])
    assert trade == raw(row["tradeId"])
    assert pool == raw(row["payee_sellersPool"])
    assert raw(row["lockId"]) == ids.lock_id(
        TAGS["A"], trade, hashlock, raw(row["payer"]), pool, 700, 180000, INPUTS["T_B"]
    )
    assert merkle.leaf_hash(abi.encode_verdict_leaf(intra_leaf())) == raw(row["verdictLeaf"])


def test_groups_case() -> None:
    row = VECTORS["groups"]
    encoded = [
        abi.encode_verdict_leaf(
            VerdictLeaf(TAGS["B"], CLIENT, fields[0], raw(fields[1]), raw(fields[2]), *fields[3:])
        )
        for fields in row["fields"]
    ]
    encoded.append(abi.encode_verdict_leaf(intra_leaf()))
    tree = merkle.MerkleTree(encoded)
    assert [merkle.leaf_hash(leaf).hex() for leaf in encoded] == row["leaves"]
    assert tree.root == raw(row["root"])
    assert [[node.hex() for node in tree.proof(leaf)] for leaf in encoded] == row["proofs"]


def test_flow_proof_bytes_and_tree() -> None:
    row = VECTORS["flowProof"]
    bounds = (row["rho_1e-12pu"], row["L_1e-6"], row["radius_1e-9pu"])
    data = len(row["rows_p_q_e_f"]).to_bytes(4)
    data += b"".join(v.to_bytes(8, signed=True) for entry in row["rows_p_q_e_f"] for v in entry)
    data += b"".join(bound.to_bytes(8) for bound in bounds)
    assert data == raw(row["bytes"])
    assert keccak(data) == raw(row["flowProof"])
    leaves = [(0, keccak(data)), (1, b"\x91" * 32)]
    root = merkle.merkle_root(abi.encode_scenario_leaf(*leaf) for leaf in leaves)
    assert root == raw(row["flowProofHashWithScenario1_91x32"])


def test_setpoints_hash() -> None:
    rows = sorted([(ORDER_IDS["buyOrder"], -1500), (ORDER_IDS["sellOrder"], 1500)])
    assert ids.setpoints_hash(rows) == raw(VECTORS["setpointsHash_buy_-1500W_sell_1500W"])
    assert ids.setpoints_hash([]) == ZERO_HASH
    with pytest.raises(Malformed, match="ascending"):
        ids.setpoints_hash(rows[::-1])
    with pytest.raises(Malformed, match="out of range"):
        ids.estimate_hash([(bytes([1] * 32), 2**63)])


@pytest.mark.parametrize("length", VECTORS["refused"]["payload one byte short or long"])
def test_payload_of_another_length_is_refused(length: int) -> None:
    data = (raw(EXPECTED["payload"]) + b"\0")[:length]
    with pytest.raises(Malformed, match="wrong length"):
        abi.decode_energy_trade(data)


@pytest.mark.parametrize("level", [VECTORS["refused"]["level"], 0, 3, 6, 7])
def test_payload_of_another_level_is_refused(level: int) -> None:
    data = bytearray(raw(EXPECTED["payload"]))
    data[63] = level
    with pytest.raises(Malformed, match="level"):
        abi.decode_energy_trade(bytes(data))


@pytest.mark.parametrize("version", [0, 2])
def test_payload_and_acknowledgement_of_another_version_are_refused(version: int) -> None:
    payload, ack = bytearray(raw(EXPECTED["payload"])), bytearray(raw(EXPECTED["ack"]))
    payload[31] = ack[31] = version
    with pytest.raises(Malformed, match="version"):
        abi.decode_energy_trade(bytes(payload))
    with pytest.raises(Malformed, match="version"):
        abi.decode_trade_ack(bytes(ack))


USED_BYTES = [2, 1, 32, 32, 8, 8, 4, 32, 32, 32, 20, 20, 20, 20, 8, 8, 8, 32, 8, 8, 8, 32, 32]


def test_any_dirty_byte_above_a_value_of_the_payload_is_refused() -> None:
    data = raw(EXPECTED["payload"])
    dirty = 0
    for word, used in enumerate(USED_BYTES):
        for place in range(32 * word, 32 * word + 32 - used):
            dirty += 1
            with pytest.raises(Malformed, match="dirty"):
                abi.decode_energy_trade(data[:place] + b"\x01" + data[place + 1 :])
    assert dirty == 736 - sum(USED_BYTES)
