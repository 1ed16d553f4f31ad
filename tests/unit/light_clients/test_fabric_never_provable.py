"""What can never be shown of a Fabric channel, though each time nearly everything is right."""

from dataclasses import replace

import pytest
from fakes.fabric_chain import BFT, RAFT, START_S, FabricChain
from fakes.fabric_client import (
    ACKNOWLEDGEMENT,
    CLIENT,
    KEY,
    RECEIPT,
    SLOT_S,
    VALUE,
    ClientWorld,
    at,
    proof_of,
)

from tieline.ledgers.fabric.material import Role
from tieline.light_clients.fabric import building
from tieline.light_clients.fabric.messages import (
    AbsenceProof,
    ConfigStep,
    MembershipProof,
    Misbehaviour,
    RecordedAbsence,
)
from tieline.protocol.errors import ClientRefused
from tieline.protocol.height import Height
from tieline.wire.fabric.blocks import TRANSACTIONS_FILTER, data_hash
from tieline.wire.fabric.envelopes import Envelope
from tieline.wire.fabric.invocations import (
    absence_key,
    encode_number,
    ibc_key,
    invocation_hash,
    marker_key,
)
from tieline.wire.fabric.lifecycle import LIFECYCLE, sequence_key
from tieline.wire.fabric.policies import ApplicationPolicy, roles_out_of
from tieline.wire.fabric.policies import Role as MspRole
from tieline.wire.fabric.rwsets import NamespaceSet, Read, Version, Write
from tieline.wire.fabric.transactions import MVCC_READ_CONFLICT

BOTH = pytest.mark.parametrize("consensus", [RAFT, BFT])


@pytest.fixture
def world():
    return ClientWorld()


def written_at(world, simulated=None, **order):
    """Commit a write of KEY, follow the next Tick, and return all that a proof is made of."""
    simulated = simulated or world.chain.write({KEY: VALUE})
    block = world.chain.commit(simulated, **order)
    return simulated, block, world.follow()


# --- validity --------------------------------------------------------------------------------


def test_what_is_endorsed_but_not_ordered_is_not_provable(world):
    simulated = world.chain.write({KEY: VALUE})
    envelope = world.chain.envelope(simulated)
    block = world.chain.commit(world.chain.write({RECEIPT: b"\x02"}))
    height = world.follow()
    good = proof_of(world.prove(simulated, block, height))
    placed = replace(good, block=replace(good.block, envelopes=(envelope,)))
    assert "signature of a block is not good" in world.shown(placed.encode(), height)
    unsigned = world.chain.make_block([envelope], signers=())
    alone = replace(good, block=building.signed_block(unsigned.encode()), data_hashes=())
    assert "policy of block validation" in world.shown(alone.encode(), height)


def test_what_is_ordered_but_conflicts_in_versions_is_not_provable_though_the_flag_is_flipped(
    world,
):
    # Both write the same marker and key; only the first can be valid.
    first, second = world.chain.write({KEY: VALUE}), world.chain.write({KEY: VALUE})
    block = world.chain.commit(first, second, invalid=(1,))
    height = world.follow()
    metadata = list(block.metadata)
    metadata[TRANSACTIONS_FILTER] = bytes((0, MVCC_READ_CONFLICT))
    honest = replace(block, metadata=tuple(metadata))
    metadata[TRANSACTIONS_FILTER] = bytes((0, 0))
    flipped = replace(block, metadata=tuple(metadata))
    assert world.shown(world.prove(first, honest, height, index=0), height) is None
    for lie in (honest, flipped):
        refusal = world.shown(world.prove(second, lie, height, index=1), height)
        assert "read-back of another transaction" in refusal


def test_a_transaction_that_no_peer_found_valid_is_not_provable(world):
    simulated, block, height = written_at(world, invalid=(0,))
    assert "read-back of another" in world.shown(world.prove(simulated, block, height), height)
    other = world.chain.write({RECEIPT: b"\x02"})
    world.chain.commit(other)
    answer = world.chain.marker_read_back(other)
    refusal = world.shown(world.prove(simulated, block, height, answer=answer), height)
    assert "not read exactly once" in refusal, "a read-back that names another transaction"


