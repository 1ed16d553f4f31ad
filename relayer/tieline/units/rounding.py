"""
Every rounding of the house, with its direction in its name and who gains by it.

Sums are shared here so that nothing is lost.
"""

from __future__ import annotations


def floor_share(total: int, offset: int, part: int, whole: int) -> int:
    """
    Return what *part*, lying after *offset*, gets of *total*, shared over *whole*.

    Consecutive parts from 0 to *whole* get exactly *total* together, whatever their sizes; each
    is off by less than one unit. A unit goes to the part in which it becomes whole.

    Raises:
        ValueError: The part does not lie inside the whole, or a number is negative.
    """
    if min(total, offset, part) < 0 or whole < 1 or offset + part > whole:
        message = f"part outside the whole: offset={offset} part={part} whole={whole}"
        raise ValueError(message)
    return (offset + part) * total // whole - offset * total // whole
