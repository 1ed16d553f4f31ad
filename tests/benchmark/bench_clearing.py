"""How long 100,000 orders take to clear. Prints one JSON line; a number, not a verdict."""

from __future__ import annotations

import json
import statistics
import time
from fractions import Fraction

import numpy as np

from tieline.market.mechanisms.k_double_auction import clear_arrays
from tieline.market.rationing import coin

ORDERS = 100_000
REPEATS = 15
PRICE_STEPS = {"distinct": 300_000, "centi_eur": 30, "one_price": 1}


def measure(steps: int) -> tuple[float, int]:
    """Return the median in ms, and the volume in Wh."""
    draw = np.random.default_rng(7)
    half = ORDERS // 2
    scale = 300_000 // steps
    bid_price = draw.integers(0, steps, half, dtype=np.int64) * scale + 1_000
    ask_price = draw.integers(0, steps, half, dtype=np.int64) * scale
    bid_wh = draw.integers(100, 5_000, half, dtype=np.int64)
    ask_wh = draw.integers(100, 5_000, half, dtype=np.int64)
    ids = [index.to_bytes(32, "big") for index in range(half)]

    def tie(index: int) -> bytes:
        return coin(b"seed", ids[index])

    took: list[float] = []
    volume = 0
    for _ in range(REPEATS):
        start = time.perf_counter()
        volume = clear_arrays(
            bid_price, bid_wh, ask_price, ask_wh, Fraction(1, 2), tie, tie
        ).energy_wh
        took.append((time.perf_counter() - start) * 1_000)
    return statistics.median(took), volume


def main() -> None:
    """Measure books with many, few and one price."""
    line: dict[str, object] = {"benchmark": "clearing", "orders": ORDERS}
    for name, steps in PRICE_STEPS.items():
        median, volume = measure(steps)
        line[f"{name}_ms"] = round(median, 2)
        line[f"{name}_wh"] = volume
    print(json.dumps(line))  # noqa: T201


if __name__ == "__main__":
    main()
