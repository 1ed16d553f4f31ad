"""
Which deadlines are safe for a pair of ledgers: every inequality of ``docs/spec/trade.md`` 2.

A check answers None for yes, or the sum that fails, with its numbers.
All leads are seconds; ``measured`` values may lengthen a ladder, never shorten it.
"""

from __future__ import annotations

from dataclasses import dataclass

EXPIRY_LEAD_MAX_S = 86_400
"""
From a slot's end to the last expiry of its locks: the slow ladder with the longest relayer outage
that a profile plans for fits many times over, and nobody's money is frozen for longer than a day
by a cell that writes a date far ahead.
"""
DISPATCH_S = 30
"""From the final verdict to devices that have their set points."""


@dataclass(frozen=True, slots=True)
class LedgerTimes:
    """What a ledger takes, p99, seconds."""

    inclusion_s: int
    finality_s: int
    halt_s: int


@dataclass(frozen=True, slots=True)
class PairTimes:
    """What an ordered pair of ledgers and the hub between them take, seconds."""

    source: LedgerTimes
    destination: LedgerTimes
    finality_s_max: int
    """The slowest ledger of the cell set: the pending set spans all of them."""
    poll_s: int
    clock_error_s: int
    verdict_s: int
    grace_s: int


@dataclass(frozen=True, slots=True)
class LadderParameters:
    """The governed leads of a pair, the same on both ends, seconds."""

    gate_lead_s: int
    """Gate closure before the slot's start S."""
    seal_lead_s: int
    """Seal before S."""
    lock_lead_s: int
    """Lock deadline before tau."""
    tau_lead_s: int
    """tau before S."""
    d_lead_s: int
    """Verdict deadline before S."""
    statement_lead_s: int
    """Delivery statement after the slot's end E."""
    min_claim_window_s: int
    """T_B after the statement, at least."""
    min_margin_s: int
    """T_A after T_B, at least."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """The points of one trade, unix seconds of chain time."""

    gate_closure: int
    seal: int
    lock_deadline: int
    tau: int
    verdict_deadline: int
    statement_due: int
    expiry_out: int
    """T_B, earliest."""
    expiry_in: int
    """T_A, earliest."""


@dataclass(frozen=True, slots=True)
class LadderSum:
    """An inequality in numbers."""

    point: str
    have_s: int
    need_s: int
    sum_text: str

    @property
    def holds(self) -> bool:
        """Whether there is at least as much time as is needed."""
        return self.have_s >= self.need_s

    def __str__(self) -> str:
        return f"{self.point}: have {self.have_s} s, need {self.need_s} s = {self.sum_text}"


FAST = LadderParameters(900, 600, 160, 400, 100, 300, 600, 900)
"""Finality up to 10 s."""
SLOW = LadderParameters(4500, 4140, 1200, 2700, 1080, 300, 1800, 2880)
"""Finality up to 960 s, as on Ethereum's main net."""
FABRIC = LadderParameters(1060, 760, 210, 520, 170, 300, 600, 960)
"""A pair with Fabric: the clock is a Tick and errs by up to 105 s."""


def _alike(inclusion_s: int, finality_s: int, clock_error_s: int) -> PairTimes:
    ledger = LedgerTimes(inclusion_s, finality_s, halt_s=300)
    return PairTimes(ledger, ledger, finality_s, 30, clock_error_s, verdict_s=170, grace_s=120)


FAST_TIMES = _alike(inclusion_s=30, finality_s=10, clock_error_s=60)
SLOW_TIMES = _alike(inclusion_s=60, finality_s=960, clock_error_s=60)
FABRIC_TIMES = _alike(inclusion_s=30, finality_s=10, clock_error_s=105)
PRESETS = {
    "fast": (FAST, FAST_TIMES),
    "slow": (SLOW, SLOW_TIMES),
    "fabric": (FABRIC, FABRIC_TIMES),
}
"""Governed leads by name, with the times they were made for."""


def deadlines(leads: LadderParameters, slot_start: int, slot_length: int) -> Deadlines:
    """Return the points of a trade over [slot_start, slot_start + slot_length)."""
    tau = slot_start - leads.tau_lead_s
    statement_due = slot_start + slot_length + leads.statement_lead_s
    expiry_out = statement_due + leads.min_claim_window_s
    return Deadlines(
        gate_closure=slot_start - leads.gate_lead_s,
        seal=slot_start - leads.seal_lead_s,
        lock_deadline=tau - leads.lock_lead_s,
        tau=tau,
        verdict_deadline=slot_start - leads.d_lead_s,
        statement_due=statement_due,
        expiry_out=expiry_out,
        expiry_in=expiry_out + leads.min_margin_s,
    )


def last_reveal(expiry_out: int, times: PairTimes) -> int:
    """Return R: the last second at which a preimage may first be shown, unix seconds."""
    return expiry_out - _reveal_margin(times)


def _reveal_margin(times: PairTimes) -> int:
    b = times.destination
    return 2 * b.inclusion_s + b.finality_s + times.grace_s + b.halt_s


