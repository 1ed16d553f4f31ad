"""tests/vectors/trade_bytes.json against byte code: neither of our languages produced it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fakes.artifact import PROBES, Contract, artifact
from fakes.bare_evm import BareEvm
from fakes.golden_records import (
    ACK,
    BUY,
    CELL_SET_ID,
    CELLS,
    CLEARING,
    DELIVERY,
    EXPECTED,
    HASHLOCK,
    INPUTS,
    LEAVES,
    LOCK_A,
    LOCK_B,
    ORDER_IDS,
    READING,
    SELL,
    TAGS,
    TRADE,
    TRADE_ID,
    VECTORS,
    VERDICT,
    raw,
)

from tieline.protocol.commitment import (
    acknowledgement_key,
    packet_commitment_key,
    packet_receipt_key,
)
from tieline.protocol.packet import Packet, Payload
from tieline.protocol.quorum import byzantine_majority, more_than_two_thirds
from tieline.swap.records import Allocation, CellSet, Mandate, RegistryRow, VerdictLeaf
from tieline.wire import abi, ids
from tieline.wire.codec import encode_packet
from tieline.wire.hashes import keccak, sha256, tag

DECODED_WHOLE = bytes(32)


@pytest.fixture(scope="module")
def probe() -> Contract:
    """The contracts' own libraries, called from outside."""
    compiled = artifact("HashesProbe", PROBES)
    return Contract.create(BareEvm(1), compiled, raw(INPUTS["networkId"]), TAGS["B"])


def ends(probe: Contract) -> dict[str, Any]:
    """What byte code makes of the direct case."""

    def digest(name: str, record: Any) -> bytes:
        value: bytes = probe.ask("digest", probe.ask(name, record))
        return value

    lock_in, lock_out = probe.ask("locksOf", TRADE)
    parties = (raw(INPUTS["buyer"]), raw(INPUTS["connectorIn"]))
    trade = (INPUTS["sequence"], INPUTS["tau"], raw(EXPECTED["payload"]))
    assert lock_out == LOCK_B
    return {
        "domainSeparator": probe.ask("domainSeparator", raw(INPUTS["networkId"])),
        "buyOrderId": probe.ask("orderId", BUY),
        "sellOrderId": probe.ask("orderId", SELL),
        "sellOrderDigest": digest("orderId", SELL),
        "tradeId": probe.ask("tradeId", TRADE),
        "lockIdA": probe.ask(
            "lockId",
            TAGS["A"],
            TRADE_ID,
            HASHLOCK,
            *parties,
            INPUTS["energyWh"],
            INPUTS["priceIn"],
            INPUTS["T_A"],
        ),
        "lockIdB": lock_out,
        "cellSetId": probe.ask(
            "cellSetId",
            raw(INPUTS["networkId"]),
            raw(INPUTS["networkEpoch"]),
            INPUTS["cellSetEpoch"],
            CELLS,
        ),
        "clearingRoot": probe.ask("idLeaf", TRADE_ID),
        "payload": probe.ask("payload", TRADE),
        "packetCommitment": probe.ask("commitPacket", INPUTS["client"], trade),
        "ackCommitment": probe.ask("commitAcknowledgement", abi.encode_trade_ack(ACK)),
        "verdictLeaf1": probe.ask("verdictLeaf", LEAVES[0]),
        "verdictHash": probe.ask("verdictHash", VERDICT),
        "verdictDigest": digest("verdictHash", VERDICT),
        "clearingDigest": digest("clearingHash", CLEARING),
        "deliveriesRoot": probe.ask("deliveryLeaf", TRADE_ID, INPUTS["delivery"]["deliveredWh"]),
        "deliveryDigest": digest("deliveryHash", DELIVERY),
        "readingDigest": digest("readingHash", READING),
        "lock_in": lock_in,
    }


def test_byte_code_makes_the_expected_bytes(probe: Contract) -> None:
    """Every value of the direct case that the contracts compute."""
    made = ends(probe)
    assert made.pop("lock_in") == LOCK_A
    assert {name: raw(EXPECTED[name]) for name in made} == made
    assert made["cellSetId"] == CELL_SET_ID


