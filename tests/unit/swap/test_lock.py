"""The rows of the state tables, one by one, where the property tests would hide the example."""

from dataclasses import replace

import pytest

from tieline.swap.lock import (
    Leg,
    LockState,
    LockStatus,
    LockTerms,
    advance,
    open_pending,
    open_source,
)
from tieline.swap.lock_events import (
    Acknowledge,
    AcknowledgedWithRefusal,
    AcknowledgedWithSuccess,
    AcknowledgeRefusal,
    ClaimAsked,
    Outcome,
    PacketTimedOut,
    PayPayee,
    PendingExpired,
    RaiseAlarm,
    RefundAsked,
    RefundPayer,
    ReturnBond,
    SlashBond,
    VerdictAccepted,
    VerdictRefused,
    WaiverAsked,
)
from tieline.swap.records import Reason
from tieline.swap.secret import Preimage

SECRET = b"\x5e" * 32
TAU, D, T_B, T_A = 1000, 1300, 3000, 4000
IN = LockTerms(Leg.IN, Preimage(SECRET).hash_lock, 5000, T_A, TAU, D, T_A)
OUT = replace(IN, leg=Leg.OUT, expiry=T_B)


def source(status: LockStatus = LockStatus.OPEN, cap: int = 5000, paid: int = 0) -> LockState:
    return replace(open_source(IN), status=status, cap_wh=cap, paid_wh=paid)


def locked(cap: int = 5000, paid: int = 0) -> LockState:
    return replace(open_pending(OUT), status=LockStatus.LOCKED, cap_wh=cap, paid_wh=paid)


def test_an_acknowledged_cap_refunds_what_it_took_away() -> None:
    moved = advance(source(), AcknowledgedWithSuccess(3750), D)
    assert moved.next_state.status is LockStatus.CONFIRMED
    assert moved.next_state.cap_wh == 3750
    assert moved.effects == (RefundPayer(1250),)


def test_a_cap_never_rises() -> None:
    moved = advance(source(cap=4000), AcknowledgedWithSuccess(5000), D)
    assert moved.next_state.cap_wh == 4000
    assert moved.effects == ()


def test_a_cap_never_falls_below_what_is_paid() -> None:
    moved = advance(source(paid=3600), AcknowledgedWithSuccess(1000), D)
    assert moved.next_state.status is LockStatus.CLOSED
    assert moved.next_state.cap_wh == 3600
    assert moved.effects == (RefundPayer(1400),)


def test_garbage_as_acknowledgement_refunds_nothing_and_alarms() -> None:
    moved = advance(source(), AcknowledgedWithSuccess(None), D)
    assert moved.next_state.status is LockStatus.CONFIRMED
    assert moved.next_state.cap_wh == 5000
    assert moved.effects == (RaiseAlarm("ACK_UNREADABLE"),)


def test_a_sentinel_refunds_all_that_is_unclaimed() -> None:
    moved = advance(source(), AcknowledgedWithRefusal(), D)
    assert moved.next_state.status is LockStatus.CLOSED
    assert moved.effects == (RefundPayer(5000),)


def test_a_sentinel_after_a_claim_keeps_the_claim_and_alarms() -> None:
    moved = advance(source(paid=10), AcknowledgedWithRefusal(), D)
    assert moved.next_state.paid_wh == 10
    assert moved.effects == (RefundPayer(4990), RaiseAlarm("SENTINEL_AFTER_CLAIM"))


def test_a_sentinel_after_everything_was_claimed_alarms_only() -> None:
    closed = replace(source(paid=5000), status=LockStatus.CLOSED)
    moved = advance(closed, AcknowledgedWithRefusal(), D)
    assert moved.next_state == closed
    assert moved.effects == (RaiseAlarm("SENTINEL_AFTER_CLAIM"),)


def test_a_proved_timeout_refunds_and_an_early_proof_does_not() -> None:
    assert advance(source(), PacketTimedOut(TAU), TAU).effects == (RefundPayer(5000),)
    assert advance(source(), PacketTimedOut(TAU - 1), TAU).outcome is Outcome.REFUSED


def test_an_accept_caps_and_frees_the_surplus_with_its_bond() -> None:
    moved = advance(open_pending(OUT), VerdictAccepted(3750), TAU)
    assert moved.next_state.status is LockStatus.LOCKED
    assert moved.effects == (RefundPayer(1250), ReturnBond(1250), Acknowledge(3750))


@pytest.mark.parametrize("cap", [0, 5001])
def test_an_accept_outside_the_energy_is_refused(cap: int) -> None:
    assert advance(open_pending(OUT), VerdictAccepted(cap), TAU).outcome is Outcome.REFUSED


def test_a_refusal_gives_all_back_and_writes_the_sentinel() -> None:
    moved = advance(open_pending(OUT), VerdictRefused(Reason.V_LOW), TAU)
    assert moved.next_state.status is LockStatus.REFUSED
    assert moved.effects == (
        RefundPayer(5000),
        ReturnBond(5000),
        AcknowledgeRefusal(Reason.V_LOW),
    )


def test_silence_of_the_cells_refuses_from_the_deadline() -> None:
    moved = advance(open_pending(OUT), PendingExpired(), D)
    assert moved.effects[-1] == AcknowledgeRefusal(Reason.NO_VERDICT)
    assert advance(open_pending(OUT), PendingExpired(), D - 1).outcome is Outcome.REFUSED


