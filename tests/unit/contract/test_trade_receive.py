"""
Row B1: one packet that is received, and everything that spoils it. A reason in the packet or in
funds gives receipt and sentinel; evidence that another could bring fails without a receipt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fakes.light_client import prove
from fakes.microgrid import key
from fakes.trade_records import CLIENT, PRICE_IN, PRICE_OUT, T_A, T_B, TAU, D, S
from fakes.trade_world import DOMAIN, MONEY, Position, TradeLedger, TradeWorld, account, events

from tieline.contract.energy_trade import ENCODING, PORT, VERSION
from tieline.contract.keys import hash_lock_key, outflow_key
from tieline.contract.results import TxResult
from tieline.contract.store import IBC, TIELINE
from tieline.protocol import commitment
from tieline.protocol.commitment import ERROR_ACKNOWLEDGEMENT
from tieline.protocol.height import Height
from tieline.protocol.messages import RecvPacket
from tieline.protocol.packet import Acknowledgement, Packet, Payload
from tieline.swap.messages import (
    MsgCancel,
    MsgTradeEvidence,
    MsgWithdraw,
)
from tieline.swap.records import Cancel, Level, OwnLeaf, Side
from tieline.wire.abi import encode_energy_trade
from tieline.wire.codec import encode_acknowledgement
from tieline.wire.hashes import sha256
from tieline.wire.ids import pool_account
from tieline.wire.typed_data import order_id, sign_record

RELAYER = account("relayer")
SECRET = b"\x5e" * 32
WH = 5000


class Scene:
    """Orders on b and a client that knows a's time; packets are written by hand."""

    def __init__(self) -> None:
        self.world = TradeWorld()
        self.b: TradeLedger = self.world.b
        self.buy = self.world.place("ann", Side.BUY, WH)
        self.sell = self.world.place("bob", Side.SELL, WH, anchor=sha256(SECRET))
        self.height: Height = self.b.update_client(self.world.a)

    def position(self, **change: Any) -> Position:
        position = self.world.position([(self.buy, WH)], [(self.sell, WH)], SECRET, **change)
        self.post(position)
        return position

    def post(self, position: Position) -> None:
        message = self.world.post_clearing(position.clearing)
        if self.b.attempt("relayer", message).code == 0:
            self.b.must("relayer", message)

    def packet(self, value: bytes, **change: Any) -> Packet:
        payload = Payload(PORT, PORT, VERSION, ENCODING, value)
        return replace(Packet(1, CLIENT, CLIENT, TAU, (payload,)), **change)

    def receive(
        self,
        position: Position,
        leaves: tuple[OwnLeaf, ...] | None = None,
        packet: Packet | None = None,
    ) -> tuple[MsgTradeEvidence, RecvPacket]:
        sent = self.packet(encode_energy_trade(position.trade)) if packet is None else packet
        evidence = position.evidence(Side.SELL)
        if leaves is not None:
            evidence = replace(evidence, own_leaves=leaves)
        path = (b"ibc", commitment.packet_commitment_key(CLIENT, sent.sequence))
        proof = prove(self.height.revision_height, path, commitment.commit_packet(sent))
        return (
            MsgTradeEvidence(RELAYER, evidence),
            RecvPacket(RELAYER, sent, proof, self.height),
        )

    def attempt(self, *messages: object, at: int = TAU - 1) -> TxResult:
        return self.b.attempt("relayer", *messages, at=at)


@pytest.fixture(scope="module")
def scene() -> Scene:
    """Tests only attempt."""
    return Scene()


def reason_of(result: TxResult) -> str:
    """The reason of a refusal with receipt and sentinel; the log of one without."""
    if result.code:
        return result.log
    refused = events(result, "receive_refused")
    if not refused:
        return "received"
    (written,) = events(result, "write_acknowledgement")
    sentinel = Acknowledgement((ERROR_ACKNOWLEDGEMENT,))
    assert written["encoded_acknowledgement_hex"] == encode_acknowledgement(sentinel).hex()
    return refused[0]["reason"]


