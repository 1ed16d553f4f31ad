"""Refusals of the identifiers; their values are held by the vectors."""

import pytest

from tieline.swap.records import RegistryRow
from tieline.wire import ids
from tieline.wire.errors import Malformed
from tieline.wire.hashes import keccak, tag

A, B, C = (bytes([number]) * 20 for number in (1, 2, 3))
TAG = b"\x09" * 32


def test_chain_tag_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(Malformed, match="kind"):
        ids.chain_tag("tendermint", "a-1", TAG)


def test_every_part_of_a_chain_tag_counts() -> None:
    tags = {
        ids.chain_tag("cometbft", "a-1", TAG),
        ids.chain_tag("sim", "a-1", TAG),
        ids.chain_tag("cometbft", "a-2", TAG),
        ids.chain_tag("cometbft", "a-1", bytes(32)),
        ids.chain_tag("cometbft", "a-1", TAG, TAG),
    }
    assert len(tags) == 5


@pytest.mark.parametrize(
    "cells", [(), (B, A), (A, A), (A, B[:19]), tuple(n.to_bytes(20) for n in range(1, 66))]
)
def test_cells_that_are_not_a_set_are_refused(cells: tuple[bytes, ...]) -> None:
    with pytest.raises(Malformed):
        ids.cells_hash(cells)


def test_sixty_four_cells_are_a_set() -> None:
    cells = tuple(number.to_bytes(20) for number in range(1, 65))
    assert ids.cells_hash(cells) == keccak(b"".join(cells))


@pytest.mark.parametrize("order", [(B, A), (A, A)])
def test_registry_rows_out_of_order_are_refused(order: tuple[bytes, bytes]) -> None:
    with pytest.raises(Malformed, match="ascending"):
        ids.registry_hash([RegistryRow(cell, TAG, 1) for cell in order])


def test_meter_id_counts_ledger_and_key() -> None:
    assert len({ids.meter_id(TAG, A), ids.meter_id(TAG, B), ids.meter_id(bytes(32), A)}) == 3
    padded = bytes(12) + A
    assert ids.meter_id(TAG, A) == keccak(tag("tieline/meter/v1") + TAG + padded)


def test_mandate_key_counts_every_part() -> None:
    keys = {
        ids.mandate_key(TAG, tag("a"), A, B),
        ids.mandate_key(bytes(32), tag("a"), A, B),
        ids.mandate_key(TAG, tag("b"), A, B),
        ids.mandate_key(TAG, tag("a"), C, B),
        ids.mandate_key(TAG, tag("a"), A, C),
    }
    assert len(keys) == 5


def test_estimate_hash_is_of_packed_rows() -> None:
    rows = [(TAG, -5), (b"\x0a" * 32, 7)]
    packed = TAG + b"\xff" * 7 + b"\xfb" + b"\x0a" * 32 + bytes(7) + b"\x07"
    assert ids.estimate_hash(rows) == keccak(packed)
    with pytest.raises(Malformed):
        ids.estimate_hash([(TAG[:31], 1)])
    with pytest.raises(Malformed):
        ids.estimate_hash([(TAG, 1), (TAG, 2)])
    assert ids.estimate_hash([]) == keccak(b"")