def test_cancel_mandate_and_waive_digests(probe: Contract) -> None:
    row = VECTORS["mandate"]
    mandate = Mandate(
        TAGS[row["chain"]],
        TAGS[row["source"]],
        tag(row["client"]),
        raw(row["connectorIn"]),
        raw(row["connectorOut"]),
        *(row[name] for name in ("maxTrade", "maxOpen", "minFee", "minMargin", "expiry", "nonce")),
    )
    hashes = {
        row["digest"]: probe.ask("mandateHash", mandate),
        VECTORS["cancelDigest"]: probe.ask("cancelHash", ORDER_IDS["buyOrder"]),
        VECTORS["waive"]["digest"]: probe.ask(
            "waiveHash", raw(VECTORS["pooled"]["lockIdB"]), VECTORS["waive"]["wh"]
        ),
    }
    for digest, struct_hash in hashes.items():
        assert raw(digest) == probe.ask("digest", struct_hash)


def test_cell_set_hashes_and_digest(probe: Contract) -> None:
    """Addresses hash as 20 bytes each, rows as three words each."""
    row = VECTORS["cellSet"]
    tags = {"chainTagA": TAGS["A"], "chainTagB": TAGS["B"]}
    rows = [
        RegistryRow(raw(cell), tags[name] if name in tags else raw(name), role)
        for cell, name, role in row["rows"]
    ]
    cells_hash = probe.ask("addressesHash", [entry.cell for entry in rows])
    registry_hash = probe.ask("registryHash", rows)
    assert cells_hash == raw(row["cellsHash"])
    assert registry_hash == raw(row["registryHash"])
    cell_set = CellSet(
        raw(row["previous"]),
        raw(row["networkEpoch"]),
        row["epoch"],
        cells_hash,
        registry_hash,
        row["fromSlot"],
    )
    assert raw(row["digest"]) == probe.ask("digest", probe.ask("cellSetHash", cell_set))


def test_pooled_leaves_lead_to_their_root(probe: Contract) -> None:
    row = VECTORS["pooled"]
    for entry in row["buyLeaves"] + row["sellLeaves"]:
        leaf = Allocation(
            raw(entry["orderId"]),
            raw(entry["account"]),
            entry["energyWh"],
            entry["price"],
            entry["offsetWh"],
        )
        hashed = probe.ask("allocationLeaf", leaf)
        assert hashed == raw(entry["leaf"])
        proof = list(map(raw, entry["proof"]))
        assert raw(row["allocationsRoot"]) == probe.ask("rootOf", hashed, proof)
    trade = raw(row["tradeId"])
    assert raw(row["poolA"]) == probe.ask("pool", TAGS["A"], trade, 1)
    assert raw(row["poolB"]) == probe.ask("pool", TAGS["B"], trade, 2)


def test_verdict_leaves_of_groups_lead_to_their_root(probe: Contract) -> None:
    row = VECTORS["groups"]
    client = tag(INPUTS["client"])
    for fields, hashed, proof in zip(row["fields"], row["leaves"], row["proofs"], strict=False):
        leaf = VerdictLeaf(
            TAGS["B"], client, fields[0], raw(fields[1]), raw(fields[2]), *fields[3:]
        )
        assert raw(hashed) == probe.ask("verdictLeaf", leaf)
        assert raw(row["root"]) == probe.ask("rootOf", raw(hashed), list(map(raw, proof)))