def test_a_good_packet_reserves_money_energy_and_bond() -> None:
    scene = Scene()
    position = scene.position()
    scene.b.now_s = TAU - 1
    result = scene.b.must("relayer", *scene.receive(position))
    (opened,) = events(result, "lock_opened")
    assert (opened["leg"], opened["status"], opened["peer_lock_id"]) == (
        "out",
        "PENDING",
        position.lock_in.hex(),
    )
    assert events(result, "write_acknowledgement") == []
    lock = scene.b.lock(position.lock_out)
    assert (lock.late_expiry, lock.expiry, lock.verdict_deadline) == (T_A, T_B, D)
    assert scene.b.vault(account("connector")) == MONEY - WH * PRICE_OUT
    order = scene.b.order(order_id(scene.sell))
    assert (order.energy_left_wh, order.money_left) == (0, 0)
    assert scene.b.app.query(TIELINE, hash_lock_key(sha256(SECRET))) == position.lock_out
    # A second receive of the same packet never errors, and changes nothing.
    again = scene.b.must("relayer", *scene.receive(position))
    assert events(again, "lock_opened") == []


SPOILED: list[tuple[str, dict[str, Any], str]] = [
    ("another destination", {"dest_chain_tag": b"\x01" * 32}, "PAYLOAD"),
    ("trade id", {"trade_id": b"\x01" * 32}, "PAYLOAD"),
    ("lock id", {"lock_id_in": b"\x01" * 32}, "PAYLOAD"),
    ("price out above in", {"price_out": PRICE_IN + 1}, "PAYLOAD"),
    ("no energy", {"energy_wh": 0}, "PAYLOAD"),
    ("off the raster", {"slot_start": S + 1}, "PAYLOAD"),
    ("verdict deadline", {"verdict_deadline": D + 1}, "LADDER"),
    ("T_B one second early", {"expiry_out": T_B - 1}, "LADDER"),
    ("T_A one second early", {"expiry_in": T_A - 1}, "LADDER"),
    ("another epoch", {"cell_set_epoch": 2}, "CELL_SET"),
    ("another cell set", {"cell_set_id": b"\x01" * 32}, "CELL_SET"),
    ("another seller", {"seller": b"\x01" * 20}, "ORDER"),
    ("no such mandate", {"connector_out": b"\x01" * 20}, "MANDATE"),
    ("a mandate of another", {"connector_in": b"\x01" * 20}, "MANDATE"),
    ("a fee below the mandate's", {"price_in": PRICE_OUT + 99}, "MANDATE"),
]


@pytest.mark.parametrize(
    ("change", "reason"), [row[1:] for row in SPOILED], ids=[row[0] for row in SPOILED]
)
def test_a_reason_in_the_packet_gives_receipt_and_sentinel(
    scene: Scene, change: dict[str, Any], reason: str
) -> None:
    assert reason_of(scene.attempt(*scene.receive(scene.position(**change)))) == reason


def test_a_source_without_a_cell_in_the_set_gives_cell_set(scene: Scene) -> None:
    position = scene.position(source_tag=b"\x01" * 32)
    assert reason_of(scene.attempt(*scene.receive(position))) == "CELL_SET"


def test_another_timeout_breaks_the_ladder(scene: Scene) -> None:
    value = encode_energy_trade(scene.position().trade)
    packet = scene.packet(value, timeout_s=TAU + 60)
    assert reason_of(scene.attempt(*scene.receive(scene.position(), packet=packet))) == "LADDER"


def test_a_refused_packet_marks_nothing() -> None:
    scene = Scene()
    scene.b.now_s = TAU - 1
    spoiled = scene.position(seller=b"\x01" * 20)
    scene.b.must("relayer", *scene.receive(spoiled))
    assert scene.b.app.query(IBC, commitment.packet_receipt_key(CLIENT, 1)) == b"\x02"
    assert scene.b.app.query(TIELINE, hash_lock_key(sha256(SECRET))) is None
    assert scene.b.order(order_id(scene.sell)).energy_left_wh == WH


def test_a_packet_of_another_tongue_is_skipped_without_receipt(scene: Scene) -> None:
    position = scene.position()
    value = encode_energy_trade(position.trade)
    for change in ({"version": "tieline-trade-2"}, {"encoding": "text"}, {"source_port": "x-y"}):
        payload = replace(Payload(PORT, PORT, VERSION, ENCODING, value), **change)
        packet = scene.packet(value, payloads=(payload,))
        result = scene.attempt(*scene.receive(position, packet=packet))
        assert result.code == 0
        assert events(result, "packet_skipped")
        assert not events(result, "recv_packet")


