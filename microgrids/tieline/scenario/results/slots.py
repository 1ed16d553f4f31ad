"""One record a slot: what was asked, what the network allowed, what then really flowed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from tieline.market.settlement import SlotStatement
from tieline.power.operating_point import OperatingPoint
from tieline.scenario.results.history import LedgerHistory
from tieline.scenario.results.material import FreeClearing, Material, free_clearing, rounds_of
from tieline.scenario.results.notes import tightest_note
from tieline.scenario.run_records import SlotRecord, TradeRecord
from tieline.scenario.truth_of_slot import SlotTruth
from tieline.swap.evidence import SlotEvidence
from tieline.swap.records import Level
from tieline.utility.slot_work import CheckRound

LIMITS_SHOWN = 3
COLLAPSED_PU = 0.0
"""Stands for a case without any solution."""


def slot_records(material: Material, trades: Sequence[TradeRecord]) -> list[SlotRecord]:
    """Return all slots of the run in order."""
    by_slot: dict[int, list[TradeRecord]] = {}
    for trade in trades:
        by_slot.setdefault(trade.slot_start_s, []).append(trade)
    return [
        _record(material, index, start, by_slot.get(start, []))
        for index, start in enumerate(material.world.slots)
    ]


def _record(
    material: Material, index: int, start: int, trades: Sequence[TradeRecord]
) -> SlotRecord:
    world = material.world
    evidence = material.evidence(start)
    truth = world.truth.slot(start)
    statement = material.statements.get(start)
    rounds: tuple[CheckRound, ...] = ()
    reduced: dict[str, int] = {}
    if evidence is not None:
        rounds = rounds_of(world, evidence)
        reduced = reduced_wh(material, evidence, free_clearing(world, evidence))
    return SlotRecord.model_validate(
        {
            "index": index,
            "slot_start_s": start,
            "slot_length_s": world.config.slot_length_s,
            "orders_count": _orders_count(material.histories.values(), start),
            "trades_count": len(trades),
            "refused_count": sum(trade.outcome == "refused" for trade in trades),
            "energy_wh": {
                level.name: sum(t.delivered_wh for t in trades if t.level == level.name)
                for level in Level
            },
            "rounds_count": max(0, len(rounds) - 1),
            "cuts": tuple(cuts_in_words(rounds)),
            "reduced_wh": reduced,
            **_verdict(material, start, evidence),
            **_realised(material, truth),
            "loss_wh": _loss_wh(world.config.slot_length_s, truth, statement),
            "unaccounted_wh": 0 if statement is None else statement.unaccounted_wh,
            "imbalance_wh": 0 if statement is None else imbalance_wh(statement),
        }
    )


def reduced_wh(material: Material, evidence: SlotEvidence, free: FreeClearing) -> dict[str, int]:
    """Return what the cuts took from the dispatchable orders, Wh by energy cell."""
    sealed: dict[bytes, int] = {}
    for position in evidence.positions:
        for leaf in position.buyers + position.sellers:
            sealed[leaf.order_id] = sealed.get(leaf.order_id, 0) + leaf.energy_wh
    reduced: dict[str, int] = {}
    for order_id, wh in free.dispatchable().items():
        order = free.orders[order_id]
        missing = abs(wh) - sealed.get(order_id, 0)
        if missing > 0:
            name = material.names.of_order(order)
            reduced[name] = reduced.get(name, 0) + missing
    return reduced


def imbalance_wh(statement: SlotStatement) -> int:
    """Return how far metered participants lay beside their positions, both signs added up."""
    return sum(
        abs(row.deviation_wh)
        for row in statement.participants
        if not row.account.name.endswith("/unmetered")
    )


def worst_voltages(point: OperatingPoint, slack: int) -> tuple[float, int, float]:
    """Return the lowest voltage, its bus, and the highest; the slack bus is the main grid's own."""
    own = {bus: voltage for bus, voltage in point.vm_pu.items() if bus != slack}
    bus = min(own, key=lambda bus: own[bus])
    return own[bus], bus, max(own.values())


def is_outside(point: OperatingPoint | None, material: Material) -> bool:
    """Tell whether a voltage lay outside its band; a collapsed case counts."""
    if point is None:
        return True
    network = material.network
    return any(
        not bus.v_min * 1e-9 <= point.vm_pu[bus.index] <= bus.v_max * 1e-9
        for bus in network.buses
        if bus.index != network.slack.bus
    )


def _orders_count(histories: Iterable[LedgerHistory], start: int) -> int:
    return sum(
        row.number("slot_start") == start
        for history in histories
        for row in history.events("order_placed")
    )


def cuts_in_words(rounds: Sequence[CheckRound]) -> list[str]:
    """Say of each round that did not hold what it broke and what was left of the book."""
    lines: list[str] = []
    for number, (row, after) in enumerate(pairwise(rounds), start=1):
        limits = ", ".join(row.violations[:LIMITS_SHOWN]) or row.kind
        more = len(row.violations) - LIMITS_SHOWN
        rest = f" and {more} more" if more > 0 else ""
        lines.append(
            f"round {number}: {row.traded_wh} Wh broke {limits}{rest}; "
            f"{after.traded_wh} Wh were left after the cut"
        )
    return lines


def _verdict(material: Material, start: int, evidence: SlotEvidence | None) -> Mapping[str, object]:
    if evidence is None or evidence.verdict is None:
        return {"verdict": "NONE"}
    verdict = evidence.verdict
    judged = material.judgements.get(start)
    found: dict[str, object] = {
        "verdict": verdict.gate.kind,
        "verdict_hash": material.verdict_hash(start).hex(),
        "flow_proof_hash": verdict.verdict.flow_proof_hash.hex(),
        "scenarios_count": len(verdict.gate.scenarios),
        "tightest": tightest_note(judged),
    }
    if judged is not None and judged.result.tightest is not None:
        tightest = judged.result.tightest
        found["tightest_margin_percent"] = round(tightest.margin_percent, 4)
        found["tightest_margin_kw"] = round(tightest.margin_kw or 0.0, 3)
    return found


def _realised(material: Material, truth: SlotTruth) -> Mapping[str, object]:
    slack = material.network.slack.bus
    low, bus, high = worst_voltages(truth.point, slack)
    low_free, high_free = COLLAPSED_PU, high
    if truth.without_gate is not None:
        low_free, _, high_free = worst_voltages(truth.without_gate, slack)
    return {
        "vm_pu_min": low,
        "vm_pu_max": high,
        "bus_at_vm_min": bus,
        "vm_pu_min_without_gate": low_free,
        "vm_pu_max_without_gate": high_free,
        "is_violated": is_outside(truth.point, material),
        "is_violated_without_gate": is_outside(truth.without_gate, material),
    }


def _loss_wh(slot_length_s: int, truth: SlotTruth, statement: SlotStatement | None) -> int:
    """Return the losses that were settled; of a slot without trades, those that really were."""
    if statement is not None:
        return statement.network.loss_wh
    return round(truth.point.losses_mw * 1e6 * slot_length_s / 3600)
