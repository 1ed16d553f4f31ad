"""
Is the topology what the ledgers know? Its network table is the one that the cells signed, its cells
are those of the ledgers' registries, its meters hang in their own cell's zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tieline.audit.findings import Check, Findings, Place
from tieline.audit.light_client_states import LightClientRow
from tieline.audit.lock_endings import Ledgers
from tieline.audit.run_files import TOPOLOGY_FILE
from tieline.audit.signatures import Quorum, check_quorum
from tieline.contract.cell_sets import cell_set_key, decode_cell_set
from tieline.contract.keys import mandate_record_key
from tieline.power.network import Network
from tieline.power.network_bytes import network_from_bytes
from tieline.protocol.quorum import more_than_two_thirds
from tieline.swap.evidence import SignedCellSet
from tieline.swap.topology import CellEntry, MeterEntry, Topology
from tieline.wire import ids
from tieline.wire.canonical_json import parse
from tieline.wire.errors import Malformed
from tieline.wire.hashes import keccak, tag
from tieline.wire.typed_data import domain_separator, recover_signer_address

_FILE = Place(file=TOPOLOGY_FILE)


@dataclass(frozen=True, slots=True)
class World:
    """What is the same for all slots: who is who, the joint network, the ledgers at their end."""

    topology: Topology
    network: Network
    network_epoch: bytes
    """Recomputed from the network table."""
    ledgers: Ledgers
    domain: bytes

    @property
    def cells(self) -> tuple[bytes, ...]:
        """Addresses, ascending."""
        return tuple(cell.address for cell in self.topology.cells)

    def ledger_name(self, chain_tag: bytes) -> str:
        """Return the chain id of a ledger, or its tag if it is a stranger's."""
        history = self.ledgers.get(chain_tag)
        return chain_tag.hex() if history is None else history.chain_id

    def cell_set_of(self, slot_start: int) -> SignedCellSet | None:
        """Return the set with the largest ``from_slot`` that is not after the slot's start."""
        due = [row for row in self.topology.cell_sets if row.cell_set.from_slot <= slot_start]
        return max(due, key=lambda row: row.cell_set.from_slot, default=None)

    def cell_set_id(self, signed: SignedCellSet) -> bytes:
        """Return the id of a set."""
        cells = [row.cell for row in signed.rows]
        record = signed.cell_set
        return ids.cell_set_id(self.topology.network_id, record.network_epoch, record.epoch, cells)


def read_world(raw: bytes, ledgers: Ledgers, findings: Findings) -> World | None:
    """Read the topology; None if a finding says why it cannot be read."""
    try:
        topology = parse(Topology, raw)
        network = network_from_bytes(topology.network_table)
    except Malformed as error:
        findings.refuse(_FILE, Check.TOPOLOGY, "canonical topology", "a topology", error)
        return None
    findings.hold(Check.TOPOLOGY)
    return World(
        topology,
        network,
        keccak(topology.network_table),
        ledgers,
        domain_separator(topology.network_id),
    )


def check_topology(world: World, clients: Sequence[LightClientRow], findings: Findings) -> None:
    """Compare the topology with what the ledgers hold."""
    _check_cells(world, findings)
    for signed in world.topology.cell_sets:
        _check_cell_set(world, signed, findings)
    _check_meters(world, findings)
    _check_attestors(world, findings)
    _check_routes(world, clients, findings)
    _check_accounts(world, findings)


def _check_accounts(world: World, findings: Findings) -> None:
    """Check that meters and names stand for accounts that their ledger has seen."""
    known = {
        chain_tag: {key[1:21] for prefix in (b"a", b"w") for key, _ in history.scan(prefix)}
        for chain_tag, history in world.ledgers.items()
    }
    named = [(row.name, row.chain_tag, row.account) for row in world.topology.accounts]
    named += [(row.name, row.chain_tag, row.account) for row in world.topology.meters]
    for name, chain_tag, account in named:
        findings.require(
            Place(world.ledger_name(chain_tag), file=TOPOLOGY_FILE),
            Check.TOPOLOGY,
            f"account of {name}",
            holds=account in known.get(chain_tag, set()),
            expected="one that its ledger knows",
            found=account,
        )


def _check_cells(world: World, findings: Findings) -> None:
    topology = world.topology
    addresses = list(world.cells)
    findings.expect(_FILE, Check.TOPOLOGY, "cells ascending", sorted(set(addresses)), addresses)
    for history in world.ledgers.values():
        place = Place(history.chain_id, 1, file=TOPOLOGY_FILE)
        network_id = history.genesis.network_id
        findings.expect(place, Check.TOPOLOGY, "network id", network_id, topology.network_id)
        here = [cell for cell in topology.cells if cell.chain_tag == history.chain_tag]
        expected = (history.chain_id, history.genesis.cell_address, int(history.genesis.role))
        found = [(cell.ledger_id, cell.address, cell.role) for cell in here]
        findings.expect(place, Check.TOPOLOGY, "utility cell", [expected], found)
    for cell in topology.cells:
        findings.require(
            _FILE,
            Check.TOPOLOGY,
            f"ledger of cell {cell.name}",
            holds=cell.chain_tag in world.ledgers,
            expected="a ledger of the run",
            found=f"{cell.ledger_id} {cell.chain_tag.hex()}",
        )


