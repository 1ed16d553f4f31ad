"""Each step at its deadlines: one second before, at, and after."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from fakes.relay_view import (
    CLIENT_B,
    HASHLOCK,
    LOCK_A,
    LOCK_B,
    PREIMAGE,
    T_A,
    T_B,
    TAG_B,
    TAU,
    TRADE,
    D,
    S,
    ViewWorld,
    event,
    lock_opened,
    packet,
    packet_event,
)

from tieline.interfaces.bulletin import PublishedClearing, PublishedVerdict, SidedLeaf, VerdictGroup
from tieline.relay.effects import Effect
from tieline.relay.pipeline import decide
from tieline.relay.steps.apply_verdict import apply_verdict
from tieline.relay.steps.claim_lock import claim_lock
from tieline.relay.steps.collect_shares import SHARES_PER_EFFECT_MAX, collect_shares
from tieline.relay.steps.deliver_packet import deliver_packet
from tieline.relay.steps.deliver_timeout import deliver_timeout
from tieline.relay.steps.expire_pending import expire_pending
from tieline.relay.steps.post_clearing import post_clearing
from tieline.relay.steps.post_delivery import post_delivery
from tieline.relay.steps.refund_lock import refund_lock
from tieline.relay.steps.release_orders import release_orders
from tieline.swap.messages import (
    MsgApplyVerdict,
    MsgClaim,
    MsgCollectShare,
    MsgRefund,
    ProvedVerdictLeaf,
)
from tieline.swap.records import (
    ZERO_HASH,
    Allocation,
    Clearing,
    OwnLeaf,
    Verdict,
    VerdictLeaf,
)
from tieline.wire.hashes import tag
from tieline.wire.ids import pool_account

AROUND = (-1, 0, 1)


def run(step: Callable, world: ViewWorld) -> list[Effect]:
    return list(step(world.view, world.published))


def message(effect: Effect) -> object:
    (one,) = effect.messages
    return one


@pytest.mark.parametrize("offset", AROUND)
def test_a_packet_is_delivered_before_tau_only(offset: int) -> None:
    world = ViewWorld()
    world.block("a-1", TAU - 60, packet_event("send_packet", packet()))
    world.block("a-1", TAU - 55)
    world.block("b-1", TAU + offset)
    assert bool(run(deliver_packet, world)) is (offset < 0)


@pytest.mark.parametrize("offset", AROUND)
def test_a_packet_times_out_from_tau_on(offset: int) -> None:
    world = ViewWorld()
    world.block("a-1", TAU - 60, packet_event("send_packet", packet()))
    world.block("b-1", TAU - 60)
    world.block("b-1", TAU + offset)
    assert bool(run(deliver_timeout, world)) is (offset >= 0)


def test_a_received_packet_does_not_time_out() -> None:
    world = ViewWorld()
    world.block("a-1", TAU - 60, packet_event("send_packet", packet()))
    world.block("b-1", TAU - 50, packet_event("recv_packet", packet()))
    world.block("b-1", TAU + 100)
    assert run(deliver_timeout, world) == []


@pytest.mark.parametrize("offset", AROUND)
def test_a_clearing_is_posted_before_tau_only(offset: int) -> None:
    world = ViewWorld()
    clearing = Clearing(ZERO_HASH, 1, S, 900, 2, ZERO_HASH, b"\x0c" * 32)
    world.board.sealed[S] = [PublishedClearing(clearing, (), (TAG_B,))]
    for ledger in ("a-1", "b-1"):
        world.block(ledger, TAU + offset)
    effects = run(post_clearing, world)
    assert [effect.ledger_id for effect in effects] == (["b-1"] if offset < 0 else [])
    if effects:
        posted = event("clearing_posted", clearing_root=b"\x0c" * 32)
        world.block("b-1", TAU - 1, posted)
        assert run(post_clearing, world) == []


def verdict_of(*leaves: VerdictLeaf) -> PublishedVerdict:
    verdict = Verdict(ZERO_HASH, 1, S, 900, *[ZERO_HASH] * 3, b"\x0e" * 32, ZERO_HASH, ZERO_HASH)
    groups: dict[int, list] = {}
    for leaf in leaves:
        groups.setdefault(leaf.group, []).append(ProvedVerdictLeaf(leaf, ()))
    return PublishedVerdict(
        verdict,
        (b"\x01" * 65,),
        b"\x0f" * 32,
        tuple(VerdictGroup(TAG_B, group, tuple(members)) for group, members in groups.items()),
    )


def accept(trade: bytes = TRADE, group: int = 1, size: int = 1) -> VerdictLeaf:
    return VerdictLeaf(TAG_B, tag(CLIENT_B), 1, ZERO_HASH, trade, 1, 1000, 0, group, size, 7)


@pytest.mark.parametrize(
    ("now", "is_due"),
    [(TAU - 1, False), (TAU, True), (D - 1, True), (D, False), (D + 1, False)],
)
def test_a_verdict_is_applied_from_tau_and_before_d(now: int, *, is_due: bool) -> None:
    world = ViewWorld()
    world.board.verdicts[S] = verdict_of(accept())
    world.block("b-1", TAU - 10, lock_opened("out", "PENDING"))
    world.block("b-1", now)
    effects = run(apply_verdict, world)
    assert len(effects) == is_due
    if is_due:
        brought = message(effects[0])
        assert isinstance(brought, MsgApplyVerdict)
        assert brought.verdict is not None
        assert effects[0].deadline_s == D


def test_a_stored_verdict_is_not_brought_again_with_its_signatures() -> None:
    world = ViewWorld()
    world.board.verdicts[S] = verdict_of(accept(), accept(b"\x09" * 32, group=2))
    other = lock_opened("out", "PENDING", lock_id=b"\x0c" * 32, trade_id=b"\x09" * 32)
    world.block("b-1", TAU, lock_opened("out", "PENDING"), other)
    assert len(run(apply_verdict, world)) == 2
    posted = event("verdict_posted", slot_start=S, verdict_hash=b"\x0f" * 32)
    applied = event("verdict_applied", lock_id=LOCK_B, decision="ACCEPT", cap_wh=1000)
    world.block("b-1", TAU + 5, posted, applied)
    (effect,) = run(apply_verdict, world)
    brought = message(effect)
    assert isinstance(brought, MsgApplyVerdict)
    assert (brought.verdict, brought.signatures) == (world.board.verdicts[S].verdict, ())
    assert brought.leaves[0].leaf.group == 2


def test_a_stored_verdict_that_lacks_an_owner_is_brought_again_with_all_signatures() -> None:
    """Else whoever posts it first, without one owner's signature, would refuse its trades."""
    world = ViewWorld()
    world.board.verdicts[S] = verdict_of(accept())
    seen = {"slot_start": S, "verdict_hash": b"\x0f" * 32}
    opened = lock_opened("out", "PENDING")
    world.block("b-1", TAU, opened, event("verdict_posted", signers=3, **seen))
    (effect,) = run(apply_verdict, world)
    brought = message(effect)
    assert isinstance(brought, MsgApplyVerdict)
    assert len(brought.signatures) == 1
    world.block("b-1", TAU + 5, event("verdict_signed", signers=7, **seen))
    (effect,) = run(apply_verdict, world)
    brought = message(effect)
    assert isinstance(brought, MsgApplyVerdict)
    assert brought.signatures == ()