def test_what_fails_the_endorsement_policy_is_not_provable_though_peers_read_it_back(world):
    peers = world.chain.peers
    for endorsers in ((peers[0],), (peers[0], peers[0]), (world.chain.client, peers[0]), ()):
        simulated, block, height = written_at(world, peers=endorsers)
        refusal = world.shown(world.prove(simulated, block, height), height)
        assert refusal == "endorsements do not satisfy the chaincode's policy"
        world = ClientWorld()


def test_a_read_back_of_too_few_peers_or_of_one_twice_shows_nothing(world):
    simulated, block, height = written_at(world)
    peers = world.chain.peers
    for endorsers, words in (
        (peers[:1], "endorsed by too few"),
        ((), "endorsed by too few"),
        ((peers[0], peers[0]), "endorser signed twice"),
        ((*peers, peers[1]), "endorser signed twice"),
        ((peers[0], world.chain.organisations[1].member("client")), "endorsed by too few"),
    ):
        answer = world.chain.marker_read_back(simulated, peers=endorsers)
        refusal = world.shown(world.prove(simulated, block, height, answer=answer), height)
        assert words in refusal


def test_a_read_back_that_is_a_transaction_itself_or_failed_shows_nothing(world):
    simulated, block, height = written_at(world)
    marker = marker_key(invocation_hash(simulated.args))
    reading = world.chain.reading(marker)
    for changed, words in (
        (replace(reading, args=(b"Query", b"ibc", KEY)), "something else than a read-back"),
        (replace(reading, writes=[Write("i:00", b"\x01")]), "read-back that writes"),
        (replace(reading, status=500), "call that failed"),
        (replace(reading, reads=[*reading.reads, reading.reads[0]]), "not read exactly once"),
        (replace(reading, reads=reading.reads[1:]), "not read exactly once"),
        (replace(reading, args=(*reading.args, b"clock")), "answer to another question"),
        (replace(reading, args=reading.args[:1]), "answer to another question"),
        (replace(reading, payload=b""), "number has 8 bytes"),
        (replace(reading, payload=reading.payload[:8] + b"\0"), "other writes of the same call"),
    ):
        answer = world.chain.answer(changed)
        refusal = world.shown(world.prove(simulated, block, height, answer=answer), height)
        assert words in refusal


def test_another_result_of_the_same_call_is_not_provable_though_an_orderer_lies(world):
    # Endorsed twice, on two states: one marker, one place, and a second chain by the one orderer
    # of etcdraft. Peers read back what the true one wrote.
    chain = world.chain
    truth, other = chain.write({KEY: VALUE}), chain.write({KEY: b"\x08" * 32})
    assert truth.args == other.args
    endorsed_before = chain.envelope(other)
    chain.commit(truth)
    lying = FabricChain()
    lying.blocks = list(chain.blocks[:3])
    false = lying.append([endorsed_before])
    true_tick = world.tick()
    false_tick = lying.append(true_tick.data)
    answer = chain.marker_read_back(truth)
    header = chain.header(true_tick)
    signed = replace(header, block=building.signed_block(false_tick.encode()))
    assert world.update(signed).heights, "the Tick is the same in both"
    proof = MembershipProof(
        building.signed_block(false.encode()), 0, answer, (false_tick.header.data_hash,)
    )
    refusal = world.shown(proof.encode(), false_tick.header.number, value=b"\x08" * 32)
    assert refusal == "read-back of other writes of the same call"
    assert world.update(header).misbehaviour, "two headers of one number"


# --- absence ---------------------------------------------------------------------------------


