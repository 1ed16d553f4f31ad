"""
The figures of the report as SVG text: made by our own code, so that one file holds everything.

Colours come from CSS variables of the page (light and dark); nothing is told by colour alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from tieline.scenario.run_records import BranchRow, BusRow, JourneyStep, SlotRecord, ThirdParty

BUS_RADIUS = 13
STEP_X = 118
STEP_Y = 62
MARGIN = 54
VOLTAGE_CLASSES = 5
"""Colour steps between the band's edge and 1 pu."""


@dataclass(frozen=True, slots=True)
class Band:
    """The voltage band, per unit."""

    low: float
    high: float


def single_line_diagram(buses: Sequence[BusRow], branches: Sequence[BranchRow], band: Band) -> str:
    """
    Draw the network as a tree from its slack bus, each bus coloured by its worst voltage.

    Open branches are dashed. Branches that close a ring are drawn as straight lines.
    """
    places = _tree_places(buses, branches)
    width = MARGIN * 2 + STEP_X * max(x for x, _ in places.values())
    height = MARGIN * 2 + STEP_Y * max(y for _, y in places.values())
    parts: list[str] = []
    for branch in branches:
        x1, y1 = _pixel(places[branch.from_bus])
        x2, y2 = _pixel(places[branch.to_bus])
        style = "branch" if branch.is_closed else "branch open"
        parts.append(
            f'<path class="{style}" d="M{x1} {y1} V{y2} H{x2}"><title>{escape(branch.name)}: '
            f"{branch.loading_percent_max:.0f} % of its rating</title></path>"
        )
        if branch.is_closed:
            load = f"{branch.loading_percent_max:.0f} %"
            lift = 13 if branch.kind == "transformer" else 5
            parts.append(_text((x1 + x2) / 2, y2 - lift, load, "small muted middle"))
        if branch.kind == "transformer" and branch.is_closed:
            middle = (x1 + x2) / 2
            parts += [
                f'<circle class="coil" cx="{middle + shift}" cy="{y2}" r="8"/>' for shift in (-5, 5)
            ]
    for bus in buses:
        x, y = _pixel(places[bus.bus])
        worst = _worst(bus, band)
        parts.append(
            f'<circle class="bus v{_voltage_class(worst, band)}" cx="{x}" cy="{y}" '
            f'r="{BUS_RADIUS}"><title>{escape(bus.name)}, {escape(bus.owner)}: '
            f"{bus.vm_pu_min:.4f} to {bus.vm_pu_max:.4f} pu, {bus.cells_count} energy cells"
            "</title></circle>"
        )
        parts.append(_text(x, y + 4, str(bus.bus), "inbus middle"))
        parts.append(_text(x, y + BUS_RADIUS + 14, f"{worst:.4f}", "small middle"))
        parts.append(_text(x, y - BUS_RADIUS - 5, bus.owner, "small muted middle"))
    return _svg(width, height, "Single-line diagram, buses coloured by worst voltage", parts)


