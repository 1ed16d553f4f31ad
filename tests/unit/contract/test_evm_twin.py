"""
The twin of an EVM ledger, log by log. That it holds what the Python contract would hold, whatever
comes in whatever order, is shown by the machines in tests/property.
"""

import pytest
from fakes.evm_logs import APP, HOST, log
from fakes.microgrid import key

from tieline.contract.genesis import Genesis
from tieline.contract.records import decode_amount, decode_order
from tieline.contract.twin.state import TwinOf, client_id_of, client_number_of
from tieline.contract.twin.twin import Twin
from tieline.light_clients.attestations.messages import ClientState, address_text
from tieline.protocol.commitment import (
    acknowledgement_key,
    async_packet_key,
    commit_acknowledgement,
    commit_packet,
    packet_commitment_key,
    packet_receipt_key,
)
from tieline.protocol.packet import Acknowledgement, Packet, Payload
from tieline.wire.attestation_proofs import decode_any
from tieline.wire.codec import encode_packet
from tieline.wire.errors import Malformed
from tieline.wire.evm.logs import Log, LoggedBlock, LoggedTransaction

CELL, ANN = key("cell").address, key("ann").address
GENESIS = Genesis("mg-e", b"\xee" * 32, CELL, (CELL,), kind="evm")
NOW = 1_800_000_000
CLIENT = "attestations-0"
CREATED = log(HOST, "ClientCreated", (0, 5), "uint64 t, uint32 m, address[] a", NOW, 1, [CELL])
PAIRED = log(HOST, "CounterpartyRegistered", (0,), "string c", "07-tendermint-0")
PAYLOAD = Payload("energytrade", "energytrade", "tieline-trade-1", "x", b"value")
OUT = Packet(1, CLIENT, "07-tendermint-0", NOW + 60, (PAYLOAD,))
IN = Packet(1, "07-tendermint-0", CLIENT, NOW + 60, (PAYLOAD,))


def number(data):
    return int.from_bytes(data, "big")


def of_packet(name, packet):
    topics = (0, packet.sequence, number(commit_packet(packet)))
    return log(HOST, name, topics, "bytes p", encode_packet(packet))


def fresh(*logs):
    twin = Twin(TwinOf(GENESIS, b"\x07" * 32, HOST, APP))
    fold(twin, CREATED, PAIRED, *logs)
    return twin


def fold(twin, *logs):
    """One block of one transaction; its events."""
    transaction = LoggedTransaction(b"\x05" * 32, 0, "", "", logs)
    return twin.fold(LoggedBlock(twin.height + 1, NOW, (transaction,))).transactions[0].events


def names(events):
    return [one.type for one in events]


def client_of(twin):
    stored = twin.query("ibc", b"clients/attestations-0/clientState")
    return ClientState.decode(decode_any(stored).value)


def test_a_client_is_an_attestations_client_like_any_other():
    """In the bytes that relayers and audits read elsewhere."""
    twin = fresh()
    assert client_of(twin) == ClientState((address_text(CELL),), 1, 5)
    events = fold(twin, log(HOST, "ClientUpdated", (0, 9), "uint64 t", NOW + 4))
    assert events[0].get("consensus_heights") == "0-9"
    fold(twin, log(HOST, "ClientUpdated", (0, 7), "uint64 t", NOW + 2))
    assert client_of(twin).latest_height == 9
    fold(twin, log(HOST, "SetRotated", (0, 10), "uint32 m, address[] a", 2, [ANN, CELL]))
    assert client_of(twin).attestors == (ANN, CELL)
    assert names(fold(twin, log(HOST, "ClientFrozen", (0,)))) == ["client_misbehaviour"]
    assert client_of(twin).is_frozen


@pytest.mark.parametrize("end", ["PacketAcknowledged", "PacketTimedOut"])
def test_a_packet_that_is_sent_stands_until_it_ends(end):
    twin = fresh()
    (sent,) = fold(twin, of_packet("PacketSent", OUT))
    assert sent.get("encoded_packet_hex") == encode_packet(OUT).hex()
    stored_key = packet_commitment_key(CLIENT, 1)
    assert twin.query("ibc", stored_key) == commit_packet(OUT)
    (ended,) = fold(twin, log(HOST, end, (0, 1)))
    assert ended.get("packet_sequence") == "1"
    assert twin.query("ibc", stored_key) is None


