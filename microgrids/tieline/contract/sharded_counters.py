"""
A bounded sum split over several keys, so that transactions meet only by chance. The bound is shared
out evenly; who finds a part full goes on to the next, so the whole bound can be used.
"""

from __future__ import annotations

from collections.abc import Sequence

from tieline.contract.records import decode_amount, encode_amount
from tieline.contract.store import KeyValues, Readable


def counted(state: Readable, keys: Sequence[bytes]) -> int:
    """Return the whole sum."""
    return sum(_part(state, key) for key in keys)


def _part(state: Readable, key: bytes) -> int:
    value = state.get(key)
    return 0 if value is None else decode_amount(value)


def count_up(state: KeyValues, keys: Sequence[bytes], start: int, amount: int, bound: int) -> bool:
    """Add *amount*, from part *start* on, if the whole stays within *bound*; say whether it did."""
    each, rest = divmod(bound, len(keys))
    changes: list[tuple[bytes, int]] = []
    left = amount
    for step in range(len(keys)):
        if not left:
            break
        index = (start + step) % len(keys)
        part = _part(state, keys[index])
        room = each + (rest if index == 0 else 0) - part
        taken = min(left, max(room, 0))
        if taken:
            changes.append((keys[index], part + taken))
            left -= taken
    if left:
        return False
    for key, part in changes:
        state.set(key, encode_amount(part))
    return True


def count_up_unbounded(state: KeyValues, key: bytes, amount: int) -> None:
    """Add *amount* to one part, past every bound: what comes back is never refused."""
    state.set(key, encode_amount(_part(state, key) + amount))


def count_down(state: KeyValues, keys: Sequence[bytes], start: int, amount: int) -> None:
    """Take *amount* off, from part *start* on. The parts together hold it."""
    left = amount
    for step in range(len(keys)):
        if not left:
            return
        key = keys[(start + step) % len(keys)]
        part = _part(state, key)
        taken = min(left, part)
        if taken:
            state.set(key, encode_amount(part - taken))
            left -= taken
    assert not left, "no more is taken off than was counted"
