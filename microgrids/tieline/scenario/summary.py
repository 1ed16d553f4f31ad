"""From a finished world to what readers get: summary, trades, slots, tables, report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from tieline.interfaces.ledger import Fuel
from tieline.scenario.driven_world import World
from tieline.scenario.report import write_report
from tieline.scenario.results.checks import check_rows
from tieline.scenario.results.event_lines import write_events
from tieline.scenario.results.material import Material, gather
from tieline.scenario.results.money import account_rows
from tieline.scenario.results.network_rows import branch_rows, bus_rows, tightest_net
from tieline.scenario.results.slots import slot_records
from tieline.scenario.results.third_party import third_party
from tieline.scenario.results.trades import trade_records
from tieline.scenario.run_records import (
    FuelRow,
    LedgerRow,
    LevelRow,
    RunSummary,
    SlotRecord,
    TradeRecord,
)
from tieline.scenario.tables import write_tables, write_tightest_slot
from tieline.scenario.version import tieline_version
from tieline.swap.records import Level
from tieline.wire.accounts import EVM_KIND, FABRIC_KIND

SETTLED = frozenset({"settled", "partly_settled"})
PLACE = (
    "All parties ran on one machine: no network lay between cells, relayer and ledgers, and all "
    "clocks were one."
)
ETHEREUM_NOT_SHOWN: Mapping[str, str] = {
    engine: f"The Ethereum ledger's contracts run on {evm}: headers, receipts and proofs are an "
    "EVM's, the consensus is not run; its operator's keys seal the headers. Toward it, attestors "
    "are the only light client: more than two thirds of the cells could lie to it."
    for engine, evm in {
        "embedded": "py-evm",
        "native": "geth, which is told when to make a block",
    }.items()
}
FABRIC_NOT_SHOWN: Mapping[str, str] = {
    "embedded": (
        "The Fabric ledger's peers and its one orderer are in this process: certificates, "
        "endorsements, blocks and their validation are Fabric's, the ordering service is not run."
    ),
    "native": (
        "The Fabric ledger's endorsers take their own time from the scenario's clock; blocks are "
        "cut by its orderer as ever. One orderer's signature is trusted, as Raft has it."
    ),
}
LEDGERS_NOT_SHOWN: Mapping[str, str] = {
    "embedded": (
        "The ledgers are embedded: blocks, commits, proofs and light clients are CometBFT's, the "
        "consensus between its validators is not run."
    ),
    "native": (
        "The ledgers run on processes of their own, but their clock was driven: block times are "
        "the scenario's, and say nothing of how fast blocks are made."
    ),
}
NOT_SHOWN = (
    (
        "Truth is drawn: forecast and meter errors are a simulator's, profiles and network come "
        "from published data sets."
    ),
    (
        "A slot is one steady state: nothing inside a quarter hour is seen, no transients, no "
        "protection, no unbalance between phases."
    ),
    (
        "Final settlement is computed and checked; the deviations it prices are claims between the "
        "parties, not moved on a ledger."
    ),
    "Loads without a meter take part as one residual a zone, at the imbalance price.",
)
"""What the run does not show."""


async def write_results(world: World, *, wall_seconds: float) -> None:
    """
    Write the results of *world* into its run folder.

    Args:
        world: Run to its end.
        wall_seconds: What the run took so far.
    """
    material = await gather(world)
    trades = trade_records(material)
    slots = slot_records(material, trades)
    summary = _summary(material, trades, slots, wall_seconds)
    folder = world.folder
    folder.write_trades(trades)
    folder.write_slots(slots)
    write_events(material)
    write_tables(folder, trades, slots, summary.accounts)
    write_tightest_slot(folder, tightest_net(material))
    write_report(folder, summary, slots, trades)
    folder.write_summary(summary)


def _summary(
    material: Material,
    trades: Sequence[TradeRecord],
    slots: Sequence[SlotRecord],
    wall_seconds: float,
) -> RunSummary:
    config = material.world.config
    accounts = account_rows(material)
    return RunSummary(
        scenario=config.scenario,
        title=config.title,
        seed=config.seed,
        tieline_version=tieline_version(),
        start_s=config.start_s,
        slot_count=config.slot_count,
        slot_length_s=config.slot_length_s,
        preset=config.preset.value,
        engine=material.world.engine,
        print_time_zone=config.print_time_zone,
        wall_seconds=round(wall_seconds, 3),
        slots_done=len(slots),
        levels=tuple(_level(level, trades) for level in Level),
        refused_by_reason=dict(
            sorted(Counter(t.reason for t in trades if t.outcome == "refused").items())
        ),
        settled_trades_count=sum(trade.outcome in SETTLED for trade in trades),
        delivered_wh=sum(trade.delivered_wh for trade in trades),
        loss_wh=sum(slot.loss_wh for slot in slots),
        violated_slots_count=sum(slot.is_violated for slot in slots),
        violated_slots_without_gate_count=sum(slot.is_violated_without_gate for slot in slots),
        voltage_min_pu=config.network.voltage_min_pu,
        voltage_max_pu=config.network.voltage_max_pu,
        buses=tuple(bus_rows(material)),
        branches=tuple(branch_rows(material)),
        third_party=third_party(material, slots, trades),
        journey_trade_id=_told(trades),
        accounts=tuple(accounts),
        checks=tuple(check_rows(material, trades, accounts)),
        ledgers=_ledgers(material),
        not_shown=(PLACE, *_ledgers_not_shown(material), *NOT_SHOWN),
    )


def _ledgers_not_shown(material: Material) -> list[str]:
    kinds = {history.kind for history in material.histories.values()}
    engine = material.world.engine
    said = [LEDGERS_NOT_SHOWN[engine]]
    said += [ETHEREUM_NOT_SHOWN[engine]] if EVM_KIND in kinds else []
    said += [FABRIC_NOT_SHOWN[engine]] if FABRIC_KIND in kinds else []
    return said


def _level(level: Level, trades: Sequence[TradeRecord]) -> LevelRow:
    own = [trade for trade in trades if trade.level == level.name]
    return LevelRow.model_validate(
        {
            "level": level.name,
            "trades_count": len(own),
            "refused_count": sum(trade.outcome == "refused" for trade in own),
            "cleared_wh": sum(trade.energy_wh for trade in own),
            "delivered_wh": sum(trade.delivered_wh for trade in own),
            "paid_in_nano_eur": sum(trade.paid_in_nano_eur for trade in own),
        }
    )


def _told(trades: Sequence[TradeRecord]) -> str:
    """Return the trade whose way is told: between two microgrids if there is one, the largest."""
    settled = [trade for trade in trades if trade.outcome in SETTLED]
    rank = {"INTER": 2, "GRID": 1, "INTRA": 0}
    chosen = max(settled, key=lambda t: (rank[t.level], t.energy_wh), default=None)
    return "" if chosen is None else chosen.trade_id


def _ledgers(material: Material) -> tuple[LedgerRow, ...]:
    return tuple(
        LedgerRow(
            chain_id=history.chain_id,
            kind=history.kind,
            chain_tag=history.chain_tag.hex(),
            height=history.height,
            blocks_count=history.height,
            transactions_count=history.transactions_count,
            refused_transactions_count=history.refused_transactions_count,
            transactions_in_slot_max=history.transactions_in_slot_max(
                material.world.begins_s, material.world.config.slot_length_s
            ),
            app_hash=history.state_root.hex(),
            fuel=tuple(_fuel(one, material.world.config.slot_count) for one in history.fuel),
        )
        for history in material.histories.values()
    )


def _fuel(fuel: Fuel, slot_count: int) -> FuelRow:
    """Return an account's fuel; what setting up took counts to the slots, on the safe side."""
    return FuelRow(
        lane=fuel.lane,
        account=fuel.account.hex(),
        unit=fuel.unit,
        used=str(fuel.used),
        left=str(fuel.left),
        slots_left=fuel.left * slot_count // fuel.used if fuel.used else -1,
    )