def test_a_packet_that_is_received_waits_for_its_answer():
    twin = fresh()
    assert names(fold(twin, of_packet("PacketReceived", IN))) == ["recv_packet"]
    assert twin.query("ibc", packet_receipt_key(CLIENT, 1)) == commit_packet(IN)
    assert twin.query("ibc", async_packet_key(CLIENT, 1)) == encode_packet(IN)
    written = log(HOST, "AcknowledgementWritten", (0, 1), "bytes a", b"done")
    (event,) = fold(twin, written)
    assert event.get("encoded_packet_hex") == encode_packet(IN).hex()
    answer = commit_acknowledgement(Acknowledgement((b"done",)))
    assert twin.query("ibc", acknowledgement_key(CLIENT, 1)) == answer
    assert twin.query("ibc", async_packet_key(CLIENT, 1)) is None


def test_a_packet_is_told_before_what_became_of_it():
    """The host asks the application first and tells last; observers read it the other way."""
    refused = log(APP, "ReceiveRefused", (0, 1, 19), "bytes32 r", b"no bond".ljust(32, b"\0"))
    written = log(HOST, "AcknowledgementWritten", (0, 1), "bytes a", b"no")
    events = fold(fresh(), refused, of_packet("PacketReceived", IN), written)
    assert names(events) == ["recv_packet", "receive_refused", "write_acknowledgement"]
    assert (events[1].get("reason"), events[1].get("detail")) == ("ORDER", "no bond")


def test_a_repeat_changes_nothing():
    twin = fresh(of_packet("PacketReceived", IN))
    before = twin.scan("ibc", b""), twin.scan("tieline", b"")
    assert fold(twin, log(HOST, "PacketRepeated", (0, 1), "uint8 k", 2)) == ()
    assert (twin.scan("ibc", b""), twin.scan("tieline", b"")) == before


def held(twin, account):
    return decode_amount(twin.query("tieline", b"a" + account + b"\0"))


def test_money_moves_as_the_contracts_say():
    """In, between, out, and into a vault and back."""
    ann, cell = number(ANN), number(CELL)
    twin = fresh(log(APP, "PayDeposited", (ann, cell), "uint128 a", 100))
    fold(twin, log(APP, "Sent", (ann, cell), "uint128 a", 30))
    fold(twin, log(APP, "PayWithdrawn", (cell,), "uint128 a", 4))
    fold(twin, log(APP, "VaultDeposited", (ann, ann), "uint128 a, bool t", 50, False))
    fold(twin, log(APP, "VaultDeposited", (ann, cell), "uint128 a, bool t", 7, True))
    fold(twin, log(APP, "VaultWithdrawn", (ann,), "uint128 a", 17))
    assert (held(twin, ANN), held(twin, CELL)) == (100 - 30 - 50 + 17, 26)
    assert decode_amount(twin.query("tieline", b"w" + ANN + b"\0")) == 50 + 7 - 17


def test_an_order_keeps_what_no_lock_took():
    """And gives it back once."""
    order_id, lock_id = b"\x03" * 32, b"\x04" * 32
    placed = log(
        APP,
        "OrderPlaced",
        (number(order_id), number(ANN), 900),
        "uint32 l, uint8 s, uint8 v, uint8 d, uint64 e, uint64 p, uint64 m, bytes32 a",
        *(900, 1, 7, 1, 10, 5, 50, bytes(32)),
    )
    twin = fresh(log(APP, "PayDeposited", (number(ANN),) * 2, "uint128 a", 60), placed)
    assert held(twin, ANN) == 10
    filled = log(
        APP, "OrderFilled", (number(order_id), number(lock_id)), "uint64 w, uint64 m", 4, 20
    )
    assert fold(twin, filled) == ()
    order = decode_order(twin.query("tieline", b"o" + order_id))
    assert (order.energy_left_wh, order.money_left) == (6, 30)
    released = log(APP, "OrderReleased", (number(order_id), number(ANN)), "uint64 a", 30)
    assert fold(twin, released)[0].get("amount") == "30"
    assert held(twin, ANN) == 40
    assert decode_order(twin.query("tieline", b"o" + order_id)).money_left == 0


def test_a_log_that_is_not_as_declared_is_malformed():
    """Ours by address and name: then other contracts than ours are there."""
    with pytest.raises(Malformed):
        fresh(Log(APP, (*PAIRED.topics,), b"")) and fresh(Log(HOST, PAIRED.topics, b""))


def test_scans_are_ascending_and_of_one_prefix():
    twin = fresh()
    pairs = twin.scan("ibc", b"clients/")
    assert [key for key, _ in pairs] == sorted(key for key, _ in pairs)
    assert all(key.startswith(b"clients/") for key, _ in pairs)
    assert twin.query("ibc", b"no such key") is None


def test_client_ids_are_numbers_of_one_kind():
    assert client_number_of(client_id_of(12)) == 12
    with pytest.raises(ValueError, match="attestations-N: 07-tendermint-0"):
        client_number_of("07-tendermint-0")