def test_a_stored_statement_that_lacks_signatures_is_posted_again() -> None:
    world = ViewWorld()
    world.deliver(900)
    (published,) = world.board.statements[S]
    world.board.statements[S] = [replace(published, signatures=(b"\x01" * 65,) * 3, signers=0b0111)]
    seen = {"slot_start": S, "index": 0, "deliveries_root": b"\x0d" * 32}
    world.block("b-1", S + 1200, lock_opened("out", "LOCKED"))
    (first,) = run(post_delivery, world)
    world.block("b-1", S + 1205, event("delivery_posted", signers=3, **seen))
    (again,) = run(post_delivery, world)
    assert again.messages == first.messages
    assert again.key != first.key  # what landed already does not hold it up
    world.block("b-1", S + 1210, event("delivery_signed", signers=7, **seen))
    assert run(post_delivery, world) == []


def test_a_statement_that_somebody_stored_with_other_signers_is_posted_as_published() -> None:
    """
    One cell keeps silent to the proposer and posts the statement itself, with as many signatures
    as were published but without the grid operator's: no claim of a GRID trade would hold.
    """
    world = ViewWorld()
    world.deliver(900)
    (published,) = world.board.statements[S]
    world.board.statements[S] = [replace(published, signatures=(b"\x01" * 65,) * 3, signers=0b1011)]
    seen = {"slot_start": S, "index": 0, "deliveries_root": b"\x0d" * 32}
    world.block("b-1", S + 1200, lock_opened("out", "LOCKED"))
    world.block("b-1", S + 1205, event("delivery_posted", signers=0b0111, **seen))
    (brought,) = run(post_delivery, world)
    assert message(brought).signatures == world.board.statements[S][0].signatures
    world.block("b-1", S + 1210, event("delivery_signed", signers=0b1111, **seen))
    assert run(post_delivery, world) == []


