"""
Whether published evidence stands on signatures enough, and whether they say what it says.

A board keeps nothing else. Pure functions: a topology and two records in, an objection out.

Sources:
    ``docs/spec/trust.md`` 3; ``docs/spec/bytes.md`` (Clearing, Verdict, Delivery).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from tieline.power.flow_proof import flow_proof_hash
from tieline.protocol.quorum import byzantine_majority, more_than_two_thirds
from tieline.swap.evidence import (
    Position,
    PublishedDelivery,
    PublishedVerdict,
    SignedCellSet,
    SlotEvidence,
    Zone,
)
from tieline.swap.records import ZERO_HASH, Decision, Level
from tieline.swap.topology import Topology
from tieline.wire.abi import (
    encode_allocation,
    encode_delivery_leaf,
    encode_id_leaf,
    encode_pending_leaf,
    encode_verdict_leaf,
    encode_zone_leaf,
    encode_zone_root_leaf,
)
from tieline.wire.errors import Malformed
from tieline.wire.hashes import keccak
from tieline.wire.ids import cell_set_id, setpoints_hash, trade_id
from tieline.wire.merkle import merkle_root
from tieline.wire.typed_data import (
    SignedRecord,
    domain_separator,
    order_id,
    recover_signer_address,
    struct_hash,
)

TICK_S = 900
Objection = tuple[str, str]
"""Rule, first difference."""
Facts = Iterator[tuple[str, object, object]]
"""Rule, what it must be, what it is."""


class InsufficientEvidence(Exception):
    """Evidence that no board keeps: too few signatures, or not over what it says."""

    def __init__(self, rule: str, first_difference: str) -> None:
        super().__init__(f"{rule}: {first_difference}")
        self.rule = rule
        self.first_difference = first_difference


@dataclass(frozen=True, slots=True)
class _Set:
    """A slot's cell set, as its signatures are counted."""

    domain: bytes
    cell_set_id: bytes
    epoch: int
    network_epoch: bytes
    cells: tuple[bytes, ...]
    """EVM addresses, ascending."""


def objection_to_evidence(
    topology: Topology, evidence: SlotEvidence, known: SlotEvidence | None
) -> Objection | None:
    """
    Return None if *evidence* may take the place of *known*, else rule and first difference.

    What was sealed, judged or stated once is never taken back or replaced by something else.
    """
    try:
        return _taken_back(evidence, known) or _first_wrong(topology, evidence)
    except (Malformed, ValueError, KeyError, IndexError) as error:
        return "form", f"{type(error).__name__}: {error}"


def signers_of_statement(topology: Topology, shown: PublishedDelivery) -> int:
    """
    Return who signed a statement that was found good: bit i is the i-th cell of its set, ascending.

    Raises:
        Malformed, ValueError: It was not found good.
    """
    record = shown.delivery
    cells = _cells_of_slot(topology, record.slot_start)
    signers = (recover_signer_address(cells.domain, record, row) for row in shown.signatures)
    return sum(1 << cells.cells.index(signer) for signer in signers)


def _taken_back(evidence: SlotEvidence, known: SlotEvidence | None) -> Objection | None:
    if known is None:
        return None
    if _sealed_part(known) != _sealed_part(evidence):
        return "clearing", f"another one is sealed for slot {known.slot_start}"
    if known.verdict is not None and not _is_same(known.verdict, evidence.verdict):
        return "verdict", f"another one stands for slot {known.slot_start}"
    if known.delivery is not None and not _is_same(known.delivery, evidence.delivery):
        return "delivery statement", f"another one stands for slot {known.slot_start}"
    return None


def _sealed_part(evidence: SlotEvidence) -> SlotEvidence:
    """Return orders, positions and clearings alone; who signed them may differ."""
    bare = tuple(replace(signed, signatures=()) for signed in evidence.clearings)
    return replace(evidence, clearings=bare, verdict=None, delivery=None)


def _is_same(
    known: PublishedVerdict | PublishedDelivery, shown: PublishedVerdict | PublishedDelivery | None
) -> bool:
    return shown is not None and replace(known, signatures=()) == replace(shown, signatures=())


