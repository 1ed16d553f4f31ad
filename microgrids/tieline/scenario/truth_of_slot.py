"""
What really flowed in a slot on the joint network: with the accepted trades, and as it would have
been had everything gone ahead that was cleared before the network was asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tieline.power.errors import NotConverged
from tieline.power.network import Network
from tieline.power.operating_point import OperatingPoint, operating_point
from tieline.scenario.config import ScenarioConfig
from tieline.scenario.field import ZoneEnergy
from tieline.scenario.households import Households
from tieline.scenario.parties import Party
from tieline.swap.records import Role
from tieline.units.energy import nearest_wh

PPM = 1_000_000
MILLIWATT_PER_MEGAWATT = 1_000_000_000


@dataclass(frozen=True, slots=True)
class SlotTruth:
    """One slot as it turned out."""

    slot_start: int
    injections: Mapping[int, tuple[int, int]]
    """bus -> (milliwatt, millivar)."""
    point: OperatingPoint
    without_gate: OperatingPoint | None
    """None where the cleared set had no solution at all: the voltage would have collapsed."""
    slack_scale: float
    zones: Mapping[str, ZoneEnergy]
    """By ledger id."""


class Truth:
    """
    The world's side of all meters.

    Args:
        config: The scenario.
        network: All joined feeders.
        households: What energy cells do.
        parties: Whose zones.
        accepted: Wh into the network by dispatchable energy cell, as its set points say.
        cleared: The same, of the first clearing of a slot, before any cut.
    """

    def __init__(
        self,
        config: ScenarioConfig,
        network: Network,
        households: Households,
        parties: tuple[Party, ...],
        accepted: Callable[[int], Mapping[str, int]],
        cleared: Callable[[int], Mapping[str, int]],
    ) -> None:
        self._config = config
        self._network = network
        self._households = households
        self._parties = parties
        self._accepted = accepted
        self._cleared = cleared
        self._slots: dict[int, SlotTruth] = {}

    def slot(self, slot_start: int) -> SlotTruth:
        """Return how a slot turned out; it is over, or its devices are set."""
        if slot_start not in self._slots:
            self._slots[slot_start] = self._solve(slot_start)
        return self._slots[slot_start]

    def zone(self, ledger_id: str) -> Callable[[int], ZoneEnergy]:
        """Return the meters of one zone."""
        return lambda slot_start: self.slot(slot_start).zones[ledger_id]

    def _solve(self, slot_start: int) -> SlotTruth:
        set_points = self._accepted(slot_start)
        actual = self._households.actual(slot_start, set_points)
        scale = actual.slack_voltage_ppm / (self._network.slack.vm / 1000)
        point = operating_point(self._network, actual.buses, scale)
        cleared = self._cleared(slot_start)
        without: OperatingPoint | None = point
        if cleared != set_points:
            free = self._households.actual(slot_start, cleared)
            without = _solved_or_none(self._network, free.buses, scale)
        metered = self._households.energy(slot_start, set_points)
        zones = {
            party.ledger_id: ZoneEnergy(
                {
                    cell.id: metered[cell.id].metered_wh
                    for cell in self._households.cells
                    if cell.chain_id == party.ledger_id
                },
                self._boundary_wh(party, actual.buses, point),
            )
            for party in self._parties
        }
        return SlotTruth(slot_start, actual.buses, point, without, scale, zones)

    def _boundary_wh(
        self, party: Party, buses: Mapping[int, tuple[int, int]], point: OperatingPoint
    ) -> int:
        """Return what passed the zone's coupling point; the operator's meter sits at the slack."""
        if party.role is Role.GRID:
            milliwatt = round(point.slack_p_mw * MILLIWATT_PER_MEGAWATT)
        else:
            milliwatt = sum(p for bus, (p, _) in buses.items() if bus in party.buses)
        return nearest_wh(milliwatt, self._config.slot_length_s)


def _solved_or_none(
    network: Network, buses: Mapping[int, tuple[int, int]], scale: float
) -> OperatingPoint | None:
    try:
        return operating_point(network, buses, scale)
    except NotConverged:
        return None
