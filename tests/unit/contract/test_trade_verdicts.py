"""Rows B2 to B4: verdicts that are applied, and everything that spoils them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fakes.trade_records import TAU, D, S
from fakes.trade_world import MONEY, LocalPosition, Position, TradeWorld, account, events

from tieline.contract.keys import verdict_key
from tieline.contract.records import decode_verdict
from tieline.contract.results import TxResult
from tieline.contract.store import TIELINE
from tieline.protocol.packet import Packet
from tieline.swap.lock import LockStatus
from tieline.swap.messages import MsgApplyVerdict, MsgExpirePending
from tieline.swap.records import Decision, Reason, Side, VerdictLeaf
from tieline.wire.hashes import sha256, tag

RELAYER = account("relayer")
SECRETS = (b"\x5e" * 32, b"\x5f" * 32)


class Scene:
    """Two packets pending on b, and an INTRA lock pending on a."""

    def __init__(self) -> None:
        self.world = TradeWorld()
        world = self.world
        self.positions: list[Position] = []
        self.packets: list[Packet] = []
        buys = [world.place(name, Side.BUY, 1000) for name in ("ann", "amy")]
        sells = [
            world.place(name, Side.SELL, 1000, anchor=sha256(secret))
            for name, secret in zip(("bob", "ben"), SECRETS, strict=True)
        ]
        intra_buy = world.place("abe", Side.BUY, 500)
        intra_sell = world.place("sol", Side.SELL, 500)
        for buy, sell, secret in zip(buys, sells, SECRETS, strict=True):
            position = world.position([(buy, 1000)], [(sell, 1000)], secret)
            self.positions.append(position)
            self.packets.append(world.send(position))
            world.receive(position, self.packets[-1])
        self.local: LocalPosition = world.local_position([(intra_buy, 500)], [(intra_sell, 500)])
        world.open_local(self.local)

    def leaf(self, place: int = 0, **change: Any) -> VerdictLeaf:
        return self.world.leaf(self.positions[place], self.packets[place], **change)

    def attempt(self, message: object, at: int = TAU) -> TxResult:
        return self.world.b.attempt("relayer", message, at=at)


@pytest.fixture(scope="module")
def scene() -> Scene:
    """Tests only attempt."""
    return Scene()


def test_verdicts_are_applied_from_tau_and_before_the_deadline(scene: Scene) -> None:
    message = scene.world.apply_verdict([scene.leaf()])
    for at, code in ((TAU - 1, 20), (TAU, 0), (D - 1, 0), (D, 21)):
        assert scene.attempt(message, at=at).code == code
    refuse = scene.leaf(decision=2, cap_wh=0, reason=3, group=0, group_size=0)
    message = scene.world.apply_verdict([refuse])
    for at, code in ((TAU - 1, 20), (TAU, 0), (D - 1, 0), (D, 21)):
        assert scene.attempt(message, at=at).code == code


SPOILED: list[tuple[str, dict[str, Any], str]] = [
    ("another ledger", {"dest_chain_tag": b"\x01" * 32}, "another ledger"),
    ("another client", {"dest_client": tag("07-fake-1")}, "not received"),
    ("another sequence", {"sequence": 3}, "not received"),
    ("the other packet's sequence", {"sequence": 2}, "binds another packet"),
    ("another commitment", {"packet_commitment": b"\x01" * 32}, "binds another packet"),
    ("another trade", {"trade_id": b"\x01" * 32}, "binds another packet"),
    ("no decision", {"decision": 0}, "unknown decision"),
    ("a cap of zero", {"cap_wh": 0}, "cap outside"),
    ("a cap above the energy", {"cap_wh": 1001}, "cap outside"),
    ("a reason with an accept", {"reason": 1}, "no reason"),
    ("group zero", {"group": 0}, "group or its size"),
    ("half a group", {"group_size": 2}, "one whole group"),
    ("no group size", {"group_size": 0}, "one whole group"),
    ("a refusal with a group", {"decision": 2, "reason": 1}, "has no group"),
    ("a local leaf with a sequence", {"dest_client": tag("local")}, "no sequence"),
    ("a local leaf", {"dest_client": tag("local"), "sequence": 0}, "not received"),
]


@pytest.mark.parametrize(
    ("change", "refusal"), [row[1:] for row in SPOILED], ids=[row[0] for row in SPOILED]
)
def test_a_spoiled_leaf_is_refused(scene: Scene, change: dict[str, Any], refusal: str) -> None:
    result = scene.attempt(scene.world.apply_verdict([scene.leaf(**change)]))
    assert refusal in result.log


def test_an_unknown_reason_is_refused(scene: Scene) -> None:
    leaf = scene.leaf(decision=2, cap_wh=0, reason=13, group=0, group_size=0)
    assert "unknown reason" in scene.attempt(scene.world.apply_verdict([leaf])).log


@pytest.mark.parametrize("missing", ["cell a", "cell b", "cell grid"])
def test_an_accept_names_source_destination_and_grid(scene: Scene, missing: str) -> None:
    owners = scene.world.owners(*({"cell a", "cell b", "cell grid"} - {missing}))
    result = scene.attempt(scene.world.apply_verdict([scene.leaf(owners=owners)]))
    assert "lacks source, destination or grid" in result.log
    refuse = scene.leaf(decision=2, cap_wh=0, reason=1, group=0, group_size=0, owners=owners)
    assert scene.attempt(scene.world.apply_verdict([refuse])).code == 0


def test_every_owner_of_a_leaf_must_have_signed(scene: Scene) -> None:
    # A fourth bit belongs to nobody, so nobody signed for it.
    leaf = scene.leaf(owners=0b1111)
    assert "did not sign" in scene.attempt(scene.world.apply_verdict([leaf])).log


QUORUMS: list[tuple[str, Callable[[tuple[bytes, ...]], tuple[bytes, ...]], str]] = [
    ("two of three", lambda s: s[:2], "quorum missing"),
    ("none", lambda _: (), "quorum missing"),
    ("not ascending", lambda s: (s[1], s[0], s[2]), "not strictly ascending"),
    ("twice", lambda s: (s[0], s[0], s[1]), "not strictly ascending"),
    ("too many", lambda s: (*s, s[0]), "more signatures than cells"),
]


@pytest.mark.parametrize(
    ("spoil", "refusal"), [row[1:] for row in QUORUMS], ids=[row[0] for row in QUORUMS]
)
def test_a_spoiled_quorum_is_refused(
    scene: Scene, spoil: Callable[[tuple[bytes, ...]], tuple[bytes, ...]], refusal: str
) -> None:
    message = scene.world.apply_verdict([scene.leaf()])
    spoiled = replace(message, signatures=spoil(message.signatures))
    assert refusal in scene.attempt(spoiled).log


def test_a_stranger_is_no_cell(scene: Scene) -> None:
    message = scene.world.apply_verdict([scene.leaf()], names=("cell a", "cell b", "ann"))
    assert "not a cell of the set" in scene.attempt(message).log


VERDICTS: list[tuple[str, dict[str, Any], str]] = [
    ("another slot", {"slot_start": S + 900}, "not the one the message names"),
    ("another root", {"decisions_root": bytes(32)}, "not the one the message names"),
    ("two ticks", {"slot_length": 1800}, "for one tick"),
    ("another set", {"cell_set_id": bytes(32)}, "cell set not posted"),
    ("another epoch", {"epoch": 2}, "epoch is not the cell set's"),
    ("another network", {"network_epoch": bytes(32)}, "another network epoch"),
]


@pytest.mark.parametrize(
    ("change", "refusal"), [row[1:] for row in VERDICTS], ids=[row[0] for row in VERDICTS]
)
def test_a_spoiled_verdict_is_refused(scene: Scene, change: dict[str, Any], refusal: str) -> None:
    message = scene.world.apply_verdict([scene.leaf()])
    assert message.verdict is not None
    spoiled = replace(message, verdict=replace(message.verdict, **change))
    assert refusal in scene.attempt(spoiled).log


def test_leaves_need_a_stored_verdict_and_a_true_proof(scene: Scene) -> None:
    message = scene.world.apply_verdict([scene.leaf(), scene.leaf(1, group=2)], [scene.leaf()])
    bare = replace(message, verdict=None, signatures=())
    assert "no verdict stored" in scene.attempt(bare).log
    false = tuple(replace(each, proof=(bytes(32),)) for each in message.leaves)
    assert "not in the verdict" in scene.attempt(replace(message, leaves=false)).log
    deep = tuple(replace(each, proof=each.proof * 40) for each in message.leaves)
    assert "not in the verdict" in scene.attempt(replace(message, leaves=deep)).log


def test_the_first_verdict_wins_and_another_is_evidence() -> None:
    scene = Scene()
    world = scene.world
    first = world.apply_verdict([scene.leaf()])
    assert events(world.b.must("relayer", first, at=TAU), "verdict_posted")
    other_leaf = scene.leaf(1, group=5)
    second = world.apply_verdict([other_leaf])
    result = world.b.must("relayer", second)
    (conflict,) = events(result, "conflicting_verdict")
    assert conflict["signers"] == "7"
    assert not events(result, "verdict_applied")
    assert world.b.lock(scene.positions[1].lock_out).status is LockStatus.PENDING
    stored = world.b.app.query(TIELINE, verdict_key(S))
    assert stored is not None
    assert decode_verdict(stored).decisions_root == first.decisions_root
    bare = replace(second, verdict=None, signatures=())
    assert "another verdict than the one stored" in scene.attempt(bare).log


def test_a_verdict_is_applied_once_and_repeats_are_no_ops() -> None:
    scene = Scene()
    world = scene.world
    message = world.apply_verdict([scene.leaf(cap_wh=400)])
    applied = world.b.must("relayer", message, at=TAU)
    assert [event["cap_wh"] for event in events(applied, "verdict_applied")] == ["400"]
    for at in (TAU, D, D + 1000):
        again = world.b.must("relayer", replace(message, verdict=None, signatures=()), at=at)
        assert again.events == ()
    assert world.b.lock(scene.positions[0].lock_out).cap_wh == 400


def test_a_group_goes_through_whole_or_not_at_all() -> None:
    scene = Scene()
    world = scene.world
    pair = [scene.leaf(0, group=3, group_size=2), scene.leaf(1, group=3, group_size=2)]
    half = world.apply_verdict(pair, pair[:1])
    assert "one whole group" in scene.attempt(half).log
    twice = world.apply_verdict(pair, [pair[0], pair[0]])
    assert "twice" in scene.attempt(twice).log
    applied = world.b.must("relayer", world.apply_verdict(pair), at=TAU)
    assert len(events(applied, "verdict_applied")) == 2
    assert len(events(applied, "write_acknowledgement")) == 2


def test_a_group_with_a_refused_member_is_not_applied() -> None:
    scene = Scene()
    world = scene.world
    pair = [scene.leaf(0, group=3, group_size=2), scene.leaf(1, group=3, group_size=2)]
    refuse = scene.leaf(0, decision=2, cap_wh=0, reason=1, group=0, group_size=0)
    world.b.must("relayer", world.apply_verdict([*pair, refuse], [refuse]), at=TAU)
    result = scene.attempt(world.apply_verdict([*pair, refuse], pair))
    assert "refused already" in result.log
    assert world.b.lock(scene.positions[1].lock_out).status is LockStatus.PENDING


def test_without_a_verdict_everything_goes_back_from_the_deadline() -> None:
    scene = Scene()
    world = scene.world
    lock_id = scene.positions[0].lock_out
    message = MsgExpirePending(RELAYER, lock_id)
    assert scene.attempt(message, at=D - 1).code == 20
    expired = world.b.must("relayer", message, at=D)
    assert events(expired, "pending_expired") == [{"lock_id": lock_id.hex()}]
    world.note_answer(expired)
    assert world.b.pay("bob") == MONEY
    assert world.b.lock(lock_id).status is LockStatus.REFUSED
    assert world.b.must("relayer", message).events == ()
    closed = world.acknowledge(scene.packets[0])
    assert events(closed, "lock_closed")[0]["refunded_wh"] == "1000"
    # Late decisions on it are no-ops, and never errors.
    late = world.b.must("relayer", world.apply_verdict([scene.leaf()]))
    assert not events(late, "verdict_applied")


def test_only_a_pending_lock_of_the_destination_expires(scene: Scene) -> None:
    unknown = MsgExpirePending(RELAYER, bytes(32))
    assert "no such lock" in scene.attempt(unknown).log
    source = MsgExpirePending(RELAYER, scene.positions[0].lock_in)
    assert "never pending" in scene.world.a.attempt("relayer", source, at=D).log


def test_an_intra_lock_waits_for_the_same_verdict() -> None:
    scene = Scene()
    world = scene.world
    local = scene.local
    assert world.a.lock(local.lock_id).status is LockStatus.PENDING
    leaves = [scene.leaf(), world.local_leaf(local)]
    message: MsgApplyVerdict = world.apply_verdict(leaves, leaves[1:])
    no_grid = world.local_leaf(local, owners=world.owners("cell a"))
    lacking = world.apply_verdict([no_grid])
    assert "lacks source" in world.a.attempt("relayer", lacking, at=TAU).log
    assert world.a.attempt("relayer", message, at=TAU - 1).code == 20
    applied = world.a.must("relayer", message, at=TAU)
    assert not events(applied, "write_acknowledgement")
    assert world.a.lock(local.lock_id).status is LockStatus.LOCKED


def test_two_decisions_on_one_trade_are_refused_together() -> None:
    """Each is judged on the state before the message: both would give the buyer's money back."""
    scene = Scene()
    world, local = scene.world, scene.local
    accept = world.local_leaf(local, cap_wh=1)
    refuse = replace(
        accept, decision=Decision.REFUSE, cap_wh=0, reason=Reason.V_LOW, group=0, group_size=0
    )
    for leaves in ([accept, refuse], [refuse, replace(refuse, reason=Reason.V_HIGH)]):
        result = world.a.attempt("relayer", world.apply_verdict(leaves), at=TAU)
        assert "a trade comes twice" in result.log
