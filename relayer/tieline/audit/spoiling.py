"""
The ways to spoil a run: each takes its files and chance, and says what it would write instead.

A clever hand is assumed: frames and canonical forms are mended after the change wherever that can
be done without a key.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from tieline.audit.findings import Place
from tieline.audit.run_files import TOPOLOGY_FILE, RunFiles
from tieline.power.errors import NetworkError
from tieline.power.network import Network
from tieline.power.network_bytes import network_bytes, network_from_bytes
from tieline.swap.evidence import Position, SlotEvidence, Zone
from tieline.swap.topology import Topology
from tieline.wire.blocks import encode_frame, split_frames
from tieline.wire.canonical_json import canonical, parse


@dataclass(frozen=True, slots=True)
class Spoiled:
    """A change to a run's files."""

    what: str
    """In words."""
    place: Place
    """What the audit must name; fields that are empty or 0 may be anything."""
    changes: Mapping[str, bytes | None]
    """New content by file name; None removes it."""


Way = Callable[[RunFiles, Random], Spoiled | None]
"""Returns None if the run has nothing that could be spoiled in this way."""


def _ledger(files: RunFiles, chance: Random) -> str:
    return chance.choice(files.ledger_ids())


def _frames(files: RunFiles, chain_id: str) -> list[bytes]:
    return list(split_frames(files.ledger(chain_id).blocks)[0])


def _blocks(chain_id: str, frames: Sequence[bytes]) -> dict[str, bytes | None]:
    return {f"ledgers/{chain_id}/blocks.bin": b"".join(map(encode_frame, frames))}


def _flipped(data: bytes, place: int, chance: Random) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 1 << chance.randrange(8)
    return bytes(changed)


def flip_block_file(files: RunFiles, chance: Random) -> Spoiled | None:
    """Flip one bit anywhere in a block file."""
    chain_id = _ledger(files, chance)
    data = files.ledger(chain_id).blocks
    place = chance.randrange(len(data))
    end, height = 0, 0
    while end <= place:
        end += len(encode_frame(_frames(files, chain_id)[height]))
        height += 1
    return Spoiled(
        f"one bit of byte {place} of the block file of {chain_id} flipped",
        Place(chain_id, height),
        {f"ledgers/{chain_id}/blocks.bin": _flipped(data, place, chance)},
    )


def flip_block(files: RunFiles, chance: Random) -> Spoiled | None:
    """Flip one bit of a block and mend its frame."""
    chain_id = _ledger(files, chance)
    frames = _frames(files, chain_id)
    index = chance.randrange(len(frames))
    place = chance.randrange(len(frames[index]))
    frames[index] = _flipped(frames[index], place, chance)
    return Spoiled(
        f"one bit of byte {place} of block {index + 1} of {chain_id} flipped, frame mended",
        Place(chain_id, index + 1),
        _blocks(chain_id, frames),
    )


def delete_block(files: RunFiles, chance: Random) -> Spoiled | None:
    """Leave a block out."""
    chain_id = _ledger(files, chance)
    frames = _frames(files, chain_id)
    index = chance.randrange(len(frames))
    del frames[index]
    return Spoiled(
        f"block {index + 1} of {chain_id} deleted",
        Place(chain_id, index + 1),
        _blocks(chain_id, frames),
    )


def swap_blocks(files: RunFiles, chance: Random) -> Spoiled | None:
    """Put a block before the one it follows."""
    chain_id = _ledger(files, chance)
    frames = _frames(files, chain_id)
    index = chance.randrange(len(frames) - 1)
    frames[index : index + 2] = frames[index + 1], frames[index]
    return Spoiled(
        f"blocks {index + 1} and {index + 2} of {chain_id} swapped",
        Place(chain_id, index + 1),
        _blocks(chain_id, frames),
    )


def tear_blocks(files: RunFiles, chance: Random) -> Spoiled | None:
    """End the block file in the middle of a block."""
    chain_id = _ledger(files, chance)
    frames = _frames(files, chain_id)
    index = chance.randrange(len(frames))
    whole = b"".join(map(encode_frame, frames[:index]))
    part = encode_frame(frames[index])
    cut = chance.randrange(1, len(part))
    return Spoiled(
        f"block file of {chain_id} torn in block {index + 1}",
        Place(chain_id, index + 1),
        {f"ledgers/{chain_id}/blocks.bin": whole + part[:cut]},
    )


def repeat_block(files: RunFiles, chance: Random) -> Spoiled | None:
    """Put a block in twice."""
    chain_id = _ledger(files, chance)
    frames = _frames(files, chain_id)
    index = chance.randrange(len(frames))
    frames.insert(index, frames[index])
    return Spoiled(
        f"block {index + 1} of {chain_id} put in twice",
        Place(chain_id, index + 2),
        _blocks(chain_id, frames),
    )


