"""
The slot in which trades that are fine alone hurt a third microgrid together: solved on the
forecast for nobody, each alone, all together, and after the cuts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tieline.power.errors import NotConverged
from tieline.power.evidence import injections_of_zones
from tieline.power.operating_point import OperatingPoint, operating_point
from tieline.scenario.results.material import FreeClearing, Material, free_clearing, zones_of
from tieline.scenario.results.slots import COLLAPSED_PU
from tieline.scenario.run_records import SlotRecord, ThirdParty, ThirdPartyCase, TradeRecord
from tieline.swap.evidence import SlotEvidence
from tieline.units.energy import floor_to_milliwatt

TOGETHER_MIN = 2
ALONE_MAX = 4
"""More devices than this make a picture that nobody reads."""
PU_DIGITS = 6

Injections = Mapping[int, tuple[int, int]]


def third_party(
    material: Material, slots: Sequence[SlotRecord], trades: Sequence[TradeRecord]
) -> ThirdParty | None:
    """
    Return the picture of the slot that was cut most of those in which several devices asked for
    more than the network holds; None if there was none.
    """
    worst: tuple[bool, int, SlotRecord, SlotEvidence, FreeClearing] | None = None
    for slot in slots:
        evidence = material.evidence(slot.slot_start_s)
        if evidence is None or not (slot.reduced_wh or slot.refused_count):
            continue
        free = free_clearing(material.world, evidence)
        # Cut before the seal: it was the trades that were too much, not a night on the main grid.
        rank = (not slot.refused_count, sum(slot.reduced_wh.values()))
        if (worst is None or rank > worst[:2]) and _is_too_much(material, slot, free):
            worst = (*rank, slot, evidence, free)
    return None if worst is None else _picture(material, *worst[2:], trades)


def _is_too_much(material: Material, slot: SlotRecord, free: FreeClearing) -> bool:
    """Tell whether several devices together leave the band on the forecast."""
    moving = _moving(material, free)
    if len(moving) < TOGETHER_MIN:
        return False
    base = injections_of_zones(zones_of(material.world, slot.slot_start_s))
    lowest = _lowest(material, base, moving, free).values()
    return min(lowest) < material.world.config.network.voltage_min_pu


def _picture(
    material: Material,
    slot: SlotRecord,
    evidence: SlotEvidence,
    free: FreeClearing,
    trades: Sequence[TradeRecord],
) -> ThirdParty:
    moving = _moving(material, free)
    names = {key: material.names.of_order(free.orders[key]) for key in moving}
    base = injections_of_zones(zones_of(material.world, slot.slot_start_s))
    sealed = _sealed(evidence, moving)
    sets: list[tuple[str, Mapping[bytes, int]]] = [("nobody", {})]
    if len(moving) <= ALONE_MAX:
        sets += [(f"{names[key]} alone", {key: wh}) for key, wh in moving.items()]
    together = "both" if len(moving) == TOGETHER_MIN else "all together"
    sets += [(together, moving), ("after cuts", sealed)]
    cases = tuple(
        ThirdPartyCase(name=name, vm_pu_min=_lowest(material, base, chosen, free))
        for name, chosen in sets
    )
    touched = {key.hex() for key in moving}
    return ThirdParty(
        slot_start_s=slot.slot_start_s,
        cases=cases,
        outcome=_outcome(material, slot, free, sealed, cases[-2]),
        trade_ids=tuple(
            trade.trade_id
            for trade in trades
            if any(part.order_id in touched for part in trade.allocations)
        ),
    )


def _moving(material: Material, free: FreeClearing) -> dict[bytes, int]:
    """Return signed Wh by order id of the dispatchable orders that hang behind a line."""
    slack = material.network.slack.bus
    check = material.world.services[0].parts.check
    return {
        key: wh
        for key, wh in free.dispatchable().items()
        if check.bus_of(free.orders[key].meter_id) != slack
    }


def _sealed(evidence: SlotEvidence, moving: Mapping[bytes, int]) -> dict[bytes, int]:
    """Return what was accepted of the same orders, signed Wh."""
    accepted = (
        {}
        if evidence.verdict is None
        else {leaf.trade_id: leaf.cap_wh for leaf in evidence.verdict.leaves}
    )
    sealed: dict[bytes, int] = {}
    for position in evidence.positions:
        energy = sum(leaf.energy_wh for leaf in position.buyers)
        cap = accepted.get(position.trade_id, 0)
        for leaf in position.buyers + position.sellers:
            if leaf.order_id in moving:
                share = leaf.energy_wh * cap // energy
                sign = 1 if moving[leaf.order_id] > 0 else -1
                sealed[leaf.order_id] = sealed.get(leaf.order_id, 0) + sign * share
    return sealed


def _lowest(
    material: Material,
    base: Injections,
    chosen: Mapping[bytes, int],
    free: FreeClearing,
) -> dict[str, float]:
    """Return each microgrid's lowest voltage when these orders are served, pu."""
    check = material.world.services[0].parts.check
    length = material.world.config.slot_length_s
    injections = dict(base)
    for key, wh in chosen.items():
        bus = check.bus_of(free.orders[key].meter_id)
        p, q = injections.get(bus, (0, 0))
        injections[bus] = (p + floor_to_milliwatt(wh, length), q)
    point = _solve(material, injections)
    return {
        microgrid.name: COLLAPSED_PU
        if point is None
        else round(min(point.vm_pu[bus] for bus in microgrid.buses), PU_DIGITS)
        for microgrid in material.world.config.microgrids
    }


def _solve(material: Material, injections: Injections) -> OperatingPoint | None:
    try:
        return operating_point(material.network, injections)
    except NotConverged:
        return None


def _outcome(
    material: Material,
    slot: SlotRecord,
    free: FreeClearing,
    sealed: Mapping[bytes, int],
    together: ThirdPartyCase,
) -> str:
    """Say who was hurt, who gave way, and where the escrow of the rest is."""
    moving = _moving(material, free)
    asked: dict[str, int] = {}
    served: dict[str, int] = {}
    for key, wh in moving.items():
        name = material.names.of_order(free.orders[key])
        asked[name] = asked.get(name, 0) + abs(wh)
        served[name] = served.get(name, 0) + abs(sealed.get(key, 0))
    traders = {material.names.zone_of_tag[free.orders[key].chain_tag] for key in moving}
    others = {zone: v for zone, v in together.vm_pu_min.items() if zone not in traders}
    hurt = min(others or together.vm_pu_min, key=lambda zone: together.vm_pu_min[zone])
    who = f"{hurt}, which asked for nothing," if others else hurt
    fallen = f"{together.vm_pu_min[hurt]:.4f} pu"
    names = sorted(asked)
    parts = [f"{' and '.join(names)} together would have pulled {who} down to {fallen}"]
    for name in names:
        wh, got = asked[name], served[name]
        if got == wh:
            parts.append(f"{name} got all of its {_kwh(wh)} kWh")
        else:
            parts.append(f"{name} was cut to {_kwh(got)} of {_kwh(wh)} kWh")
    if slot.refused_count:
        parts.append(f"trades refused at the verdict: {slot.refused_count}")
    parts.append("the escrow of what was not served is back with its owner")
    return "; ".join(parts) + "."


def _kwh(wh: int) -> str:
    return f"{wh // 1000}.{wh % 1000:03d}"