def test_a_receipt_and_its_absence_in_one_block_prove_only_the_one_that_is_valid(world):
    # The planted false timeout: both are endorsed on the same state, the receipt comes first.
    chain = world.chain
    received = chain.write({RECEIPT: b"\x02"})
    recorded = chain.prove_absence(CLIENT, 1, chain.clock_s + SLOT_S, RECEIPT)
    block = chain.commit(received, recorded, invalid=(1,))
    height = world.follow()
    assert world.shown(world.prove(received, block, height), height, RECEIPT, b"\x02") is None
    refusal = world.absent(world.record_proof(recorded, block, index=1), height)
    assert "read-back of another transaction" in refusal


def test_an_absence_that_was_recorded_early_shows_nothing_of_a_later_block(world):
    # Anyone may record an absence at once, with a tau long before the packet's timeout.
    early = world.chain.prove_absence(CLIENT, 1, world.chain.clock_s, RECEIPT)
    block = world.chain.commit(early)
    assert world.absent(world.record_proof(early, block), world.first_height) is None
    height = world.follow()
    refusal = world.absent(world.record_proof(early, block), height)
    assert refusal == f"absence was recorded for {START_S}, before {START_S + SLOT_S}"


def test_a_record_of_another_packet_or_without_a_look_at_the_receipt_shows_nothing(world):
    height = world.follow()
    chain, tau_s = world.chain, world.chain.clock_s
    for recorded, words in (
        (chain.prove_absence(CLIENT, 2, tau_s, RECEIPT), "another receipt"),
        (chain.prove_absence("07-tendermint-1", 1, tau_s, RECEIPT), "another receipt"),
        (chain.prove_absence(CLIENT, 1, tau_s, ACKNOWLEDGEMENT), "not read exactly once"),
        (chain.tick(tau_s + SLOT_S), "records no absence"),
    ):
        block = chain.commit(recorded)
        assert words in world.absent(world.record_proof(recorded, block), height)
    chain.commit(chain.write({RECEIPT: b"\x02"}))
    late = chain.prove_absence(CLIENT, 1, chain.clock_s, RECEIPT)
    block = chain.commit(late)
    assert "beside a receipt" in world.absent(world.record_proof(late, block), height)


def test_a_record_of_a_time_that_no_clock_shows_is_refused(world):
    recorded = world.chain.prove_absence(CLIENT, 1, 1 << 34, RECEIPT)
    block = world.chain.commit(recorded)
    refusal = world.absent(world.record_proof(recorded, block), world.first_height)
    assert refusal == f"time out of range: {1 << 34}"


def test_a_record_whose_value_is_not_its_own_time_shows_nothing(world):
    height = world.follow()
    recorded = world.chain.prove_absence(CLIENT, 1, world.chain.clock_s, RECEIPT)
    for value in (encode_number(world.chain.clock_s + 1), b"\x01"):
        changed = recorded.writing(Write(absence_key(CLIENT, 1), value))
        block = world.chain.commit(changed)
        assert world.absent(world.record_proof(changed, block), height) is not None


def test_an_acknowledgement_that_is_there_or_was_looked_for_too_early_is_not_absent(world):
    key = ibc_key(ACKNOWLEDGEMENT)
    chain = world.chain
    early = AbsenceProof(chain.read_back(key)).encode()
    height = world.follow()
    assert "before" in world.absent(early, height, ACKNOWLEDGEMENT)
    other = AbsenceProof(chain.read_back(ibc_key(RECEIPT))).encode()
    assert "another key" in world.absent(other, height, ACKNOWLEDGEMENT)
    lying = replace(chain.reading(key), reads=[Read(key, Version(3, 0))])
    lied = AbsenceProof(chain.answer(lying)).encode()
    assert "there is an acknowledgement" in world.absent(lied, height, ACKNOWLEDGEMENT)
    chain.commit(chain.write({ACKNOWLEDGEMENT: VALUE}))
    written = AbsenceProof(chain.read_back(key)).encode()
    assert "there is an acknowledgement" in world.absent(written, height, ACKNOWLEDGEMENT)
    placed = RecordedAbsence(building.signed_block(chain.blocks[-1].encode()), 0)
    recorded = AbsenceProof(chain.read_back(key), placed).encode()
    assert "with a record" in world.absent(recorded, height, ACKNOWLEDGEMENT)


