"""The forecast as cells commit to it."""

import pytest

from tieline.power.baseline import ZoneLeaf, baseline_hash, baseline_of, zone_root
from tieline.wire.hashes import keccak

LEAF = ZoneLeaf(b"\x01" * 32, 5, -1_500_000, 0)


def word(value: int) -> bytes:
    return value.to_bytes(32, "big", signed=True)


def test_one_leaf_is_the_root_and_its_bytes_are_the_specification_s() -> None:
    encoded = LEAF.salt + word(5) + word(-1_500_000) + word(0)
    root = keccak(keccak(encoded))
    assert zone_root([LEAF]) == root
    assert baseline_hash({b"\x07" * 32: root}) == keccak(keccak(b"\x07" * 32 + root))


def test_the_order_of_leaves_and_zones_does_not_matter() -> None:
    other = ZoneLeaf(b"\x02" * 32, 6, 7, 8)
    assert zone_root([LEAF, other]) == zone_root([other, LEAF])
    roots = {b"\x01" * 32: zone_root([LEAF]), b"\x02" * 32: zone_root([other])}
    assert baseline_hash(roots) == baseline_hash(dict(reversed(roots.items())))


def test_an_empty_zone_and_no_zones_have_no_hash() -> None:
    with pytest.raises(ValueError, match="empty"):
        zone_root([])
    with pytest.raises(ValueError, match="empty"):
        baseline_hash({})


def test_leaves_of_one_bus_add_up() -> None:
    other = ZoneLeaf(b"\x02" * 32, 5, 500_000, -3)
    assert baseline_of([[LEAF], [other]]) == {5: (-1_000_000, -3)}
