"""
The instants of a slot: when its book opens, closes, is sealed, locked, judged, delivered, settled.

The ladder of a trade is ``tieline.swap.ladder``; here are the market's instants around it, the
ticks of a local day and the gate lead that measured times ask for. UTC inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from tieline.interfaces.errors import ConfigError
from tieline.market.rationing import share_pro_rata
from tieline.swap.ladder import (
    DISPATCH_S,
    FABRIC,
    FABRIC_TIMES,
    FAST,
    FAST_TIMES,
    SLOW,
    SLOW_TIMES,
    LadderParameters,
    PairTimes,
    deadlines,
    last_reveal,
)

TICK_S = 900
"""Base tick: a longer trade must hold in each of its ticks."""
SLOT_LENGTHS_S = (900, 1800, 3600)
_MINUTE = 60
_DAY_S = 86_400
ROUNDS_MAX = 4
"""Rounds of cuts before the seal."""


@dataclass(frozen=True, slots=True)
class SlotProfile:
    """How early a market of this kind must be, seconds."""

    name: str
    leads: LadderParameters
    times: PairTimes
    """What its ledgers take, for which the leads were made."""
    freeze_lead_s: int
    """Network epoch and forecasts frozen before S."""
    book_lead_s: int
    """Book opens before S."""
    final_lag_s: int
    """Final settlement after E."""


PROFILES = {
    "fast": SlotProfile("fast", FAST, FAST_TIMES, 30 * _MINUTE, 28 * _MINUTE, _DAY_S),
    "slow": SlotProfile("slow", SLOW, SLOW_TIMES, 105 * _MINUTE, 100 * _MINUTE, 2 * _DAY_S),
    "fabric": SlotProfile("fabric", FABRIC, FABRIC_TIMES, 30 * _MINUTE, 28 * _MINUTE, _DAY_S),
}
"""Presets by name."""


@dataclass(frozen=True, slots=True)
class SlotTimeline:
    """All instants of one slot, unix seconds, ascending."""

    freeze: int
    """Network epoch, forecasts, bands fixed."""
    book_opens: int
    gate_closure: int
    seal: int
    lock_deadline: int
    tau: int
    """Packet timeout; the batch closes."""
    verdict_deadline: int
    """D."""
    start: int
    end: int
    statement_due: int
    """C."""
    last_reveal: int
    """R."""
    expiry_out: int
    """T_B."""
    expiry_in: int
    """T_A."""
    final: int
    """Final settlement."""


def slot_timeline(profile: SlotProfile, slot_start: int, slot_length: int) -> SlotTimeline:
    """
    Return the instants of the slot [slot_start, slot_start + slot_length).

    Args:
        profile: One of ``PROFILES``, or one that the operator lengthened.
        slot_start: Unix seconds, on the base tick.
        slot_length: 900, 1800 or 3600 s.

    Raises:
        ValueError: Off the tick, or another length.
    """
    if slot_length not in SLOT_LENGTHS_S:
        raise ValueError(f"slot length: expected one of {SLOT_LENGTHS_S} actual={slot_length}")
    if slot_start < 0 or slot_start % TICK_S:
        raise ValueError(f"slot start is off the tick: {slot_start}")
    points = deadlines(profile.leads, slot_start, slot_length)
    end = slot_start + slot_length
    return SlotTimeline(
        freeze=slot_start - profile.freeze_lead_s,
        book_opens=slot_start - profile.book_lead_s,
        gate_closure=points.gate_closure,
        seal=points.seal,
        lock_deadline=points.lock_deadline,
        tau=points.tau,
        verdict_deadline=points.verdict_deadline,
        start=slot_start,
        end=end,
        statement_due=points.statement_due,
        last_reveal=last_reveal(points.expiry_out, profile.times),
        expiry_out=points.expiry_out,
        expiry_in=points.expiry_in,
        final=end + profile.final_lag_s,
    )


@dataclass(frozen=True, slots=True)
class MarketTimes:
    """What the market's own work takes between gate closure and lock, p99, seconds."""

    book_exchange_s: int
    clearing_s: int
    round_s: int
    """One round of network check, cuts and re-clearing."""
    sealing_s: int
    """Signatures and their posting on every ledger."""
    rounds: int = ROUNDS_MAX


def required_gate_lead(times: PairTimes, market: MarketTimes) -> int:
    """Return the shortest gate lead, seconds before S, that measured times allow."""
    return sum(seconds for _, seconds in _gate_terms(times, market))


def check_gate_lead(asked_s: int, times: PairTimes, market: MarketTimes) -> None:
    """
    Accept a gate lead that is long enough.

    Raises:
        ConfigError: It is shorter than the measured times allow; the sum is in the message.
    """
    terms = _gate_terms(times, market)
    need = sum(seconds for _, seconds in terms)
    if asked_s < need:
        text = " + ".join(f"{name} {seconds}" for name, seconds in terms)
        raise ConfigError(f"gate_lead_s: asked={asked_s} write at least {need} = {text}")


def _gate_terms(times: PairTimes, market: MarketTimes) -> tuple[tuple[str, int], ...]:
    """Return what must fit between gate closure and S, the last first."""
    a, b = times.source, times.destination
    return (
        ("dispatch", DISPATCH_S),
        ("F_B + K before S", b.finality_s + times.clock_error_s),
        ("F_max + K", times.finality_s_max + times.clock_error_s),
        ("V + 2 I_B", times.verdict_s + 2 * b.inclusion_s),
        ("F_A + P + 2 I_B", a.finality_s + times.poll_s + 2 * b.inclusion_s),
        ("K before tau", times.clock_error_s),
        ("sealing", market.sealing_s),
        (f"{market.rounds} rounds", market.rounds * market.round_s),
        ("clearing", market.clearing_s),
        ("books", market.book_exchange_s),
    )


def slots_of_day(day: date, zone: tzinfo, slot_length: int = TICK_S) -> tuple[int, ...]:
    """
    Return the starts of the slots of a local day, unix seconds, ascending.

    With 15-minute slots a day has 96 of them, 92 when clocks go forward, 100 when they go back.

    Raises:
        ValueError: A slot length that is not offered, or a zone whose midnight is off the tick.
    """
    if slot_length not in SLOT_LENGTHS_S:
        raise ValueError(f"slot length: expected one of {SLOT_LENGTHS_S} actual={slot_length}")
    start = _midnight(day, zone)
    end = _midnight(day + timedelta(days=1), zone)
    return tuple(range(start, end, slot_length))


def _midnight(day: date, zone: tzinfo) -> int:
    """Return the first instant of a local day, unix seconds."""
    instant = int(datetime.combine(day, time(), tzinfo=zone).timestamp())
    if instant % TICK_S:
        raise ValueError(f"midnight is off the tick: {day.isoformat()} {zone}")
    return instant


def ticks_of_slot(slot_start: int, slot_length: int) -> tuple[int, ...]:
    """Return the starts of the base ticks of a slot, unix seconds."""
    return tuple(range(slot_start, slot_start + slot_length, TICK_S))


def energy_by_tick(energy_wh: int, slot_length: int) -> tuple[int, ...]:
    """Split a trade's energy over its ticks; earlier ticks take the odd Wh."""
    count = slot_length // TICK_S
    return tuple(share_pro_rata(energy_wh, [1] * count, lambda index: index))
