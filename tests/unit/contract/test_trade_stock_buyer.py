"""X1: the buyer is on a stock chain. Its transfer waits for the verdict; every ending, on time."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from fakes.light_client import prove
from fakes.trade_records import CLIENT, PRICE_OUT, T_A, T_B, TAU, D, E
from fakes.trade_world import BOND_PRICE, MONEY, Position, account, events
from fakes.transfer_world import (
    HOME,
    RELAYER,
    SECRET,
    WH,
    TransferWorld,
    escrowed,
    owed_on,
    sent_packets,
    supply_of,
    text,
    vouchers_of,
    written_answer,
)

from tieline.contract.genesis import Parameters
from tieline.contract.results import TxResult
from tieline.protocol.commitment import (
    ERROR_ACKNOWLEDGEMENT,
    acknowledgement_key,
    commit_acknowledgement,
    commit_packet,
    packet_commitment_key,
)
from tieline.protocol.messages import AcknowledgePacket, RecvPacket
from tieline.protocol.packet import Acknowledgement, Packet
from tieline.swap.lock import LockStatus
from tieline.swap.messages import (
    MsgCollectShare,
    MsgExpirePending,
    MsgRefund,
    MsgRetryOwed,
    MsgSend,
    MsgSetStockChain,
    MsgTakeOwed,
    MsgTradeEvidence,
    MsgWaive,
)
from tieline.swap.records import Side
from tieline.wire.abi import encode_energy_trade
from tieline.wire.hashes import sha256
from tieline.wire.trade_memo import memo_for_trade
from tieline.wire.transfer_data import decode_transfer_data, encode_transfer_data

SUCCESS = Acknowledgement((b'{"result":"AQ=="}',))
SENTINEL = Acknowledgement((ERROR_ACKNOWLEDGEMENT,))
ANN, BOB = account("ann"), account("bob")
COST = WH * PRICE_OUT


class Scene:
    """Paid and received: PENDING on b, the money in escrow on a."""

    def __init__(self, **rules: Any) -> None:
        world = self.world = TransferWorld(**rules)
        self.position: Position = world.buyer_abroad()
        self.packet: Packet = world.pay_for(self.position)
        self.lock_id = world.home_lock(self.position)
        self.received = world.receive_payment(self.position, self.packet)
        assert self.received.code == 0, self.received.log

    @property
    def status(self) -> LockStatus:
        return self.world.b.lock(self.lock_id).status

    def decide(self, at: int = TAU, **change: Any) -> TxResult:
        leaf = self.world.leaf(self.position, self.packet, **change)
        return self.world.b.run("relayer", self.world.apply_verdict([leaf]), at=at)

    def refuse(self, at: int = TAU) -> TxResult:
        return self.decide(at, decision=2, cap_wh=0, reason=2, group=0, group_size=0)

    def expire(self, at: int = D) -> TxResult:
        return self.world.b.run("relayer", MsgExpirePending(RELAYER, self.lock_id), at=at)

    def deliver(self, wh: int) -> None:
        trade_id = self.position.trade.trade_id
        self.world.b.must("relayer", self.world.delivery([(trade_id, wh)]), at=E)

    def claim(self, wh: int, at: int = E) -> TxResult:
        message = self.world.claim(self.lock_id, SECRET, self.position.trade.trade_id, wh)
        return self.world.b.run("relayer", message, at=at)

    def refund(self, at: int = T_A) -> TxResult:
        return self.world.b.run("relayer", MsgRefund(RELAYER, self.lock_id), at=at)

    def bring_answer(self, result: TxResult) -> TxResult:
        return self.world.answer_to(self.world.a, self.packet, written_answer(result))

    def bring_home(self, result: TxResult) -> None:
        """Relay every packet that *result* sent to the buyer."""
        for packet in sent_packets(result):
            self.world.a.now_s = max(self.world.a.now_s, self.world.b.now_s)
            assert self.world.round_trip(self.world.b, packet).code == 0


# --- accept -----------------------------------------------------------------------------------


def test_a_received_payment_reserves_everything_and_pays_nobody() -> None:
    scene = Scene()
    assert scene.status is LockStatus.PENDING
    assert not events(scene.received, "write_acknowledgement")
    assert supply_of(scene.world.b) == COST
    assert vouchers_of(scene.world.b, BOB) == 0
    assert scene.world.b.pay("bob") == MONEY - WH * BOND_PRICE
    assert escrowed(scene.world.a) == COST


def test_accept_and_claim_pay_the_seller_in_vouchers_and_the_buyer_s_escrow_stays() -> None:
    scene = Scene()
    accepted = scene.decide()
    assert written_answer(accepted) == SUCCESS
    assert not sent_packets(accepted)
    assert scene.bring_answer(accepted).code == 0
    scene.deliver(WH)
    assert scene.claim(WH).code == 0
    assert scene.status is LockStatus.CLOSED
    assert vouchers_of(scene.world.b, BOB) == supply_of(scene.world.b) == COST
    assert scene.world.b.pay("bob") == MONEY
    assert scene.world.a.pay("ann") == MONEY - COST
    home = scene.world.transfer(scene.world.b, "bob", COST, text("bob"), denom=HOME.name)
    back = scene.world.sent(scene.world.b, "bob", home)
    scene.world.a.now_s = scene.world.b.now_s
    assert scene.world.round_trip(scene.world.b, back).code == 0
    assert scene.world.a.pay(BOB) == COST


def test_what_lies_above_the_cap_is_sent_home_at_once() -> None:
    scene = Scene()
    accepted = scene.decide(cap_wh=3000)
    assert written_answer(accepted) == SUCCESS
    (rest,) = sent_packets(accepted)
    data = decode_transfer_data(rest.payloads[0].value, rest.payloads[0].encoding)
    assert (data.receiver, data.amount) == (text("ann"), 2000 * PRICE_OUT)
    assert supply_of(scene.world.b) == 3000 * PRICE_OUT
    scene.bring_home(accepted)
    assert scene.world.a.pay("ann") == MONEY - 3000 * PRICE_OUT
    scene.deliver(3000)
    scene.claim(3000)
    assert vouchers_of(scene.world.b, BOB) == 3000 * PRICE_OUT


def test_an_expired_lock_sends_home_what_was_not_claimed() -> None:
    scene = Scene()
    scene.decide()
    scene.deliver(1200)
    scene.claim(1200)
    result = scene.refund()
    assert result.code == 0
    scene.bring_home(result)
    assert scene.world.a.pay("ann") == MONEY - 1200 * PRICE_OUT
    assert vouchers_of(scene.world.b, BOB) == supply_of(scene.world.b) == 1200 * PRICE_OUT
    assert not owed_on(scene.world.b)


def test_a_waiver_sends_home_what_was_given_up() -> None:
    scene = Scene()
    scene.decide()
    result = scene.world.b.must("bob", MsgWaive(BOB, scene.lock_id, 1000))
    scene.bring_home(result)
    assert scene.world.a.pay("ann") == MONEY - 1000 * PRICE_OUT


# --- refuse -----------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["refuse", "expire"])
def test_a_refused_trade_gives_the_sentinel_and_the_stock_chain_refunds(ending: str) -> None:
    scene = Scene()
    result = scene.refuse() if ending == "refuse" else scene.expire()
    assert written_answer(result) == SENTINEL
    assert not sent_packets(result)
    assert scene.status is LockStatus.REFUSED
    assert supply_of(scene.world.b) == 0
    assert scene.world.b.pay("bob") == MONEY
    assert scene.bring_answer(result).code == 0
    assert (scene.world.a.pay("ann"), escrowed(scene.world.a)) == (MONEY, 0)


# --- times ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "at", "is_done"),
    [
        ("decide", TAU - 1, False),
        ("decide", TAU, True),
        ("decide", TAU + 1, True),
        ("decide", D - 1, True),
        ("decide", D, False),
        ("decide", D + 1, False),
        ("refuse", TAU - 1, False),
        ("refuse", TAU, True),
        ("refuse", D - 1, True),
        ("refuse", D, False),
        ("expire", D - 1, False),
        ("expire", D, True),
        ("expire", D + 1, True),
        ("claim", T_B - 1, True),
        ("claim", T_B, False),
        ("claim", T_B + 1, False),
        ("refund", T_B - 1, False),
        ("refund", T_B, True),
        ("refund", T_B + 1, True),
    ],
)
def test_each_row_is_open_exactly_in_its_time(row: str, at: int, is_done: bool) -> None:
    scene = Scene()
    before = LockStatus.PENDING
    if row in {"claim", "refund"}:
        scene.decide()
        before = LockStatus.LOCKED
    if row == "claim":
        scene.deliver(WH)
        result = scene.claim(WH, at)
    else:
        result = getattr(scene, row)(at=at)
    assert (result.code == 0) is is_done, result.log
    assert (scene.status is not before) is is_done


@pytest.mark.parametrize(("at", "is_received"), [(TAU - 1, True), (TAU, False), (TAU + 1, False)])
def test_a_payment_is_received_only_before_tau(at: int, is_received: bool) -> None:
    world = TransferWorld()
    position = world.buyer_abroad()
    packet = world.pay_for(position)
    world.b.now_s = at
    result = world.receive_payment(position, packet)
    assert (result.code == 0) is is_received
    if not is_received:
        assert world.expire(world.a, packet).code == 0
        assert world.a.pay("ann") == MONEY


# --- home is closed: owed ------------------------------------------------------------------------


class Stranded(Scene):
    """Refunded while nothing can be sent to the buyer's chain."""

    def __init__(self) -> None:
        super().__init__()
        self.decide()
        self.world.freeze(self.world.b)
        self.result = self.refund()
        assert self.result.code == 0, self.result.log
        ((self.account, self.owed_id),) = owed_on(self.world.b)