# --- who orders ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signers", "words"),
    [
        ((0,), "too few consenters signed: count=1 of 3"),
        ((0, 1), "too few consenters signed: count=2 of 3"),
        ((0, 1, 1), "consenter signed twice: id=2"),
        ((0, 1, 2, 2), "consenter signed twice: id=3"),
        ((), "too few consenters signed: count=0 of 3"),
    ],
)
def test_a_block_that_no_quorum_of_different_consenters_signed_shows_nothing(signers, words):
    world = ClientWorld(BFT)
    chain = world.chain
    good = chain.tick_block(chain.clock_s + SLOT_S)
    poor = chain.make_block(good.data, number=good.header.number, signers=signers)
    assert poor.header == good.header
    header = chain.header(good)
    signed = replace(header, block=building.signed_block(poor.encode()))
    assert words in world.refusal_of(signed)
    assert world.update(header).heights


def test_four_of_four_consenters_are_as_good_as_three():
    world = ClientWorld(BFT)
    chain = world.chain
    block = chain.tick_block(chain.clock_s + SLOT_S)
    all_four = chain.make_block(block.data, number=block.header.number, signers=(3, 2, 1, 0))
    header = replace(chain.header(block), block=building.signed_block(all_four.encode()))
    assert world.update(header).heights


def test_a_removed_consenter_signs_no_block_more():
    world = ClientWorld(BFT)
    chain = world.chain

    def without_first(config):
        left = config.orderer.consenters[1:]
        return replace(config, orderer=replace(config.orderer, consenters=left))

    changed = chain.change_config(without_first)
    step = ConfigStep(building.signed_block(changed.encode()))
    block = chain.tick_block(chain.clock_s + SLOT_S)
    removed = chain.make_block(block.data, number=block.header.number, signers=(0, 1, 2))
    left = chain.make_block(block.data, number=block.header.number, signers=(1, 2, 3))
    header = chain.header(block, config_steps=(step,))
    signed = replace(header, block=building.signed_block(removed.encode()))
    assert "signer is no consenter: id=1" in world.refusal_of(signed)
    # Nor by saying that the block is still under the configuration before.
    old = chain.make_block(block.data, number=block.header.number, signers=(0, 1, 2), last_config=0)
    signed = replace(header, block=building.signed_block(old.encode()))
    assert "is under configuration 0" in world.refusal_of(signed)
    signed = replace(header, block=building.signed_block(left.encode()))
    assert world.update(signed).heights


@pytest.mark.parametrize("is_held", [True, False])
def test_an_orderer_that_was_taken_back_freezes_nobody(is_held):
    # Its key was stolen, and a configuration says so since; it signs another block of its time.
    world = ClientWorld()
    chain = world.chain
    tick = world.tick()
    if is_held:
        world.follow(tick)
    step = ConfigStep(building.signed_block(chain.change_config().encode()))
    height = world.tick().header.number
    assert world.update(chain.header(chain.blocks[height], config_steps=(step,))).heights
    lure = chain.envelope(chain.write({RECEIPT: VALUE}))
    number = tick.header.number
    other = chain.make_block([*tick.data, lure], number=number, last_config=0)
    forged = chain.header(other, index=0)
    assert "under a replaced configuration" in world.refusal_of(forged)
    if is_held:
        assert world.update(chain.header(tick)).heights == (), "the true one is known"
    shown = Misbehaviour(headers=(forged, chain.header(tick))).as_any()
    with pytest.raises(ClientRefused, match="under a replaced configuration"):
        world.rules.update(world.store, shown, at(chain.clock_s))
    # Nor does it put a block in the place of the configuration, for the next one not to fit.
    moved = chain.make_block(tick.data, number=step.block.number, last_config=0)
    index = len(moved.data) - 1
    chain.versions[marker_key(invocation_hash(chain.tick_args_of(moved, index)))] = Version(
        step.block.number, index
    )
    assert "under a replaced configuration" in world.refusal_of(chain.header(moved))


