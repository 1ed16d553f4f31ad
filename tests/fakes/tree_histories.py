"""Long histories of a tree, drawn by number, for roots that Go's IAVL gave."""

from __future__ import annotations

from hashlib import sha256

HISTORIES = 6
VERSIONS = 60


def draw_history(number: int) -> list[list[tuple[bytes, bytes | None]]]:
    """Return operations by version: a key with its value, or None where it is removed."""
    held: set[bytes] = set()
    versions = []
    for version in range(VERSIONS):
        operations: list[tuple[bytes, bytes | None]] = []
        seed = sha256(b"%d/%d" % (number, version)).digest()
        # Histories that grow, that stay, and that shrink to nothing and grow again.
        shrinks = version // 10 % 3 == 2 if number % 2 else version % 4 == 3
        for index in range(seed[0] % 40):
            drawn = sha256(seed + bytes([index])).digest()
            known = sorted(held)
            if known and (drawn[0] < 200 if shrinks else drawn[0] < 40):
                key = known[int.from_bytes(drawn[1:5], "big") % len(known)]
                held.discard(key)
                operations.append((key, None))
            else:
                key = drawn[8 : 9 + number] if drawn[1] < 250 else drawn[8:28]
                held.add(key)
                operations.append((key, drawn[: 1 + drawn[2] % 32]))
        versions.append(operations)
    return versions