def test_a_refund_does_not_wait_for_a_client_that_cannot_send() -> None:
    scene = Stranded()
    assert scene.status is LockStatus.CLOSED
    assert not sent_packets(scene.result)
    (record,) = owed_on(scene.world.b).values()
    assert (scene.account, record.amount, record.receiver) == (ANN, COST, text("ann"))
    assert supply_of(scene.world.b) == COST
    (told,) = events(scene.result, "owed_added")
    assert told["owed_id"] == scene.owed_id.hex()
    retry = MsgRetryOwed(RELAYER, ANN, scene.owed_id)
    refused = scene.world.b.run("relayer", retry)
    assert (refused.codespace, refused.code) == ("client", 29)
    assert owed_on(scene.world.b)


def test_its_owner_may_take_what_is_owed_on_this_ledger_and_nobody_else_may() -> None:
    """The same key is the same account on both."""
    scene = Stranded()
    for thief in ("relayer", "bob", "cell b"):
        scene.world.b.must(thief, MsgTakeOwed(account(thief), scene.owed_id))
        assert owed_on(scene.world.b)
    world = scene.world
    world.b.must("relayer", MsgSend(RELAYER, ANN, 1))
    world.b.must("ann", MsgTakeOwed(ANN, scene.owed_id))
    assert vouchers_of(world.b, ANN) == COST
    assert not owed_on(world.b)
    world.b.must("ann", MsgTakeOwed(ANN, scene.owed_id))
    assert vouchers_of(world.b, ANN) == COST