def flip_genesis(files: RunFiles, chance: Random) -> Spoiled | None:
    """Flip one bit of a genesis or of the validators' keys."""
    chain_id = _ledger(files, chance)
    name = chance.choice(("genesis.json", "validators.bin"))
    data = files.read(f"ledgers/{chain_id}/{name}")
    place = chance.randrange(len(data))
    return Spoiled(
        f"one bit of byte {place} of {name} of {chain_id} flipped",
        Place(chain_id),
        {f"ledgers/{chain_id}/{name}": _flipped(data, place, chance)},
    )


def flip_proofs(files: RunFiles, chance: Random) -> Spoiled | None:
    """Flip one bit of what an EVM ledger's contracts are proved to hold."""
    proved = [chain_id for chain_id in files.ledger_ids() if files.ledger(chain_id).proofs]
    if not proved:
        return None
    chain_id = chance.choice(proved)
    data = files.ledger(chain_id).proofs
    place = chance.randrange(len(data))
    return Spoiled(
        f"one bit of byte {place} of the final proofs of {chain_id} flipped",
        Place(chain_id),
        {f"ledgers/{chain_id}/proofs.bin": _flipped(data, place, chance)},
    )


def _some_slot(
    files: RunFiles, chance: Random, wanted: Callable[[SlotEvidence], bool]
) -> SlotEvidence | None:
    """Return the evidence of some slot that has what is wanted."""
    slots = files.slots()
    chance.shuffle(slots)
    for slot_start in slots:
        evidence = parse(SlotEvidence, files.evidence(slot_start))
        if wanted(evidence):
            return evidence
    return None


def _rewritten(what: str, evidence: SlotEvidence) -> Spoiled:
    name = f"evidence/{evidence.slot_start}.json"
    return Spoiled(what, Place(slot_start=evidence.slot_start), {name: canonical(evidence)})


def flip_verdict(files: RunFiles, chance: Random) -> Spoiled | None:
    """Flip one bit anywhere in a verdict or what it stands on."""
    evidence = _some_slot(files, chance, lambda row: row.verdict is not None)
    if evidence is None:
        return None
    whole, part = canonical(evidence), canonical(evidence.verdict).strip()
    start = whole.index(b'"verdict":' + part) + len(b'"verdict":')
    place = start + chance.randrange(len(part))
    return Spoiled(
        f"one bit of byte {place} in the verdict of slot {evidence.slot_start} flipped",
        Place(slot_start=evidence.slot_start),
        {f"evidence/{evidence.slot_start}.json": _flipped(whole, place, chance)},
    )


def change_energy(files: RunFiles, chance: Random) -> Spoiled | None:
    """Change one trade by one Wh."""
    evidence = _some_slot(files, chance, lambda row: bool(row.positions))
    if evidence is None:
        return None
    index = chance.randrange(len(evidence.positions))
    positions = list(evidence.positions)
    positions[index] = _one_wh_more(positions[index])
    changed = dataclasses.replace(evidence, positions=tuple(positions))
    trade = positions[index].trade_id.hex()[:16]
    return _rewritten(f"trade {trade} of slot {evidence.slot_start} made 1 Wh larger", changed)


def _one_wh_more(position: Position) -> Position:
    if position.packet is not None:
        more = position.packet.energy_wh + 1
        packet = dataclasses.replace(position.packet, energy_wh=more)
        return dataclasses.replace(position, packet=packet)
    assert position.local is not None, "a position is a packet or local"
    local = dataclasses.replace(position.local, energy_wh=position.local.energy_wh + 1)
    return dataclasses.replace(position, local=local)


def change_load(files: RunFiles, chance: Random) -> Spoiled | None:
    """Change the load of a bus where nobody trades by one watt."""
    evidence = _some_slot(files, chance, lambda row: _quiet_leaves(row) != [])
    if evidence is None or evidence.verdict is None:
        return None
    zone_index, leaf_index = chance.choice(_quiet_leaves(evidence))
    zones = list(evidence.verdict.baseline)
    leaves = list(zones[zone_index].leaves)
    leaf = leaves[leaf_index]
    leaves[leaf_index] = dataclasses.replace(leaf, p_milliwatt=leaf.p_milliwatt - 1000)
    zones[zone_index] = Zone(zones[zone_index].zone_tag, tuple(leaves))
    verdict = dataclasses.replace(evidence.verdict, baseline=tuple(zones))
    changed = dataclasses.replace(evidence, verdict=verdict)
    what = f"load at bus {leaf.bus}, which trades nothing, in slot {evidence.slot_start}"
    return _rewritten(f"{what} made 1 W larger", changed)


def _quiet_leaves(evidence: SlotEvidence) -> list[tuple[int, int]]:
    """Return zone and place of the baseline's leaves at buses that no trade moves."""
    if evidence.verdict is None:
        return []
    moved = {row.bus for row in evidence.verdict.gate.injections}
    return [
        (zone_index, leaf_index)
        for zone_index, zone in enumerate(evidence.verdict.baseline)
        for leaf_index, leaf in enumerate(zone.leaves)
        if leaf.bus not in moved
    ]


