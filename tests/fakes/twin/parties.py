"""Who acts around the twin ledger x: cells, attestors of ledger y, accounts; and its birth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fakes.microgrid import key
from fakes.trade_records import NETWORK_EPOCH
from fakes.trade_world import DOMAIN, MONEY, NETWORK_ID
from tieline.contract.genesis import Genesis, Parameters
from tieline.protocol.quorum import more_than_two_thirds
from tieline.swap.records import ZERO_HASH, CellSet, RegistryRow, Role
from tieline.wire import ids
from tieline.wire.keys import SecpKey
from tieline.wire.typed_data import sign_record

CELL = "cell x"
HOUSEHOLDS = ("ann", "amy", "abe", "bob", "ben", "bea", "sol", "sue")
FUNDED = (*HOUSEHOLDS, CELL, "connector", "relayer", "mallory")
TAG_Y, TAG_Z, TAG_GRID = b"\x0b" * 32, b"\x0d" * 32, b"\x0c" * 32
CLIENT = "attestations-0"
"""On x, of y."""
PEER_CLIENT = "attestations-7"
"""On y, of x."""
GENESIS_HASH = b"\x01" * 32
OUTFLOW_CAP = 250_000_000
"""nano-EUR: two received positions of the slot are below it, a third is above."""
PARAMETERS = Parameters(
    vault_shards=1, open_orders_per_account_max=8, outflow_cap_nano_eur=OUTFLOW_CAP
)
"""One shard: on the EVM a vault is one slot. Few orders an account, so that the cap is met."""


def account(name: str) -> bytes:
    """The account of a name's key on an EVM ledger."""
    return key(name).address


def genesis_of(
    chain_id: int,
    host: bytes,
    cell_names: tuple[str, ...],
    funded: tuple[str, ...] = FUNDED,
    parameters: Parameters = PARAMETERS,
) -> Genesis:
    """The birth of ledger x."""
    return Genesis(
        chain_id=str(chain_id),
        network_id=NETWORK_ID,
        cell_address=key(CELL).address,
        founding_cells=tuple(sorted(key(name).address for name in cell_names)),
        kind="evm",
        host_id=bytes(12) + host,
        balances=tuple(sorted((account(name), MONEY) for name in funded)),
        vaults=((account("connector"), MONEY),),
        parameters=parameters,
    )


@dataclass(frozen=True)
class Cells:
    """The cell set of x, y, the grid operator and perhaps more, and what they sign."""

    tag_x: bytes
    names: tuple[str, ...] = (CELL, "cell y", "cell z", "cell grid")

    @property
    def rows(self) -> tuple[RegistryRow, ...]:
        """Ascending by cell."""
        tags = {CELL: self.tag_x, "cell y": TAG_Y, "cell z": TAG_Z, "cell grid": TAG_GRID}
        rows = [
            RegistryRow(
                key(name).address, tags[name], Role.GRID if name == "cell grid" else Role.MICROGRID
            )
            for name in self.names
        ]
        return tuple(sorted(rows, key=lambda row: row.cell))

    @property
    def addresses(self) -> tuple[bytes, ...]:
        """Ascending."""
        return tuple(row.cell for row in self.rows)

    def record(self, **change: Any) -> CellSet:
        """The first set, or another."""
        fields: dict[str, Any] = {
            "previous": ZERO_HASH,
            "network_epoch": NETWORK_EPOCH,
            "epoch": 1,
            "cells_hash": ids.cells_hash(self.addresses),
            "registry_hash": ids.registry_hash(self.rows),
            "from_slot": 900,
        }
        return CellSet(**{**fields, **change})

    def set_id(self, epoch: int = 1) -> bytes:
        """The id of a set of these cells."""
        return ids.cell_set_id(NETWORK_ID, NETWORK_EPOCH, epoch, self.addresses)

    def bits(self, *names: str) -> int:
        """Bitmap of cells, all unless named."""
        places = self.addresses
        return sum(1 << places.index(key(name).address) for name in names or self.names)

    def sign(self, record: Any, names: tuple[str, ...] | None = None) -> tuple[bytes, ...]:
        """Signatures over a record, ascending by address; all cells unless named."""
        signers = sorted(map(key, self.names if names is None else names), key=_address)
        return tuple(sign_record(cell, DOMAIN, record) for cell in signers)


def attestors_of_y(count: int) -> list[SecpKey]:
    """The attestors' keys for ledger y, ascending by address; one a cell."""
    return sorted((key(f"attestor {place} of y") for place in range(count)), key=_address)


def attestors_needed(count: int) -> int:
    """How many of them must sign."""
    return more_than_two_thirds(count)


def _address(one: SecpKey) -> bytes:
    return one.address
