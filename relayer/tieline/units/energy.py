"""
Energy and the mean power over a time, as integers: Wh, W and mW. Injections are positive.

Money needs no conversion: a price in micro-EUR per kWh times an energy in Wh is an amount in
nano-EUR, exactly (1e-6 EUR/kWh x 1e-3 kWh = 1e-9 EUR).
"""

from __future__ import annotations

SECONDS_PER_HOUR = 3_600
MILLI = 1_000


def floor_to_watt(energy_wh: int, seconds: int) -> int:
    """Return the mean W of an energy, rounded down: a consumer is never told to draw less."""
    return energy_wh * SECONDS_PER_HOUR // seconds


def floor_to_milliwatt(energy_wh: int, seconds: int) -> int:
    """
    Return the mean mW of an energy, rounded down.

    Note:
        Exact for slots of 15, 30 and 60 minutes, so nobody gains.
    """
    return energy_wh * SECONDS_PER_HOUR * MILLI // seconds


def nearest_wh(milliwatt: int, seconds: int) -> int:
    """Return the Wh of a mean power, to the nearest, halves up; for meters and estimates."""
    unit = SECONDS_PER_HOUR * MILLI
    return (2 * milliwatt * seconds + unit) // (2 * unit)