@pytest.mark.parametrize("failure", ["sentinel", "timeout"])
def test_a_refund_that_comes_back_is_owed_and_sent_again_by_anyone(failure: str) -> None:
    scene = Scene()
    world = scene.world
    scene.decide()
    (packet,) = sent_packets(scene.refund())
    assert supply_of(world.b) == 0
    if failure == "timeout":
        assert world.expire(world.b, packet).code == 0
    else:
        assert _answer_by_force(world, packet, SENTINEL).code == 0
    ((who, owed_id),) = owed_on(world.b)
    assert (who, supply_of(world.b)) == (ANN, COST)
    assert vouchers_of(world.b, BOB) == 0
    world.b.now_s = max(world.a.now_s, world.b.now_s)
    retry = MsgRetryOwed(account("ben"), ANN, owed_id)
    result = world.b.must("ben", retry)
    assert not owed_on(world.b)
    if failure == "timeout":
        scene.bring_home(result)
        assert (world.a.pay("ann"), escrowed(world.a)) == (MONEY, 0)
    assert not sent_packets(world.b.must("ben", retry))


def _answer_by_force(world: TransferWorld, packet: Packet, answer: Acknowledgement) -> TxResult:
    """An answer that the stock chain gave for a reason of its own."""
    height = world.b.update_client(world.a)
    key = acknowledgement_key(packet.destination_client, packet.sequence)
    proof = prove(height.revision_height, (b"ibc", key), commit_acknowledgement(answer))
    return world.b.run("relayer", AcknowledgePacket(RELAYER, packet, answer, proof, height))


