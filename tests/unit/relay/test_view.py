"""The view is made of events alone, and chooses heights at which proofs hold."""

import pytest
from fakes.relay_view import (
    CLIENT_A,
    CLIENT_B,
    END_A,
    END_B,
    HASHLOCK,
    LOCK_A,
    LOCK_B,
    PREIMAGE,
    TAU,
    S,
    ViewWorld,
    event,
    lock_opened,
    packet,
    packet_event,
)

from tieline.interfaces.ledger import BlockEvents
from tieline.ledgers.ethereum.trusting import MAX_CLOCK_DRIFT_NS
from tieline.ledgers.fabric.settings import FabricSettings
from tieline.ledgers.tendermint.client_terms import ClientTerms
from tieline.protocol.events import Event
from tieline.protocol.packet import Acknowledgement, Packet
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.relay.ledger_view import HEADERS_REMEMBERED
from tieline.relay.packet_journey import JourneyKey, JourneyStatus
from tieline.relay.proof_heights import HEADER_AHEAD_S_MAX, PROOF_AGE_BLOCKS_MAX
from tieline.relay.route import Endpoint, LedgerTerms, Route, Topology
from tieline.swap.lock import LockStatus

ANSWER = Acknowledgement((b"done",))
STEPS = [
    # ledger  event                                                 status of the packet after it
    ("a-1", packet_event("send_packet", packet()), JourneyStatus.SENT),
    ("b-1", packet_event("recv_packet", packet()), JourneyStatus.RECEIVED),
    ("b-1", packet_event("recv_packet", packet()), JourneyStatus.RECEIVED),
    ("b-1", packet_event("write_acknowledgement", packet(), ANSWER), JourneyStatus.ANSWERED),
    ("a-1", packet_event("acknowledge_packet", packet()), JourneyStatus.ACKNOWLEDGED),
]


def test_a_packet_is_followed_over_both_ledgers() -> None:
    world = ViewWorld()
    for ledger, seen, status in STEPS:
        world.block(ledger, TAU - 100, seen)
        journey = world.view.journeys[JourneyKey(END_A, 1)]
        assert journey.status is status
        assert [j.key for j in world.view.journeys_in(status)] == [journey.key]
    assert journey.destination == END_B


def test_a_block_that_was_seen_is_not_seen_again() -> None:
    world = ViewWorld()
    world.block("b-1", S, lock_opened("out", "LOCKED"))
    height = world.block("b-1", S, event("claimed", lock_id=LOCK_B, wh=5, preimage=PREIMAGE))
    assert world.view.ledgers["b-1"].locks[LOCK_B].paid_wh == 5
    again = event("claimed", lock_id=LOCK_B, wh=5, preimage=PREIMAGE)
    block = BlockEvents(height, S, ())
    world.view.observe("b-1", block)
    assert world.view.ledgers["b-1"].locks[LOCK_B].paid_wh == 5
    world.block("b-1", S, again)
    assert world.view.ledgers["b-1"].locks[LOCK_B].paid_wh == 10


@pytest.mark.parametrize(
    "foreign",
    [
        Packet(1, "07-tendermint-9", CLIENT_B, TAU, packet().payloads),
        Packet(1, CLIENT_A, "07-tendermint-9", TAU, packet().payloads),
    ],
)
def test_packets_of_other_routes_are_not_ours(foreign: Packet) -> None:
    world = ViewWorld()
    world.block("a-1", TAU, packet_event("send_packet", foreign))
    assert not world.view.journeys


@pytest.mark.parametrize(
    "broken",
    [
        Event("send_packet", (("encoded_packet_hex", "zz"),)),
        Event("send_packet", (("encoded_packet_hex", "ff"),)),
        Event("send_packet", ()),
        event("lock_opened", lock_id=b"\x01"),
        event("claimed", lock_id=LOCK_B, wh="many", preimage=PREIMAGE),
        Event("coin_spent", ()),
    ],
)
def test_an_event_that_cannot_be_read_is_skipped(broken: Event) -> None:
    world = ViewWorld()
    world.block("a-1", TAU, broken, packet_event("send_packet", packet()))
    assert list(world.view.journeys) == [JourneyKey(END_A, 1)]


def test_a_closing_lock_counts_its_last_claim_once() -> None:
    """Ledgers say that a lock is closed, with all that was paid, before the claim itself."""
    world = ViewWorld()
    world.block("b-1", S, lock_opened("out", "LOCKED"))
    closed = event("lock_closed", lock_id=LOCK_B, paid_wh=1000, refunded_wh=0)
    claimed = event("claimed", lock_id=LOCK_B, wh=1000, amount=1, preimage=PREIMAGE)
    world.block("b-1", S, closed, claimed)
    lock = world.view.ledgers["b-1"].locks[LOCK_B]
    assert (lock.status, lock.paid_wh) == (LockStatus.CLOSED, 1000)
    assert world.view.preimages == {HASHLOCK: PREIMAGE}
    assert PREIMAGE.hex() not in repr(lock)


def want(world: ViewWorld, state_height_min: int = 1, time_s_min: int = 0) -> int | None:
    """Header height chosen for a proof of a's state to b."""
    proof = world.view.want_proof(
        END_B, b"key", state_height_min=state_height_min, is_present=True, time_s_min=time_s_min
    )
    if proof is None:
        return None
    assert proof.state_height == proof.header_height - 1
    return proof.header_height


def test_a_state_is_provable_with_the_next_header() -> None:
    world = ViewWorld()
    world.block("a-1", S)
    assert want(world, 1) is None
    world.block("a-1", S + 5)
    assert want(world, 1) == 2


def test_a_height_that_the_client_knows_is_taken_before_a_new_one() -> None:
    world = ViewWorld()
    for _ in range(9):
        world.block("a-1", S)
    known = event("update_client", client_id=CLIENT_B, consensus_heights="1-4,1-6")
    world.block("b-1", S, known)
    assert want(world, 5) == 6
    world.view.begin_round()
    assert want(world, 6) == 9


def test_one_height_serves_a_round() -> None:
    world = ViewWorld()
    for _ in range(5):
        world.block("a-1", S)
    world.block("b-1", S, event("update_client", client_id=CLIENT_B, consensus_heights="1-3"))
    assert (want(world, 4), want(world, 1)) == (5, 5)


def test_a_height_so_old_that_it_may_be_pruned_is_not_taken() -> None:
    world = ViewWorld()
    world.block("b-1", S, event("create_client", client_id=CLIENT_B, consensus_heights="1-2"))
    for _ in range(PROOF_AGE_BLOCKS_MAX + 2):
        world.block("a-1", S)
    assert want(world, 1) == 2
    world.view.begin_round()
    world.block("a-1", S)
    assert want(world, 1) == PROOF_AGE_BLOCKS_MAX + 3


@pytest.mark.parametrize(("time_s", "height"), [(TAU - 1, None), (TAU, 2), (TAU + 1, 2)])
def test_absence_needs_a_header_from_tau_on(time_s: int, height: int | None) -> None:
    world = ViewWorld()
    world.block("a-1", TAU - 50)
    world.block("a-1", time_s)
    assert want(world, 1, time_s_min=TAU) == height


def test_a_proof_waits_for_a_block_that_a_client_can_hold() -> None:
    """State of block 1 is proved with header 2; blocks 2 and 3 have no time of their own."""
    world = ViewWorld()
    world.block("a-1", S)
    for _ in range(2):
        world.block("a-1", S, is_provable=False)
    assert want(world, 1) is None
    world.block("a-1", S)
    world.block("a-1", S, is_provable=False)
    assert want(world, 1) == 4


def test_a_ledger_whose_clock_ticks_is_shown_a_header_that_its_clock_lets_in() -> None:
    """Between two Ticks it takes the newest header for one from the future."""
    world = ViewWorld()
    world.block("b-1", S)
    world.block("b-1", S, is_provable=False)
    for after_s in (0, 10, 15, 16, 60):
        world.block("a-1", S + after_s)
    assert want(world, 1) == 3
    world.view.begin_round()
    assert want(world, 3) == 5, "none does yet: whoever is refused lets the clock tick"
    world.block("b-1", S + 20)
    world.view.begin_round()
    assert want(world, 3) == 4


def test_what_is_ahead_by_no_more_is_let_in_by_clients_of_every_kind() -> None:
    drifts_ns = (
        MAX_CLOCK_DRIFT_NS,
        ClientTerms().max_clock_drift_ns,
        FabricSettings().max_clock_drift_s * NANOSECONDS_PER_SECOND,
    )
    assert min(drifts_ns) == HEADER_AHEAD_S_MAX * NANOSECONDS_PER_SECOND


