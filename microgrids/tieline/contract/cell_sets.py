"""
A stored cell set: the utility cells whose feeders are electrically joined, in the order of their
addresses. Bit i of every signer bitmap is the i-th cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from tieline.swap.records import ZERO_HASH, RegistryRow, Role

_HEAD = Struct(">32s32sQQ32s")
_ROW = Struct(">20s32sB")


@dataclass(frozen=True, slots=True)
class StoredCellSet:
    """A cell set with its registry rows, as this ledger keeps it."""

    cell_set_id: bytes
    previous: bytes
    network_epoch: bytes
    epoch: int
    from_slot: int
    successor: bytes
    """32 zero bytes while it is the newest."""
    rows: tuple[RegistryRow, ...]
    """Ascending by cell."""

    @property
    def cells(self) -> tuple[bytes, ...]:
        """EVM addresses, ascending."""
        return tuple(row.cell for row in self.rows)

    @property
    def is_newest(self) -> bool:
        """Whether no set follows it."""
        return self.successor == ZERO_HASH

    def bit_of_cell(self, cell: bytes) -> int:
        """Return the bit of a cell's address; 0 if it is not a member."""
        return next((1 << i for i, row in enumerate(self.rows) if row.cell == cell), 0)

    def bit_of_chain(self, chain_tag: bytes) -> int:
        """Return the bit of the cell that answers for a ledger; 0 if none does."""
        return next((1 << i for i, row in enumerate(self.rows) if row.chain_tag == chain_tag), 0)

    def grid_bits(self) -> int:
        """Return the bits of the grid operator's cells."""
        return sum(1 << i for i, row in enumerate(self.rows) if row.role == Role.GRID)

    def owners_required(self, *chain_tags: bytes) -> int:
        """
        Return the bits that a decision on a trade between these ledgers needs: their cells and the
        grid operator's. 0 if one of the ledgers has no cell in this set.
        """
        bits = [self.bit_of_chain(tag) for tag in chain_tags]
        if not all(bits):
            return 0
        required = self.grid_bits()
        for bit in bits:
            required |= bit
        return required


def cell_set_key(cell_set_id: bytes) -> bytes:
    """Return the key of a cell set, store ``tieline``."""
    return b"s" + cell_set_id


NEWEST_CELL_SET_KEY = b"s"
"""Holds the id of the newest cell set."""


def cell_set_use_key(cell_set_id: bytes) -> bytes:
    """Return the key of the latest slot for which a set has sealed anything here."""
    return b"s" + cell_set_id + b"u"


def encode_cell_set(stored: StoredCellSet) -> bytes:
    """Return the stored bytes: previous, network epoch, epoch, first slot, successor, rows."""
    head = _HEAD.pack(
        stored.previous, stored.network_epoch, stored.epoch, stored.from_slot, stored.successor
    )
    rows = (_ROW.pack(row.cell, row.chain_tag, row.role) for row in stored.rows)
    return head + b"".join(rows)


def decode_cell_set(cell_set_id: bytes, data: bytes) -> StoredCellSet:
    """Read what ``encode_cell_set`` made."""
    previous, network_epoch, epoch, from_slot, successor = _HEAD.unpack_from(data)
    rows = tuple(RegistryRow(*fields) for fields in _ROW.iter_unpack(data[_HEAD.size :]))
    return StoredCellSet(cell_set_id, previous, network_epoch, epoch, from_slot, successor, rows)
