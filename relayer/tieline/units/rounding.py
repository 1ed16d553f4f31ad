"""
Every rounding of the house, with its direction in its name and who gains by it.

Power becomes energy here and nowhere else; sums are split here so that nothing is lost.
"""

from __future__ import annotations

from collections.abc import Sequence

from tieline.units.quantities import EnergyWh, Milliwatt

_MILLIWATT_SECONDS_PER_WH = 3_600_000
_MILLIWATT_PER_MW = 10**9


def floor_to_wh(power: Milliwatt, seconds: int) -> EnergyWh:
    """
    Return the energy of *power* over *seconds*, rounded down: whoever delivers loses the rest.

    Raises:
        ValueError: Power or time is negative; turn the sign where its meaning is known.
    """
    _require_not_negative(power, seconds)
    return EnergyWh(power * seconds // _MILLIWATT_SECONDS_PER_WH)


def ceil_to_wh(power: Milliwatt, seconds: int) -> EnergyWh:
    """
    Return the energy of *power* over *seconds*, rounded up: whoever reserves for it is safe.

    Raises:
        ValueError: Power or time is negative.
    """
    _require_not_negative(power, seconds)
    return EnergyWh(-(-power * seconds // _MILLIWATT_SECONDS_PER_WH))


def nearest_milliwatt(power_mw: float) -> Milliwatt:
    """
    Return the nearest whole milliwatt, halves to even; nobody is paid for power.

    Raises:
        ValueError: It is no number, or infinite.
    """
    scaled = power_mw * _MILLIWATT_PER_MW
    if scaled != scaled or scaled in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN
        message = f"power is not a finite number: {power_mw!r}"
        raise ValueError(message)
    return Milliwatt(round(scaled))


def floor_share(total: int, offset: int, part: int, whole: int) -> int:
    """
    Return what *part*, lying after *offset*, gets of *total*, shared over *whole*.

    Consecutive parts from 0 to *whole* get exactly *total* together, whatever their sizes; each
    is off by less than one unit.

    Raises:
        ValueError: The part does not lie inside the whole, or a number is negative.
    """
    if min(total, offset, part) < 0 or whole < 1 or offset + part > whole:
        message = f"part outside the whole: offset={offset} part={part} whole={whole}"
        raise ValueError(message)
    return (offset + part) * total // whole - offset * total // whole


def split_by_largest_remainder(total: int, weights: Sequence[int]) -> list[int]:
    """
    Split *total* in proportion to *weights*: floors first, what is left one by one to the largest
    remainders, earlier entries first among equals. The parts sum to *total*.

    Raises:
        ValueError: A number is negative, or all weights are zero and something must be split.
    """
    whole = sum(weights)
    if total < 0 or any(weight < 0 for weight in weights) or (whole == 0 and total > 0):
        message = f"cannot split {total} by weights {list(weights)}"
        raise ValueError(message)
    if whole == 0:
        return [0] * len(weights)
    parts = [total * weight // whole for weight in weights]
    remainders = [total * weight % whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda place: (-remainders[place], place))
    for place in order[: total - sum(parts)]:
        parts[place] += 1
    return parts


def _require_not_negative(power: int, seconds: int) -> None:
    if power < 0 or seconds < 0:
        message = f"power and time must not be negative: {power} mW, {seconds} s"
        raise ValueError(message)
