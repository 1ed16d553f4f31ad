"""Published networks read from their golden bytes: no pandapower, milliseconds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tieline.power.gate_result import TradeInjection
from tieline.power.network import Network
from tieline.power.network_bytes import network_from_bytes
from tieline.power.settings import Limits, PowerLimit

VECTORS = Path(__file__).parents[1] / "vectors"
KILOWATT = 1_000_000
"""Milliwatt."""


@dataclass(frozen=True)
class PublishedCase:
    """A network, its forecast and the buses of each zone."""

    network: Network
    baseline: dict[int, tuple[int, int]]
    zones: dict[str, tuple[int, ...]]
    limits: Limits


@cache
def network_rows() -> dict[str, dict]:
    """All cases of the golden file."""
    return json.loads((VECTORS / "network_bytes.json").read_text())["cases"]


@cache
def published_case(name: str) -> PublishedCase:
    """``cigre_mv_feeder_1``, ``two_feeders`` or ``third_party_victim``."""
    row = network_rows()[name]
    limits = Limits()
    if name == "cigre_mv_feeder_1":
        coupling = PowerLimit("operator", ("transformer", 0), 25_000 * KILOWATT, -25_000 * KILOWATT)
        limits = Limits(power=(coupling,))
    return PublishedCase(
        network_from_bytes(bytes.fromhex(row["bytes"])),
        {int(bus): (p, q) for bus, (p, q) in row["baseline_milliwatt_millivar"].items()},
        {zone: tuple(buses) for zone, buses in row["zones"].items()},
        limits,
    )


def buys(key: str, bus: int, kw: int, **more: int | bool) -> TradeInjection:
    """A trade that draws *kw* at a bus on top of the forecast."""
    return TradeInjection(key.encode().ljust(32, b"."), {bus: -kw * KILOWATT}, **more)


def sells(key: str, bus: int, kw: int, **more: int | bool) -> TradeInjection:
    """A trade that injects *kw* at a bus on top of the forecast."""
    return TradeInjection(key.encode().ljust(32, b"."), {bus: kw * KILOWATT}, **more)