def test_two_debts_to_one_account_are_one() -> None:
    scene = Scene()
    world = scene.world
    first = scene.decide(cap_wh=3000)
    (rest,) = sent_packets(first)
    world.expire(world.b, rest)
    world.b.now_s = T_A
    (packet,) = sent_packets(scene.refund())
    world.expire(world.b, packet)
    (record,) = owed_on(world.b).values()
    assert record.amount == COST


# --- what is not a payment ------------------------------------------------------------------------


def _spoil_memo(memo: str, **_: Any) -> list[str]:
    inner = json.loads(memo)["tieline"]["trade"]
    return [
        memo.replace('":', '": '),
        memo.upper(),
        json.dumps({"tieline": {"trade": inner.upper()}}, separators=(",", ":")),
        json.dumps({"tieline": {"trade": inner[:-2]}}, separators=(",", ":")),
        json.dumps({"tieline": {"trade": inner + "00"}}, separators=(",", ":")),
        json.dumps({"tieline": {"trade": "zz" * 736}}, separators=(",", ":")),
        json.dumps({"tieline": {"trade": 7}}, separators=(",", ":")),
        json.dumps({"tieline": {"trade": None}}, separators=(",", ":")),
        json.dumps({"tieline": inner}, separators=(",", ":")),
        json.dumps({"tieline": {}}, separators=(",", ":")),
        json.dumps({"tieline": None}, separators=(",", ":")),
        json.dumps({"tieline": {"trade": inner, "x": 1}}, separators=(",", ":")),
        json.dumps({"tieline": {"trade": inner}, "forward": {}}, separators=(",", ":")),
        memo[:-1],
        "",
        "a gift",
        "[" * 20_000,
        json.dumps({"tieline": {"trade": "00" * 736}}, separators=(",", ":")),
        json.dumps({"tieline": {"trade": "ff" * 736}}, separators=(",", ":")),
    ]


@pytest.mark.parametrize("which", range(19))
def test_a_memo_that_does_not_say_it_exactly_gets_the_sentinel(which: int) -> None:
    """The trade module takes nothing else, so nothing is lost in it."""
    world = TransferWorld()
    position = world.buyer_abroad()
    memos = _spoil_memo(world.payment(position).memo)
    assert len(memos) == 19
    packet = world.pay_for(position, memo=memos[which])
    result = world.receive_payment(position, packet)
    assert result.code == 0, result.log
    assert written_answer(result) == SENTINEL
    assert supply_of(world.b) == 0
    assert world.answer_to(world.a, packet, SENTINEL).code == 0
    assert world.a.pay("ann") == MONEY


def test_another_s_memo_is_none_of_our_business() -> None:
    """Other middleware's memos, and plain words, pass with the money."""
    world = TransferWorld()
    for memo in ('{"forward":{}}', "rent", '{"wasm":{"contract":"x"}}', '["tieline"]', "{", "null"):
        packet = world.sent(
            world.a, "ann", world.transfer(world.a, "ann", 5, text("bob"), memo=memo)
        )
        assert written_answer(world.deliver(world.b, packet)) == SUCCESS
    assert vouchers_of(world.b, BOB) == 30


@pytest.mark.parametrize(
    ("payment", "reason"),
    [
        ({"amount": COST - 1}, "PAYLOAD"),
        ({"amount": COST + 1}, "PAYLOAD"),
        ({"receiver": text("bob")}, "PAYLOAD"),
        ({"timeout_s": TAU - 1}, "LADDER"),
        ({"timeout_s": TAU + 1}, "LADDER"),
    ],
)
def test_a_payment_with_other_terms_than_its_trade_gets_the_sentinel(
    payment: dict[str, Any], reason: str
) -> None:
    world = TransferWorld()
    position = world.buyer_abroad()
    packet = world.pay_for(position, **payment)
    refused(world, position, packet, reason)


@pytest.mark.parametrize(
    ("trade", "reason"),
    [
        ({"connector_in": account("connector")}, "PAYLOAD"),
        ({"connector_out": account("connector")}, "PAYLOAD"),
        ({"price_in": PRICE_OUT + 1}, "PAYLOAD"),
        ({"buyer": account("amy")}, "PAYLOAD"),
        ({"seller": account("ben")}, "ORDER"),
        ({"dest_chain_tag": b"\x07" * 32}, "PAYLOAD"),
        ({"source_tag": b"\x07" * 32}, "PAYLOAD"),
        ({"lock_id_in": bytes(32)}, "PAYLOAD"),
        ({"trade_id": bytes(32)}, "PAYLOAD"),
        ({"verdict_deadline": D + 1}, "LADDER"),
        ({"expiry_out": T_B - 1}, "LADDER"),
        ({"cell_set_epoch": 2}, "CELL_SET"),
    ],
)
def test_a_trade_that_does_not_hold_gets_the_sentinel(trade: dict[str, Any], reason: str) -> None:
    world = TransferWorld()
    position = world.buyer_abroad(**trade)
    packet = world.pay_for(position)
    refused(world, position, packet, reason)


def refused(world: TransferWorld, position: Position, packet: Packet, reason: str) -> None:
    result = world.receive_payment(position, packet)
    assert result.code == 0, result.log
    assert written_answer(result) == SENTINEL
    assert [event["reason"] for event in events(result, "receive_refused")] == [reason]
    assert supply_of(world.b) == 0


def test_a_payment_from_somebody_else_gets_the_sentinel() -> None:
    world = TransferWorld()
    position = world.buyer_abroad()
    world.a.now_s = world.b.now_s = TAU - 60
    message = replace(world.payment(position), signer=account("amy"))
    packet = world.sent(world.a, "amy", message)
    refused(world, position, packet, "PAYLOAD")


def test_a_payment_in_another_token_gets_the_sentinel() -> None:
    """Anyone can make a token; only the chain's own PAY buys energy."""
    scene = TransferWorld()
    position = scene.buyer_abroad()
    packet = scene.pay_for(position)
    payload = packet.payloads[0]
    data = decode_transfer_data(payload.value, payload.encoding)
    for denom in ("uworthless", "transfer/07-fake-3/neur", f"transfer/{CLIENT}/neur"):
        other = replace(data, denom=denom)
        value = encode_transfer_data(other, payload.encoding)
        forged = replace(
            packet, sequence=packet.sequence + 50, payloads=(replace(payload, value=value),)
        )
        height = scene.b.update_client(scene.a)
        key = packet_commitment_key(forged.source_client, forged.sequence)
        proof = prove(height.revision_height, (b"ibc", key), commit_packet(forged))
        evidence = MsgTradeEvidence(RELAYER, position.evidence(Side.SELL))
        result = scene.b.run("relayer", evidence, RecvPacket(RELAYER, forged, proof, height))
        assert written_answer(result) == SENTINEL
        packet = forged


def test_a_chain_that_the_cell_does_not_vouch_for_pays_for_nothing() -> None:
    world = TransferWorld()
    position = world.buyer_abroad()
    packet = world.pay_for(position)
    another = MsgSetStockChain(account("cell b"), world.a.tag, CLIENT, "cosmos")
    world.b.must("cell b", another)
    refused(world, position, packet, "PAYLOAD")


def test_missing_evidence_or_clearing_fails_without_a_receipt() -> None:
    """Or any relayer could refuse any trade."""
    world = TransferWorld()
    position = world.buyer_abroad()
    world.a.now_s = world.b.now_s = TAU - 60
    packet = world.sent(world.a, "ann", world.payment(position))
    early = world.receive_payment(position, packet)
    assert (early.codespace, early.code) == ("tieline", 2)
    world.b.must("relayer", world.post_clearing(position.clearing))
    without = world.deliver(world.b, packet)
    assert (without.codespace, without.code) == ("tieline", 2)
    false = replace(position, sells=())
    assert world.receive_payment(false, packet).code == 2
    assert world.receive_payment(position, packet).code == 0
    assert world.b.lock(world.home_lock(position)).status is LockStatus.PENDING