def _first_wrong(topology: Topology, evidence: SlotEvidence) -> Objection | None:
    cells = _cells_of_slot(topology, evidence.slot_start)
    wrong = _differing(_facts_of_clearings(evidence, cells))
    for signed in evidence.clearings:
        wrong = wrong or _unsigned(
            "clearing", signed.clearing, signed.signatures, cells, more_than_two_thirds
        )
    if wrong or evidence.verdict is None:
        return wrong or (("verdict", "missing") if evidence.delivery is not None else None)
    wrong = _differing(_facts_of_verdict(evidence, evidence.verdict, cells))
    wrong = wrong or _unsigned(
        "verdict",
        evidence.verdict.verdict,
        evidence.verdict.signatures,
        cells,
        more_than_two_thirds,
    )
    wrong = wrong or _owner_missing(evidence.verdict, cells)
    if wrong or evidence.delivery is None:
        return wrong
    wrong = _differing(_facts_of_delivery(evidence.verdict, evidence.delivery, cells))
    wrong = wrong or _over_cap(evidence.verdict, evidence.delivery)
    return wrong or _unsigned(
        "delivery statement",
        evidence.delivery.delivery,
        evidence.delivery.signatures,
        cells,
        byzantine_majority,
    )


def _cells_of_slot(topology: Topology, slot_start: int) -> _Set:
    """Return the set with the largest ``from_slot`` <= *slot_start*."""
    sets = [row for row in topology.cell_sets if row.cell_set.from_slot <= slot_start]
    if not sets:
        raise ValueError(f"no cell set answers for slot {slot_start}")
    signed: SignedCellSet = max(sets, key=lambda row: row.cell_set.from_slot)
    cells = tuple(row.cell for row in signed.rows)
    record = signed.cell_set
    return _Set(
        domain_separator(topology.network_id),
        cell_set_id(topology.network_id, record.network_epoch, record.epoch, cells),
        record.epoch,
        record.network_epoch,
        cells,
    )


def _facts_of_clearings(evidence: SlotEvidence, cells: _Set) -> Facts:
    """Yield what clearings, positions and orders must say of one another."""
    by_level: dict[int, list[bytes]] = {}
    for position in evidence.positions:
        by_level.setdefault(_level(position), []).append(position.trade_id)
        yield "trade id", _trade_id(evidence, position), position.trade_id
    levels = [signed.clearing.level for signed in evidence.clearings]
    yield "levels of the clearings", sorted(by_level) or [0], levels
    orders_root = merkle_root(encode_id_leaf(order_id(row.order)) for row in evidence.orders)
    for signed in evidence.clearings:
        record = signed.clearing
        named = (record.cell_set_id, record.epoch, record.slot_start, record.slot_length)
        yield (
            "cell set and slot of the clearing",
            (cells.cell_set_id, cells.epoch, evidence.slot_start, evidence.slot_length),
            named,
        )
        yield "orders root", orders_root, record.orders_root
        root = merkle_root(map(encode_id_leaf, by_level[record.level]))
        yield "trades root", root, record.trades_root


def _facts_of_verdict(evidence: SlotEvidence, shown: PublishedVerdict, cells: _Set) -> Facts:
    """Yield what a verdict must say of the evidence beside it."""
    record = shown.verdict
    proofs = [(row.number, keccak(row.flow_proof)) for row in shown.gate.scenarios]
    yield (
        "cell set, slot and network epoch of the verdict",
        (cells.cell_set_id, cells.epoch, evidence.slot_start, TICK_S, cells.network_epoch),
        (
            record.cell_set_id,
            record.epoch,
            record.slot_start,
            record.slot_length,
            record.network_epoch,
        ),
    )
    yield "baseline hash", baseline_hash(shown.baseline), record.baseline_hash
    yield "pending root", merkle_root(map(encode_pending_leaf, shown.pending)), record.pending_root
    yield (
        "decisions root",
        merkle_root(map(encode_verdict_leaf, shown.leaves)),
        record.decisions_root,
    )
    yield (
        "flow proof hash",
        flow_proof_hash(proofs) if proofs else ZERO_HASH,
        record.flow_proof_hash,
    )
    points = setpoints_hash(shown.setpoints) if shown.setpoints else ZERO_HASH
    yield "set points hash", points, record.setpoints_hash
    trades = {position.trade_id for position in evidence.positions}
    strange = [leaf.trade_id.hex() for leaf in shown.leaves if leaf.trade_id not in trades]
    yield "decisions on trades that were not sealed", [], strange