@BOTH
def test_only_orderers_order(consensus):
    world = ClientWorld(consensus)
    chain = world.chain
    header = chain.header(chain.tick_block(chain.clock_s + SLOT_S))
    signature = header.block.signatures[0]
    for one in (
        replace(signature, identifier_header=b"\x08\x01", signature_header=b"\x0a\x01\x01"),
        replace(signature, identifier_header=b"", signature_header=b""),
        replace(signature, identifier_header=signature.signature_header, signature_header=b""),
    ):
        block = replace(header.block, signatures=(one, *header.block.signatures[1:]))
        if block != header.block:
            assert world.refusal_of(replace(header, block=block))


@pytest.mark.parametrize("who", ["peer0", "admin"])
def test_no_other_member_signs_a_block(world, who):
    chain = world.chain
    block = chain.tick_block(chain.clock_s + SLOT_S)
    organisation = chain.orderers if who == "admin" else chain.organisations[0]
    member = organisation.member(who)
    header = chain.header(block)
    chain.orderers.members["orderer0"] = replace(member, role=Role.ORDERER)
    poor = chain.make_block(block.data, number=block.header.number)
    signed = replace(header, block=building.signed_block(poor.encode()))
    assert "is no orderer of" in world.refusal_of(signed)


# --- what is in a block ----------------------------------------------------------------------


def test_borders_of_envelopes_cannot_be_moved(world):
    chain = world.chain
    first, second = chain.write({KEY: VALUE}), chain.write({RECEIPT: b"\x02"})
    block = chain.commit(first, second)
    height = world.follow()
    good = proof_of(world.prove(first, block, height))
    one, two = block.data
    payload = Envelope.decode(one).payload
    cut = len(Envelope(payload, b"").encode())
    for moved in (
        (one + two,),
        (one[:cut], one[cut:] + two),
        (one[:cut], one[cut:], two),
        (one + two[:1], two[1:]),
        (one[:-1], one[-1:] + two),
        (one, two, b""),
        (b"", one, two),
    ):
        assert data_hash(moved) == data_hash(block.data)
        changed = replace(good, block=replace(good.block, envelopes=moved))
        for index in range(len(moved)):
            refusal = world.shown(replace(changed, index=index).encode(), height)
            assert refusal is not None
    assert world.shown(good.encode(), height) is None


def test_a_config_block_holds_no_transaction(world):
    chain = world.chain
    simulated = chain.write({KEY: VALUE})
    chain.change_config(lambda config: config)
    height_before = world.first_height
    assert world.refusal_of(chain.header(world.tick())), "the configuration must be followed"
    block = chain.blocks[3]
    proof = world.prove(simulated, block, height_before, answer=chain.read_back("clock"))
    assert "is under configuration 3" in world.shown(proof, height_before)
    renamed = chain.make_block(block.data, number=3, last_config=0)
    signed = replace(proof_of(proof), block=building.signed_block(renamed.encode()))
    assert "a config block holds no transaction" in world.shown(signed.encode(), height_before)


def test_another_channel_or_chaincode_shows_nothing(world):
    chain = world.chain
    simulated = chain.write({KEY: VALUE})
    for change, words in (
        ({"fabric_channel": "south"}, "of another channel: 'south'"),
        ({"chaincode": "other"}, "of another chaincode: 'other'"),
    ):
        changed = replace(simulated, **change)
        block = chain.commit(changed)
        chain.versions[marker_key(invocation_hash(simulated.args))] = Version(
            block.header.number, 0
        )
        height = world.follow()
        assert words in world.shown(world.prove(simulated, block, height), height)
        good, block, height = written_at(world, chain.write({KEY: VALUE}, nonce=len(chain.blocks)))
        reading = replace(chain.reading(marker_key(invocation_hash(good.args))), **change)
        answer = chain.answer(reading)
        assert words in world.shown(world.prove(good, block, height, answer=answer), height)
        assert world.shown(world.prove(good, block, height), height) is None


