"""ICS-20 on our ledgers: out and back, every failure undone exactly, nothing above the caps."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from fakes.light_client import prove
from fakes.trade_records import CLIENT
from fakes.trade_world import MONEY, account, events
from fakes.transfer_world import (
    HOME,
    RELAYER,
    TransferWorld,
    escrowed,
    owed_on,
    sent_packets,
    supply_of,
    text,
    vouchers_of,
    written_answer,
)

from tieline.contract.books import audit_books
from tieline.contract.genesis import Parameters
from tieline.contract.keys import voucher_key
from tieline.contract.store import TIELINE
from tieline.contract.transfer_moves import MODULE_TEXT
from tieline.contract.vouchers import PAY
from tieline.protocol.commitment import (
    ERROR_ACKNOWLEDGEMENT,
    acknowledgement_key,
    commit_acknowledgement,
    commit_packet,
    packet_commitment_key,
)
from tieline.protocol.messages import AcknowledgePacket, RecvPacket, SendPacket
from tieline.protocol.packet import Acknowledgement, Packet, Payload
from tieline.protocol.transfer import TRANSFER_ENCODINGS, TransferData
from tieline.swap.messages import MsgSend
from tieline.wire.bech32 import account_to_text
from tieline.wire.transfer_data import decode_transfer_data, encode_transfer_data

SUCCESS = Acknowledgement((b'{"result":"AQ=="}',))
SENTINEL = Acknowledgement((ERROR_ACKNOWLEDGEMENT,))
ANN, BOB = account("ann"), account("bob")


@pytest.fixture
def world() -> TransferWorld:
    return TransferWorld()


def sent_to_bob(world: TransferWorld, amount: int = 1000, **change: Any) -> Packet:
    return world.sent(world.a, "ann", world.transfer(world.a, "ann", amount, text("bob"), **change))


def plain(
    world: TransferWorld, data: TransferData, encoding: str = "application/json"
) -> SendPacket:
    payload = Payload(
        "transfer", "transfer", "ics20-1", encoding, encode_transfer_data(data, encoding)
    )
    return SendPacket(ANN, CLIENT, world.a.now_s + 3600, (payload,))


# --- out and back -----------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["", *TRANSFER_ENCODINGS])
def test_pay_goes_out_into_escrow_and_comes_back_to_its_owner(
    world: TransferWorld, encoding: str
) -> None:
    packet = sent_to_bob(world, encoding=encoding, memo="rent")
    assert packet.payloads[0].encoding == (encoding or "application/json")
    assert (world.a.pay("ann"), escrowed(world.a)) == (MONEY - 1000, 1000)
    received = world.deliver(world.b, packet)
    assert written_answer(received) == SUCCESS
    assert vouchers_of(world.b, BOB) == supply_of(world.b) == 1000
    assert world.answer_to(world.a, packet, SUCCESS).code == 0
    assert (world.a.pay("ann"), escrowed(world.a)) == (MONEY - 1000, 1000)

    home = world.transfer(world.b, "bob", 400, text("ann"), denom=HOME.name)
    back = world.sent(world.b, "bob", home)
    assert vouchers_of(world.b, BOB) == supply_of(world.b) == 600
    assert world.round_trip(world.b, back).code == 0
    assert (world.a.pay("ann"), escrowed(world.a)) == (MONEY - 600, 600)
    assert supply_of(world.b) == 600


def test_events_are_those_that_wallets_and_explorers_read(world: TransferWorld) -> None:
    result = world.a.must("ann", world.transfer(world.a, "ann", 7, text("bob"), memo="rent"))
    told = {"sender": text("ann"), "receiver": text("bob"), "denom": "neur", "amount": "7"}
    assert events(result, "ibc_transfer") == [{**told, "memo": "rent"}]
    assert [event.type for event in result.events][:3] == ["send_packet", "ibc_transfer", "message"]
    (packet,) = sent_packets(result)
    received = world.deliver(world.b, packet)
    assert events(received, "fungible_token_packet") == [
        {**told, "memo": "rent", "success": "true"}
    ]
    (named,) = events(received, "denomination")
    assert named["denom_hash"] == HOME.voucher_hash.hex().upper()
    assert json.loads(named["denom"]) == {
        "base": "neur",
        "trace": [{"port_id": "transfer", "channel_id": CLIENT}],
    }
    answered = world.answer_to(world.a, packet, written_answer(received))
    first, second = events(answered, "fungible_token_packet")
    assert first == {**told, "memo": "rent", "acknowledgement": 'result:"\\001" '}
    assert second == {"success": "\x01"}


def test_the_highest_amount_means_the_whole_balance(world: TransferWorld) -> None:
    packet = sent_to_bob(world, 2**256 - 1)
    assert decode_transfer_data(packet.payloads[0].value, "application/json").amount == MONEY
    assert world.a.pay("ann") == 0
    again = world.a.run("ann", world.transfer(world.a, "ann", 2**256 - 1, text("bob")))
    assert (again.codespace, again.code) == ("transfer", 5)


def test_vouchers_are_money_like_any_other_on_their_ledger(world: TransferWorld) -> None:
    world.deliver(world.b, sent_to_bob(world))
    world.b.must("bob", MsgSend(BOB, account("ben"), 300, HOME.name))
    assert (vouchers_of(world.b, BOB), vouchers_of(world.b, account("ben"))) == (700, 300)
    for denom, amount in ((HOME.name, 701), (HOME.name, 0), ("ibc/" + "00" * 32, 1), ("kwh", 1)):
        assert world.b.run("bob", MsgSend(BOB, ANN, amount, denom)).code in {5, 10}
    world.b.must("bob", MsgSend(BOB, account("ben"), 700, HOME.name))
    assert vouchers_of(world.b, BOB) == 0


def test_who_holds_nothing_but_vouchers_may_send_them_home(world: TransferWorld) -> None:
    newcomer = account("newcomer")
    receiver = account_to_text(newcomer)
    packet = world.sent(world.a, "ann", world.transfer(world.a, "ann", 9, receiver))
    world.deliver(world.b, packet)
    home = world.transfer(world.b, "newcomer", 9, text("ann"), denom=HOME.name)
    assert world.round_trip(world.b, world.sent(world.b, "newcomer", home)).code == 0
    assert world.a.pay("ann") == MONEY


# --- what fails is undone ---------------------------------------------------------------------


def test_a_refused_transfer_is_refunded_once(world: TransferWorld) -> None:
    packet = world.sent(world.a, "ann", world.transfer(world.a, "ann", 1000, "cosmos1nobody"))
    received = world.deliver(world.b, packet)
    assert received.code == 0
    assert written_answer(received) == SENTINEL
    (told,) = events(received, "fungible_token_packet")
    assert told["success"] == "false"
    assert "receiver" in told["error"]
    assert supply_of(world.b) == 0
    world.answer_to(world.a, packet, SENTINEL)
    assert (world.a.pay("ann"), escrowed(world.a)) == (MONEY, 0)
    assert world.answer_to(world.a, packet, SENTINEL).code == 0
    assert (world.a.pay("ann"), escrowed(world.a)) == (MONEY, 0)


def test_a_timed_out_transfer_is_refunded_and_never_received(world: TransferWorld) -> None:
    packet = sent_to_bob(world)
    result = world.expire(world.a, packet)
    assert (world.a.pay("ann"), escrowed(world.a)) == (MONEY, 0)
    (told,) = events(result, "timeout")
    assert told["receiver"] == text("ann")
    assert json.loads(told["refund_tokens"])["amount"] == "1000"


@pytest.mark.parametrize("ending", ["sentinel", "timeout"])
def test_vouchers_that_did_not_get_home_exist_again(world: TransferWorld, ending: str) -> None:
    world.deliver(world.b, sent_to_bob(world))
    to = "nobody" if ending == "sentinel" else text("ann")
    home = world.transfer(world.b, "bob", 1000, to, denom=HOME.name)
    packet = world.sent(world.b, "bob", home)
    assert supply_of(world.b) == 0
    result = (
        world.expire(world.b, packet) if ending == "timeout" else world.round_trip(world.b, packet)
    )
    assert result.code == 0
    assert vouchers_of(world.b, BOB) == supply_of(world.b) == 1000
    assert escrowed(world.a) == 1000


@pytest.mark.parametrize("said", [b"garbage", b'{"error":"no"}', b'{"result":"AA=="}', bytes(32)])
def test_an_answer_that_makes_no_sense_refunds_nothing(world: TransferWorld, said: bytes) -> None:
    packet = sent_to_bob(world)
    answer = Acknowledgement((said,))
    height = world.a.update_client(world.b)
    key = acknowledgement_key(packet.destination_client, packet.sequence)
    proof = prove(height.revision_height, (b"ibc", key), commit_acknowledgement(answer))
    world.a.must("relayer", AcknowledgePacket(RELAYER, packet, answer, proof, height))
    assert (world.a.pay("ann"), escrowed(world.a)) == (MONEY - 1000, 1000)


# --- who may send what ------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", TRANSFER_ENCODINGS)
def test_a_plain_send_moves_the_same_money(world: TransferWorld, encoding: str) -> None:
    data = TransferData("neur", 50, text("ann"), text("bob"))
    (packet,) = sent_packets(world.a.must("ann", plain(world, data, encoding)))
    assert escrowed(world.a) == 50
    assert world.round_trip(world.a, packet).code == 0
    assert vouchers_of(world.b, BOB) == 50


@pytest.mark.parametrize(
    ("change", "codespace", "code"),
    [
        ({"sender": text("bob")}, "ibc", 2),
        ({"sender": MODULE_TEXT}, "ibc", 2),
        ({"denom": "kwh"}, "transfer", 3),
        ({"denom": "gamm/pool/1"}, "transfer", 3),
        ({"denom": f"transfer/{CLIENT}/gamm/pool"}, "transfer", 6),
        ({"denom": HOME.path}, "transfer", 6),
        ({"amount": MONEY + 1}, "sdk", 5),
        ({"amount": 2**200}, "sdk", 5),
    ],
)
def test_a_plain_send_that_promises_what_is_not_the_signer_s_is_refused(
    world: TransferWorld, change: dict[str, Any], codespace: str, code: int
) -> None:
    data = replace(TransferData("neur", 50, text("ann"), text("bob")), **change)
    result = world.a.run("ann", plain(world, data))
    assert (result.codespace, result.code) == (codespace, code), result.log
    assert (world.a.pay("ann"), escrowed(world.a)) == (MONEY, 0)


@pytest.mark.parametrize(
    "payload",
    [
        Payload("transfer", "transfer", "ics20-2", "application/json", b"{}"),
        Payload("transfer", "transfer", "ics20-1", "application/cbor", b"{}"),
        Payload("transfer", "elsewhere", "ics20-1", "application/json", b"{}"),
        Payload("transfer", "transfer", "ics20-1", "application/json", b"{}"),
        Payload("transfer", "transfer", "ics20-1", "application/x-protobuf", b"\xff"),
    ],
)
def test_a_plain_send_of_anything_but_ics_20_is_refused(
    world: TransferWorld, payload: Payload
) -> None:
    result = world.a.run("ann", SendPacket(ANN, CLIENT, world.a.now_s + 60, (payload,)))
    assert result.code != 0
    assert "panic" not in result.log


@pytest.mark.parametrize(
    ("change", "codespace", "code"),
    [
        ({"denom": "kwh"}, "transfer", 3),
        ({"denom": "ibc/nonsense"}, "transfer", 3),
        ({"denom": "ibc/" + "AB" * 32}, "transfer", 6),
        ({"denom": HOME.path}, "transfer", 3),
        ({"amount": 0}, "transfer", 5),
        ({"amount": MONEY + 1}, "sdk", 5),
        ({"receiver": " "}, "transfer", 5),
        ({"receiver": "r" * 2049}, "transfer", 5),
        ({"memo": "m" * 32_769}, "transfer", 5),
        ({"encoding": "application/cbor"}, "transfer", 5),
        ({"source_client": "07-fake-9"}, "client", 35),
        ({"timeout_s": 1}, "channelv2", 9),
        ({"timeout_s": 0}, "channelv2", 8),
        ({"timeout_s": 1_767_225_600 * 10**9}, "channelv2", 8),
    ],
)
def test_a_spoiled_transfer_is_refused_with_the_words_of_ibc_go(
    world: TransferWorld, change: dict[str, Any], codespace: str, code: int
) -> None:
    message = replace(world.transfer(world.a, "ann", 10, text("bob")), **change)
    result = world.a.run("ann", message)
    assert (result.codespace, result.code) == (codespace, code), result.log
    assert (world.a.pay("ann"), escrowed(world.a)) == (MONEY, 0)


# --- what a lying or careless ledger sends -----------------------------------------------------


def forged(world: TransferWorld, value: bytes, **change: Any) -> Packet:
    """A packet that ledger a never checked, put into its store as its host would."""
    fields = {"version": "ics20-1", "encoding": "application/json", "destination_port": "transfer"}
    payload = Payload("transfer", value=value, **{**fields, **change})
    return Packet(77, CLIENT, CLIENT, world.b.now_s + 600, (payload,))


def deliver_forged(world: TransferWorld, packet: Packet) -> Any:
    height = world.b.update_client(world.a)
    key = packet_commitment_key(packet.source_client, packet.sequence)
    proof = prove(height.revision_height, (b"ibc", key), commit_packet(packet))
    return world.b.run("relayer", RecvPacket(RELAYER, packet, proof, height))


def json_data(**change: Any) -> bytes:
    members = {"denom": "neur", "amount": "5", "sender": "x", "receiver": text("bob"), **change}
    return json.dumps(members, separators=(",", ":")).encode()


BAD_DATA = [
    b"",
    b"{}",
    b"\xff\xfe",
    b"[" * 5000,
    json_data(amount="0"),
    json_data(amount="-5"),
    json_data(amount="05"),
    json_data(amount="5.0"),
    json_data(amount="0x5"),
    json_data(amount=5),
    json_data(amount=str(2**256)),
    json_data(amount=str(2**256 - 1)),
    json_data(amount=str(10**16 + 1)),
    json_data(denom=""),
    json_data(denom="gamm/pool/1"),
    json_data(denom=f"transfer/{CLIENT}/"),
    json_data(denom="u" * 129),
    json_data(denom="transfer/07-fake-3/" * 17 + "uatom"),
    json_data(denom="transfer/07-fake-3/" * 9_000 + "uatom"),
    json_data(denom=f"transfer/{CLIENT}/neur"),
    json_data(denom=f"transfer/{CLIENT}/kwh"),
    json_data(denom=f"transfer/{CLIENT}/transfer/07-fake-3/neur"),
    json_data(sender=" "),
    json_data(receiver=""),
    json_data(receiver=text("bob").upper()),
    json_data(receiver=text("bob")[:-1] + "q"),
    json_data(receiver=account_to_text(account("bob"), "cosmos")),
    json_data(receiver=MODULE_TEXT),
    json_data(receiver="r" * 2049),
    json_data(memo="m" * 32_769),
    json_data(extra="1"),
    json_data() + b" ",
]


@pytest.mark.parametrize(
    "value", [value for value in BAD_DATA if value], ids=lambda v: repr(v[:60])
)
def test_bad_data_gets_the_sentinel_and_moves_nothing(world: TransferWorld, value: bytes) -> None:
    result = deliver_forged(world, forged(world, value))
    assert result.code == 0, result.log
    assert written_answer(result) == SENTINEL
    assert events(result, "fungible_token_packet")[0]["success"] == "false"
    assert supply_of(world.b) == 0
    assert vouchers_of(world.b, BOB) == 0
    assert not owed_on(world.b)


@pytest.mark.parametrize(
    "change",
    [
        {"version": "ics20-2"},
        {"encoding": "application/cbor"},
        {"encoding": "application/JSON"},
        {"destination_port": "elsewhere"},
    ],
)
def test_an_unknown_language_is_skipped_without_a_receipt(
    world: TransferWorld, change: dict[str, Any]
) -> None:
    result = deliver_forged(world, forged(world, json_data(), **change))
    assert result.code == 0
    assert events(result, "packet_skipped")
    assert not events(result, "write_acknowledgement")


def test_a_packet_from_another_port_is_not_ics_20(world: TransferWorld) -> None:
    packet = forged(world, json_data())
    packet = replace(packet, payloads=(replace(packet.payloads[0], source_port="sideways"),))
    assert events(deliver_forged(world, packet), "packet_skipped")


# --- caps -------------------------------------------------------------------------------------


def limited(**rules: int) -> TransferWorld:
    return TransferWorld(parameters=Parameters(vault_shards=2, **rules))


def arrive(world: TransferWorld, amount: int) -> Acknowledgement:
    return written_answer(world.deliver(world.b, sent_to_bob(world, amount)))


def test_no_more_of_a_voucher_exists_than_its_cap() -> None:
    """All parts of the counter are used before one unit too many is refused."""
    world = limited(voucher_supply_cap=1001)
    assert [arrive(world, amount) for amount in (700, 302, 301, 1)] == [
        SUCCESS,
        SENTINEL,
        SUCCESS,
        SENTINEL,
    ]
    assert supply_of(world.b) == 1001
    home = world.transfer(world.b, "bob", 500, text("ann"), denom=HOME.name)
    assert world.round_trip(world.b, world.sent(world.b, "bob", home)).code == 0
    assert [arrive(world, amount) for amount in (501, 500)] == [SENTINEL, SUCCESS]


def test_what_comes_back_exists_again_even_above_the_cap() -> None:
    world = limited(voucher_supply_cap=1000)
    arrive(world, 1000)
    home = world.transfer(world.b, "bob", 1000, text("ann"), denom=HOME.name)
    packet = world.sent(world.b, "bob", home)
    assert arrive(world, 1000) == SUCCESS
    assert world.expire(world.b, packet).code == 0
    assert supply_of(world.b) == vouchers_of(world.b, BOB) == 2000
    assert arrive(world, 1) == SENTINEL


def test_a_client_takes_no_more_pay_out_of_escrow_in_a_slot_than_its_cap() -> None:
    world = limited(outflow_cap_nano_eur=1000)
    arrive(world, 5000)

    def take_home(amount: int) -> Acknowledgement:
        home = world.transfer(world.b, "bob", amount, text("ann"), denom=HOME.name)
        packet = world.sent(world.b, "bob", home)
        return written_answer(world.deliver(world.a, packet))

    assert [take_home(amount) for amount in (999, 2, 1, 1)] == [
        SUCCESS,
        SENTINEL,
        SUCCESS,
        SENTINEL,
    ]
    world.a.now_s += 900
    world.b.now_s += 900
    assert take_home(1000) == SUCCESS


def test_one_ledger_cannot_take_home_what_another_left(world: TransferWorld) -> None:
    """Nothing is in escrow for this client, whatever its ledger claims."""
    result = deliver_forged(world, forged(world, json_data(denom=f"transfer/{CLIENT}/neur")))
    assert written_answer(result) == SENTINEL
    assert world.b.pay("bob") == MONEY


def test_a_voucher_goes_on_through_escrow_and_comes_back(world: TransferWorld) -> None:
    """A third ledger's token, twice renamed: b holds it in escrow for a."""
    far = PAY.through("transfer", "07-fake-5")
    value = json_data(denom=f"transfer/07-fake-5/{PAY.base}", amount="90")
    assert written_answer(deliver_forged(world, forged(world, value))) == SUCCESS
    here = far.through("transfer", CLIENT)
    assert vouchers_of(world.b, BOB, here) == supply_of(world.b, here) == 90


def test_the_books_notice_a_voucher_too_many(world: TransferWorld) -> None:
    arrive(world, 1000)
    assert world.b.books().are_vouchers_conserved
    forged_key = voucher_key(account("thief"), HOME.voucher_hash)

    def scan(prefix: bytes) -> list[tuple[bytes, bytes]]:
        rows = list(world.b.app.scan(TIELINE, prefix))
        return [*rows, (forged_key, (1).to_bytes(16, "big"))] if prefix == b"a" else rows

    assert not audit_books(scan).are_vouchers_conserved
