"""
The forecast as cells commit to it: salted leaves under a zone's root, zone roots under one hash.

Sources:
    ``docs/spec/bytes.md`` (baselineHash).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tieline.wire.abi import encode_zone_leaf, encode_zone_root_leaf
from tieline.wire.merkle import merkle_root


@dataclass(frozen=True, slots=True)
class ZoneLeaf:
    """The forecast of one bus; the salt keeps others from guessing it."""

    salt: bytes
    """32 bytes, fresh a leaf."""
    bus: int
    p_milliwatt: int
    """Injection positive into the network."""
    q_millivar: int


def zone_root(leaves: Iterable[ZoneLeaf]) -> bytes:
    """Return a zone's root. Raises ValueError for no leaves or two equal ones."""
    return merkle_root(
        encode_zone_leaf(leaf.salt, leaf.bus, leaf.p_milliwatt, leaf.q_millivar) for leaf in leaves
    )


def baseline_hash(roots: Mapping[bytes, bytes]) -> bytes:
    """
    Return the hash of all zones.

    Args:
        roots: zone tag (the chain tag of the zone's cell) -> zone root.

    Raises:
        ValueError: No zones.
    """
    return merkle_root(encode_zone_root_leaf(tag, root) for tag, root in sorted(roots.items()))


def baseline_of(zones: Iterable[Iterable[ZoneLeaf]]) -> dict[int, tuple[int, int]]:
    """Return bus -> (milliwatt, millivar), what several leaves of a bus inject together."""
    totals: dict[int, tuple[int, int]] = {}
    for leaves in zones:
        for leaf in leaves:
            p, q = totals.get(leaf.bus, (0, 0))
            totals[leaf.bus] = (p + leaf.p_milliwatt, q + leaf.q_millivar)
    return dict(sorted(totals.items()))
