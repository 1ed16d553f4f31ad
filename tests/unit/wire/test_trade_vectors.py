"""tests/vectors/trade_bytes.json, value by value: neither of our languages produced it."""

import hashlib
from dataclasses import replace

import pytest
from fakes.golden_records import (
    ACK,
    ALLOCATIONS_ROOT,
    ATTESTOR_KEY,
    BUY,
    CELL_SET_ID,
    CELLS,
    CLEARING,
    CLEARING_ROOT,
    CLIENT,
    DECISIONS_ROOT,
    DELIVERIES_ROOT,
    DELIVERY,
    DOMAIN,
    EXPECTED,
    HASHLOCK,
    INPUTS,
    LEAVES,
    LENGTH,
    LOCK_A,
    LOCK_B,
    ORDER_IDS,
    PENDING_ROOT,
    READING,
    SELL,
    SLOT,
    TAGS,
    TRADE,
    TRADE_ID,
    VECTORS,
    VERDICT,
    VERDICT_HASH,
    raw,
)

from tieline.swap.records import (
    ZERO_HASH,
    Allocation,
    Cancel,
    CellSet,
    Mandate,
    Order,
    RegistryRow,
    VerdictLeaf,
    Waive,
)
from tieline.wire import abi, ids, merkle, typed_data
from tieline.wire.errors import Malformed
from tieline.wire.hashes import keccak, sha256, tag

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