def test_intra_leaf_and_lock(probe: Contract) -> None:
    row = VECTORS["intra"]
    fields, trade = row["verdictLeafFields"], raw(row["tradeId"])
    leaf = VerdictLeaf(
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
    assert raw(row["verdictLeaf"]) == probe.ask("verdictLeaf", leaf)
    parties = (raw(row["payer"]), raw(row["payee_sellersPool"]))
    made = probe.ask(
        "lockId", TAGS["A"], trade, raw(row["H"]), *parties, 700, 180000, INPUTS["T_B"]
    )
    assert raw(row["lockId"]) == made


# --- what must be refused -------------------------------------------------------------------


def decoded(probe: Contract, value: bytes) -> str:
    """The rule that bytes break, empty if they are read and come out as they went in."""
    rule, again = probe.ask("decode", value)
    if rule == DECODED_WHOLE:
        assert again == keccak(value)
    text: str = rule.rstrip(b"\0").decode()
    return text


def test_the_payload_is_read_as_it_is_written(probe: Contract) -> None:
    assert not decoded(probe, raw(EXPECTED["payload"]))


@pytest.mark.parametrize("length", [*VECTORS["refused"]["payload one byte short or long"], 0, 32])
def test_payload_of_another_length_is_refused(probe: Contract, length: int) -> None:
    data = (raw(EXPECTED["payload"]) + b"\0")[:length]
    assert decoded(probe, data) == "not 736 bytes"


@pytest.mark.parametrize("level", [VECTORS["refused"]["level"], 0, 3, 6, 7])
def test_payload_of_another_level_is_refused(probe: Contract, level: int) -> None:
    data = bytearray(raw(EXPECTED["payload"]))
    data[63] = level
    assert "level" in decoded(probe, bytes(data))


@pytest.mark.parametrize("version", [0, 2])
def test_payload_of_another_version_is_refused(probe: Contract, version: int) -> None:
    data = bytearray(raw(EXPECTED["payload"]))
    data[31] = version
    assert "version" in decoded(probe, bytes(data))


USED_BYTES = [2, 1, 32, 32, 8, 8, 4, 32, 32, 32, 20, 20, 20, 20, 8, 8, 8, 32, 8, 8, 8, 32, 32]


def test_any_dirty_byte_above_a_value_of_the_payload_is_refused(probe: Contract) -> None:
    """All of them, as the Python decoder's test has it."""
    data = raw(EXPECTED["payload"])
    places = [
        place
        for word, used in enumerate(USED_BYTES)
        for place in range(32 * word, 32 * word + 32 - used)
    ]
    for place in places:
        assert decoded(probe, data[:place] + b"\x01" + data[place + 1 :]) == "dirty high bits"
    assert len(places) == 736 - sum(USED_BYTES)


# --- names and numbers that both languages have -------------------------------------------------


def test_quorums_are_the_named_rules(probe: Contract) -> None:
    """Two rules that differ for every n that three divides."""
    for n in range(1, 51):
        assert probe.ask("moreThanTwoThirds", n) == more_than_two_thirds(n)
        assert probe.ask("byzantineMajority", n) == byzantine_majority(n)


@pytest.mark.parametrize("sequence", [1, 127, 128, 2**40, 2**63])
@pytest.mark.parametrize("size", [1, 127, 128, 736])
def test_packets_are_told_as_our_protobuf(probe: Contract, sequence: int, size: int) -> None:
    value = bytes(range(1, 8)) * 106
    payload = Payload(
        "energytrade", "energytrade", "tieline-trade-1", "application/x-solidity-abi", value[:size]
    )
    packet = Packet(sequence, "attestations-7", "07-tendermint-12", INPUTS["tau"], (payload,))
    told = probe.ask(
        "encodePacket",
        packet.sequence,
        packet.source_client,
        packet.destination_client,
        packet.timeout_s,
        payload.value,
    )
    assert told == encode_packet(packet)


def test_paths_are_the_store_keys(probe: Contract) -> None:
    client = "attestations-3"
    keys = (packet_commitment_key, packet_receipt_key, acknowledgement_key)
    for kind, key_of in enumerate(keys, 1):
        assert probe.ask("hashPath", client, kind, 77) == keccak(key_of(client, 77))


def test_a_chain_tag_of_an_evm_ledger(probe: Contract) -> None:
    host, genesis_hash = b"\x17" * 20, sha256(b"block 0")
    made = probe.ask("evmChainTag", 4242, genesis_hash, host)
    assert made == ids.chain_tag("evm", "4242", genesis_hash, bytes(12) + host)


def test_ids_of_meters_mandates_and_the_imbalance_pool(probe: Contract) -> None:
    from tieline.contract.vaults import imbalance_account

    tag_b, one, other = TAGS["B"], b"\x18" * 20, b"\x19" * 20
    assert probe.ask("meterId", tag_b, one) == ids.meter_id(tag_b, one)
    assert probe.ask("imbalanceAccount", tag_b) == imbalance_account(tag_b)
    made = probe.ask("mandateId", TAGS["A"], tag("attestations-0"), one, other)
    assert made == ids.mandate_key(TAGS["A"], tag("attestations-0"), one, other)


def test_payload_and_ladder_rules_of_the_vector_hold(probe: Contract) -> None:
    """The vector's trade breaks no rule; a second off, and it does."""
    from fakes.golden_host import TAU

    assert probe.ask("payloadRule", TRADE) == bytes(32)
    assert probe.ask("ladderRule", TRADE, TAU) == bytes(32)
    assert probe.ask("ladderRule", TRADE, TAU + 1) != bytes(32)
    late = replace(TRADE, expiry_out=TRADE.expiry_out - 1)
    assert probe.ask("ladderRule", late, TAU) != bytes(32)