def voltage_chart(slots: Sequence[SlotRecord], band: Band, labels: Sequence[str]) -> str:
    """Draw the lowest and highest voltage of each slot with the gate, the lowest without it."""
    width, height, left, right, top, bottom = 860, 300, 58, 120, 14, 34
    values = [slot.vm_pu_min for slot in slots] + [slot.vm_pu_max for slot in slots]
    values += [slot.vm_pu_min_without_gate for slot in slots]
    low = min(*values, band.low) - 0.003
    high = max(*values, band.high) + 0.003

    def x(index: float) -> float:
        return left + (width - left - right) * index / max(1, len(slots) - 1)

    def y(voltage: float) -> float:
        return top + (height - top - bottom) * (high - voltage) / (high - low)

    parts = [
        (
            f'<rect class="band" x="{left}" y="{y(band.high):.1f}" width="{width - left - right}" '
            f'height="{y(band.low) - y(band.high):.1f}"/>'
        )
    ]
    for edge in (band.low, 1.0, band.high):
        style = "grid" if edge == 1.0 else "limit"
        parts.append(
            f'<line class="{style}" x1="{left}" x2="{width - right}" y1="{y(edge):.1f}" '
            f'y2="{y(edge):.1f}"/>'
        )
        parts.append(_text(left - 8, y(edge) + 4, f"{edge:.2f} pu", "small end"))
    every = max(1, len(slots) // 8)
    parts += [
        _text(x(index), height - 12, labels[index], "small muted middle")
        for index in range(0, len(slots), every)
    ]
    series = [
        ("line without", [slot.vm_pu_min_without_gate for slot in slots], "lowest, no gate"),
        ("line with", [slot.vm_pu_min for slot in slots], "lowest, gate"),
        ("line high", [slot.vm_pu_max for slot in slots], "highest, gate"),
    ]
    ends = _spread([y(line[-1]) for _, line, _ in series if line], 14)
    for (style, line, name), end in zip(series, ends, strict=False):
        points = " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in enumerate(line))
        parts.append(f'<polyline class="{style}" points="{points}"/>')
        parts.append(_text(width - right + 8, end + 4, name, f"small {style.split()[1]}-text"))
    for index, slot in enumerate(slots):
        if slot.is_violated_without_gate:
            at = y(slot.vm_pu_min_without_gate)
            parts.append(
                f'<circle class="violated" cx="{x(index):.1f}" cy="{at:.1f}" r="4"><title>slot '
                f"{slot.index}: {slot.vm_pu_min_without_gate:.4f} pu without the gate</title>"
                "</circle>"
            )
    return _svg(width, height, "Voltages of every slot, with and without the gate", parts)


def third_party_chart(third_party: ThirdParty, band: Band) -> str:
    """Draw each microgrid's lowest voltage for nobody, each alone, together, and after cuts."""
    cases = third_party.cases
    names = list(dict.fromkeys(name for case in cases for name in case.vm_pu_min))
    row, left, right, top = 34, 190, 30, 26
    width, height = 760, top + row * len(cases) + 30
    values = [v for case in cases for v in case.vm_pu_min.values()]
    low, high = min(*values, band.low) - 0.003, max(*values, band.low) + 0.003

    def x(voltage: float) -> float:
        return left + (width - left - right) * (voltage - low) / (high - low)

    parts = [
        (
            f'<rect class="outside" x="{left}" y="{top - 8}" width="{x(band.low) - left:.1f}" '
            f'height="{row * len(cases)}"/>'
        ),
        (
            f'<line class="limit" x1="{x(band.low):.1f}" x2="{x(band.low):.1f}" y1="{top - 12}" '
            f'y2="{top + row * len(cases)}"/>'
        ),
        _text(x(band.low), top + row * len(cases) + 18, f"{band.low:.2f} pu", "small middle"),
    ]
    for index, case in enumerate(cases):
        y = top + row * index + 8
        parts.append(_text(left - 12, y + 4, case.name, "end"))
        parts.append(f'<line class="grid" x1="{left}" x2="{width - right}" y1="{y}" y2="{y}"/>')
        for name, voltage in case.vm_pu_min.items():
            style = "violated" if voltage < band.low else f"zone{names.index(name) % 4}"
            lift = -7 * (names.index(name) % 2)
            parts.append(
                f'<circle class="{style}" cx="{x(voltage):.1f}" cy="{y}" r="6"><title>'
                f"{escape(name)}: {voltage:.4f} pu</title></circle>"
            )
            parts.append(_text(x(voltage), y - 9 + lift, name, "small middle"))
    return _svg(width, height, "Lowest voltage by microgrid: alone, together, after cuts", parts)


def journey_chart(steps: Sequence[JourneyStep], ledgers: Sequence[str], labels: list[str]) -> str:
    """Draw the way of a trade: a column a ledger, a row a step, an arrow where a proof crossed."""
    columns = ["", *ledgers]
    row, left, column, top = 30, 96, 150, 44
    width = left + column * len(columns) + 210
    height = top + row * len(steps) + 12
    parts: list[str] = []
    for index, name in enumerate(columns):
        at = left + column * index + column / 2
        parts.append(_text(at, 18, name or "cells, off-ledger", "middle strong"))
        parts.append(f'<line class="grid" x1="{at}" x2="{at}" y1="28" y2="{height - 8}"/>')
    before = None
    for index, step in enumerate(steps):
        y = top + row * index + 8
        place = columns.index(step.chain_id) if step.chain_id in columns else 0
        at = left + column * place + column / 2
        parts.append(_text(left - 10, y + 4, labels[index], "small muted end"))
        if step.proof_height and before is not None and before[0] != at:
            bx, by = before
            parts.append(
                f'<path class="proof" d="M{bx} {by} L{at} {y}"><title>proved at height '
                f"{step.proof_height}, {step.proof_bytes} bytes</title></path>"
            )
        parts.append(f'<circle class="step" cx="{at}" cy="{y}" r="6"/>')
        height_text = f" at {step.height}" if step.height else ""
        parts.append(_text(at + 11, y + 4, f"{step.step}{height_text}", "small"))
        if step.chain_id:
            before = (at, y)
    return _svg(width, height, "The way of one trade over the ledgers", parts)


def _tree_places(
    buses: Sequence[BusRow], branches: Sequence[BranchRow]
) -> dict[int, tuple[int, int]]:
    """Return column and row of each bus: columns by distance from the first bus, rows by branch."""
    neighbours: dict[int, list[int]] = {bus.bus: [] for bus in buses}
    for branch in branches:
        if branch.is_closed:
            neighbours[branch.from_bus].append(branch.to_bus)
            neighbours[branch.to_bus].append(branch.from_bus)
    places: dict[int, tuple[int, int]] = {}
    next_row = 0
    for root in sorted(neighbours):
        if root in places:
            continue
        # Depth first, so that a feeder's first child goes on in its parent's row.
        stack = [(root, 0)]
        is_new_row = False
        while stack:
            bus, depth = stack.pop()
            if bus in places:
                continue
            if is_new_row:
                next_row += 1
            places[bus] = (depth, next_row)
            ahead = [n for n in sorted(neighbours[bus], reverse=True) if n not in places]
            stack += [(neighbour, depth + 1) for neighbour in ahead]
            is_new_row = not ahead
        next_row += 1
    return places


def _pixel(place: tuple[int, int]) -> tuple[int, int]:
    return MARGIN + STEP_X * place[0], MARGIN + STEP_Y * place[1]


def _worst(bus: BusRow, band: Band) -> float:
    """Return the voltage that lies nearest to, or farthest beyond, an edge of the band."""
    return min(bus.vm_pu_min, bus.vm_pu_max, key=lambda v: min(v - band.low, band.high - v))


def _voltage_class(voltage: float, band: Band) -> int:
    """Return 0 outside the band, then 1 at its edge up to ``VOLTAGE_CLASSES`` far inside."""
    room = min(voltage - band.low, band.high - voltage) / ((band.high - band.low) / 2)
    return 0 if room < 0 else min(VOLTAGE_CLASSES, 1 + int(room * VOLTAGE_CLASSES))


def _spread(heights: Iterable[float], gap: float) -> list[float]:
    """Move labels apart vertically so that none covers another; the order stays."""
    order = sorted(enumerate(heights), key=lambda item: item[1])
    moved: dict[int, float] = {}
    last = float("-inf")
    for index, height in order:
        last = max(height, last + gap)
        moved[index] = last
    return [moved[index] for index in range(len(moved))]


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}">{escape(text)}</text>'


def _svg(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )
