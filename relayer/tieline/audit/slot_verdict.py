"""
A slot's verdict: every hash in it recomputed from what it stands on, its signatures, its owners,
and
that it decided on exactly what the ledgers had received.

Sources:
    ``docs/spec/bytes.md`` (Verdict, VerdictLeaf); ``docs/spec/trust.md`` 3.
"""

from __future__ import annotations

from collections.abc import Iterator

from tieline.audit.findings import Check, Findings, Place
from tieline.audit.ledger_history import LedgerHistory
from tieline.audit.signatures import Quorum, check_quorum
from tieline.audit.slot_view import (
    LOCAL_TAG,
    TICK_S,
    SlotView,
    check_cell_set,
    root_of,
    terms_of,
)
from tieline.contract.keys import lock_key, verdict_key
from tieline.contract.records import LockRecord, decode_lock, decode_verdict
from tieline.market.delivery import capped_shares
from tieline.power.flow_proof import flow_proof_hash
from tieline.protocol.quorum import more_than_two_thirds
from tieline.swap.evidence import PublishedVerdict, Zone
from tieline.swap.lock import Leg
from tieline.swap.records import (
    ZERO_HASH,
    Decision,
    DeliveryKind,
    PendingLeaf,
    Role,
    Side,
    VerdictLeaf,
)
from tieline.units.energy import floor_to_watt
from tieline.wire.abi import (
    encode_pending_leaf,
    encode_verdict_leaf,
    encode_zone_leaf,
    encode_zone_root_leaf,
)
from tieline.wire.hashes import keccak, tag
from tieline.wire.ids import setpoints_hash
from tieline.wire.typed_data import struct_hash

LeafKey = tuple[bytes, bytes, int, bytes]
"""Destination's chain tag, T(client), sequence, packet commitment."""


def check_verdict(view: SlotView, published: PublishedVerdict, findings: Findings) -> bool:
    """Check a verdict's records; say whether its flow proofs are worth checking."""
    before = len(findings.rows)
    record = published.verdict
    named = (record.cell_set_id, record.epoch)
    known = check_cell_set(view, Check.VERDICTS, named, "verdict", findings)
    for rule, expected, found in _facts(view, published):
        findings.expect(view.place, Check.VERDICTS, rule, expected, found)
    _check_zones(view, published.baseline, findings)
    signers = 0
    if known:
        quorum = Quorum(view.world.domain, view.cells, more_than_two_thirds)
        signers = check_quorum(
            view.place, Check.VERDICTS, record, published.signatures, quorum, findings
        )
    _check_leaves(view, published, signers, findings)
    _check_received(view, published, findings)
    for history in view.world.ledgers.values():
        _check_stored(view, history, published, signers, findings)
    return len(findings.rows) == before


def _facts(view: SlotView, published: PublishedVerdict) -> Iterator[tuple[str, object, object]]:
    """Yield what the record must say: rule, recomputed, found."""
    record = published.verdict
    caps = {
        leaf.trade_id: leaf.cap_wh for leaf in published.leaves if leaf.decision == Decision.ACCEPT
    }
    points = _set_points(view, caps)
    proofs = [(row.number, keccak(row.flow_proof)) for row in published.gate.scenarios]
    yield "slot of the verdict", (view.slot_start, TICK_S), (record.slot_start, record.slot_length)
    yield (
        "network epoch, as the network table hashes",
        view.world.network_epoch,
        record.network_epoch,
    )
    yield "baseline hash", baseline_hash(published.baseline), record.baseline_hash
    yield "pending root", root_of(map(encode_pending_leaf, published.pending)), record.pending_root
    yield (
        "decisions root",
        root_of(map(encode_verdict_leaf, published.leaves)),
        record.decisions_root,
    )
    yield "set points", points, published.setpoints
    yield "set points hash", setpoints_hash(published.setpoints), record.setpoints_hash
    yield (
        "flow proof hash",
        flow_proof_hash(proofs) if proofs else ZERO_HASH,
        record.flow_proof_hash,
    )


def baseline_hash(baseline: tuple[Zone, ...]) -> bytes:
    """Return the root over the zones' roots."""
    return root_of(
        encode_zone_root_leaf(
            zone.zone_tag,
            root_of(
                encode_zone_leaf(leaf.salt, leaf.bus, leaf.p_milliwatt, leaf.q_millivar)
                for leaf in zone.leaves
            ),
        )
        for zone in baseline
    )


def _check_zones(view: SlotView, baseline: tuple[Zone, ...], findings: Findings) -> None:
    """Check that there is one zone a cell, and that each speaks of its own buses only."""
    network, topology = view.world.network, view.world.topology
    tags = sorted(cell.chain_tag for cell in topology.cells)
    found = [zone.zone_tag for zone in baseline]
    findings.expect(view.place, Check.VERDICTS, "zones of the baseline", tags, found)
    aliases = dict(network.aliases)
    owners = {bus.index: network.owners[bus.owner] for bus in network.buses}
    cells = {cell.chain_tag: cell.address for cell in topology.cells}
    for zone in baseline:
        for leaf in zone.leaves:
            findings.expect(
                view.place,
                Check.VERDICTS,
                f"baseline: zone of bus {leaf.bus}",
                owners.get(aliases.get(leaf.bus, leaf.bus)),
                cells.get(zone.zone_tag),
            )


def _set_points(view: SlotView, caps: dict[bytes, int]) -> tuple[tuple[bytes, int], ...]:
    """Return order id and watt into the network of every dispatchable order, ascending."""
    dispatchable = {
        key: 0 for key, order in view.orders.items() if order.delivery == DeliveryKind.DISPATCHABLE
    }
    for position in view.evidence.positions:
        cap = caps.get(position.trade_id, 0)
        for leaves in (position.buyers, position.sellers):
            energy = sum(leaf.energy_wh for leaf in leaves)
            for leaf, share in zip(leaves, capped_shares(leaves, cap, energy), strict=True):
                if leaf.order_id in dispatchable:
                    is_sale = view.orders[leaf.order_id].side == Side.SELL
                    dispatchable[leaf.order_id] += share if is_sale else -share
    length = view.evidence.slot_length
    return tuple((key, floor_to_watt(wh, length)) for key, wh in sorted(dispatchable.items()) if wh)


def _check_leaves(
    view: SlotView, published: PublishedVerdict, signers: int, findings: Findings
) -> None:
    """Check that decisions are about the pending set, each within its trade, owners signed."""
    pending = [
        (leaf.dest_chain_tag, leaf.dest_client, leaf.sequence, leaf.packet_commitment)
        for leaf in published.pending
    ]
    decided = [_key(leaf) for leaf in published.leaves]
    findings.expect(
        view.place,
        Check.VERDICTS,
        "decisions are about the pending set",
        sorted(pending),
        sorted(decided),
    )
    sizes: dict[int, int] = {}
    for leaf in published.leaves:
        if leaf.decision == Decision.ACCEPT:
            sizes[leaf.group] = sizes.get(leaf.group, 0) + 1
    for leaf in published.leaves:
        name = f"decision on trade {leaf.trade_id.hex()[:16]}"
        position = view.positions.get(leaf.trade_id)
        if position is None:
            findings.refuse(view.place, Check.VERDICTS, name, "a trade of the clearing", "none")
            continue
        energy = terms_of(position).energy_wh
        if leaf.decision == Decision.ACCEPT:
            required = _required_owners(view, view.tags(position))
            expected: tuple[object, ...] = (True, sizes[leaf.group], 0, 0)
            found: tuple[object, ...] = (
                1 <= leaf.cap_wh <= energy,
                leaf.group_size,
                required & ~leaf.owners,
                leaf.owners & ~signers,
            )
            rule = (
                "cap within the trade, size of its group, owners left out, owners who did not sign"
            )
        else:
            expected = (int(Decision.REFUSE), 0, 0, True)
            found = (leaf.decision, leaf.group, leaf.group_size, leaf.reason > 0)
            rule = "a refusal without group, with a reason"
        findings.expect(view.place, Check.VERDICTS, f"{name}: {rule}", expected, found)


