"""
What a cell keeps of each slot's evidence, and shows to relayers (``interfaces.bulletin``).

A record is kept only with the signatures it needs; on disk it is replaced as a whole, never edited.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from tieline.interfaces import bulletin
from tieline.interfaces.errors import ConfigError
from tieline.swap.evidence import Position, SignedReading, SlotEvidence
from tieline.swap.messages import ProvedVerdictLeaf
from tieline.swap.records import Allocation, Decision, OwnLeaf, Side, TradeEvidence
from tieline.swap.secret import HashLock
from tieline.swap.topology import Topology
from tieline.utility.sufficiency import (
    InsufficientEvidence,
    Objection,
    objection_to_evidence,
    signers_of_statement,
)
from tieline.wire.abi import (
    encode_allocation,
    encode_delivery_leaf,
    encode_id_leaf,
    encode_verdict_leaf,
)
from tieline.wire.canonical_json import canonical, parse
from tieline.wire.merkle import MerkleTree
from tieline.wire.typed_data import struct_hash


class SlotBoard:
    """
    The evidence of all slots, by slot start; implements ``interfaces.bulletin.Bulletin``.

    Args:
        topology: Who is who.
        folder: Where each slot's evidence is written; None keeps it in memory.
    """

    def __init__(self, topology: Topology, folder: Path | None = None) -> None:
        self._topology = topology
        self._folder = folder
        self._evidence: dict[int, SlotEvidence] = {}
        self._positions: dict[bytes, tuple[int, Position]] = {}
        self._preimages: dict[bytes, bytes] = {}
        self._readings: dict[tuple[int, bytes], SignedReading] = {}
        self._verdicts: dict[int, bulletin.PublishedVerdict] = {}
        self._revision = 0
        self._read_folder()

    @property
    def revision(self) -> int:
        """Rises with every publication."""
        return self._revision

    def _read_folder(self) -> None:
        """Take up what an earlier run wrote."""
        if self._folder is None or not self._folder.exists():
            return
        for path in sorted(self._folder.glob("*.json")):
            evidence = parse(SlotEvidence, path.read_bytes())
            wrong = self.objection(evidence)
            if wrong is not None:
                raise ConfigError(
                    f"evidence does not hold: {wrong[0]}: {wrong[1]}",
                    file=str(path),
                    instead="put the file back as it was, or remove it",
                )
            self._keep(evidence)

    def take_over(self, other: SlotBoard) -> None:
        """Take up what another board holds: after a restart, or after having been away."""
        for slot_start in other.slots():
            evidence = other.slot(slot_start)
            if evidence is None or self.slot(slot_start) is evidence:
                continue
            # Two statements can each have a quorum of three cells: then this board keeps its own.
            if self.objection(evidence) is None:
                self.put(evidence)

    def slot(self, slot_start: int) -> SlotEvidence | None:
        """Return the evidence of a slot as far as it has come."""
        return self._evidence.get(slot_start)

    def objection(self, evidence: SlotEvidence) -> Objection | None:
        """Return None if *evidence* would be kept, else rule and first difference."""
        known = self._evidence.get(evidence.slot_start)
        return objection_to_evidence(self._topology, evidence, known)

    def put(self, evidence: SlotEvidence) -> None:
        """
        Keep *evidence* in place of what was known of its slot, durably.

        Raises:
            InsufficientEvidence: Too few signatures, or they are not over what it says, or it
                takes back what is known. Nothing changes.
        """
        if self._evidence.get(evidence.slot_start) == evidence:
            return
        wrong = self.objection(evidence)
        if wrong is not None:
            raise InsufficientEvidence(*wrong)
        if self._folder is not None:
            write_durably(self._folder / f"{evidence.slot_start}.json", canonical(evidence))
        self._keep(evidence)

    def reading(self, slot_start: int, meter_id: bytes) -> SignedReading | None:
        """Return a meter's reading of a slot, None if the board holds none."""
        return self._readings.get((slot_start, meter_id))

    def keep_readings(self, slot_start: int, readings: Iterable[SignedReading]) -> None:
        """Remember readings of a slot; the next slot's energy is the difference to them."""
        for signed in readings:
            self._readings[slot_start, signed.reading.meter_id] = signed

    def reveal(self, trade_id: bytes, preimage: bytes) -> None:
        """
        Let relayers know a preimage.

        Raises:
            InsufficientEvidence: No delivery leaf of the trade yet, or it does not fit its lock.
        """
        found = self._positions.get(trade_id)
        evidence = None if found is None else self._evidence[found[0]]
        stated = () if evidence is None or evidence.delivery is None else evidence.delivery.leaves
        if found is None or all(leaf.trade_id != trade_id for leaf in stated):
            raise InsufficientEvidence("reveal", f"no delivery leaf of trade {trade_id.hex()}")
        if not HashLock(hashlock_of(found[1])).is_opened_by(preimage):
            raise InsufficientEvidence("reveal", f"does not open trade {trade_id.hex()}")
        if trade_id not in self._preimages:
            self._preimages[trade_id] = preimage
            self._revision += 1

    def position(self, trade_id: bytes) -> tuple[int, Position] | None:
        """Return the slot and position of a trade."""
        return self._positions.get(trade_id)

    def _keep(self, evidence: SlotEvidence) -> None:
        self._evidence[evidence.slot_start] = evidence
        for position in evidence.positions:
            self._positions[position.trade_id] = (evidence.slot_start, position)
        if evidence.delivery is not None:
            self.keep_readings(evidence.slot_start, evidence.delivery.readings)
            self.keep_readings(evidence.slot_start, evidence.delivery.boundary)
        self._revision += 1

    # The rest is what relayers read.

    def slots(self) -> Sequence[int]:
        """Return the starts of the slots with evidence, ascending."""
        return sorted(self._evidence)

    def cell_sets(self) -> Sequence[bulletin.PublishedCellSet]:
        """Return all cell sets, ascending epoch."""
        return [
            bulletin.PublishedCellSet(signed.cell_set, signed.rows, signed.signatures)
            for signed in self._topology.cell_sets
        ]

    def clearings(self, slot_start: int) -> Sequence[bulletin.PublishedClearing]:
        """Return a slot's sealed clearings; each is posted where its trades have a lock."""
        evidence = self._evidence.get(slot_start)
        if evidence is None:
            return ()
        return [
            bulletin.PublishedClearing(
                signed.clearing, signed.signatures, _touched(evidence, signed.clearing.level)
            )
            for signed in evidence.clearings
        ]

    def evidence(self, trade_id: bytes, chain_tag: bytes) -> TradeEvidence | None:
        """Return the evidence of a trade for the ledger *chain_tag*: its side, or both if local."""
        found = self._positions.get(trade_id)
        if found is None:
            return None
        slot_start, position = found
        own: tuple[Allocation, ...] = ()
        for side in sides_on(position, chain_tag):
            own += position.buyers if side is Side.BUY else position.sellers
        own = tuple(sorted(own, key=lambda allocation: allocation.order_id))
        tree = allocations_tree(position)
        leaves = tuple(OwnLeaf(leaf, tree.proof(encode_allocation(leaf))) for leaf in own)
        trades = [
            encode_id_leaf(other.trade_id)
            for other in self._evidence[slot_start].positions
            if level_of(other) == level_of(position)
        ]
        proof = MerkleTree(trades).proof(encode_id_leaf(trade_id))
        return TradeEvidence(trade_id, proof, leaves)

    def allocations(self, trade_id: bytes) -> Sequence[bulletin.SidedLeaf]:
        """Return all leaves of a trade, buyers then sellers."""
        found = self._positions.get(trade_id)
        if found is None:
            return ()
        position = found[1]
        tree = allocations_tree(position)
        return [
            bulletin.SidedLeaf(int(side), OwnLeaf(leaf, tree.proof(encode_allocation(leaf))))
            for side, leaves in ((Side.BUY, position.buyers), (Side.SELL, position.sellers))
            for leaf in leaves
        ]

    def verdict(self, slot_start: int) -> bulletin.PublishedVerdict | None:
        """Return the verdict of a slot, its decisions sorted into transactions."""
        if slot_start not in self._verdicts:
            evidence = self._evidence.get(slot_start)
            if evidence is None or evidence.verdict is None:
                return None
            self._verdicts[slot_start] = _grouped(evidence)
        return self._verdicts[slot_start]

    def deliveries(self, slot_start: int) -> Sequence[bulletin.PublishedDelivery]:
        """Return the delivery statements of a tick."""
        evidence = self._evidence.get(slot_start)
        if evidence is None or evidence.delivery is None:
            return ()
        published = evidence.delivery
        tree = MerkleTree(map(encode_delivery_leaf, published.leaves))
        leaves = tuple(
            bulletin.PublishedLeaf(leaf, tree.proof(encode_delivery_leaf(leaf)))
            for leaf in published.leaves
        )
        signers = signers_of_statement(self._topology, published)
        return [
            bulletin.PublishedDelivery(published.delivery, published.signatures, leaves, signers)
        ]

    def preimage(self, trade_id: bytes) -> bytes | None:
        """Return the preimage of a trade once its seller has revealed it."""
        return self._preimages.get(trade_id)