NOT_YET: list[tuple[str, Callable[[Position], tuple[OwnLeaf, ...]]]] = [
    ("no leaves", lambda _: ()),
    ("the other side's leaves", lambda p: p.buys),
    ("a false proof", lambda p: (replace(p.sells[0], proof=(bytes(32),)),)),
    (
        "another Wh",
        lambda p: (
            replace(p.sells[0], allocation=replace(p.sells[0].allocation, energy_wh=WH - 1)),
        ),
    ),
]


@pytest.mark.parametrize("spoil", [row[1] for row in NOT_YET], ids=[row[0] for row in NOT_YET])
def test_false_evidence_fails_without_a_receipt(
    scene: Scene, spoil: Callable[[Position], tuple[OwnLeaf, ...]]
) -> None:
    position = scene.position()
    result = scene.attempt(*scene.receive(position, spoil(position)))
    assert (result.codespace, result.code) == ("tieline", 2)
    assert scene.attempt(*scene.receive(position)).code == 0


def test_missing_evidence_or_clearing_fails_without_a_receipt() -> None:
    scene = Scene()
    position = scene.world.position([(scene.buy, WH)], [(scene.sell, WH)], SECRET)
    _, receive = scene.receive(position)
    assert "clearing not posted" in scene.attempt(receive).log
    scene.post(position)
    assert "no evidence" in scene.attempt(receive).log
    assert reason_of(scene.attempt(*scene.receive(position))) == "received"


def test_a_wrong_clearing_proof_fails_without_a_receipt(scene: Scene) -> None:
    position = scene.position()
    evidence, receive = scene.receive(position)
    false = replace(evidence, evidence=replace(evidence.evidence, clearing_proof=(bytes(32),)))
    assert "not in the clearing" in scene.attempt(false, receive).log


def test_from_tau_on_no_receipt_appears(scene: Scene) -> None:
    messages = scene.receive(scene.position())
    assert reason_of(scene.attempt(*messages, at=TAU - 1)) == "received"
    assert scene.attempt(*messages, at=TAU).code != 0


def test_an_order_that_is_gone_gives_order() -> None:
    scene = Scene()
    position = scene.position()
    cancel = Cancel(order_id(scene.sell))
    signature = sign_record(key("bob"), DOMAIN, cancel)
    scene.b.must("relayer", MsgCancel(RELAYER, cancel, signature))
    assert reason_of(scene.attempt(*scene.receive(position))) == "ORDER"


def test_an_anchored_order_is_all_or_none_and_bound_to_its_secret() -> None:
    scene = Scene()
    part = scene.world.position([(scene.buy, WH - 1)], [(scene.sell, WH - 1)], SECRET)
    other = scene.world.position([(scene.buy, WH)], [(scene.sell, WH)], b"\x07" * 32)
    for position in (part, other):
        scene.post(position)
        assert reason_of(scene.attempt(*scene.receive(position))) == "ORDER"


def test_a_single_seller_without_anchor_is_a_pool() -> None:
    scene = Scene()
    plain = scene.world.place("ben", Side.SELL, WH)
    position = scene.world.position([(scene.buy, WH)], [(plain, WH)], SECRET)
    pool = pool_account(scene.b.tag, position.trade.trade_id, Side.SELL)
    assert position.trade.seller == pool
    named = scene.world.position([(scene.buy, WH)], [(plain, WH)], SECRET, seller=account("ben"))
    for each, reason in ((position, "received"), (named, "ORDER")):
        scene.post(each)
        assert reason_of(scene.attempt(*scene.receive(each))) == reason


def test_a_sellers_limit_and_levels_hold() -> None:
    scene = Scene()
    dear = scene.world.place("ben", Side.SELL, WH, price_min=PRICE_OUT + 1)
    local = scene.world.place("bea", Side.SELL, WH, levels=Level.INTRA)
    for sell in (dear, local):
        position = scene.world.position([(scene.buy, WH)], [(sell, WH)], SECRET)
        scene.post(position)
        assert reason_of(scene.attempt(*scene.receive(position))) == "ORDER"


