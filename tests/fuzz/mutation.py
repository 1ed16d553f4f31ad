"""Valid bytes made a little wrong, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Sequence

EDGES = (0, 1, 0x7F, 0x80, 0xFF)
WORDS = (
    b"\xff" * 9 + b"\x01",  # the largest varint
    b"\x80" * 10,  # a varint without an end
    b"\x0a\x00",
    b"\xff\xff\xff\xff\x0f",
    bytes(32),
    b"\xff" * 32,
    b"\xed\xa0\x80",  # half of a surrogate pair
)
LONGEST = 1 << 14


def mutated(samples: Sequence[bytes], seed: int) -> bytes:
    """Return one of *samples* after one to four changes."""
    draw = random.Random(seed)
    data = bytearray(draw.choice(samples))
    for _ in range(draw.choice((1, 1, 1, 2, 2, 3, 4))):
        draw.choice(CHANGES)(data, draw, samples)
    return bytes(data[:LONGEST])


def _place(data: bytearray, draw: random.Random) -> int:
    return draw.randrange(len(data) + 1)


def _flip(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    if data:
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)


def _replace(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    if data:
        data[draw.randrange(len(data))] = draw.choice((*EDGES, draw.randrange(256)))


def _insert(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    place = _place(data, draw)
    data[place:place] = draw.choice((*WORDS, draw.randbytes(draw.randrange(1, 9))))


def _cut(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    first, last = sorted((_place(data, draw), _place(data, draw)))
    del data[first : min(last, first + draw.choice((1, 2, 8, 64, LONGEST)))]


def _repeat(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    first, last = sorted((_place(data, draw), _place(data, draw)))
    part = data[first : min(last, first + 64)]
    data[last:last] = part * draw.choice((1, 1, 2, 16))


def _splice(data: bytearray, draw: random.Random, samples: Sequence[bytes]) -> None:
    other = draw.choice(samples)
    first = draw.randrange(len(other) + 1)
    place = _place(data, draw)
    data[place : place + draw.choice((0, 4, 32))] = other[first : first + draw.randrange(1, 129)]


def _renumber(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    """Make another field of one: the key before a length, most often."""
    if data:
        data[draw.randrange(len(data))] = draw.randrange(1, 17) << 3 | draw.choice((0, 1, 2, 5))


def _truncate(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    del data[_place(data, draw) :]


def _extend(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    data += draw.choice((b"\x00", b"\x20\x01", draw.randbytes(draw.randrange(1, 33))))


CHANGES = (
    _flip,
    _flip,
    _replace,
    _replace,
    _insert,
    _cut,
    _repeat,
    _splice,
    _renumber,
    _truncate,
    _extend,
)
