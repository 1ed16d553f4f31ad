"""How the runner runs: numbers with their unit in the name, each with a default that fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tieline.hub.pacing import Window
from tieline.relay.retry import NOT_YET_DELAY_S
from tieline.relay.scheduler import BatchLimits


@dataclass(frozen=True, slots=True)
class RunnerSettings:
    """What an operator may turn."""

    lanes: Mapping[str, tuple[str, ...]]
    """By ledger id: names of the relayer's accounts there."""
    limits: BatchLimits = field(default_factory=BatchLimits)
    blocks_per_read_max: int = 100
    inclusion_blocks_max: int = 8
    """A transaction that is in none of so many blocks is looked for no longer."""
    inclusion_s_max: int = 60
    """The same by the hub's clock, for a ledger that stands still."""
    resume_save_rounds: int = 16
    """Places to resume from are written every so many rounds; older ones cost time only."""
    journal_days: int = 30
    """How long ended intents are kept."""
    not_yet_delay_s: int = NOT_YET_DELAY_S
    """How long what is true later waits."""
    halt_after_s: int | None = None
    """
    A ledger that leaves transactions of ours without a block for so long stands still: nothing
    more is sent to it until it moves. None: that is not judged.
    """
    windows: Mapping[str, Window] = field(default_factory=dict[str, Window])
    """By ledger id: how long work waits for company; a ledger that is not named sends at once."""
    is_concurrent: bool = False
    """
    Ledgers are read and written side by side, and a batch is proved while the one before it is
    handed in. Without it one thing is done after another, in the same order every time.
    """