def with_mandate(**change: Any) -> Scene:
    scene = Scene()
    scene.b.must("connector", scene.world.mandate(nonce=2, **change))
    return scene


AMOUNT = WH * PRICE_OUT
MANDATES: list[tuple[str, dict[str, int], str]] = [
    ("just enough", {"max_trade": AMOUNT, "max_open": 2 * AMOUNT}, "received"),
    ("a trade too large", {"max_trade": AMOUNT - 1}, "MANDATE"),
    ("too much open in its half", {"max_open": 2 * AMOUNT - 2}, "MANDATE"),
    ("a fee too small", {"min_fee": PRICE_IN - PRICE_OUT + 1}, "MANDATE"),
    ("a fee that fits", {"min_fee": PRICE_IN - PRICE_OUT}, "received"),
    ("a margin too small", {"min_margin": T_A - T_B + 1}, "MANDATE"),
    ("expired", {"expiry": TAU - 1}, "MANDATE"),
    ("about to expire", {"expiry": TAU}, "received"),
    ("revoked", {"expiry": 0}, "MANDATE"),
]


@pytest.mark.parametrize(
    ("change", "reason"), [row[1:] for row in MANDATES], ids=[row[0] for row in MANDATES]
)
def test_the_mandate_bounds_what_is_locked(change: dict[str, int], reason: str) -> None:
    scene = with_mandate(**change)
    assert reason_of(scene.attempt(*scene.receive(scene.position()))) == reason


def test_a_vault_that_holds_less_gives_vault() -> None:
    scene = Scene()
    scene.b.must("connector", MsgWithdraw(account("connector"), MONEY - AMOUNT + 1))
    assert reason_of(scene.attempt(*scene.receive(scene.position()))) == "VAULT"


def test_the_outflow_cap_is_judged_last() -> None:
    scene = Scene()
    position = scene.position()
    shards = scene.b.parameters.vault_shards
    cap = scene.b.parameters.outflow_cap_nano_eur // shards
    shard = position.trade.trade_id[0] % shards
    taken = cap - AMOUNT + 1
    flat = scene.b.app._flat[TIELINE]
    flat[outflow_key(CLIENT, S, shard)] = taken.to_bytes(16, "big")
    assert reason_of(scene.attempt(*scene.receive(position))) == "CAP"
    flat[outflow_key(CLIENT, S, shard)] = (taken - 1).to_bytes(16, "big")
    assert reason_of(scene.attempt(*scene.receive(position))) == "received"


def test_the_first_hit_gives_the_reason() -> None:
    """PAYLOAD, LADDER, H_USED, CELL_SET, evidence, ORDER, MANDATE, VAULT, CAP."""
    scene = with_mandate(max_trade=1)
    scene.b.must("connector", MsgWithdraw(account("connector"), MONEY))
    order_gone = Cancel(order_id(scene.sell))
    flat = scene.b.app._flat[TIELINE]

    def judged(**change: Any) -> str:
        return reason_of(scene.attempt(*scene.receive(scene.position(**change))))

    bad_payload = {"price_out": PRICE_IN + 1}
    bad_ladder = {"expiry_in": T_A - 1}
    bad_set = {"cell_set_epoch": 2}
    flat[hash_lock_key(sha256(SECRET))] = bytes(32)
    assert judged(**bad_payload, **bad_ladder, **bad_set) == "PAYLOAD"
    assert judged(**bad_ladder, **bad_set) == "LADDER"
    assert judged(**bad_set) == "H_USED"
    del flat[hash_lock_key(sha256(SECRET))]
    assert judged(**bad_set) == "CELL_SET"
    no_evidence = scene.attempt(scene.receive(scene.position())[1])
    assert "no evidence" in no_evidence.log
    signature = sign_record(key("bob"), DOMAIN, order_gone)
    scene.b.must("relayer", MsgCancel(RELAYER, order_gone, signature))
    assert judged() == "ORDER"
    scene = with_mandate(max_trade=1)
    scene.b.must("connector", MsgWithdraw(account("connector"), MONEY))
    assert judged() == "MANDATE"
    scene.b.must("connector", scene.world.mandate(nonce=3))
    assert judged() == "VAULT"
