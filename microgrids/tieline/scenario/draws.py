"""
Chance without a stream: each number is a hash of the seed and of what it is for.

A new draw in one place leaves all others alone, and a resumed run draws what the first one drew.
All arithmetic is in integers, so every machine gets the same.
"""

from __future__ import annotations

import hashlib

MILLI = 1000
_WORDS = 12
WORD_RANGE = 1 << 16


def draw_bytes(seed: int, *purpose: str | int) -> bytes:
    """Return 32 bytes for *purpose*, such as ``("meter", slot_start_s, cell_id)``."""
    text = "\x1f".join(["tieline/draw/v1", str(seed), *(str(part) for part in purpose)])
    return hashlib.sha256(text.encode()).digest()


def draw_between(low: int, high: int, seed: int, *purpose: str | int) -> int:
    """Return an integer from *low* to *high*, both possible; ``low <= high``."""
    span = high - low + 1
    return low + int.from_bytes(draw_bytes(seed, *purpose)[:16], "big") % span


def draw_normal_milli(seed: int, *purpose: str | int) -> int:
    """
    Return a standard normal deviate in thousandths: mean 0, standard deviation 1000, within 6000.

    The sum of twelve uniform 16-bit words (Irwin and Hall) less its mean has a standard deviation
    of one word's range, and needs no logarithm that could differ by machine.
    """
    words = draw_bytes(seed, *purpose)[: 2 * _WORDS]
    total = sum(int.from_bytes(words[2 * index : 2 * index + 2], "big") for index in range(_WORDS))
    centred = total - _WORDS * (WORD_RANGE - 1) // 2
    return centred * MILLI // WORD_RANGE
