"""
Whether the deadlines of a preset leave every pair of ledgers the time that it takes.

Sources:
    ``docs/spec/trade.md`` 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import permutations
from typing import Annotated

from pydantic import Field

from tieline.interfaces.errors import ConfigError
from tieline.scenario.config import (
    ChainId,
    Finality,
    Inclusion,
    LedgerKind,
    Microgrid,
    Operator,
    Preset,
    ScenarioConfig,
    Strict,
)
from tieline.swap.ladder import (
    FABRIC_TIMES,
    PRESETS,
    LadderSum,
    LedgerTimes,
    PairTimes,
    ladder_sums,
)


@dataclass(frozen=True, slots=True)
class PairCheck:
    """An ordered pair of ledgers with every sum of its ladder."""

    source: str
    """Chain id: the buyers' ledger."""
    destination: str
    """Chain id: the sellers' ledger."""
    sums: tuple[LadderSum, ...]
    fitting: frozenset[str]
    """Presets under which every sum of this pair holds."""

    @property
    def failed(self) -> tuple[LadderSum, ...]:
        """The sums that do not hold."""
        return tuple(one for one in self.sums if not one.holds)


def ledger_times(inclusion_s: int, finality_s: int, preset: str) -> LedgerTimes:
    """Return what a ledger takes, p99, seconds; how long it may halt is the preset's."""
    return LedgerTimes(inclusion_s, finality_s, PRESETS[preset][1].source.halt_s)


def check_pairs(
    preset: str, ledgers: Mapping[str, LedgerTimes], ticking: Set[str] = frozenset()
) -> tuple[PairCheck, ...]:
    """
    Work out the ladder of every ordered pair.

    Args:
        preset: Name of the governed leads: fast, slow or fabric.
        ledgers: What each ledger takes, by chain id.
        ticking: Those whose clock is Fabric's Tick, which may be as far behind as the preset
            ``fabric`` allows for.
    """
    finality_s_max = max(times.finality_s for times in ledgers.values())

    def sums(name: str, source: str, destination: str) -> tuple[LadderSum, ...]:
        leads, base = PRESETS[name]
        ticks = not ticking.isdisjoint((source, destination))
        times = PairTimes(
            ledgers[source],
            ledgers[destination],
            finality_s_max,
            base.poll_s,
            max(base.clock_error_s, FABRIC_TIMES.clock_error_s if ticks else 0),
            base.verdict_s,
            base.grace_s,
        )
        return ladder_sums(leads, times)

    return tuple(
        PairCheck(
            *pair,
            sums(preset, *pair),
            frozenset(name for name in PRESETS if all(one.holds for one in sums(name, *pair))),
        )
        for pair in permutations(ledgers, 2)
    )


def scenario_pairs(config: ScenarioConfig) -> tuple[PairCheck, ...]:
    """Return the ladders of all ordered pairs of a scenario's ledgers."""
    preset = config.preset.value
    zones: tuple[Microgrid | Operator, ...] = (*config.microgrids, config.operator)
    ledgers = {
        zone.chain_id: ledger_times(zone.inclusion_s, zone.finality_s, preset) for zone in zones
    }
    ticking = {zone.chain_id for zone in zones if zone.ledger is LedgerKind.FABRIC}
    return check_pairs(preset, ledgers, ticking)


def require_fit(pairs: Sequence[PairCheck], file: str) -> None:
    """
    Refuse ledgers that are slower than their deadlines.

    Args:
        pairs: See ``check_pairs``.
        file: Where it was written.

    Raises:
        ConfigError: With the first sum that does not hold.
    """
    failed = [(pair, one) for pair in pairs for one in pair.failed]
    if failed:
        pair, worst = max(failed, key=lambda row: row[1].need_s - row[1].have_s)
        fitting = frozenset(PRESETS).intersection(*(one.fitting for one in pairs))
        quickest = next((name for name in ("fast", "fabric", "slow") if name in fitting), None)
        faster = "clock errs less" if quickest == "fabric" else "blocks are final sooner"
        raise ConfigError(
            f"the ladder of {pair.source} -> {pair.destination} does not fit: {worst}",
            file=file,
            key="preset",
            instead=(
                "take a ledger whose blocks are final sooner"
                if quickest is None
                else f"write preset: {quickest}, or take a ledger whose {faster}"
            ),
        )


def tightest(pairs: Sequence[PairCheck]) -> list[tuple[PairCheck, LadderSum]]:
    """Return of every rule the pair that leaves it least, in the order of the ladder."""
    return [
        max(
            ((pair, pair.sums[place]) for pair in pairs),
            key=lambda row: row[1].need_s - row[1].have_s,
        )
        for place in range(len(pairs[0].sums))
    ]


class PairLedger(Strict):
    """What one ledger takes."""

    ledger: LedgerKind = LedgerKind.TENDERMINT
    inclusion_s: Inclusion = 30
    finality_s: Finality = 10


class PairFile(Strict):
    """Ledgers and the deadlines that they are asked to meet, without a scenario around them."""

    preset: Preset = Preset.FAST
    ledgers: Annotated[dict[ChainId, PairLedger], Field(min_length=2)]

    def pairs(self) -> tuple[PairCheck, ...]:
        """Return the ladders of all ordered pairs."""
        preset = self.preset.value
        return check_pairs(
            preset,
            {
                name: ledger_times(one.inclusion_s, one.finality_s, preset)
                for name, one in self.ledgers.items()
            },
            {name for name, one in self.ledgers.items() if one.ledger is LedgerKind.FABRIC},
        )