def test_a_block_of_another_channel_with_the_same_organisations_shows_nothing(world):
    other = ClientWorld(chain=FabricChain())
    simulated = other.chain.write({KEY: VALUE})
    other.chain.append([other.chain.envelope(other.chain.write({RECEIPT: VALUE}))])
    block = other.chain.commit(simulated)
    other_height = other.follow()
    proof = other.prove(simulated, block, other_height)
    assert other.shown(proof, other_height) is None
    world.tick()
    world.tick()
    height = world.follow()
    assert "signature of a block is not good" not in world.shown(proof, other_height)
    hashes = tuple(one.header.data_hash for one in world.chain.blocks[block.header.number + 1 :])
    moved = replace(proof_of(proof), data_hashes=hashes)
    assert world.shown(moved.encode(), height) == "block is not of the held block's chain"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"metadata_writes": (b"\x0a\x01k",)}, "writes metadata of a key"),
        ({"collections": (b"\x0a\x01c",)}, "touches private data"),
        ({"definition": Version(0, 0)}, "definition of the chaincode is not known"),
        ({"status": 500}, "call that failed"),
    ],
)
def test_what_the_definition_could_not_judge_is_not_provable(world, change, words):
    simulated = replace(world.chain.write({KEY: VALUE}), **change)
    _, block, height = written_at(world, simulated)
    assert words in world.shown(world.prove(simulated, block, height), height)


def test_a_call_that_touches_another_chaincode_or_a_definition_is_not_provable(world):
    chain = world.chain
    simulated = chain.write({KEY: VALUE})
    own = NamespaceSet("tieline", tuple(simulated.reads), tuple(simulated.writes))
    read = (Read(sequence_key("tieline"), chain.definition_version),)
    lifecycle = NamespaceSet(LIFECYCLE, read)
    for others, words in (
        ((lifecycle, own, NamespaceSet("zebra", read)), "touches another chaincode: 'zebra'"),
        ((replace(lifecycle, writes=(Write("k", b"v"),)), own), "writes a definition"),
        ((replace(lifecycle, metadata_writes=(b"\x0a\x01k",)), own), "metadata of a key"),
        ((own,), "not read exactly once"),
        ((replace(lifecycle, reads=read * 2), own), "not read exactly once"),
        ((replace(lifecycle, reads=(Read(read[0].key),)), own), "chaincode was not defined"),
    ):
        changed = replace(simulated, others=others)
        block = chain.commit(changed)
        height = world.follow()
        assert words in world.shown(world.prove(simulated, block, height), height)


def test_a_key_that_is_written_twice_or_deleted_is_not_provable(world):
    once = Write(ibc_key(KEY), VALUE)
    for nonce, writes in enumerate(
        (
            (once, once),
            (once, Write(ibc_key(KEY), b"\x08" * 32)),
            (Write(ibc_key(KEY), b"", is_delete=True),),
            (Write(ibc_key(KEY), VALUE, is_delete=True),),
        )
    ):
        simulated = world.chain.write({KEY: VALUE}, nonce=nonce).writing(*writes)
        _, block, height = written_at(world, simulated)
        refusal = world.shown(world.prove(simulated, block, height), height)
        assert "not written exactly once" in refusal


def test_a_transaction_without_its_own_marker_is_not_provable(world):
    simulated = world.chain.write({KEY: VALUE})
    marker, others = simulated.marker, simulated.others_written
    of_other_writes = simulated.writing(Write(ibc_key(KEY), b"\x08" * 32)).writes[-1]
    for writes, words in (
        (others, "not written exactly once"),
        ([*others, Write(marker, b"\x01")], "marker is of other writes"),
        ([*others, of_other_writes], "marker is of other writes"),
        ([*others, Write(marker_key(bytes(32)), b"\x01")], "not written exactly once"),
    ):
        changed = replace(simulated, writes=writes)
        block = world.chain.commit(changed)
        height = world.follow()
        assert words in world.shown(world.prove(simulated, block, height), height)


