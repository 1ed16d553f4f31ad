"""
Proofs of a Fabric channel, as its light client verifies them: how long they are, and what they
cost. Blocks of one and of more transactions, ordered by etcdraft and by four of SmartBFT; and the
verification of real Fabric blocks.
"""

from __future__ import annotations

from clock import at_least, at_most, best_us, report
from fakes.fabric_chain import BFT, RAFT
from fakes.fabric_client import CLIENT, KEY, RECEIPT, SLOT_S, VALUE, ClientWorld
from fakes.recorded_fabric import NETWORKS, recorded

from tieline.light_clients.fabric import building
from tieline.light_clients.fabric.blocks import Span, verify_block
from tieline.light_clients.fabric.knowledge import Knowledge
from tieline.light_clients.fabric.verifier import (
    Anchor,
    HeldBlock,
    check_not_received,
    find_written,
    verify_header,
)
from tieline.protocol.limits import PROOF_BYTES_MAX
from tieline.wire.fabric.blocks import is_config_block

ROUNDS = 5
REPEATS = 20
TRANSACTIONS = (1, 32, 100)
"""In the block that a proof is of; all of it is part of the proof."""
PER_S_MIN = 100
"""Asked for: the packets of a slot, some hundreds, cost a few seconds."""
CLOCK = "CPU, best of rounds, nothing remembered but certificates"


def anchor_of(world: ClientWorld) -> Anchor:
    return world.rules._anchor(world.store)


def measure_written(name: str, consensus: str, count: int) -> None:
    world = ClientWorld(consensus)
    chain = world.chain
    written = chain.write({KEY: VALUE})
    others = [chain.write({RECEIPT: VALUE}, nonce=number) for number in range(1, count)]
    block = chain.commit(written, *others)
    height = world.follow()
    proof = world.prove(written, block, height)
    state = world.rules._states.read(world.store, world.rules.latest_height(world.store))
    assert state is not None
    held, anchor = HeldBlock(height, state.block_hash, chain.clock_s), anchor_of(world)
    took = best_us(ROUNDS, lambda raw: find_written(raw, KEY, held, anchor), [proof] * REPEATS)
    label = f"fabric_proofs.{name}.{count}_in_block"
    report(label, 1e6 / took, "proofs/s", at_least(PER_S_MIN), us=round(took), clock=CLOCK)
    report(f"{label}.bytes", len(proof), "bytes", at_most(PROOF_BYTES_MAX), transactions=count)


def measure_absent(name: str, consensus: str) -> None:
    world = ClientWorld(consensus)
    chain = world.chain
    height = world.follow()
    recorded_absence = chain.prove_absence(CLIENT, 1, chain.clock_s, RECEIPT)
    proof = world.record_proof(recorded_absence, chain.commit(recorded_absence))
    state = world.rules._states.read(world.store, world.rules.latest_height(world.store))
    assert state is not None
    held, anchor = HeldBlock(height, state.block_hash, chain.clock_s), anchor_of(world)
    took = best_us(
        ROUNDS, lambda raw: check_not_received(raw, CLIENT, 1, held, anchor), [proof] * REPEATS
    )
    label = f"fabric_proofs.{name}.absence"
    report(label, 1e6 / took, "proofs/s", at_least(PER_S_MIN), bytes=len(proof), us=round(took))


def measure_header(name: str, consensus: str) -> None:
    world = ClientWorld(consensus)
    chain = world.chain
    raw = chain.header(chain.tick_block(chain.clock_s + SLOT_S)).encode()
    anchor = anchor_of(world)
    took = best_us(ROUNDS, lambda data: verify_header(data, anchor), [raw] * REPEATS)
    report(f"fabric_proofs.{name}.header", took, "us", bytes=len(raw), clock=CLOCK)


def measure_real_blocks(network: str) -> None:
    record = recorded(network)
    blocks = [
        building.signed_block(raw)
        for raw, block in zip(record.raw_blocks, record.blocks, strict=True)
        if 0 < block.header.number < record.done["config"] and not is_config_block(block.data)
    ]
    config = building.known_config(record.raw_blocks[0])
    knowledge = Knowledge(record.channel, record.chaincode, (config,), ())
    span = Span(1_700_000_000, 1_900_000_000)
    took = best_us(ROUNDS, lambda block: verify_block(block, knowledge, span), blocks * REPEATS)
    signatures = max(len(one.signatures) for one in blocks)
    report(
        f"fabric_proofs.real_block.{network}",
        took,
        "us a block",
        blocks=len(blocks),
        signatures=signatures,
        clock=CLOCK,
    )


def main() -> None:
    """Measure proofs of both orderings, then blocks that Fabric 3.1.1 made."""
    for name, consensus in (("raft", RAFT), ("bft", BFT)):
        for count in TRANSACTIONS:
            measure_written(name, consensus, count)
        measure_absent(name, consensus)
        measure_header(name, consensus)
    for network in NETWORKS:
        measure_real_blocks(network)


if __name__ == "__main__":
    main()
