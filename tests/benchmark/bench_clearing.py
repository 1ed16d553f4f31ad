"""How long 100,000 integer orders take to clear, with many, few and one price."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from clock import at_most, best_of, report

from tieline.market.mechanisms.k_double_auction import ArrayFills, clear_arrays
from tieline.market.rationing import coin

ORDERS = 100_000
ROUNDS = 25
LONGEST_MS = 25
PRICE_STEPS = {"distinct": 300_000, "centi_eur": 30, "one_price": 1}


def measure(name: str, steps: int) -> None:
    """Clear one book again and again."""
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

    def clear() -> ArrayFills:
        return clear_arrays(bid_price, bid_wh, ask_price, ask_wh, Fraction(1, 2), tie, tie)

    took = best_of(ROUNDS, clear)
    report(
        f"clearing.{name}",
        took.cpu_s * 1e3,
        "ms",
        at_most(LONGEST_MS),
        orders=ORDERS,
        wall_ms=round(took.wall_s * 1e3, 2),
        volume_wh=clear().energy_wh,
        clock="CPU, best of rounds",
    )


def main() -> None:
    """Measure all books."""
    for name, steps in PRICE_STEPS.items():
        measure(name, steps)


if __name__ == "__main__":
    main()