def failed_sums(leads: LadderParameters, times: PairTimes) -> tuple[LadderSum, ...]:
    """
    Return every rule of the ladder that *leads* break for *times*; empty if the pair is safe.

    A market that asks for less than its ledgers take is refused with these sums printed.
    """
    return tuple(one for one in ladder_sums(leads, times) if not one.holds)


def ladder_sums(leads: LadderParameters, times: PairTimes) -> tuple[LadderSum, ...]:
    """Return every rule of the ladder in numbers, from gate closure to the last expiry."""
    a, b = times.source, times.destination
    k, p, g = times.clock_error_s, times.poll_s, times.grace_s
    send_s = a.finality_s + p + 2 * b.inclusion_s + k
    verdict_s = times.finality_s_max + k + times.verdict_s + 2 * b.inclusion_s
    dispatch_s = b.finality_s + k + DISPATCH_S
    claim_s = _reveal_margin(times) + k
    margin_s = (b.finality_s + p + 2 * a.inclusion_s + a.finality_s + k) + a.halt_s + b.halt_s + g
    rows = (
        ("gate closure before seal", leads.gate_lead_s - leads.seal_lead_s, 0, "0"),
        (
            "seal before lock deadline",
            leads.seal_lead_s - leads.tau_lead_s - leads.lock_lead_s,
            0,
            "0",
        ),
        (
            "lock deadline before tau",
            leads.lock_lead_s,
            send_s,
            f"F_A {a.finality_s} + P {p} + 2 I_B {2 * b.inclusion_s} + K {k}",
        ),
        (
            "verdict deadline after tau",
            leads.tau_lead_s - leads.d_lead_s,
            verdict_s,
            (
                f"F_max {times.finality_s_max} + K {k} + V {times.verdict_s}"
                f" + 2 I_B {2 * b.inclusion_s}"
            ),
        ),
        (
            "verdict deadline before S",
            leads.d_lead_s,
            dispatch_s,
            f"F_B {b.finality_s} + K {k} + dispatch {DISPATCH_S}",
        ),
        (
            "T_B after the statement",
            leads.min_claim_window_s,
            claim_s,
            f"2 I_B {2 * b.inclusion_s} + F_B {b.finality_s} + G {g} + H_B {b.halt_s} + K {k}",
        ),
        (
            "T_A after T_B",
            leads.min_margin_s,
            margin_s,
            (
                f"F_B {b.finality_s} + P {p} + 2 I_A {2 * a.inclusion_s} + F_A {a.finality_s}"
                f" + K {k} + H_A {a.halt_s} + H_B {b.halt_s} + G {g}"
            ),
        ),
    )
    return tuple(LadderSum(*row) for row in rows)


@dataclass(frozen=True, slots=True)
class TradeTimes:
    """The times a trade asks for, unix seconds."""

    slot_start: int
    slot_length: int
    tau: int
    verdict_deadline: int
    expiry_out: int
    expiry_in: int


def failed_trade_time(leads: LadderParameters, asked: TradeTimes) -> LadderSum | None:
    """
    Return the first rule that a trade's times break under the pair's governed leads, or None.

    tau and the verdict deadline are exact, so that no caller chooses them; expiries may be later,
    but not for ever.
    """
    floor = deadlines(leads, asked.slot_start, asked.slot_length)
    if asked.tau != floor.tau:
        return LadderSum("tau", asked.tau, floor.tau, f"S - {leads.tau_lead_s}, exactly")
    if asked.verdict_deadline != floor.verdict_deadline:
        return LadderSum(
            "D", asked.verdict_deadline, floor.verdict_deadline, f"S - {leads.d_lead_s}, exactly"
        )
    if asked.expiry_out < floor.expiry_out:
        return LadderSum(
            "T_B",
            asked.expiry_out,
            floor.expiry_out,
            f"E + {leads.statement_lead_s} + {leads.min_claim_window_s}",
        )
    need = asked.expiry_out + leads.min_margin_s
    if asked.expiry_in < need:
        return LadderSum("T_A", asked.expiry_in, need, f"T_B + {leads.min_margin_s}")
    latest = expiry_max(asked.slot_start, asked.slot_length)
    if asked.expiry_in > latest:
        return LadderSum("T_A at most", asked.expiry_in, latest, f"E + {EXPIRY_LEAD_MAX_S}")
    return None


def expiry_max(slot_start: int, slot_length: int) -> int:
    """Return the latest expiry a lock of the slot may have, unix seconds."""
    return slot_start + slot_length + EXPIRY_LEAD_MAX_S


def failed_send_time(leads: LadderParameters, slot_start: int, now_s: int) -> LadderSum | None:
    """Return None before the lock deadline (A3), else by how much a send at *now_s* is late."""
    left_s = slot_start - leads.tau_lead_s - now_s
    if left_s > leads.lock_lead_s:
        return None
    return LadderSum("lock deadline", left_s, leads.lock_lead_s + 1, "more than the lock lead")
