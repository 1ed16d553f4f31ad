"""
A cleared position: the net of what households of two microgrids trade in one slot.

One packet, one lock a leg; the household allocations are the leaves of its tree. Trade id and
roots are made of it in ``tieline.wire``.
"""

from __future__ import annotations

from dataclasses import dataclass

from tieline.swap.records import ZERO_HASH, Allocation, DeliveryKind, Level, Side

LEAVES_MAX = 128
"""At most so many orders a side; a pair with more splits into positions."""
MINIMUM_WH = 100
"""Below it a position is dropped: a lock would cost more than it moves."""


@dataclass(frozen=True, slots=True)
class Position:
    """
    What one packet carries. INTRA: source and destination are the same ledger.
    """

    level: Level
    source: bytes
    """Chain tag of the buyers' ledger."""
    destination: bytes
    """Chain tag of the sellers' ledger."""
    delivery: DeliveryKind
    """FIRM when both sides are firm (at GRID: the microgrid's side); else DISPATCHABLE."""
    index: int
    """0.. among positions of the same level, pair and delivery kind."""
    energy_wh: int
    price_in: int
    """What buyers pay, micro-EUR per kWh; price_out + the connector's fee."""
    price_out: int
    """What sellers get, micro-EUR per kWh."""
    buys: tuple[Allocation, ...]
    """Ascending order id; price = price_in; they sum to energy_wh."""
    sells: tuple[Allocation, ...]
    """Ascending order id; price = price_out; they sum to energy_wh."""
    anchor: bytes = ZERO_HASH
    """Hash lock of a direct sale, else 32 zero bytes."""

    @property
    def key(self) -> bytes:
        """Unique inside a slot's clearing; ascending keys are the canonical order."""
        pair = self.source + self.destination
        return bytes([self.level]) + pair + bytes([self.delivery]) + self.index.to_bytes(4, "big")

    @property
    def is_direct(self) -> bool:
        """Whether it is a direct sale."""
        return self.anchor != ZERO_HASH

    def allocations(self, side: Side) -> tuple[Allocation, ...]:
        """Return the leaves of one side, ascending order id."""
        return self.buys if side is Side.BUY else self.sells