def test_a_transaction_that_its_creator_did_not_sign_is_not_provable(world):
    # Peers find it invalid, so that none of them holds its marker.
    simulated = world.chain.write({KEY: VALUE})
    envelope = world.chain.envelope(simulated, signer=world.chain.peers[0])
    block = world.chain.append([envelope])
    height = world.follow()
    refusal = world.shown(world.prove(simulated, block, height), height)
    assert "read-back of another transaction: None" in refusal


# --- definitions and identities --------------------------------------------------------------


def test_a_policy_that_was_replaced_in_the_last_block_judges_no_read_back(world):
    chain = world.chain
    simulated, block, height = written_at(world)
    stale = chain.marker_read_back(simulated)
    all_clients = ApplicationPolicy(roles_out_of(1, [("Org2MSP", MspRole.PEER)])).encode()
    step = chain.change_definition(all_clients)
    newest = chain.commit(chain.tick(chain.clock_s + SLOT_S), peers=chain.peers[1:])
    world.update(chain.header(newest, definition_steps=(step,)))
    refusal = world.shown(world.prove(simulated, block, height, answer=stale), height)
    assert refusal == "read-back is not under the newest definition"
    replaced = chain.marker_read_back(simulated, peers=chain.peers[:1])
    refusal = world.shown(world.prove(simulated, block, height, answer=replaced), height)
    assert refusal == "read-back is endorsed by too few"
    fresh = chain.marker_read_back(simulated, peers=chain.peers[1:])
    assert world.shown(world.prove(simulated, block, height, answer=fresh), height) is None


def test_a_transaction_under_a_definition_that_was_replaced_before_it_is_not_provable(world):
    # It was endorsed in time and ordered too late: its read of the definition is stale.
    chain = world.chain
    simulated = replace(chain.write({KEY: VALUE}), definition=chain.definition_version)
    step = chain.change_definition()
    block = chain.commit(simulated, invalid=(0,))
    newest = world.tick()
    world.update(chain.header(newest, definition_steps=(step,)))
    height = newest.header.number
    refusal = world.shown(world.prove(simulated, block, height), height)
    assert "read-back of another transaction" in refusal


def test_a_client_that_was_not_told_of_a_definition_believes_nothing_under_it(world):
    chain = world.chain
    simulated, block, height = written_at(world)
    chain.change_definition()
    refusal = world.shown(world.prove(simulated, block, height), height)
    assert refusal == "read-back is not under the newest definition"


def test_a_definition_that_too_few_endorsed_is_not_followed(world):
    chain = world.chain
    simulated, _ = chain.definition_change()
    block = chain.append([chain.envelope(simulated, chain.peers[:1])])
    chain.definition_version = Version(block.header.number, 0)
    newest = world.tick()
    step = building.definition_step(block.encode(), 0)
    refusal = world.refusal_of(chain.header(newest, definition_steps=(step,)))
    assert refusal == "endorsements do not satisfy the policy of definitions"
    other = replace(step, index=1)
    assert "no transaction of this index" in world.refusal_of(
        chain.header(newest, definition_steps=(other,))
    )


def test_somebody_of_no_organisation_of_the_channel_endorses_nothing(world):
    stranger = FabricChain(seed=b"stranger")
    simulated, block, height = written_at(world)
    answer = world.chain.marker_read_back(simulated, peers=stranger.peers)
    refusal = world.shown(world.prove(simulated, block, height, answer=answer), height)
    assert "no chain of certificates to Org1MSP" in refusal
    simulated = world.chain.write({KEY: VALUE}, nonce=1)
    _, block, height = written_at(world, simulated, peers=stranger.peers)
    refusal = world.shown(world.prove(simulated, block, height), height)
    assert "do not satisfy the chaincode's policy" in refusal
    unknown = replace(world.chain.peers[0], msp_id="Org9MSP")
    answer = world.chain.marker_read_back(simulated, peers=[unknown])
    refusal = world.shown(world.prove(simulated, block, height, answer=answer), height)
    assert refusal is not None


