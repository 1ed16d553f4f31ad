"""
One slot's question, compiled: the forecast, the groups of trades, and the corners in which every
candidate set must hold (slack voltage low and high, tap positions a regulator could hold).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tieline.interfaces.limits import PPM
from tieline.power.admittance import (
    AdmittanceModel,
    Complexes,
    Floats,
    build_admittance_model,
)
from tieline.power.batch import SMALL_PRODUCT, BatchSolution, solve_batch
from tieline.power.errors import NetworkError
from tieline.power.gate_result import Baseline, TradeInjection
from tieline.power.limits import LimitTable
from tieline.power.network import NANO, Network
from tieline.power.sensitivities import Sensitivities, forecast_margin, sensitivities
from tieline.power.settings import Margins
from tieline.power.vectors import injection_rows, injection_vector

ROOM_MIN = 1e-8
"""Room that must be left: posted voltages are rounded to 1e-9 pu, so a proved ball is wider."""


@dataclass(frozen=True)
class Corner:
    """A slack voltage and tap positions under which every candidate is solved."""

    name: str
    slack_ppm: int
    taps: tuple[tuple[int, int], ...]
    model: AdmittanceModel

    @property
    def scale(self) -> float:
        """Slack voltage as a factor of the network table's."""
        return self.slack_ppm / PPM

    @property
    def is_nominal(self) -> bool:
        """The network as the table has it."""
        return self.slack_ppm == PPM and not self.taps


def corners_of(network: Network, margins: Margins) -> tuple[Corner, ...]:
    """Return the corners: nominal, slack low and high, then the same for each row of taps."""
    corners: list[Corner] = []
    slacks = [(PPM, "")]
    if margins.slack_corner_ppm:
        slacks += [
            (PPM - margins.slack_corner_ppm, "slack low"),
            (PPM + margins.slack_corner_ppm, "slack high"),
        ]
    for taps in ((), *margins.taps):
        moved = network
        for transformer, position in taps:
            moved = moved.with_tap(transformer, position)
        model = build_admittance_model(moved)
        words = [f"tap {transformer} at {position}" for transformer, position in taps]
        for slack_ppm, word in slacks:
            name = ", ".join([*words, word] if word else words) or "nominal"
            corners.append(Corner(name, slack_ppm, taps, model))
    return tuple(corners)


@dataclass(frozen=True)
class Group:
    """Trades that are acknowledged in one transaction, and what they move together."""

    trades: tuple[int, ...]
    """Places in the batch, in merit order."""
    is_divisible: bool