@pytest.mark.parametrize("offset", AROUND)
def test_a_pending_lock_expires_from_d_on(offset: int) -> None:
    world = ViewWorld()
    world.block("b-1", TAU - 10, lock_opened("out", "PENDING"))
    world.block("b-1", D + offset)
    assert bool(run(expire_pending, world)) is (offset >= 0)


def test_a_statement_goes_to_every_ledger_with_an_open_lock_of_its_tick() -> None:
    world = ViewWorld()
    world.deliver(900)
    world.block("a-1", S + 1200, lock_opened("in", "OPEN"))
    world.block("b-1", S + 1200)
    assert [effect.ledger_id for effect in run(post_delivery, world)] == ["a-1"]
    world.block("b-1", S + 1205, lock_opened("out", "LOCKED"))
    world.block("a-1", S + 1205, world.stored())
    assert [effect.ledger_id for effect in run(post_delivery, world)] == ["b-1"]


def locked(world: ViewWorld, status_a: str = "CONFIRMED", status_b: str = "LOCKED") -> None:
    """Both legs stand, the statement is stored on both, the seller has revealed."""
    world.deliver(900)
    world.board.preimages[TRADE] = PREIMAGE
    world.block("a-1", S + 1200, lock_opened("in", "OPEN"), world.stored())
    if status_a == "CONFIRMED":
        world.block("a-1", S + 1200, event("lock_confirmed", lock_id=LOCK_A, cap_wh=1000))
    world.block("b-1", S + 1200, lock_opened("out", status_b), world.stored())


def claims(world: ViewWorld) -> list[str]:
    return [effect.ledger_id for effect in run(claim_lock, world)]


def test_both_legs_are_claimed_when_statement_and_preimage_are_known() -> None:
    world = ViewWorld()
    locked(world)
    assert claims(world) == ["a-1", "b-1"]


def test_a_claim_on_the_source_does_not_wait_for_the_acknowledgement() -> None:
    world = ViewWorld()
    locked(world, status_a="OPEN")
    assert "a-1" in claims(world)


def test_a_claim_never_comes_before_the_verdict() -> None:
    world = ViewWorld()
    locked(world, status_b="PENDING")
    assert claims(world) == []
    world.board.preimages.clear()
    world.block("b-1", S + 1205, event("claimed", lock_id=LOCK_B, wh=1, preimage=PREIMAGE))
    assert claims(world) == ["a-1"]


@pytest.mark.parametrize("end", ["pending_expired", "lock_closed"])
def test_a_secret_that_pays_no_seller_is_not_first_shown_to_pay_the_connector(end: str) -> None:
    """A statement may name a trade that the destination refused; a quorum of three can err."""
    world = ViewWorld()
    locked(world, status_b="PENDING")
    world.block("b-1", S + 1205, event(end, lock_id=LOCK_B, paid_wh=0))
    assert claims(world) == []


@pytest.mark.parametrize("offset", AROUND)
def test_a_preimage_is_first_shown_before_r_only(offset: int) -> None:
    world = ViewWorld()
    locked(world)
    for ledger in ("a-1", "b-1"):
        world.block(ledger, T_B - 490 + offset)
    assert claims(world) == (["a-1", "b-1"] if offset < 0 else [])


@pytest.mark.parametrize("offset", AROUND)
def test_what_was_shown_is_claimed_until_the_expiry(offset: int) -> None:
    world = ViewWorld()
    locked(world)
    world.board.preimages.clear()
    shown = event("claimed", lock_id=LOCK_B, wh=900, preimage=PREIMAGE)
    world.block("b-1", T_B - 10, shown)
    assert claims(world) == ["a-1"]
    world.block("a-1", T_A + offset)
    assert claims(world) == (["a-1"] if offset < 0 else [])