def _facts_of_delivery(verdict: PublishedVerdict, shown: PublishedDelivery, cells: _Set) -> Facts:
    """Yield what a statement must say of the verdict and of the readings beside it."""
    record = shown.delivery
    yield (
        "cell set and slot of the statement",
        (cells.cell_set_id, cells.epoch, verdict.verdict.slot_start, TICK_S),
        (record.cell_set_id, record.epoch, record.slot_start, record.slot_length),
    )
    yield "verdict hash", struct_hash(verdict.verdict), record.verdict_hash
    for name, rows, root in (
        ("readings root", shown.readings, record.readings_root),
        ("boundary root", shown.boundary, record.boundary_root),
    ):
        yield name, merkle_root(encode_id_leaf(struct_hash(row.reading)) for row in rows), root
    yield "estimate hash", estimate_hash(shown.estimates), record.estimate_hash
    yield (
        "deliveries root",
        merkle_root(map(encode_delivery_leaf, shown.leaves)),
        record.deliveries_root,
    )


def baseline_hash(baseline: Sequence[Zone]) -> bytes:
    """Return the root over the zones' roots."""
    return merkle_root(
        encode_zone_root_leaf(
            zone.zone_tag,
            merkle_root(
                encode_zone_leaf(leaf.salt, leaf.bus, leaf.p_milliwatt, leaf.q_millivar)
                for leaf in zone.leaves
            ),
        )
        for zone in baseline
    )


def estimate_hash(rows: Iterable[tuple[bytes, int]]) -> bytes:
    """Return the hash over meter ids and estimated Wh, in the order given."""
    return keccak(b"".join(key + wh.to_bytes(8, "big", signed=True) for key, wh in rows))


def _differing(facts: Facts) -> Objection | None:
    for rule, expected, found in facts:
        if expected != found:
            return rule, f"{_show(found)} instead of {_show(expected)}"
    return None


def _unsigned(
    what: str,
    record: SignedRecord,
    signatures: Sequence[bytes],
    cells: _Set,
    needed: Callable[[int], int],
) -> Objection | None:
    """Count signatures: each of a cell of the set, ascending, enough of them."""
    try:
        signers = [recover_signer_address(cells.domain, record, row) for row in signatures]
    except Malformed as error:
        return f"signatures of the {what}", str(error)
    for signer in signers:
        if signer not in cells.cells:
            return f"signatures of the {what}", f"{signer.hex()} is no cell of the set"
    if any(left >= right for left, right in pairwise(signers)):
        return f"signatures of the {what}", "not in ascending order"
    least = needed(len(cells.cells))
    if len(signers) < least:
        return f"signatures of the {what}", f"{len(signers)} of at least {least}"
    return None


def _owner_missing(shown: PublishedVerdict, cells: _Set) -> Objection | None:
    """Find an accept leaf whose owner did not sign; call when the signatures are good."""
    signers = {recover_signer_address(cells.domain, shown.verdict, row) for row in shown.signatures}
    for leaf in shown.leaves:
        if leaf.decision != Decision.ACCEPT:
            continue
        for place, cell in enumerate(cells.cells):
            if leaf.owners >> place & 1 and cell not in signers:
                return "owners", f"{cell.hex()} did not sign for trade {leaf.trade_id.hex()}"
    return None


def _over_cap(verdict: PublishedVerdict, shown: PublishedDelivery) -> Objection | None:
    caps = {leaf.trade_id: leaf.cap_wh for leaf in verdict.leaves}
    for leaf in shown.leaves:
        cap = caps.get(leaf.trade_id, 0)
        if leaf.delivered_wh > cap:
            return "cap", f"trade {leaf.trade_id.hex()}: {leaf.delivered_wh} Wh above {cap}"
    return None


def _trade_id(evidence: SlotEvidence, position: Position) -> bytes:
    """Return the id that a position's allocations and hash lock give."""
    root = merkle_root(map(encode_allocation, position.buyers + position.sellers))
    packet, local = position.packet, position.local
    if packet is not None:
        source, destination, hashlock = (
            packet.source_chain_tag,
            packet.dest_chain_tag,
            packet.hashlock,
        )
    else:
        if local is None:
            raise ValueError("a position is a packet or local")
        source = destination = _ledger_of_order(evidence, position.buyers[0].order_id)
        hashlock = local.hashlock
    return trade_id(
        source,
        destination,
        evidence.slot_start,
        evidence.slot_length,
        _level(position),
        root,
        hashlock,
    )


def _ledger_of_order(evidence: SlotEvidence, wanted: bytes) -> bytes:
    for row in evidence.orders:
        if order_id(row.order) == wanted:
            return row.order.chain_tag
    raise KeyError(f"no order {wanted.hex()}")


def _level(position: Position) -> int:
    return int(Level.INTRA if position.packet is None else position.packet.level)


def _show(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