def _check_cell_set(world: World, signed: SignedCellSet, findings: Findings) -> None:
    """Check a set's hashes and signatures, and that every ledger holds the same."""
    record, rows = signed.cell_set, signed.rows
    cells = [row.cell for row in rows]
    set_id = world.cell_set_id(signed)
    before = _set_before(world, record.previous)
    signers = cells if before is None else [row.cell for row in before.rows]
    quorum = Quorum(world.domain, signers, more_than_two_thirds)
    check_quorum(_FILE, Check.TOPOLOGY, record, signed.signatures, quorum, findings)
    try:
        hashes = (ids.cells_hash(cells), ids.registry_hash(rows))
    except Malformed as error:
        findings.refuse(_FILE, Check.TOPOLOGY, "rows of the cell set", "a registry", error)
        return
    name = f"hashes of cell set {record.epoch}"
    findings.expect(_FILE, Check.TOPOLOGY, name, hashes, (record.cells_hash, record.registry_hash))
    is_newest = signed is world.topology.cell_sets[-1]
    for history in world.ledgers.values():
        posted = next(
            (
                event.height
                for event in history.of_kind("cell_set_posted")
                if event["cell_set_id"] == set_id.hex()
            ),
            history.height,
        )
        place = Place(history.chain_id, posted, file=TOPOLOGY_FILE)
        if is_newest:
            findings.expect(
                place,
                Check.TOPOLOGY,
                f"network epoch of cell set {record.epoch}, as the network table hashes",
                world.network_epoch,
                record.network_epoch,
            )
        data = history.query(cell_set_key(set_id))
        stored = None if data is None else decode_cell_set(set_id, data)
        kept = None if stored is None else (stored.epoch, stored.from_slot, stored.rows)
        findings.expect(
            place,
            Check.TOPOLOGY,
            f"cell set {record.epoch} on the ledger",
            kept,
            (record.epoch, record.from_slot, rows),
        )


def _set_before(world: World, previous: bytes) -> SignedCellSet | None:
    for signed in world.topology.cell_sets:
        if world.cell_set_id(signed) == previous:
            return signed
    return None


def _check_meters(world: World, findings: Findings) -> None:
    """Check that a meter's id is that of its key, and that it hangs in its cell's zone."""
    cells = {cell.chain_tag: cell for cell in world.topology.cells}
    seen: set[bytes] = set()
    for meter in (*world.topology.meters, *world.topology.boundary_meters):
        rule = f"meter {meter.name}"
        findings.expect(
            _FILE,
            Check.TOPOLOGY,
            f"{rule}: id",
            ids.meter_id(meter.chain_tag, meter.key),
            meter.meter_id,
        )
        findings.require(
            _FILE,
            Check.TOPOLOGY,
            f"{rule}: once",
            holds=meter.meter_id not in seen,
            expected="once",
            found="twice",
        )
        seen.add(meter.meter_id)
        _check_bus(world, cells.get(meter.chain_tag), meter, findings)


def _check_bus(world: World, cell: CellEntry | None, meter: MeterEntry, findings: Findings) -> None:
    owners = {bus.index: world.network.owners[bus.owner] for bus in world.network.buses}
    aliases = dict(world.network.aliases)
    owner = owners.get(aliases.get(meter.bus, meter.bus))
    expected = None if cell is None else cell.address
    findings.expect(
        _FILE, Check.TOPOLOGY, f"meter {meter.name}: owner of bus {meter.bus}", owner, expected
    )


def _check_attestors(world: World, findings: Findings) -> None:
    for signed in world.topology.attestor_keys:
        record = signed.record
        pairs = (
            ("cell", record.cell, signed.cell_signature),
            ("attestor", record.attestor, signed.attestor_signature),
        )
        for who, address, signature in pairs:
            rule = f"attestor key of {record.cell.hex()[:8]}: signature of the {who}"
            try:
                signer = recover_signer_address(world.domain, record, signature)
            except Malformed as error:
                findings.refuse(_FILE, Check.TOPOLOGY, rule, "a signature", error)
                continue
            findings.expect(_FILE, Check.TOPOLOGY, rule, address, signer)
        findings.require(
            _FILE,
            Check.TOPOLOGY,
            "attestor key: cell and ledger",
            holds=record.cell in world.cells and record.chain_tag in world.ledgers,
            expected="a cell and a ledger of the run",
            found=f"{record.cell.hex()} {record.chain_tag.hex()}",
        )


def _check_routes(world: World, clients: Sequence[LightClientRow], findings: Findings) -> None:
    """Check that a route's clients follow its ledgers and name each other, and its mandate."""
    known = {(row.host, row.client_id): (row.tracked, row.counterparty) for row in clients}
    for route in world.topology.routes:
        source = world.ledger_name(route.source_chain_tag)
        destination = world.ledger_name(route.dest_chain_tag)
        ends = (
            (source, route.source_client, (destination, route.dest_client)),
            (destination, route.dest_client, (source, route.source_client)),
        )
        for host, client, expected in ends:
            place = Place(host, file=TOPOLOGY_FILE)
            rule = f"ledger and client that {client} is paired with"
            findings.expect(place, Check.TOPOLOGY, rule, known.get((host, client)), expected)
        mandate = ids.mandate_key(
            route.source_chain_tag, tag(route.dest_client), route.connector_in, route.connector_out
        )
        history = world.ledgers.get(route.dest_chain_tag)
        findings.require(
            Place(destination, file=TOPOLOGY_FILE),
            Check.TOPOLOGY,
            f"mandate of the route from {source}",
            holds=history is not None and history.query(mandate_record_key(mandate)) is not None,
            expected="a mandate on the ledger",
            found="none",
        )
