"""
Which subsets of a batch must be solved: every one of them can come true, because acknowledgements
are delivered one transaction at a time.

A subset is a column of zeros and ones over the groups; a group is all or none.

Sources:
    ``docs/spec/physics.md`` 2 (worst subsets; groups).
"""

from __future__ import annotations

import numpy as np

from tieline.power.admittance import Floats

GROUPS_EXHAUSTIVE_MAX = 10
"""Up to here every union is solved: 1,024 candidates a corner, milliseconds."""


def all_unions(count: int) -> Floats:
    """Return all subsets of *count* groups as columns, (count, 2**count); the empty one first."""
    numbers = np.arange(2**count, dtype=np.int64)
    bits = np.right_shift(numbers, np.arange(count, dtype=np.int64)[:, None])
    return np.asarray(np.bitwise_and(bits, 1), dtype=np.float64)


def worst_unions(room_per_group: Floats) -> Floats:
    """
    Return the subsets that are worst for some limit to first order, and the empty and full ones.

    For each limit the groups that help it are dropped. About as many columns come out as limits
    pull in different directions, not 2**groups.

    Args:
        room_per_group: (limits, groups): how the room of a limit changes when the whole group
            takes place.

    Returns:
        (groups, k), distinct columns; the empty one first, the full one second.
    """
    count = room_per_group.shape[1]
    patterns = (room_per_group < 0).astype(np.float64)
    ends = np.array([np.zeros(count), np.ones(count)])
    rows, places = np.unique(np.concatenate([ends, patterns]), axis=0, return_index=True)
    return np.ascontiguousarray(rows[np.argsort(places)].T)


def subsets_of(room_per_group: Floats, *, exhaustive: bool) -> Floats:
    """Return all unions for few groups when asked, else the worst ones."""
    count = room_per_group.shape[1]
    if exhaustive and count <= GROUPS_EXHAUSTIVE_MAX:
        return all_unions(count)
    return worst_unions(room_per_group)
