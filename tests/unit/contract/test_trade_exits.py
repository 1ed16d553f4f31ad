"""Statements, claims, waivers, refunds: how money leaves a lock, and how it cannot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fakes.light_client import MISBEHAVIOUR
from fakes.microgrid import key
from fakes.trade_records import CLIENT, PRICE_IN, PRICE_OUT, START_S, T_A, T_B, TAU, D, E, S
from fakes.trade_world import (
    BOND_PRICE,
    DOMAIN,
    MONEY,
    Position,
    TradeLedger,
    TradeWorld,
    account,
    events,
)

from tieline.contract.results import TxResult
from tieline.contract.vaults import imbalance_account
from tieline.protocol.messages import AnyMessage, UpdateClient
from tieline.protocol.packet import Packet
from tieline.swap.lock import LockStatus
from tieline.swap.messages import MsgClaim, MsgRefund, MsgWaive
from tieline.swap.records import Side, Waive
from tieline.wire.hashes import sha256
from tieline.wire.typed_data import sign_record

RELAYER = account("relayer")
SECRET = b"\x5e" * 32
WH = 5000


class Scene:
    """A direct trade, LOCKED on b with a cap, its source OPEN, one statement on both."""

    def __init__(self, cap_wh: int = 4000, delivered_wh: int | None = 3600) -> None:
        world = self.world = TradeWorld()
        buy = world.place("ann", Side.BUY, WH)
        sell = world.place("bob", Side.SELL, WH, anchor=sha256(SECRET))
        self.position: Position = world.position([(buy, WH)], [(sell, WH)], SECRET)
        self.packet: Packet = world.send(self.position)
        world.receive(self.position, self.packet)
        leaf = world.leaf(self.position, self.packet, cap_wh=cap_wh)
        world.note_answer(world.b.must("relayer", world.apply_verdict([leaf]), at=TAU))
        self.trade_id = self.position.trade.trade_id
        if delivered_wh is not None:
            for ledger in (world.a, world.b):
                ledger.must("relayer", world.delivery([(self.trade_id, delivered_wh)]), at=E)

    @property
    def sides(self) -> tuple[tuple[TradeLedger, bytes, int], ...]:
        return (
            (self.world.a, self.position.lock_in, T_A),
            (self.world.b, self.position.lock_out, T_B),
        )

    def claim(self, lock_id: bytes, wh: int = 3600, preimage: bytes = SECRET) -> MsgClaim:
        return self.world.claim(lock_id, preimage, self.trade_id, wh)

    def refund(self, *delivered: tuple[int, int]) -> MsgRefund:
        """A refund on b with leaves: (Wh, index) each."""
        leaves = tuple(
            self.world.delivery_leaf([(self.trade_id, wh)], self.trade_id, index)
            for wh, index in delivered
        )
        return MsgRefund(RELAYER, self.position.lock_out, leaves)


@pytest.fixture(scope="module")
def scene() -> Scene:
    """Tests only attempt."""
    return Scene()


# --- claims -----------------------------------------------------------------------------------


def test_a_claim_is_paid_before_the_expiry_only(scene: Scene) -> None:
    for ledger, lock_id, expiry in scene.sides:
        assert ledger.attempt("relayer", scene.claim(lock_id), at=expiry - 1).code == 0
        late = ledger.attempt("relayer", scene.claim(lock_id), at=expiry)
        assert "claim from the expiry on" in late.log


def test_anyone_may_claim_and_only_the_payee_is_paid() -> None:
    scene = Scene()
    (a, lock_a, _), (b, lock_b, _) = scene.sides
    a.must("amy", replace(scene.claim(lock_a), signer=account("amy")))
    b.must("ben", replace(scene.claim(lock_b), signer=account("ben")))
    assert a.vault(account("connector")) == MONEY + 3600 * PRICE_IN
    assert b.pay("bob") == MONEY + 3600 * PRICE_OUT - (4000 - 3600) * BOND_PRICE
    assert (a.pay("amy"), b.pay("ben")) == (MONEY, MONEY)


def test_a_claim_needs_the_preimage(scene: Scene) -> None:
    for ledger, lock_id, _ in scene.sides:
        wrong = ledger.attempt("relayer", scene.claim(lock_id, preimage=bytes(32)))
        assert "preimage does not open the hash lock" in wrong.log


@pytest.mark.parametrize("preimage", [SECRET[:31], SECRET + b"\x5e", b""])
def test_a_preimage_of_another_length_has_no_place_in_a_transaction(
    scene: Scene, preimage: bytes
) -> None:
    ledger, lock_id, _ = scene.sides[0]
    with pytest.raises(ValueError, match="preimage"):
        ledger.attempt("relayer", scene.claim(lock_id, preimage=preimage))


def test_a_claim_needs_a_statement() -> None:
    scene = Scene(delivered_wh=None)
    for ledger, lock_id, _ in scene.sides:
        assert (
            "no such delivery statement"
            in ledger.attempt("relayer", scene.claim(lock_id), at=E).log
        )


def test_a_claim_needs_a_true_leaf_of_its_own_trade(scene: Scene) -> None:
    for ledger, lock_id, _ in scene.sides:
        more = scene.claim(lock_id, wh=3601)
        assert "not in the statement" in ledger.attempt("relayer", more).log
        other = replace(
            more,
            delivery=replace(
                more.delivery, leaf=replace(more.delivery.leaf, trade_id=b"\x01" * 32)
            ),
        )
        assert "another trade" in ledger.attempt("relayer", other).log
        deep = scene.claim(lock_id)
        deep = replace(deep, delivery=replace(deep.delivery, proof=(bytes(32),) * 40))
        assert "not in the statement" in ledger.attempt("relayer", deep).log
        unknown = replace(scene.claim(lock_id), lock_id=b"\x01" * 32)
        assert "no such lock" in ledger.attempt("relayer", unknown).log


def test_a_claim_never_waits_for_an_acknowledgement() -> None:
    scene = Scene()
    a, lock_a, _ = scene.sides[0]
    assert a.lock(lock_a).status is LockStatus.OPEN
    a.must("relayer", scene.claim(lock_a))
    assert a.lock(lock_a).paid_wh == 3600
    confirmed = scene.world.acknowledge(scene.packet)
    assert a.lock(lock_a).status is LockStatus.CONFIRMED
    assert events(confirmed, "refunded")[0]["wh"] == "1000"


def test_a_claim_above_the_cap_before_the_acknowledgement_keeps_what_it_took() -> None:
    """The cap of the answer never takes back what a statement paid."""
    scene = Scene(cap_wh=3000, delivered_wh=3600)
    a, lock_a, _ = scene.sides[0]
    a.must("relayer", scene.claim(lock_a))
    scene.world.acknowledge(scene.packet)
    lock = a.lock(lock_a)
    assert (lock.status, lock.paid_wh, lock.refunded_wh) == (LockStatus.CLOSED, 3600, 1400)


def test_a_second_statement_pays_the_difference_only() -> None:
    scene = Scene()
    for ledger, lock_id, _ in scene.sides:
        ledger.must("relayer", scene.claim(lock_id))
        second = ledger.must("relayer", scene.world.delivery([(scene.trade_id, 3900)]))
        assert events(second, "delivery_posted")[0]["index"] == "1"
        assert events(second, "conflicting_delivery")
        more = scene.claim(lock_id, wh=3900)
        more = replace(more, delivery=replace(more.delivery, index=1))
        (claimed,) = events(ledger.must("relayer", more), "claimed")
        assert claimed["wh"] == "300"
        again = ledger.must("relayer", scene.claim(lock_id))
        assert again.events == ()


# --- statements -------------------------------------------------------------------------------

STATEMENTS: list[tuple[str, dict[str, Any], str]] = [
    ("two ticks", {"slot_length": 1800}, "for one tick"),
    ("off the raster", {"slot_start": S + 1}, "for one tick"),
    ("another set", {"cell_set_id": bytes(32)}, "not posted here"),
    ("another epoch", {"epoch": 2}, "epoch is not the cell set's"),
    ("before the set began", {"slot_start": 0}, "for one tick"),
]


@pytest.mark.parametrize(
    ("change", "refusal"), [row[1:] for row in STATEMENTS], ids=[row[0] for row in STATEMENTS]
)
def test_a_spoiled_statement_is_refused(scene: Scene, change: dict[str, Any], refusal: str) -> None:
    message = scene.world.delivery([(scene.trade_id, 1)], **change)
    assert refusal in scene.world.a.attempt("relayer", message).log


def test_a_statement_needs_its_quorum(scene: Scene) -> None:
    one = scene.world.delivery([(scene.trade_id, 1)], names=("cell a",))
    assert "quorum missing" in scene.world.a.attempt("relayer", one).log
    two = scene.world.delivery([(scene.trade_id, 1)], names=("cell a", "cell b"))
    assert scene.world.a.attempt("relayer", two).code == 0


def test_the_same_statement_adds_its_signers_and_no_root() -> None:
    scene = Scene(delivered_wh=None)
    world = scene.world
    names = (("cell a", "cell b"), ("cell b", "cell grid"))
    for place, signers in enumerate(names):
        result = world.a.must("relayer", world.delivery([(scene.trade_id, 7)], signers), at=E)
        assert len(events(result, "delivery_posted")) == 1 - place
    assert world.a.must("relayer", world.delivery([(scene.trade_id, 7)])).events == ()


# --- waivers ----------------------------------------------------------------------------------


def test_a_waiver_is_the_payees_only(scene: Scene) -> None:
    for (ledger, lock_id, _), payee in zip(scene.sides, ("connector", "bob"), strict=True):
        stranger = MsgWaive(RELAYER, lock_id, 100)
        assert "payee only" in ledger.attempt("relayer", stranger).log
        own = MsgWaive(account(payee), lock_id, 100)
        result = ledger.attempt(payee, own)
        assert events(result, "waived")[0]["wh"] == str(ledger.lock(lock_id).cap_wh - 100)
        above = MsgWaive(account(payee), lock_id, WH + 1)
        assert "waiver outside paid..cap" in ledger.attempt(payee, above).log


def test_a_seller_that_waives_everything_loses_its_bond_and_nothing_else() -> None:
    scene = Scene()
    b, lock_b, _ = scene.sides[1]
    b.must("bob", MsgWaive(account("bob"), lock_b, 0))
    assert b.lock(lock_b).status is LockStatus.CLOSED
    assert b.pay("bob") == MONEY - 4000 * BOND_PRICE
    assert b.vault(imbalance_account(b.tag)) == 4000 * BOND_PRICE
    assert b.vault(account("connector")) == MONEY
    assert b.must("bob", MsgWaive(account("bob"), lock_b, 0)).events == ()


# --- refunds ----------------------------------------------------------------------------------


def test_a_refund_waits_for_the_expiry_and_is_never_beside_a_claim(scene: Scene) -> None:
    a, lock_a, _ = scene.sides[0]
    early = a.attempt("relayer", MsgRefund(RELAYER, lock_a), at=T_A - 1)
    assert "refund before the expiry" in early.log
    assert a.attempt("relayer", MsgRefund(RELAYER, lock_a), at=T_A).code == 0
    b = scene.world.b
    refund = scene.refund((3600, 0))
    assert "refund before the expiry" in b.attempt("relayer", refund, at=T_B - 1).log
    assert b.attempt("relayer", refund, at=T_B).code == 0


def test_before_t_a_a_refund_on_b_brings_a_leaf_of_every_statement() -> None:
    scene = Scene()
    b, lock_b, _ = scene.sides[1]
    b.must("relayer", scene.world.delivery([(scene.trade_id, 3900)]), at=E)
    for partial in (scene.refund(), scene.refund((3600, 0)), scene.refund((3900, 1))):
        result = b.attempt("relayer", partial, at=T_A - 1)
        assert "every stored statement" in result.log
        assert b.attempt("relayer", partial, at=T_A).code == 0
    false = scene.refund((3600, 0), (3600, 1))
    assert "not in the statement" in b.attempt("relayer", false, at=T_B).log
    b.must("relayer", scene.refund((3600, 0), (3900, 1)), at=T_B)
    assert b.lock(lock_b).slashed_wh == 100
    assert b.vault(imbalance_account(b.tag)) == 100 * BOND_PRICE


def test_without_any_statement_a_refund_slashes_nothing() -> None:
    scene = Scene(delivered_wh=None)
    b, lock_b, _ = scene.sides[1]
    b.must("relayer", scene.refund(), at=T_B)
    assert b.lock(lock_b).slashed_wh == 0
    assert b.pay("bob") == MONEY
    assert b.vault(account("connector")) == MONEY


def test_delivered_but_unclaimed_energy_costs_the_seller_the_money_not_the_bond() -> None:
    scene = Scene()
    b, lock_b, _ = scene.sides[1]
    b.must("relayer", scene.refund((3600, 0)), at=T_B)
    assert b.lock(lock_b).paid_wh == 0
    assert b.pay("bob") == MONEY - 400 * BOND_PRICE


def test_everything_on_a_closed_lock_is_a_no_op() -> None:
    scene = Scene()
    (a, lock_a, _), (b, lock_b, _) = scene.sides
    a.must("relayer", MsgRefund(RELAYER, lock_a), at=T_A)
    b.must("relayer", scene.refund((3600, 0)), at=T_A)
    before = (a.lock(lock_a), b.lock(lock_b))
    for message in (scene.claim(lock_a), MsgRefund(RELAYER, lock_a)):
        assert a.must("relayer", message).events == ()
    for message in (scene.claim(lock_b), scene.refund((3600, 0))):
        assert b.must("relayer", message).events == ()
    scene.world.acknowledge(scene.packet, at=T_A)
    assert (a.lock(lock_a), b.lock(lock_b)) == before


# --- without the light client ---------------------------------------------------------------


def freeze(ledger: TradeLedger) -> None:
    misbehaviour = UpdateClient(RELAYER, CLIENT, AnyMessage(MISBEHAVIOUR, b"\x01"))
    ledger.must("relayer", misbehaviour)


def test_with_a_frozen_client_every_exit_still_works() -> None:
    """What the hash lock buys over IBC alone: A8 to A11 and B5 to B8 need no client."""
    scene = Scene(delivered_wh=None)
    for ledger, lock_id, expiry in scene.sides:
        freeze(ledger)
        ledger.must("relayer", scene.world.delivery([(scene.trade_id, 3600)]), at=E)
        ledger.must("relayer", scene.claim(lock_id))
        payee = "connector" if ledger is scene.world.a else "bob"
        ledger.must(payee, MsgWaive(account(payee), lock_id, 3700))
        leaves = scene.refund((3600, 0)).deliveries
        ledger.must("relayer", MsgRefund(RELAYER, lock_id, leaves), at=expiry)
        assert ledger.lock(lock_id).status is LockStatus.CLOSED
    with pytest.raises(AssertionError, match="client is not active"):
        scene.world.acknowledge(scene.packet)


def test_with_an_expired_client_a_lock_still_pays_and_refunds() -> None:
    scene = Scene()
    a, lock_a, _ = scene.sides[0]
    late = START_S + 15 * 24 * 3600
    claim = a.attempt("relayer", scene.claim(lock_a), at=T_A - 1)
    assert claim.code == 0
    a.must("relayer", MsgRefund(RELAYER, lock_a), at=late)
    assert a.lock(lock_a).status is LockStatus.CLOSED


# --- answers ----------------------------------------------------------------------------------


def test_an_answer_that_contradicts_a_claim_raises_an_alarm() -> None:
    """The destination refused, yet a statement quorum let the connector claim."""
    world = TradeWorld()
    buy = world.place("ann", Side.BUY, WH)
    sell = world.place("bob", Side.SELL, WH, anchor=sha256(SECRET))
    position = world.position([(buy, WH)], [(sell, WH)], SECRET)
    packet = world.send(position)
    world.receive(position, packet)
    leaf = world.leaf(position, packet, decision=2, cap_wh=0, reason=1, group=0, group_size=0)
    world.note_answer(world.b.must("relayer", world.apply_verdict([leaf]), at=TAU))
    trade_id = position.trade.trade_id
    world.a.must("relayer", world.delivery([(trade_id, 10)]), at=D)
    world.a.must("relayer", world.claim(position.lock_in, SECRET, trade_id, 10))
    result: TxResult = world.acknowledge(packet)
    assert events(result, "alarm") == [
        {"lock_id": position.lock_in.hex(), "reason": "SENTINEL_AFTER_CLAIM"}
    ]
    lock = world.a.lock(position.lock_in)
    assert (lock.status, lock.paid_wh) == (LockStatus.CLOSED, 10)


def test_a_pools_waiver_needs_cell_and_grid_operator() -> None:
    world = TradeWorld()
    buy = world.place("ann", Side.BUY, WH)
    sell = world.place("bob", Side.SELL, WH)
    position = world.position([(buy, WH)], [(sell, WH)], SECRET)
    packet = world.send(position)
    world.receive(position, packet)
    lock_id = position.lock_out
    world.b.must("relayer", world.apply_verdict([world.leaf(position, packet)]), at=TAU)
    record = Waive(lock_id, 3000)
    grid = sign_record(key("cell grid"), DOMAIN, record)

    def waive(name: str, cosignature: bytes, wh: int = 3000) -> TxResult:
        message = MsgWaive(account(name), lock_id, wh, cosignature)
        return world.b.attempt(name, message)

    assert waive("cell b", grid).code == 0
    assert "its utility cell's" in waive("bob", grid).log
    own = sign_record(key("cell b"), DOMAIN, record)
    assert "grid operator's co-signature" in waive("cell b", own).log
    assert "grid operator's co-signature" in waive("cell b", grid, wh=2999).log
    assert "malformed" in waive("cell b", b"").log
