"""
The integers of the house: what each counts, how far it goes, and the one product of two of them.

A price in micro-EUR per kWh times an energy in Wh is an amount in nano-EUR, exactly:
1e-6 EUR/kWh x 1e-3 kWh = 1e-9 EUR.
"""

from __future__ import annotations

from typing import NewType

EnergyWh = NewType("EnergyWh", int)
"""Energy; never negative on a ledger."""
PricePerKwh = NewType("PricePerKwh", int)
"""Price in micro-EUR per kWh; never negative on a ledger."""
NanoEur = NewType("NanoEur", int)
"""Money; the base unit of PAY."""
Milliwatt = NewType("Milliwatt", int)
"""Power; an injection into the network is positive."""
NanoPu = NewType("NanoPu", int)
"""Voltage, 1e-9 of the rated value."""

ENERGY_WH_MAX = 2**64 - 1
PRICE_MAX = 2**64 - 1
NANO_EUR_MAX = 2**128 - 1
"""What the fields of signed records hold."""

NANO_EUR_PER_EUR = 10**9
WH_PER_KWH = 1_000

assert ENERGY_WH_MAX * PRICE_MAX <= NANO_EUR_MAX, "a product of two records' fields always fits"


def energy_wh(number: int) -> EnergyWh:
    """Take a number as energy. Raises ValueError outside 0 to ``ENERGY_WH_MAX``."""
    return EnergyWh(_within(number, ENERGY_WH_MAX, "energy in Wh"))


def price_per_kwh(number: int) -> PricePerKwh:
    """Take a number as a price, micro-EUR per kWh. Raises ValueError outside its range."""
    return PricePerKwh(_within(number, PRICE_MAX, "price in micro-EUR per kWh"))


def cost(price: PricePerKwh, energy: EnergyWh) -> NanoEur:
    """Return what *energy* costs; exact, nothing is rounded."""
    return NanoEur(price * energy)


def _within(number: int, most: int, name: str) -> int:
    if type(number) is not int or not 0 <= number <= most:
        message = f"{name} must be an integer from 0 to {most}: {number!r}"
        raise ValueError(message)
    return number
