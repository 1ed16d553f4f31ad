"""What is stored otherwise than was decided on is put off; the rest of its batch goes on."""

import asyncio

import pytest
from fakes.paired_world import PairedWorld

from tieline.interfaces.ledger import StoredValue
from tieline.protocol.commitment import packet_commitment_key
from tieline.relay.effects import Effect, ProofWanted, StepName
from tieline.relay.route import Endpoint


def wanted(world: PairedWorld, sequence: int, *, is_present: bool) -> Effect:
    """An effect on south that wants a commitment of north proved, present or absent."""
    client = world.clients["north-1", "south-1"]
    height = len(world.ledgers["north-1"].blocks)
    verifier = Endpoint("south-1", world.clients["south-1", "north-1"])
    key = packet_commitment_key(client, sequence)
    proof = ProofWanted(verifier, "north-1", key, height - 1, height, is_present)
    return Effect(StepName.DELIVER_PACKET, "south-1", f"recv/{sequence}", (), proof)


@pytest.mark.parametrize("is_present", [True, False])
def test_a_key_that_is_stored_otherwise_is_put_off_and_the_others_are_proved(
    *, is_present: bool
) -> None:
    world = PairedWorld()
    world.send("north-1", "south-1", 1)
    world.blocks()
    world.blocks()
    world.runner.view.begin_round()
    asyncio.run(world.runner._inbox.read(world.clock.now))
    stale = wanted(world, 1 if not is_present else 9, is_present=is_present)
    fresh = wanted(world, 1 if is_present else 9, is_present=is_present)
    proved = asyncio.run(world.runner._prover.prove([stale, fresh]))
    assert list(proved.proofs) == [fresh.name]
    ((effect, error),) = proved.deferred
    assert (effect, "key has changed" in str(error)) == (stale, True)
    assert len(proved.updates) == 1


def test_a_client_without_anything_proved_is_not_updated() -> None:
    world = PairedWorld()
    world.send("north-1", "south-1", 1)
    world.blocks()
    world.blocks()
    asyncio.run(world.runner._inbox.read(world.clock.now))
    proved = asyncio.run(world.runner._prover.prove([wanted(world, 9, is_present=True)]))
    assert (proved.updates, proved.proofs) == ([], {})


def test_one_update_serves_all_proofs_of_a_height() -> None:
    world = PairedWorld()
    world.send("north-1", "south-1", 20)
    world.blocks()
    world.blocks()
    asyncio.run(world.runner._inbox.read(world.clock.now))
    effects = [wanted(world, sequence, is_present=True) for sequence in range(1, 21)]
    proved = asyncio.run(world.runner._prover.prove(effects))
    assert (len(proved.updates), len(proved.proofs)) == (1, 20)


def test_what_others_push_out_while_a_ledger_is_asked_is_still_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Batches are proved at the same time, and what is remembered has an end."""
    world = PairedWorld()
    world.send("north-1", "south-1", 2)
    world.blocks()
    world.blocks()
    asyncio.run(world.runner._inbox.read(world.clock.now))
    prover, ledger = world.runner._prover, world.ledgers["north-1"]
    first, second = (wanted(world, sequence, is_present=True) for sequence in (1, 2))
    asyncio.run(prover.prove([first]))
    prove = ledger.prove

    async def prove_late(key: bytes, height: int) -> StoredValue:
        prover._entries_known.clear()
        return await prove(key, height)

    monkeypatch.setattr(ledger, "prove", prove_late)
    proved = asyncio.run(prover.prove([first, second]))
    assert list(proved.proofs) == [first.name, second.name]
