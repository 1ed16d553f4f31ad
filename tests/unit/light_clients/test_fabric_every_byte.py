"""Whatever byte of a client message or of a proof is altered, it is refused: all of them."""

import pytest
from fakes.fabric_chain import BFT, RAFT
from fakes.fabric_client import ACKNOWLEDGEMENT, CLIENT, KEY, RECEIPT, ClientWorld, at

from tieline.light_clients.fabric import building
from tieline.light_clients.fabric.messages import AbsenceProof, ConfigStep
from tieline.protocol.errors import ClientRefused
from tieline.protocol.messages import AnyMessage
from tieline.wire.fabric.invocations import ibc_key

BOTH = pytest.mark.parametrize("consensus", [RAFT, BFT])
STEP = pytest.mark.parametrize(
    ("first", "every"), [(0, 97), pytest.param(0, 1, marks=pytest.mark.slow)]
)


def altered(raw, first, every):
    for place in range(first, len(raw), every):
        for bits in (0x01,) if place % 2 else (0x80,):
            changed = bytearray(raw)
            changed[place] ^= bits
            yield place, bytes(changed)


@pytest.fixture
def made(consensus):
    world = ClientWorld(consensus)
    written = world.chain.write({KEY: b"\x07" * 32})
    block = world.chain.commit(world.chain.write({RECEIPT: b"\x02"}, nonce=1), written)
    world.chain.commit(world.chain.write({ACKNOWLEDGEMENT: b"\x02"}, nonce=2))
    return world, written, block


def taken_headers(world, header, first, every):
    """Return which alterations of a header were taken; the header itself must be."""
    good = header.as_any()
    now, before = at(world.chain.clock_s), dict(world.store)
    taken = []
    for place, raw in altered(good.value, first, every):
        try:
            world.rules.update(world.store, AnyMessage(good.type_url, raw), now)
        except ClientRefused:
            assert dict(world.store) == before
        else:
            taken.append(place)
    assert world.rules.update(world.store, good, now).heights
    return taken


@BOTH
@STEP
def test_no_byte_of_a_header_can_be_altered(consensus, first, every):
    world = ClientWorld(consensus)
    assert not taken_headers(world, world.chain.header(world.tick()), first, every)


@STEP
def test_no_byte_of_what_changes_a_clients_knowledge_can_be_altered(first, every):
    world = ClientWorld()
    chain = world.chain
    changed = chain.change_config(lambda config: config)
    config = ConfigStep(building.signed_block(changed.encode()))
    definition = chain.change_definition()
    newest = world.tick()
    steps = {"config_steps": (config,), "definition_steps": (definition,)}
    behind = len(chain.header(newest).encode())
    header = chain.header(newest, **steps)
    assert not taken_headers(world, header, first + behind, every)


@BOTH
@STEP
def test_no_byte_of_a_membership_proof_can_be_altered(made, first, every):
    world, written, block = made
    height = world.follow()
    good = world.prove(written, block, height, index=1)
    taken = [
        place for place, raw in altered(good, first, every) if world.shown(raw, height) is None
    ]
    assert not taken
    assert world.shown(good, height) is None


@BOTH
@STEP
def test_no_byte_of_a_recorded_absence_can_be_altered(consensus, first, every):
    world = ClientWorld(consensus)
    height = world.follow()
    recorded = world.chain.prove_absence(CLIENT, 1, world.chain.clock_s, RECEIPT)
    good = world.record_proof(recorded, world.chain.commit(recorded))
    taken = [
        place for place, raw in altered(good, first, every) if world.absent(raw, height) is None
    ]
    assert not taken
    assert world.absent(good, height) is None


@BOTH
@STEP
def test_no_byte_of_an_answer_that_nothing_is_there_can_be_altered(consensus, first, every):
    world = ClientWorld(consensus)
    height = world.follow()
    good = AbsenceProof(world.chain.read_back(ibc_key(ACKNOWLEDGEMENT))).encode()
    taken = [
        place
        for place, raw in altered(good, first, every)
        if world.absent(raw, height, ACKNOWLEDGEMENT) is None
    ]
    assert not taken
    assert world.absent(good, height, ACKNOWLEDGEMENT) is None


@BOTH
@pytest.mark.slow
def test_no_byte_can_be_left_out_or_put_in(made):
    world, written, block = made
    height = world.follow()
    good = world.prove(written, block, height, index=1)
    for place in range(len(good)):
        assert world.shown(good[:place] + good[place + 1 :], height) is not None
        assert world.shown(good[:place] + b"\0" + good[place:], height) is not None
