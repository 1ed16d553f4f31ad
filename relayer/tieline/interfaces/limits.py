"""
Limits of the network as plain integers, for those who clear markets and cannot solve power flows.

Made by ``tieline.power``; read by ``tieline.market`` and the utility cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

PICO = 10**12
"""All numbers of a cut are in 1e-12 of the limit's own unit, so that no float crosses."""

PPM = 10**6
"""A cap is a share of the trade's quantity in millionths, rounded down."""


class LimitKind(IntEnum):
    """What a limit protects. The numbers are the verdict leaf's reasons and never change."""

    V_LOW = 1
    V_HIGH = 2
    LINE = 3
    TRAFO = 4
    PCC = 8
    STEP = 11


UNITS: Mapping[LimitKind, str] = {
    LimitKind.V_LOW: "pu",
    LimitKind.V_HIGH: "pu",
    LimitKind.LINE: "of rating",
    LimitKind.TRAFO: "of rating",
    LimitKind.PCC: "MW",
    LimitKind.STEP: "pu",
}
"""The unit of a limit's value, bound and margin."""


@dataclass(frozen=True, slots=True)
class LinearCut:
    """
    A limit, linearised at the point where it was violated: sum_k a_k x_k <= bound.

    ``x_k`` is the executed share of trade k, 0 to 1. A positive coefficient worsens the limit, a
    negative one relieves it. The safety margins are already subtracted from the bound.
    """

    limit: str
    """Name of the limit, such as ``V_LOW bus 11``."""
    kind: LimitKind
    bound: int
    """1e-12 of the limit's unit, rounded down; below zero: relief is required."""
    trades: tuple[tuple[bytes, int], ...]
    """(trade key, coefficient for the whole trade), in the order of the trades; rounded up."""
    buses: tuple[tuple[int, int], ...]
    """
    (bus, coefficient for one kW more injection into the network there), ascending, all buses.
    With x in kW of injection on top of the forecast the same bound holds.
    """