def test_a_ledger_that_makes_a_time_for_each_block_is_shown_the_newest_header() -> None:
    world = ViewWorld()
    world.block("b-1", S)
    for after_s in (0, 10, 60):
        world.block("a-1", S + after_s)
    assert want(world, 1) == 3


def test_blocks_that_nobody_can_hold_push_the_last_provable_one_out_of_no_memory() -> None:
    world = ViewWorld()
    world.block("a-1", TAU)
    world.block("a-1", TAU)
    for _ in range(HEADERS_REMEMBERED + 1):
        world.block("a-1", TAU, is_provable=False)
    assert want(world, 1, time_s_min=TAU) == 2


def test_absence_is_proved_at_the_same_height_however_often_it_is_asked_for() -> None:
    """Writing down that nothing was received makes heights; the newest would never be the one."""
    world = ViewWorld()
    world.block("a-1", TAU - 50)
    world.block("a-1", TAU)
    heights = []
    for _ in range(5):
        world.view.begin_round()
        heights.append(want(world, 1, time_s_min=TAU))
        world.block("a-1", TAU + 50)
    assert heights == [2] * 5
    # What others brought in the meantime need not be brought again.
    world.block("b-1", S, event("update_client", client_id=CLIENT_B, consensus_heights="1-4"))
    world.block("b-1", S, event("update_client", client_id=CLIENT_B, consensus_heights="1-6"))
    assert want(world, 1, time_s_min=TAU) == 4
    assert want(world, 1) == 6


def test_resuming_starts_below_the_oldest_thing_under_way() -> None:
    world = ViewWorld()
    for _ in range(3):
        world.block("a-1", TAU - 100)
    world.block("a-1", TAU - 95, packet_event("send_packet", packet()))
    world.block("a-1", TAU - 90, event("order_placed", order_id=b"\x07" * 32, slot_start=S))
    assert world.view.resume_height("a-1") == 3
    world.block("a-1", TAU - 80, packet_event("timeout_packet", packet()))
    assert world.view.resume_height("a-1") == 4
    world.block("a-1", TAU, event("order_released", order_id=b"\x07" * 32, amount=0))
    assert world.view.resume_height("a-1") == 7


@pytest.mark.parametrize(("first", "other"), [("b-1", "a-1"), ("a-1", "b-1")])
def test_what_one_leg_showed_is_read_again_while_the_other_is_open(first: str, other: str) -> None:
    """A hub that is killed between both claims must find the preimage where it was shown."""
    locks = {"a-1": lock_opened("in", "OPEN"), "b-1": lock_opened("out", "LOCKED")}
    ids = {"a-1": LOCK_A, "b-1": LOCK_B}
    world = ViewWorld()
    for ledger, opened in locks.items():
        world.block(ledger, S)
        world.block(ledger, S + 5, opened)
    claimed = event("claimed", lock_id=ids[first], wh=1000, preimage=PREIMAGE)
    closed = event("lock_closed", lock_id=ids[first], paid_wh=1000, refunded_wh=0)
    world.block(first, S + 10, closed, claimed)
    assert world.view.resume_height(first) == 1
    restarted = ViewWorld()
    restarted.view.resume_from(first, 1)
    restarted.block(first, S + 5, locks[first])
    restarted.block(first, S + 10, closed, claimed)
    assert restarted.view.preimages[HASHLOCK] == PREIMAGE
    world.block(other, S + 10, event("lock_closed", lock_id=ids[other], paid_wh=0, refunded_wh=0))
    assert world.view.resume_height(first) == 3


def test_a_topology_refuses_what_cannot_be() -> None:
    terms = [LedgerTerms("a-1", b"\xaa" * 32), LedgerTerms("b-1", b"\xbb" * 32)]
    route = Route(END_A, END_B)
    with pytest.raises(ValueError, match="two counterparties"):
        Topology(terms, [route, Route(END_A, Endpoint("b-1", "07-tendermint-4"))])
    with pytest.raises(ValueError, match="unknown ledger"):
        Topology(terms[:1], [route])
    with pytest.raises(ValueError, match="named twice"):
        Topology([*terms, LedgerTerms("c-1", b"\xaa" * 32)], [])