def test_a_claim_pays_what_was_delivered_and_a_repeat_nothing() -> None:
    first = advance(locked(cap=3750), ClaimAsked(SECRET, 3600), T_B - 1)
    assert first.effects == (PayPayee(3600), ReturnBond(3600))
    again = advance(first.next_state, ClaimAsked(SECRET, 3600), T_B - 1)
    assert again.outcome is Outcome.ALREADY_DONE
    assert again.next_state == first.next_state


def test_a_claim_never_pays_above_the_cap() -> None:
    moved = advance(locked(cap=3750), ClaimAsked(SECRET, 9999), T_B - 1)
    assert moved.effects[0] == PayPayee(3750)
    assert moved.next_state.status is LockStatus.CLOSED


REFUSED_CLAIMS = [
    ("before the verdict", open_pending(OUT), ClaimAsked(SECRET, 1), T_B - 1),
    ("at the expiry", locked(), ClaimAsked(SECRET, 1), T_B),
    ("with another preimage", locked(), ClaimAsked(bytes(32), 1), T_B - 1),
    ("with a short preimage", locked(), ClaimAsked(SECRET[:31], 1), T_B - 1),
    ("with a long preimage", locked(), ClaimAsked(SECRET + b"\x5e", 1), T_B - 1),
]


@pytest.mark.parametrize(
    ("state", "event", "now"),
    [row[1:] for row in REFUSED_CLAIMS],
    ids=[r[0] for r in REFUSED_CLAIMS],
)
def test_a_claim_is_refused(state: LockState, event: ClaimAsked, now: int) -> None:
    moved = advance(state, event, now)
    assert moved.outcome is Outcome.REFUSED
    assert moved.next_state == state
    assert moved.effects == ()


def test_a_sellers_waiver_costs_its_bond() -> None:
    moved = advance(locked(paid=100), WaiverAsked(3000, is_by_payee=True), D)
    assert moved.effects == (RefundPayer(2000), SlashBond(2000))
    assert moved.next_state.slashed_wh == 2000
    assert moved.next_state.cap_wh == 3000


def test_a_connectors_waiver_only_refunds() -> None:
    moved = advance(source(), WaiverAsked(0, is_by_payee=True), D)
    assert moved.effects == (RefundPayer(5000),)
    assert moved.next_state.status is LockStatus.CLOSED


REFUSED_WAIVERS = [
    ("by another", source(), WaiverAsked(3000, is_by_payee=False)),
    ("below what is paid", source(paid=3001), WaiverAsked(3000, is_by_payee=True)),
    ("above the cap", source(cap=2999), WaiverAsked(3000, is_by_payee=True)),
    ("before the verdict", open_pending(OUT), WaiverAsked(3000, is_by_payee=True)),
]


@pytest.mark.parametrize(
    ("state", "event"), [row[1:] for row in REFUSED_WAIVERS], ids=[r[0] for r in REFUSED_WAIVERS]
)
def test_a_waiver_is_refused(state: LockState, event: WaiverAsked) -> None:
    assert advance(state, event, D).outcome is Outcome.REFUSED


# cap, paid, leaves -> slashed, bond back (B8)
SLASHED = [
    (3750, 0, (3600,), 150, 3600),
    (3750, 3600, (3600,), 150, 0),
    (3750, 1000, (0, 3600), 150, 2600),
    (3750, 3000, (100,), 750, 0),
    (3750, 3000, (), 0, 750),
    (3750, 0, (9999,), 0, 3750),
]


@pytest.mark.parametrize(("cap", "paid", "leaves", "slashed", "back"), SLASHED)
def test_a_refund_slashes_what_the_largest_leaf_lacks(
    cap: int, paid: int, leaves: tuple[int, ...], slashed: int, back: int
) -> None:
    moved = advance(locked(cap=cap, paid=paid), RefundAsked(leaves), T_B)
    expected: tuple[object, ...] = (RefundPayer(cap - paid),)
    expected += (SlashBond(slashed),) if slashed else ()
    expected += (ReturnBond(back),) if back else ()
    assert moved.effects == expected
    assert moved.next_state.slashed_wh == slashed


def test_a_refund_without_every_statement_waits_for_the_late_expiry() -> None:
    partial = RefundAsked((), is_every_root_covered=False)
    assert advance(locked(), partial, T_A - 1).outcome is Outcome.REFUSED
    assert advance(locked(), partial, T_A).effects == (RefundPayer(5000), ReturnBond(5000))


def test_some_of_the_statements_slash_nothing_even_at_the_late_expiry() -> None:
    """Whoever brings the refund would else choose the statement that says least."""
    partial = RefundAsked((0,), is_every_root_covered=False)
    assert advance(locked(), partial, T_A).effects == (RefundPayer(5000), ReturnBond(5000))


def test_a_lock_opens_on_its_own_leg_only_and_never_empty() -> None:
    with pytest.raises(ValueError, match="wrong leg"):
        open_source(OUT)
    with pytest.raises(ValueError, match="wrong leg"):
        open_pending(IN)
    with pytest.raises(ValueError, match="without energy"):
        open_source(replace(IN, energy_wh=0))


def test_stored_numbers_are_written_out() -> None:
    assert {status.name: status.value for status in LockStatus} == {
        "OPEN": 1,
        "CONFIRMED": 2,
        "CLOSED": 3,
        "PENDING": 4,
        "LOCKED": 5,
        "REFUSED": 6,
    }
    assert {leg.name: leg.value for leg in Leg} == {"IN": 1, "OUT": 2, "LOCAL": 3}
