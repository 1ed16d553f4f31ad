"""
Which heights a client holds, as a chain: each names the next below and the next above.

So time can be checked against both neighbours and the oldest be forgotten without a range query,
which a Fabric transaction that writes may not make.

    neighbours/{rev}-{height}      four uint64: revision and height below, then above; zeros: none
    earliest                       two uint64: the lowest height held
"""

from __future__ import annotations

from struct import Struct

from tieline.protocol.client import ClientStore
from tieline.protocol.height import Height

STEPS_MAX = 4096
"""
A header that is filled in behind this many newer ones is refused: its cost would be unbounded.
"""

_EARLIEST_KEY = b"earliest"
_PAIR = Struct(">QQQQ")
_ONE = Struct(">QQ")


class TooFarBack(Exception):
    """Above the height lie too many others."""


def begin(store: ClientStore, height: Height) -> None:
    """Hold the first height."""
    _write(store, height, None, None)
    store.set(_EARLIEST_KEY, _ONE.pack(*_numbers(height)))


def find_neighbours(
    store: ClientStore, height: Height, latest: Height
) -> tuple[Height | None, Height | None]:
    """
    Return the heights held next below *height*, and next above or at it.

    Args:
        store: The client's.
        height: Asked about.
        latest: Held; where the search begins, downwards.

    Raises:
        TooFarBack: See there.
    """
    below: Height | None = latest
    above: Height | None = None
    for _ in range(STEPS_MAX):
        if below is None or below < height:
            return below, above
        above = below
        below = _read(store, below)[0]
    raise TooFarBack


def insert(store: ClientStore, height: Height, below: Height | None, above: Height | None) -> None:
    """Hold *height*, between the two neighbours that were found."""
    _write(store, height, below, above)
    if below is None:
        store.set(_EARLIEST_KEY, _ONE.pack(*_numbers(height)))
    else:
        _write(store, below, _read(store, below)[0], height)
    if above is not None:
        _write(store, above, height, _read(store, above)[1])


def earliest(store: ClientStore) -> Height:
    """Return the lowest height held."""
    data = store.get(_EARLIEST_KEY)
    assert data is not None, "client without states"
    return Height(*_ONE.unpack(data))


def forget_earliest(store: ClientStore) -> Height:
    """Let go of the lowest height and return it; there are at least two."""
    height = earliest(store)
    above = _read(store, height)[1]
    assert above is not None, "the only consensus state is never dropped"
    store.delete(_key(height))
    _write(store, above, None, _read(store, above)[1])
    store.set(_EARLIEST_KEY, _ONE.pack(*_numbers(above)))
    return height


def _key(height: Height) -> bytes:
    return b"neighbours/" + str(height).encode()


def _height(revision: int, block: int) -> Height | None:
    return Height(revision, block) if block else None


def _numbers(height: Height | None) -> tuple[int, int]:
    return (height.revision_number, height.revision_height) if height else (0, 0)


def _read(store: ClientStore, height: Height) -> tuple[Height | None, Height | None]:
    data = store.get(_key(height))
    assert data is not None, f"consensus state without neighbours: {height}"
    below_revision, below, above_revision, above = _PAIR.unpack(data)
    return _height(below_revision, below), _height(above_revision, above)


def _write(store: ClientStore, height: Height, below: Height | None, above: Height | None) -> None:
    store.set(_key(height), _PAIR.pack(*_numbers(below), *_numbers(above)))
