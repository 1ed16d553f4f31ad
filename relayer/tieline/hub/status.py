"""Where the hub stands, for ``tieline status``: backlog, oldest packet, fuel, silence, failures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tieline.contract.accounts import pay_key
from tieline.hub.runner import Runner
from tieline.interfaces.errors import Unavailable
from tieline.interfaces.journal import StoredIntent
from tieline.interfaces.ledger import Ledger
from tieline.relay.packet_journey import JourneyStatus, PacketJourney
from tieline.relay.view import RelayView
from tieline.swap.lock import LockStatus


@dataclass(frozen=True, slots=True)
class RouteStatus:
    """Packets under way from one ledger to another."""

    source: str
    """Ledger and client."""
    destination: str
    sent: int
    """Committed, not received."""
    received: int
    """Received, not judged."""
    answered: int
    """Judged, the source does not know."""
    oldest_age_s: int
    """Of the oldest of these, in chain time of its source; 0 if there is none."""

    @property
    def backlog(self) -> int:
        """Packets that are not at their end."""
        return self.sent + self.received + self.answered


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """One account of the relayer."""

    lane: str
    account: bytes
    balance_nano_eur: int | None
    """None while the ledger is silent."""
    is_busy: bool


@dataclass(frozen=True, slots=True)
class LedgerStatus:
    """One ledger as the hub sees it."""

    ledger_id: str
    height: int
    time_s: int
    is_silent: bool
    locks: Mapping[str, int]
    """Open locks by status."""
    shares_waiting: int
    """Locks whose pools have not given out everything."""
    lanes: tuple[LaneStatus, ...]


@dataclass(frozen=True, slots=True)
class HubStatus:
    """All of it, at one moment."""

    routes: tuple[RouteStatus, ...]
    ledgers: tuple[LedgerStatus, ...]
    failures: tuple[StoredIntent, ...]
    """Latest refusals, newest first."""
    silent_attestors: Mapping[bytes, str]
    """By cell: the reason it gave last."""
    alarms: tuple[tuple[str, bytes, str], ...]
    """(ledger, lock, reason)."""


async def read_status(runner: Runner, ledgers: Mapping[str, Ledger], now_s: int) -> HubStatus:
    """Return where *runner* stands; *now_s* is the hub's clock."""
    view = runner.view
    return HubStatus(
        routes=_routes(view),
        ledgers=tuple(
            [await _ledger(runner, ledgers[ledger_id], now_s) for ledger_id in view.ledgers]
        ),
        failures=tuple(runner.recent_failures()),
        silent_attestors=dict(runner.silent_attestors),
        alarms=tuple(view.alarms),
    )


def _routes(view: RelayView) -> tuple[RouteStatus, ...]:
    rows: list[RouteStatus] = []
    for route in view.topology.routes:
        for source, destination in ((route.first, route.second), (route.second, route.first)):
            own = {
                status: [j for j in view.journeys_in(status) if j.key.source == source]
                for status in (JourneyStatus.SENT, JourneyStatus.RECEIVED, JourneyStatus.ANSWERED)
            }
            ages = [_age_s(view, journey) for journeys in own.values() for journey in journeys]
            rows.append(
                RouteStatus(
                    source=str(source),
                    destination=str(destination),
                    sent=len(own[JourneyStatus.SENT]),
                    received=len(own[JourneyStatus.RECEIVED]),
                    answered=len(own[JourneyStatus.ANSWERED]),
                    oldest_age_s=max(ages, default=0),
                )
            )
    return tuple(rows)


def _age_s(view: RelayView, journey: PacketJourney) -> int:
    source = view.ledgers[journey.key.source.ledger_id]
    oldest_known_s = min(source.block_times.values(), default=source.time_s)
    return source.time_s - source.block_times.get(journey.sent_height, oldest_known_s)


async def _ledger(runner: Runner, ledger: Ledger, now_s: int) -> LedgerStatus:
    seen = runner.view.ledgers[ledger.ledger_id]
    locks: dict[str, int] = {status.name: 0 for status in LockStatus}
    for tick in seen.open_ticks:
        for lock in seen.open_locks(tick):
            locks[lock.status.name] += 1
    lanes = runner.lanes[ledger.ledger_id]
    free = set(lanes.free())
    return LedgerStatus(
        ledger_id=ledger.ledger_id,
        height=seen.height,
        time_s=seen.time_s,
        is_silent=runner.health.is_silent(ledger.ledger_id, now_s),
        locks={name: count for name, count in locks.items() if count},
        shares_waiting=len(seen.share_locks),
        lanes=tuple([await _lane(ledger, lane, lane not in free) for lane in lanes.names]),
    )


async def _lane(ledger: Ledger, lane: str, is_busy: bool) -> LaneStatus:  # noqa: FBT001  (a field)
    account = ledger.lane_account(lane)
    try:
        value = await ledger.query("tieline", pay_key(account))
    except Unavailable:
        return LaneStatus(lane, account, None, is_busy)
    balance = 0 if value is None else int.from_bytes(value, "big")
    return LaneStatus(lane, account, balance, is_busy)
