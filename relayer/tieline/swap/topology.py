"""
Who is who in one hub: ledgers, cells, meters, routes. Public; written into each run folder.
"""

from __future__ import annotations

from dataclasses import dataclass

from tieline.swap.evidence import SignedCellSet
from tieline.swap.records import AttestorKey


@dataclass(frozen=True, slots=True)
class SignedAttestorKey:
    """An attestor's key, signed by its cell and by itself."""

    record: AttestorKey
    cell_signature: bytes
    attestor_signature: bytes


@dataclass(frozen=True, slots=True)
class CellEntry:
    """One utility cell."""

    name: str
    ledger_id: str
    """Chain id of its ledger."""
    chain_tag: bytes
    """Of its ledger; names its zone of the network too."""
    address: bytes
    """EVM address of the key it signs records with."""
    role: int
    """1 microgrid, 2 grid."""


@dataclass(frozen=True, slots=True)
class MeterEntry:
    """One energy cell's meter and where it hangs."""

    name: str
    """Of the energy cell."""
    meter_id: bytes
    key: bytes
    """EVM address that signs its readings."""
    account: bytes
    """Account of the energy cell on its ledger."""
    chain_tag: bytes
    bus: int


@dataclass(frozen=True, slots=True)
class RouteEntry:
    """
    An ordered pair of ledgers that trade: energy flows to the source, money to the destination.
    """

    source_chain_tag: bytes
    dest_chain_tag: bytes
    source_client: str
    """On the source ledger, tracks the destination."""
    dest_client: str
    """On the destination ledger, tracks the source."""
    connector_in: bytes
    """Account on the source ledger."""
    connector_out: bytes
    """Account on the destination ledger."""


@dataclass(frozen=True, slots=True)
class NamedAccount:
    """An account that the report calls by a name."""

    chain_tag: bytes
    account: bytes
    name: str


@dataclass(frozen=True, slots=True)
class GateTerms:
    """How cautiously the gate judges; all cells and auditors use the same."""

    z_milli: int
    """Standard deviations of forecast error kept free, thousandths."""
    sigma_ppm: int
    """A bus's own forecast error as a share of its power."""
    common_ppm: int
    """The error that all buses share."""
    slack_corner_ppm: int
    """The set must hold with the slack voltage higher and lower by this."""
    unbalance_ppm: int
    """Taken from the band of buses up to 1 kV, millionths of a pu."""


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything public about a hub, fixed at its start."""

    network_id: bytes
    cells: tuple[CellEntry, ...]
    """Ascending address."""
    meters: tuple[MeterEntry, ...]
    boundary_meters: tuple[MeterEntry, ...]
    """At each cell's point of common coupling, in the order of ``cells``."""
    routes: tuple[RouteEntry, ...]
    attestor_keys: tuple[SignedAttestorKey, ...]
    cell_sets: tuple[SignedCellSet, ...]
    accounts: tuple[NamedAccount, ...]
    gate_terms: GateTerms
    network_table: bytes
    """Canonical integer table of the network (``docs/spec/network_bytes.md``)."""

    def cell_of(self, chain_tag: bytes) -> CellEntry:
        """Return the cell of a ledger. Raises KeyError for a stranger."""
        for cell in self.cells:
            if cell.chain_tag == chain_tag:
                return cell
        raise KeyError(chain_tag.hex())

    def route(self, source_chain_tag: bytes, dest_chain_tag: bytes) -> RouteEntry:
        """Return the route of an ordered pair. Raises KeyError where there is none."""
        for route in self.routes:
            if (route.source_chain_tag, route.dest_chain_tag) == (source_chain_tag, dest_chain_tag):
                return route
        raise KeyError(f"{source_chain_tag.hex()} -> {dest_chain_tag.hex()}")
