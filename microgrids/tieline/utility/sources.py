"""What a utility cell asks of its members' devices and meters: forecasts, orders, readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from tieline.swap.evidence import SignedReading
from tieline.swap.records import SignedOrder
from tieline.swap.secret import Preimage


class Field(Protocol):
    """One zone's devices and meters. Slots are named by their start, unix seconds."""

    def forecast(self, slot_start: int) -> Mapping[int, tuple[int, int]]:
        """Return mean milliwatt and millivar into the network by bus, traded or not."""
        ...

    def orders(self, slot_start: int) -> Sequence[SignedOrder]:
        """Return the members' signed orders for a slot; the same each time it is asked."""
        ...

    def readings(self, slot_start: int) -> Sequence[SignedReading]:
        """Return each member meter's reading at the slot's end, ascending meter id."""
        ...

    def boundary_readings(self, slot_start: int) -> Sequence[SignedReading]:
        """Return the reading at the zone's point of common coupling."""
        ...

    def estimates(self, slot_start: int) -> Sequence[tuple[bytes, int]]:
        """Return estimated Wh into the network by meter id, ascending."""
        ...

    def set_points(self, slot_start: int, watt_by_order: Mapping[bytes, int]) -> None:
        """Tell dispatchable devices what to do in a slot; orders left out stand still."""
        ...

    def slack_ppm(self, slot_start: int) -> int:
        """
        Return the slack voltage as measured last before a slot, over the network table's,
        millionths in whole hundreds; only the grid operator has such a meter.
        """
        ...

    def preimage(self, hash_lock: bytes) -> Preimage | None:
        """Return a member's own preimage of a direct sale, None for a stranger's."""
        ...