def test_the_source_is_claimed_with_what_the_other_ledger_showed() -> None:
    world = ViewWorld()
    locked(world)
    world.board.preimages.clear()
    assert claims(world) == []
    world.block("b-1", T_B - 10, event("claimed", lock_id=LOCK_B, wh=900, preimage=PREIMAGE))
    (effect,) = run(claim_lock, world)
    brought = message(effect)
    assert isinstance(brought, MsgClaim)
    assert (brought.lock_id, brought.preimage) == (LOCK_A, PREIMAGE)
    assert PREIMAGE.hex() not in repr(effect)
    assert repr(PREIMAGE) not in repr(effect)


def test_what_was_paid_is_not_claimed_again_but_a_better_leaf_is() -> None:
    world = ViewWorld()
    locked(world)
    paid = event("claimed", lock_id=LOCK_B, wh=900, preimage=PREIMAGE)
    world.block("b-1", S + 1210, paid)
    assert claims(world) == ["a-1"]
    world.deliver(950, root=b"\x1d" * 32)
    world.block("b-1", S + 1215, world.stored(1, b"\x1d" * 32))
    assert claims(world) == ["a-1", "b-1"]
    best = [message(effect) for effect in run(claim_lock, world)]
    assert [claim.delivery.index for claim in best] == [0, 1]


def test_nothing_delivered_is_nothing_to_claim() -> None:
    world = ViewWorld()
    world.deliver(0)
    world.board.preimages[TRADE] = PREIMAGE
    world.block("b-1", S + 1200, lock_opened("out", "LOCKED"), world.stored())
    assert claims(world) == []


@pytest.mark.parametrize("offset", AROUND)
def test_the_sellers_leg_is_refunded_from_t_b_with_a_leaf_of_every_statement(offset: int) -> None:
    world = ViewWorld()
    locked(world)
    world.block("b-1", T_B + offset)
    effects = run(refund_lock, world)
    assert len(effects) == (offset >= 0)
    if effects:
        brought = message(effects[0])
        assert isinstance(brought, MsgRefund)
        assert [leaf.leaf.delivered_wh for leaf in brought.deliveries] == [900]


@pytest.mark.parametrize("offset", AROUND)
def test_a_statement_without_the_trade_makes_the_refund_wait_for_t_a(offset: int) -> None:
    world = ViewWorld()
    locked(world)
    world.deliver(5, root=b"\x1d" * 32, trade=b"\x77" * 32)
    world.block("b-1", T_B, world.stored(1, b"\x1d" * 32))
    assert run(refund_lock, world) == []
    world.block("b-1", T_A + offset)
    assert len(run(refund_lock, world)) == (offset >= 0)


def local_at_t_b(world: ViewWorld, *statements: bytes) -> list[Effect]:
    """An INTRA lock with statements stored, at its expiry."""
    local = lock_opened("local", "LOCKED", client="local", sequence=0)
    stored = [world.stored(index, root) for index, root in enumerate(statements)]
    world.block("b-1", S + 1200, local, *stored)
    world.block("b-1", T_B)
    return run(refund_lock, world)


def test_an_intra_refund_brings_the_stored_statements_leaf() -> None:
    """T_A = T_B there: the ledger would refund without it, and the shortfall would cost nobody."""
    world = ViewWorld()
    world.deliver(900)
    (effect,) = local_at_t_b(world, b"\x0d" * 32)
    brought = message(effect)
    assert isinstance(brought, MsgRefund)
    assert [leaf.leaf.delivered_wh for leaf in brought.deliveries] == [900]


def test_an_intra_refund_without_any_statement_is_due_at_once() -> None:
    assert len(local_at_t_b(ViewWorld())) == 1


@pytest.mark.parametrize("offset", AROUND)
def test_an_intra_refund_waits_for_a_leaf_that_is_not_published_yet(offset: int) -> None:
    world = ViewWorld()
    assert local_at_t_b(world, b"\x0d" * 32) == []
    world.block("b-1", T_A + offset)
    assert len(run(refund_lock, world)) == (offset >= 0)
    world.deliver(900)
    (effect,) = run(refund_lock, world)
    brought = message(effect)
    assert isinstance(brought, MsgRefund)
    assert len(brought.deliveries) == 1