class SlotQuestion:
    """
    All that is fixed while candidate sets of one slot are tried.

    Raises:
        UnknownBus: Baseline, trades or previous voltages name a bus that is not there.
        NetworkError: Powers that are not integers, repeated trade keys.
    """

    def __init__(
        self,
        network: Network,
        corners: tuple[Corner, ...],
        table: LimitTable,
        baseline: Baseline,
        trades: Sequence[TradeInjection],
        previous_voltages: Mapping[int, int] | None,
    ) -> None:
        self.network, self.corners, self.table = network, corners, table
        self.trades = tuple(trades)
        if len({trade.key for trade in trades}) != len(trades):
            raise NetworkError("trade keys must be unique in a batch")
        self.base_rows = injection_rows(network, baseline, "baseline")
        self.base = injection_vector(network, baseline, "baseline")
        self.trade_vectors = [
            injection_vector(
                network,
                {bus: (p, 0) for bus, p in trade.injections_milliwatt.items()},
                f"trade {trade.key.hex()[:8]}",
            )
            for trade in trades
        ]
        self.groups = _groups(trades)
        columns = [
            np.sum([self.trade_vectors[place] for place in group.trades], axis=0)
            for group in self.groups
        ]
        n = len(network.load_buses)
        self.deltas: Complexes = (
            np.array(columns, dtype=np.complex128).T if columns else np.zeros((n, 0), complex)
        )
        self.moving = [place for place in range(len(columns)) if np.any(self.deltas[:, place])]
        self.previous = _previous(network, previous_voltages)

    def solve(self, corner: Corner, shares: Floats) -> BatchSolution:
        """Solve the forecast with *shares* (groups, m) of the groups in one corner."""
        return solve_batch(corner.model, self._injections(shares), corner.scale)

    def _injections(self, shares: Floats) -> Complexes:
        """Return (n, m), in products small enough for one thread."""
        n, groups = self.deltas.shape
        m = shares.shape[1]
        moved = np.empty((n, m), dtype=np.complex128)
        width = max(64, SMALL_PRODUCT // max(n * groups, 1))
        for start in range(0, m, width):
            piece = slice(start, start + width)
            moved[:, piece] = self.deltas @ shares[:, piece]
        moved += self.base[:, None]
        return moved

    def room(self, corner: Corner, shares: Floats) -> Floats:
        """Return (limits, m) before forecast margins; -inf for what is not certified."""
        solution = self.solve(corner, shares)
        return self.table.room(corner.model, solution, self.previous, is_nominal=corner.is_nominal)

    def slopes(self, corner: Corner, shares: Floats) -> Sensitivities | None:
        """Return the sensitivities at one set (groups,); None if it is not certified."""
        solution = self.solve(corner, shares[:, None])
        if not solution.certified[0]:
            return None
        S = self.base + self.deltas @ shares
        previous = self.previous if corner.is_nominal else None
        return sensitivities(corner.model, self.table, solution, S, previous)

    def per_group(self, slopes: Sensitivities) -> Floats:
        """Return (limits, groups): how much room each whole group adds, to first order."""
        return np.asarray(
            slopes.room @ np.concatenate([self.deltas.real, self.deltas.imag], axis=0)
        )

    def per_trade(self, slopes: Sensitivities) -> Floats:
        """Return (limits, trades): how much room each whole trade adds, to first order."""
        if not self.trade_vectors:
            return np.zeros((len(slopes.room), 0))
        vectors = np.array(self.trade_vectors).T
        return np.asarray(slopes.room @ np.concatenate([vectors.real, vectors.imag], axis=0))

    def capped_rows(self, caps_ppm: Mapping[int, int]) -> list[tuple[int, int]]:
        """
        Return (milliwatt, millivar) of the forecast with some trades, for a flow proof.

        Args:
            caps_ppm: place of a trade -> its cap in millionths; trades left out do not happen.
        """
        rows = [list(row) for row in self.base_rows]
        for place, cap in sorted(caps_ppm.items()):
            for bus, p in self.trades[place].injections_milliwatt.items():
                position = self.network.position(bus, "trade")
                if position >= 0:
                    rows[position][0] += capped(p, cap)
        return [(p, q) for p, q in rows]


def safety_margins(
    question: SlotQuestion, slopes: Sensitivities, margins: Margins, own: Mapping[int, int] | None
) -> Floats:
    """
    Return what forecast errors may cost each limit, in its unit.

    Args:
        question: The slot.
        slopes: At the received set, or at the forecast if that is not certified.
        margins: How cautious.
        own: bus -> standard deviation of its own forecast error in milliwatt; None: shares.
    """
    own_mw = None
    if own is not None:
        rows = {bus: (sigma, 0) for bus, sigma in own.items()}
        own_mw = injection_vector(question.network, rows, "forecast errors").real
    return forecast_margin(
        slopes.room, question.base, margins.z, margins.sigma_share, margins.common_share, own_mw
    )


def capped(power: int, cap_ppm: int) -> int:
    """Return *power* times a cap in millionths, rounded toward zero: the trade never gains."""
    share = abs(power) * cap_ppm // PPM
    return share if power >= 0 else -share


def _groups(trades: Sequence[TradeInjection]) -> tuple[Group, ...]:
    """Return groups in the merit order of their first trades."""
    members: dict[tuple[int, int], list[int]] = {}
    for place, trade in enumerate(trades):
        name = (trade.group, 0) if trade.group else (0, place)
        members.setdefault(name, []).append(place)
    return tuple(
        Group(tuple(places), all(trades[place].divisible for place in places))
        for places in members.values()
    )


def _previous(network: Network, voltages: Mapping[int, int] | None) -> Floats | None:
    """Return |V| of the slot before in pu; buses left out may move freely."""
    if voltages is None:
        return None
    row = np.full(len(network.load_buses), np.nan)
    for bus, magnitude in voltages.items():
        place = network.position(bus, "previous voltages")
        if place >= 0:
            row[place] = magnitude / NANO
    return row
