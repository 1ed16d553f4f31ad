"""
Composition root of `tieline relay`: ledgers behind RPC addresses, plain pairs of clients, a journal
beside the configuration, the wall clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tieline.hub.attestor_pool import AttestorPool
from tieline.hub.connecting import lane_names
from tieline.hub.hub_topology import plain_clients, plain_topology
from tieline.hub.journal_sql import open_journal
from tieline.hub.live import LivePace, LiveRelay, WallClock
from tieline.hub.no_trades import NoTrades
from tieline.hub.prover import Prover
from tieline.hub.relay_config import RelayConfig
from tieline.hub.runner import Runner
from tieline.hub.settings import RunnerSettings
from tieline.interfaces.errors import NotYet
from tieline.interfaces.journal import JourneyRow, LedgerRow, StoredIntent
from tieline.interfaces.ledger import Ledger
from tieline.relay.route import Route
from tieline.relay.scheduler import BatchLimits
from tieline.relay.view import RelayView

NOT_YET_DELAY_S = 1
"""Ledgers make a block a second or quicker; what is true later is true soon."""
FAILURES_SHOWN = 5
_MS_PER_S = 1_000


def journal_url(config: RelayConfig, folder: Path) -> str:
    """Return where the journal is; a bare file name lies beside the configuration."""
    if "://" in config.journal:
        return config.journal
    return f"sqlite:///{(folder / config.journal).absolute()}"


def read_journal(
    config: RelayConfig, folder: Path
) -> tuple[Sequence[LedgerRow], Sequence[JourneyRow], Sequence[StoredIntent]]:
    """
    Return what a relayer's journal says: ledgers, packets that are not at their end, last refusals;
    nothing of one that was never started.

    Raises:
        Unavailable: The journal cannot be read.
    """
    if "://" not in config.journal and not (folder / config.journal).exists():
        return (), (), ()
    try:
        journal = open_journal(journal_url(config, folder), is_reader=True)
    except NotYet:
        return (), (), ()
    try:
        return journal.ledgers(), journal.journeys(), journal.recent_failures(FAILURES_SHOWN)
    finally:
        journal.close()


def build_relay(
    config: RelayConfig, folder: Path, ledgers: Mapping[str, Ledger], routes: Sequence[Route]
) -> LiveRelay:
    """
    Wire a relayer.

    Args:
        config: The operator's.
        folder: Where relative paths begin.
        ledgers: By ledger id, each with the relayer's lane.
        routes: Pairs of clients that know each other.

    Raises:
        ConfigError: A client has two counterparties.
        Unavailable: The journal cannot be opened.
    """
    named = {end.ledger_id for route in routes for end in (route.first, route.second)}
    joined = {ledger_id: ledger for ledger_id, ledger in ledgers.items() if ledger_id in named}
    view = RelayView(plain_topology(joined, routes))
    journal = open_journal(journal_url(config, folder))
    pace = config.pace
    runner = Runner(
        view=view,
        ledgers=joined,
        bulletin=NoTrades(),
        prover=Prover(view, joined, plain_clients(routes), AttestorPool(())),
        journal=journal,
        clock=WallClock(),
        settings=RunnerSettings(
            lanes={one: lane_names(config.ledgers[one]) for one in joined},
            limits=BatchLimits(config.batches.messages_max, config.batches.bytes_max),
            inclusion_blocks_max=pace.inclusion_blocks_max,
            inclusion_s_max=pace.inclusion_s_max,
            journal_days=config.journal_days,
            not_yet_delay_s=NOT_YET_DELAY_S,
            halt_after_s=pace.halt_after_s,
            is_concurrent=True,
        ),
    )
    live = LivePace(pace.poll_ms_min / _MS_PER_S, pace.poll_ms_max / _MS_PER_S, pace.halt_after_s)
    return LiveRelay(runner, journal, live)