def test_a_second_payment_for_one_trade_gets_the_sentinel() -> None:
    scene = Scene()
    world = scene.world
    second = world.sent(world.a, "ann", world.payment(scene.position))
    refused_second = world.receive_payment(scene.position, second)
    assert written_answer(refused_second) == SENTINEL
    assert [e["reason"] for e in events(refused_second, "receive_refused")] == ["H_USED"]
    assert supply_of(world.b) == COST


def test_a_payment_above_the_supply_cap_gets_the_sentinel_and_takes_no_order() -> None:
    world = TransferWorld(parameters=Parameters(vault_shards=2, voucher_supply_cap=COST - 1))
    position = world.buyer_abroad()
    packet = world.pay_for(position)
    refused(world, position, packet, "CAP")
    assert world.b.pay("bob") == MONEY - WH * BOND_PRICE
    (order_id,) = [leaf.allocation.order_id for leaf in position.sells]
    assert world.b.order(order_id).energy_left_wh == WH


def test_an_accept_without_the_stock_chain_s_cell_is_refused() -> None:
    scene = Scene()
    result = scene.decide(owners=scene.world.owners("cell b", "cell grid"))
    assert (result.codespace, result.code) == ("tieline", 27)


# --- sellers' pool ------------------------------------------------------------------------------


def test_a_pool_of_sellers_shares_vouchers_and_gets_its_bond_in_pay() -> None:
    world = TransferWorld()
    sells = [(world.place(name, Side.SELL, wh), wh) for name, wh in (("ben", 2000), ("bea", 3000))]
    position = world.buyer_abroad(sells)
    packet = world.pay_for(position)
    assert world.receive_payment(position, packet).code == 0
    lock_id = world.home_lock(position)
    leaf = world.leaf(position, packet)
    world.b.must("relayer", world.apply_verdict([leaf]), at=TAU)
    trade_id = position.trade.trade_id
    world.b.must("relayer", world.delivery([(trade_id, WH)]), at=E)
    world.b.must("relayer", world.claim(lock_id, SECRET, trade_id, WH))
    assert supply_of(world.b) == COST
    for own in position.sells:
        message = MsgCollectShare(RELAYER, lock_id, Side.SELL, own.allocation, own.proof)
        world.b.must("relayer", message)
    for name, wh in (("ben", 2000), ("bea", 3000)):
        assert vouchers_of(world.b, account(name)) == wh * PRICE_OUT
        assert world.b.pay(name) == MONEY


# --- the cell's word for a stock chain ------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "codespace", "code"),
    [
        ({"chain_tag": None}, "sdk", 18),
        ({"client": "07-fake-9"}, "client", 35),
        ({"account_prefix": ""}, "sdk", 18),
        ({"account_prefix": "Cosmos"}, "sdk", 18),
        ({"account_prefix": "1cosmos"}, "sdk", 18),
        ({"account_prefix": "c" * 32}, "sdk", 18),
    ],
)
def test_a_stock_chain_is_vouched_for_sensibly(
    change: dict[str, Any], codespace: str, code: int
) -> None:
    world = TransferWorld()
    if change.get("chain_tag", b"") is None:
        change = {"chain_tag": world.b.tag}
    message = MsgSetStockChain(account("cell b"), b"\x09" * 32, CLIENT, "cosmos")
    result = world.b.run("cell b", replace(message, **change))
    assert (result.codespace, result.code) == (codespace, code), result.log


def test_only_the_cell_vouches_for_a_stock_chain() -> None:
    world = TransferWorld()
    result = world.b.run("bob", MsgSetStockChain(BOB, b"\x09" * 32, CLIENT, "cosmos"))
    assert (result.codespace, result.code) == ("sdk", 4)


def test_the_memo_of_a_trade_is_the_specification_s() -> None:
    world = TransferWorld()
    trade = world.buyer_abroad().trade
    encoded = encode_energy_trade(trade)
    assert memo_for_trade(encoded) == json.dumps(
        {"tieline": {"trade": encoded.hex()}}, separators=(",", ":")
    )
    assert sha256(SECRET) == trade.hashlock