def test_a_tick_counts_only_with_its_own_read_back(world):
    chain = world.chain
    block = world.tick(chain.write({KEY: VALUE}))
    header = chain.header(block)
    assert "transaction is no Tick" in world.refusal_of(replace(header, tick_index=0))
    assert "no transaction of this index" in world.refusal_of(replace(header, tick_index=2))
    other = chain.marker_read_back(chain.write({KEY: VALUE}))
    assert "not read exactly once" in world.refusal_of(replace(header, read_back=other))
    invalid = chain.commit(chain.tick(chain.clock_s + SLOT_S), invalid=(0,))
    assert "read-back of another" in world.refusal_of(chain.header(invalid))
    assert "policy" in world.refusal_of(replace(header, block=replace(header.block, signatures=())))


@pytest.mark.parametrize("value", [0, 1 << 34])
def test_a_tick_of_no_time_is_refused(world, value):
    chain = world.chain
    block = chain.commit(chain.tick(value))
    chain.clock_s = START_S
    assert "time out of range" in world.refusal_of(chain.header(block))


def test_a_tick_that_writes_another_time_than_it_names_is_refused(world):
    chain = world.chain
    simulated = chain.tick(chain.clock_s + SLOT_S)
    later = Write("clock", encode_number(chain.clock_s + SLOT_S + 1))
    block = chain.commit(simulated.writing(later))
    assert "no Tick of its time" in world.refusal_of(chain.header(block))


def test_a_block_of_the_right_hash_with_another_number_or_parent_shows_nothing(world):
    simulated, block, height = written_at(world)
    good = proof_of(world.prove(simulated, block, height))
    for changed in (
        replace(good.block, number=good.block.number + 1),
        replace(good.block, previous_hash=bytes(32)),
        replace(good.block, previous_hash=b""),
        replace(good.block, number=0),
        replace(good.block, number=1 << 63),
    ):
        assert world.shown(replace(good, block=changed).encode(), height) is not None
    for hashes in ((), (*good.data_hashes, bytes(32)), (bytes(32),), (bytes(31),)):
        assert world.shown(replace(good, data_hashes=hashes).encode(), height) is not None
    assert world.shown(good.encode(), height) is None


def test_a_signature_in_a_second_spelling_is_refused(world):
    simulated, block, height = written_at(world)
    good = proof_of(world.prove(simulated, block, height))
    for place in range(2):
        endorsements = list(good.read_back.endorsements)
        raw = endorsements[place].signature
        longer = bytes((raw[0], raw[1] + 1)) + raw[2:] + b"\0"
        for other in (raw + b"\0", longer):
            endorsements[place] = replace(endorsements[place], signature=other)
            answer = replace(good.read_back, endorsements=tuple(endorsements))
            refusal = world.shown(replace(good, read_back=answer).encode(), height)
            assert refusal == "signature of a read-back in a second spelling"


def test_proofs_that_are_none_are_refused(world):
    height = world.follow()
    for proof in (b"", b"\xff", b"\x0a\x00", b"\x0a\x00\x1a\x00", bytes(700_000)):
        assert world.shown(proof, height) is not None
        assert world.absent(proof, height) is not None
        assert world.absent(proof, height, ACKNOWLEDGEMENT) is not None


def test_only_keys_that_mean_one_thing_for_ever_are_provable(world):
    simulated, block, height = written_at(world)
    proof = world.prove(simulated, block, height)
    for key in (b"clock", b"", b"07-tendermint-0\x04" + bytes(8), b"short\x01" + bytes(8)):
        assert "key of" in world.shown(proof, height, key=key)
    path = (b"ibc", KEY)
    shown = world.rules.verify_membership(world.store, Height(0, height), proof, path, VALUE)
    assert "path has not one step" in shown.refusal