def _key(leaf: VerdictLeaf | PendingLeaf) -> LeafKey:
    return leaf.dest_chain_tag, leaf.dest_client, leaf.sequence, leaf.packet_commitment


def _required_owners(view: SlotView, tags: tuple[bytes, bytes]) -> int:
    """Return the bits of source, destination and grid operator in the slot's cell set."""
    signed = view.world.cell_set_of(view.slot_start)
    rows = () if signed is None else signed.rows
    return sum(
        1 << place
        for place, row in enumerate(rows)
        if row.chain_tag in tags or row.role == Role.GRID
    )


def _check_received(view: SlotView, published: PublishedVerdict, findings: Findings) -> None:
    """Check that the pending set is what the destinations' ledgers held open for this slot."""
    decided = {_key(leaf): leaf for leaf in published.leaves}
    received: set[LeafKey] = set()
    for chain_tag, history in view.world.ledgers.items():
        for event in history.of_kind("lock_opened"):
            if event["leg"] == "in" or int(event["slot_start"]) != view.slot_start:
                continue
            data = history.query(lock_key(bytes.fromhex(event["lock_id"])))
            assert data is not None, "locks are never deleted"
            record = decode_lock(data)
            place = Place(history.chain_id, event.height, view.slot_start)
            name = f"lock {event['lock_id'][:16]}: received, so in the pending set"
            key = _key_of_lock(chain_tag, record)
            received.add(key)
            leaf = decided.get(key)
            told = None if leaf is None else leaf.trade_id
            findings.expect(place, Check.VERDICTS, name, record.trade_id, told)
    for key in sorted(decided):
        if key[1] != LOCAL_TAG:
            findings.require(
                view.place,
                Check.VERDICTS,
                f"packet {key[3].hex()[:16]} of the pending set",
                holds=key in received,
                expected="received by its destination",
                found="never received",
            )


def _key_of_lock(chain_tag: bytes, record: LockRecord) -> LeafKey:
    if record.leg is Leg.LOCAL:
        return chain_tag, LOCAL_TAG, 0, record.packet_commitment
    return chain_tag, tag(record.client), record.sequence, record.packet_commitment


def _check_stored(
    view: SlotView,
    history: LedgerHistory,
    published: PublishedVerdict,
    signers: int,
    findings: Findings,
) -> None:
    """Check what a ledger stored of the verdict, and what it did by it."""
    data = history.query(verdict_key(view.slot_start))
    if data is None:
        return
    stored = decode_verdict(data)
    posted = next(
        (
            event.height
            for event in history.of_kind("verdict_posted")
            if int(event["slot_start"]) == view.slot_start
        ),
        0,
    )
    place = Place(history.chain_id, posted, view.slot_start)
    findings.expect(
        place,
        Check.VERDICTS,
        "verdict on the ledger, its root, and signers that the evidence lacks",
        (stored.verdict_hash, stored.decisions_root, 0),
        (
            struct_hash(published.verdict),
            published.verdict.decisions_root,
            stored.signers & ~signers,
        ),
    )
    by_trade = {leaf.trade_id: leaf for leaf in published.leaves}
    for event in history.of_kind("verdict_applied"):
        value = history.query(lock_key(bytes.fromhex(event["lock_id"])))
        assert value is not None, "locks are never deleted"
        record = decode_lock(value)
        if record.slot_start != view.slot_start:
            continue
        leaf = by_trade.get(record.trade_id)
        is_accept = event["decision"] == Decision.ACCEPT.name
        cap = int(event["cap_wh"]) if is_accept else 0
        expected = None
        if leaf is not None:
            accepted = leaf.decision == Decision.ACCEPT
            expected = (accepted, leaf.cap_wh if accepted else 0)
        findings.expect(
            Place(history.chain_id, event.height, view.slot_start),
            Check.VERDICTS,
            f"decision applied to lock {event['lock_id'][:16]}: accepted, cap in Wh",
            expected,
            (is_accept, cap),
        )