def change_delivery(files: RunFiles, chance: Random) -> Spoiled | None:
    """Change what was delivered under one trade by one Wh."""
    evidence = _some_slot(files, chance, lambda row: row.delivery is not None)
    if evidence is None or evidence.delivery is None:
        return None
    leaves = list(evidence.delivery.leaves)
    index = chance.randrange(len(leaves))
    less = max(leaves[index].delivered_wh - 1, 0) or 1
    leaves[index] = dataclasses.replace(leaves[index], delivered_wh=less)
    delivery = dataclasses.replace(evidence.delivery, leaves=tuple(leaves))
    changed = dataclasses.replace(evidence, delivery=delivery)
    trade = leaves[index].trade_id.hex()[:16]
    what = f"Wh delivered under trade {trade} of slot {evidence.slot_start} changed"
    return _rewritten(what, changed)


def change_reading(files: RunFiles, chance: Random) -> Spoiled | None:
    """Change one meter's export register by one Wh."""
    evidence = _some_slot(
        files, chance, lambda row: row.delivery is not None and bool(row.delivery.readings)
    )
    if evidence is None or evidence.delivery is None:
        return None
    readings = list(evidence.delivery.readings)
    index = chance.randrange(len(readings))
    old = readings[index].reading
    fresh = dataclasses.replace(old, export_register_wh=old.export_register_wh + 1)
    readings[index] = dataclasses.replace(readings[index], reading=fresh)
    delivery = dataclasses.replace(evidence.delivery, readings=tuple(readings))
    changed = dataclasses.replace(evidence, delivery=delivery)
    what = f"register of meter {old.meter_id.hex()[:16]} in slot {evidence.slot_start}"
    return _rewritten(f"{what} made 1 Wh larger", changed)


def drop_signature(files: RunFiles, chance: Random) -> Spoiled | None:
    """Leave the signature of one cell out of a verdict."""
    evidence = _some_slot(files, chance, lambda row: row.verdict is not None)
    if evidence is None or evidence.verdict is None:
        return None
    signatures = list(evidence.verdict.signatures)
    del signatures[chance.randrange(len(signatures))]
    verdict = dataclasses.replace(evidence.verdict, signatures=tuple(signatures))
    changed = dataclasses.replace(evidence, verdict=verdict)
    return _rewritten(f"a signature of the verdict of slot {evidence.slot_start} left out", changed)


def swap_evidence(files: RunFiles, chance: Random) -> Spoiled | None:
    """Give one slot the evidence of another."""
    slots = files.slots()
    if len(slots) < 2:
        return None
    first, second = chance.sample(slots, 2)
    return Spoiled(
        f"slot {first} given the evidence of slot {second}",
        Place(slot_start=first),
        {f"evidence/{first}.json": files.evidence(second)},
    )


def delete_evidence(files: RunFiles, chance: Random) -> Spoiled | None:
    """Remove the evidence of a slot in which something was accepted."""
    evidence = _some_slot(files, chance, lambda row: row.delivery is not None)
    if evidence is None:
        return None
    slot_start = evidence.slot_start
    return Spoiled(
        f"evidence of slot {slot_start} deleted",
        Place(slot_start=slot_start),
        {f"evidence/{slot_start}.json": None},
    )


def turn_switch(files: RunFiles, chance: Random) -> Spoiled | None:
    """Turn one switch of the network table, so that the network still is one."""
    topology = parse(Topology, files.topology())
    network = network_from_bytes(topology.network_table)
    lines = list(network.lines)
    chance.shuffle(lines)
    for line in lines:
        turned = _turned(network, line.index)
        if turned is not None:
            changed = dataclasses.replace(topology, network_table=network_bytes(turned))
            what = f"switch at the far end of line {line.index} turned in the network table"
            return Spoiled(what, Place(), {TOPOLOGY_FILE: canonical(changed)})
    return None


def _turned(network: Network, index: int) -> Network | None:
    """Return the network with the far switch of a line turned; None if buses were cut off."""
    line = next(row for row in network.lines if row.index == index)
    try:
        return network.with_line_switch(
            index, from_closed=line.from_closed, to_closed=not line.to_closed
        )
    except NetworkError:
        return None


def move_meter(files: RunFiles, chance: Random) -> Spoiled | None:
    """Hang a meter at a bus of another zone."""
    topology = parse(Topology, files.topology())
    meters = list(topology.meters)
    index = chance.randrange(len(meters))
    others = [row.bus for row in meters if row.chain_tag != meters[index].chain_tag]
    if not others:
        return None
    bus = chance.choice(others)
    meters[index] = dataclasses.replace(meters[index], bus=bus)
    changed = dataclasses.replace(topology, meters=tuple(meters))
    what = f"meter {meters[index].name} moved to bus {bus} in the topology"
    return Spoiled(what, Place(file=TOPOLOGY_FILE), {TOPOLOGY_FILE: canonical(changed)})


WAYS: tuple[Way, ...] = (
    flip_block,
    flip_verdict,
    delete_block,
    swap_blocks,
    change_energy,
    turn_switch,
    change_load,
    flip_block_file,
    change_delivery,
    change_reading,
    drop_signature,
    tear_blocks,
    repeat_block,
    flip_genesis,
    flip_proofs,
    swap_evidence,
    delete_evidence,
    move_meter,
)
"""The order in which trials go through them."""