def level_of(position: Position) -> int:
    """Return the level of a position: 1 INTRA, 2 INTER, 4 GRID."""
    return 1 if position.packet is None else position.packet.level


def hashlock_of(position: Position) -> bytes:
    """Return the hash lock of a position."""
    if position.packet is not None:
        return position.packet.hashlock
    assert position.local is not None, "a position is a packet or local"
    return position.local.hashlock


def sides_on(position: Position, chain_tag: bytes) -> tuple[Side, ...]:
    """Return which sides of a position stand on a ledger; both for a local trade."""
    if position.packet is None:
        return (Side.BUY, Side.SELL)
    sides: tuple[Side, ...] = ()
    if position.packet.source_chain_tag == chain_tag:
        sides += (Side.BUY,)
    if position.packet.dest_chain_tag == chain_tag:
        sides += (Side.SELL,)
    return sides


def allocations_tree(position: Position) -> MerkleTree:
    """Return the tree over all allocations of a position, buyers and sellers."""
    return MerkleTree(map(encode_allocation, position.buyers + position.sellers))


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file as a whole: it is the old or the new one, whatever happens in between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(path.suffix + ".new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _touched(evidence: SlotEvidence, level: int) -> tuple[bytes, ...]:
    tags: set[bytes] = set()
    for position in evidence.positions:
        if level_of(position) != level:
            continue
        if position.packet is not None:
            tags |= {position.packet.source_chain_tag, position.packet.dest_chain_tag}
        else:
            tags.add(local_chain_tag(evidence, position))
    return tuple(sorted(tags))


def local_chain_tag(evidence: SlotEvidence, position: Position) -> bytes:
    """Return the ledger of a local trade: that of its orders."""
    wanted = position.buyers[0].order_id
    return next(
        signed.order.chain_tag for signed in evidence.orders if struct_hash(signed.order) == wanted
    )


def _grouped(evidence: SlotEvidence) -> bulletin.PublishedVerdict:
    published = evidence.verdict
    assert published is not None, "the caller looked"
    tree = MerkleTree(map(encode_verdict_leaf, published.leaves))
    groups: dict[tuple[bytes, int], list[ProvedVerdictLeaf]] = {}
    refusals: list[bulletin.VerdictGroup] = []
    for leaf in published.leaves:
        proved = ProvedVerdictLeaf(leaf, tree.proof(encode_verdict_leaf(leaf)))
        if leaf.decision == Decision.ACCEPT:
            groups.setdefault((leaf.dest_chain_tag, leaf.group), []).append(proved)
        else:
            refusals.append(bulletin.VerdictGroup(leaf.dest_chain_tag, 0, (proved,)))
    accepted = [
        bulletin.VerdictGroup(tag, group, tuple(leaves))
        for (tag, group), leaves in sorted(groups.items(), key=lambda item: item[0])
    ]
    return bulletin.PublishedVerdict(
        published.verdict,
        published.signatures,
        struct_hash(published.verdict),
        tuple(accepted + refusals),
    )
