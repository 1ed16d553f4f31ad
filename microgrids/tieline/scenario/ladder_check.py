"""
Whether the deadlines of a preset leave every pair of ledgers the time that it takes.

Sources:
    ``docs/spec/trade.md`` 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

from tieline.interfaces.errors import ConfigError
from tieline.scenario.config import Microgrid, Operator, ScenarioConfig
from tieline.swap.ladder import PRESETS, LadderSum, LedgerTimes, PairTimes, ladder_sums


@dataclass(frozen=True, slots=True)
class PairCheck:
    """An ordered pair of ledgers with every sum of its ladder."""

    source: str
    """Chain id: the buyers' ledger."""
    destination: str
    """Chain id: the sellers' ledger."""
    sums: tuple[LadderSum, ...]

    @property
    def failed(self) -> tuple[LadderSum, ...]:
        """The sums that do not hold."""
        return tuple(one for one in self.sums if not one.holds)


def ledger_times(inclusion_s: int, finality_s: int, preset: str) -> LedgerTimes:
    """Return what a ledger takes, p99, seconds; how long it may halt is the preset's."""
    return LedgerTimes(inclusion_s, finality_s, PRESETS[preset][1].source.halt_s)


def check_pairs(preset: str, ledgers: Mapping[str, LedgerTimes]) -> tuple[PairCheck, ...]:
    """
    Work out the ladder of every ordered pair.

    Args:
        preset: Name of the governed leads: fast, slow or fabric.
        ledgers: What each ledger takes, by chain id.
    """
    leads, base = PRESETS[preset]
    finality_s_max = max(times.finality_s for times in ledgers.values())

    def times(source: str, destination: str) -> PairTimes:
        return PairTimes(
            ledgers[source],
            ledgers[destination],
            finality_s_max,
            base.poll_s,
            base.clock_error_s,
            base.verdict_s,
            base.grace_s,
        )

    return tuple(
        PairCheck(source, destination, ladder_sums(leads, times(source, destination)))
        for source, destination in permutations(ledgers, 2)
    )


def scenario_pairs(config: ScenarioConfig) -> tuple[PairCheck, ...]:
    """Return the ladders of all ordered pairs of a scenario's ledgers."""
    preset = config.preset.value
    zones: tuple[Microgrid | Operator, ...] = (*config.microgrids, config.operator)
    ledgers = {
        zone.chain_id: ledger_times(zone.inclusion_s, zone.finality_s, preset) for zone in zones
    }
    return check_pairs(preset, ledgers)


def require_fit(preset: str, pairs: Sequence[PairCheck]) -> None:
    """
    Refuse ledgers that are slower than their deadlines.

    Raises:
        ConfigError: With the first sum that does not hold.
    """
    for pair in pairs:
        for failed in pair.failed:
            slower = "a slower preset" if preset == "slow" else "preset: slow"
            raise ConfigError(
                f"the ladder of {pair.source} -> {pair.destination} does not fit: {failed}",
                key="preset",
                instead=f"write {slower}, or take a ledger whose blocks are final sooner",
            )