@pytest.mark.parametrize("offset", AROUND)
def test_the_buyers_leg_is_refunded_from_t_a(offset: int) -> None:
    world = ViewWorld()
    world.block("a-1", S, lock_opened("in", "OPEN"))
    world.block("a-1", T_A + offset)
    assert len(run(refund_lock, world)) == (offset >= 0)


@pytest.mark.parametrize("offset", AROUND)
def test_orders_are_released_from_tau_on(offset: int) -> None:
    world = ViewWorld()
    orders = [bytes([number]) * 32 for number in (1, 2, 3)]
    world.block(
        "a-1", TAU - 900, *(event("order_placed", order_id=o, slot_start=S) for o in orders)
    )
    world.block("a-1", TAU - 800, event("order_cancelled", order_id=orders[1]))
    world.block("a-1", TAU + offset)
    assert len(run(release_orders, world)) == (2 if offset >= 0 else 0)


def shares(count: int) -> list[SidedLeaf]:
    return [
        SidedLeaf(2, OwnLeaf(Allocation(bytes([n]) * 32, b"\x33" * 20, 10, 1, 10 * n), ()))
        for n in range(count)
    ]


def closed_pool(world: ViewWorld, count: int) -> None:
    world.board.shares[TRADE] = shares(count)
    opened = lock_opened("out", "LOCKED", payee=pool_account(TAG_B, TRADE, 2))
    world.block("b-1", T_B, opened)
    assert run(collect_shares, world) == []
    world.block("b-1", T_B + 5, event("lock_closed", lock_id=LOCK_B, paid_wh=9, refunded_wh=1))


def test_shares_are_collected_in_ascending_order_many_at_once() -> None:
    world = ViewWorld()
    closed_pool(world, SHARES_PER_EFFECT_MAX + 2)
    (effect,) = run(collect_shares, world)
    offsets = [one.allocation.offset_wh for one in effect.messages]
    assert offsets == [10 * n for n in range(SHARES_PER_EFFECT_MAX)]
    collected = [
        event("share_collected", lock_id=LOCK_B, side=2, order_id=one.allocation.order_id)
        for one in effect.messages
        if isinstance(one, MsgCollectShare)
    ]
    world.block("b-1", T_B + 10, *collected)
    (rest,) = run(collect_shares, world)
    assert len(rest.messages) == 2
    assert rest.key != effect.key


def test_a_lock_without_shares_left_is_let_go() -> None:
    world = ViewWorld()
    closed_pool(world, 1)
    collected = event("share_collected", lock_id=LOCK_B, side=2, order_id=bytes(32))
    world.block("b-1", T_B + 10, collected)
    assert run(collect_shares, world) == []
    assert not world.view.ledgers["b-1"].share_locks


def test_a_direct_trade_has_no_shares() -> None:
    world = ViewWorld()
    world.board.shares[TRADE] = shares(1)
    world.block("b-1", T_B, lock_opened("out", "LOCKED"))
    world.block("b-1", T_B, event("lock_closed", lock_id=LOCK_B, paid_wh=9, refunded_wh=1))
    assert run(collect_shares, world) == []


def test_an_effect_has_the_same_name_until_it_is_done_and_blocked_ones_are_left_out() -> None:
    world = ViewWorld()
    locked(world)
    first = decide(world.view, world.published, ())
    again = decide(world.view, world.published, ())
    assert [effect.name for effect in first] == [effect.name for effect in again]
    assert len({effect.name for effect in first}) == len(first)
    blocked = {first[0].name}
    left = decide(world.view, world.published, blocked)
    assert [effect.name for effect in left] == [effect.name for effect in first[1:]]


def test_a_hash_lock_shown_once_opens_only_its_own_trade() -> None:
    world = ViewWorld()
    locked(world)
    world.board.preimages.clear()
    stranger = lock_opened(
        "out", "LOCKED", lock_id=b"\x0c" * 32, trade_id=b"\x09" * 32, hashlock=b"\x08" * 32
    )
    world.block("b-1", S + 1205, stranger)
    world.block("b-1", S + 1210, event("claimed", lock_id=b"\x0c" * 32, wh=1, preimage=PREIMAGE))
    assert HASHLOCK not in world.view.preimages
    assert claims(world) == []
