"""
The devices and meters of one zone, simulated: the only truth that its utility cell gets to see is
what forecasts, orders and meters say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tieline.scenario.households import Households, OrderIntent
from tieline.swap.evidence import SignedReading
from tieline.swap.records import ZERO_HASH, Order, Reading, SignedOrder
from tieline.swap.secret import Preimage
from tieline.swap.topology import MeterEntry
from tieline.wire.keys import SecpKey
from tieline.wire.typed_data import order_id, sign_record

GOOD_QUALITY = 1


@dataclass(frozen=True, slots=True)
class Member:
    """One energy cell with its keys."""

    meter: MeterEntry
    wallet: SecpKey
    meter_key: SecpKey


@dataclass(slots=True)
class ZoneEnergy:
    """What flowed in a zone in one slot, Wh into the network."""

    metered: Mapping[str, int]
    """By energy cell, as its meter shows."""
    boundary: int
    """At the point of common coupling, as its meter shows; of the operator: over the slack."""


@dataclass(slots=True)
class ZoneField:
    """
    Implements ``utility.sources.Field`` for one cell.

    Readings are cumulative registers: they are added up from the first slot on, so that a
    resumed run shows the same.
    """

    chain_tag: bytes
    ledger_id: str
    buses: frozenset[int]
    slots: Sequence[int]
    """All slot starts of the run, ascending."""
    slot_length: int
    households: Households
    members: Mapping[str, Member]
    """By energy cell; the operator's own orders under its name."""
    boundary_meter: Member
    domain: bytes
    energy_of: Callable[[int], ZoneEnergy]
    """The world's truth for a slot that is over."""
    slack_of: Callable[[int], int]
    """Measured slack voltage before a slot, millionths of the network table's."""
    tell_set_points: Callable[[int, Mapping[str, int]], None]
    """Takes slot start and Wh into the network by energy cell."""
    _orders: dict[int, tuple[SignedOrder, ...]] = field(
        default_factory=dict[int, tuple[SignedOrder, ...]]
    )
    _owners: dict[bytes, str] = field(default_factory=dict[bytes, str])
    _readings: dict[int, tuple[SignedReading, ...]] = field(
        default_factory=dict[int, tuple[SignedReading, ...]]
    )
    _boundary: dict[int, tuple[SignedReading, ...]] = field(
        default_factory=dict[int, tuple[SignedReading, ...]]
    )

    def forecast(self, slot_start: int) -> Mapping[int, tuple[int, int]]:
        """Return milliwatt and millivar by bus of the zone."""
        baseline = self.households.baseline(slot_start)
        return {
            bus: (row.p_milliwatt, row.q_millivar)
            for bus, row in baseline.items()
            if bus in self.buses
        }

    def orders(self, slot_start: int) -> Sequence[SignedOrder]:
        """Return the members' signed orders."""
        if slot_start not in self._orders:
            intents = [
                intent
                for intent in self.households.orders(slot_start)
                if intent.chain_id == self.ledger_id
            ]
            signed = tuple(self._signed(intent, slot_start) for intent in intents)
            for intent, row in zip(intents, signed, strict=True):
                self._owners[order_id(row.order)] = intent.cell
            self._orders[slot_start] = signed
        return self._orders[slot_start]

    def owner_of(self, order: bytes) -> str:
        """Return the energy cell of an order that it placed. Raises KeyError for a stranger's."""
        return self._owners[order]

    def readings(self, slot_start: int) -> Sequence[SignedReading]:
        """Return the members' readings of a slot, ascending meter id."""
        self._read_until(slot_start)
        return self._readings[slot_start]

    def boundary_readings(self, slot_start: int) -> Sequence[SignedReading]:
        """Return the reading at the point of common coupling."""
        self._read_until(slot_start)
        return self._boundary[slot_start]

    def estimates(self, slot_start: int) -> Sequence[tuple[bytes, int]]:
        """
        Return estimated Wh into the network by meter id.

        Without redundant meters nothing can correct a reading: the estimate is the reading.
        """
        energy = self.energy_of(slot_start)
        return sorted(
            (member.meter.meter_id, energy.metered[name])
            for name, member in self.members.items()
            if name in energy.metered
        )

    def set_points(self, slot_start: int, watt_by_order: Mapping[bytes, int]) -> None:
        """Tell dispatchable devices what was accepted."""
        self.orders(slot_start)
        wh = {
            self._owners[key]: watt * self.slot_length // 3600
            for key, watt in watt_by_order.items()
            if key in self._owners
        }
        self.tell_set_points(slot_start, wh)

    def slack_ppm(self, slot_start: int) -> int:
        """Return the measured slack voltage over the network table's, in whole hundreds ppm."""
        return self.slack_of(slot_start)

    def preimage(self, hash_lock: bytes) -> Preimage | None:
        """Members of a simulated zone sell through the pool only: none holds a preimage."""
        del hash_lock
        return None

    def _signed(self, intent: OrderIntent, slot_start: int) -> SignedOrder:
        member = self.members[intent.cell]
        order = Order(
            self.chain_tag,
            member.meter.account,
            member.meter.meter_id,
            int(intent.side),
            int(intent.levels),
            int(intent.delivery),
            slot_start,
            self.slot_length,
            intent.energy_wh,
            intent.price_min,
            intent.price_max,
            ZERO_HASH,
            slot_start,
        )
        return SignedOrder(order, sign_record(member.wallet, self.domain, order))

    def _read_until(self, slot_start: int) -> None:
        """Add up the registers from the first slot to this one."""
        for place, start in enumerate(self.slots):
            if start > slot_start:
                return
            if start in self._readings:
                continue
            energy = self.energy_of(start)
            before = self._registers(self.slots[place - 1] if place else None)
            rows = [
                self._reading(member, start, place, energy.metered[name], before)
                for name, member in self.members.items()
                if name in energy.metered
            ]
            self._readings[start] = tuple(sorted(rows, key=lambda row: row.reading.meter_id))
            self._boundary[start] = (
                self._reading(self.boundary_meter, start, place, energy.boundary, before),
            )

    def _registers(self, slot_start: int | None) -> dict[bytes, Reading]:
        if slot_start is None:
            return {}
        rows = (*self._readings[slot_start], *self._boundary[slot_start])
        return {row.reading.meter_id: row.reading for row in rows}

    def _reading(
        self, member: Member, start: int, place: int, wh: int, before: Mapping[bytes, Reading]
    ) -> SignedReading:
        meter = member.meter.meter_id
        last = before.get(meter)
        imported = (last.import_register_wh if last else 0) + max(0, -wh)
        exported = (last.export_register_wh if last else 0) + max(0, wh)
        reading = Reading(
            self.chain_tag,
            meter,
            start,
            self.slot_length,
            imported,
            exported,
            place + 1,
            GOOD_QUALITY,
        )
        return SignedReading(reading, sign_record(member.meter_key, self.domain, reading))
