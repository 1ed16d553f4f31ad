"""
Solving with a sparse admittance matrix for many right-hand sides, row by row.

A feeder is a tree, so elimination in the right order fills in nothing and a solve costs 3 n row
operations in place of n x n products. Numpy only, one thread: a matrix product of this size would
wake BLAS's other threads, which on a busy machine costs ten times what it brings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Complexes = NDArray[np.complex128]
Floats = NDArray[np.float64]

EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Elimination:
    """Factors of a matrix without pivoting; admittance matrices are diagonally strong."""

    forward: tuple[tuple[int, tuple[tuple[int, complex], ...]], ...]
    """(pivot, ((row, factor), ...)) in the order of elimination."""
    backward: tuple[tuple[int, complex, tuple[tuple[int, complex], ...]], ...]
    """(pivot, inverse of the diagonal, ((column, entry), ...)), last pivot first."""
    backward_error: Floats
    """(n, n): |computed matrix - true matrix| that any solve behaves as, entry by entry."""

    def solve(self, x: Complexes, spare: Complexes) -> None:
        """
        Solve in place.

        Args:
            x: (n, m) right-hand sides; becomes the solutions.
            spare: (m,) work space.
        """
        rows = list(x)
        for pivot, entries in self.forward:
            source = rows[pivot]
            for row, factor in entries:
                np.multiply(source, factor, out=spare)
                target = rows[row]
                np.subtract(target, spare, out=target)
        for pivot, inverse, entries in self.backward:
            target = rows[pivot]
            for column, entry in entries:
                np.multiply(rows[column], entry, out=spare)
                np.subtract(target, spare, out=target)
            np.multiply(target, inverse, out=target)


def eliminate(Y: Complexes) -> Elimination:
    """Factor a square matrix, each time the bus with the fewest neighbours left."""
    n = len(Y)
    rows: list[dict[int, complex]] = [
        {int(column): complex(Y[row, column]) for column in np.flatnonzero(Y[row])}
        for row in range(n)
    ]
    columns: list[set[int]] = [set() for _ in range(n)]
    for row, entries in enumerate(rows):
        for column in entries:
            columns[column].add(row)
    left = set(range(n))
    forward: list[tuple[int, tuple[tuple[int, complex], ...]]] = []
    backward: list[tuple[int, complex, tuple[tuple[int, complex], ...]]] = []
    lower, upper = np.eye(n), np.zeros((n, n))
    while left:
        pivot = min(left, key=lambda bus: (len(columns[bus]) + len(rows[bus]), bus))
        left.remove(pivot)
        diagonal = rows[pivot][pivot]
        ahead = tuple(
            (column, rows[pivot][column]) for column in sorted(rows[pivot]) if column in left
        )
        factors: list[tuple[int, complex]] = []
        for row in sorted(columns[pivot] & left):
            factor = rows[row].pop(pivot) / diagonal
            factors.append((row, factor))
            for column, entry in ahead:
                rows[row][column] = rows[row].get(column, 0j) - factor * entry
                columns[column].add(row)
            lower[row, pivot] = abs(factor)
        for column, entry in ahead:
            columns[column].discard(pivot)
            upper[pivot, column] = abs(entry)
        upper[pivot, pivot] = abs(diagonal)
        forward.append((pivot, tuple(factors)))
        backward.append((pivot, 1 / diagonal, ahead))
    width = max((len(row[1]) for row in forward), default=0) + max(
        (len(row[2]) for row in backward), default=0
    )
    # Substitution and factors both behave as a matrix off by gamma |L| |U| (Higham, 9.3 and 9.4);
    # complex arithmetic rounds less than four times worse than real.
    gamma = 16 * (width + 4) * EPSILON
    return Elimination(tuple(forward), tuple(reversed(backward)), gamma * (lower @ upper))
