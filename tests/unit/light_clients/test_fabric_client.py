"""The fabric-block client: create, update, follow configurations and definitions, freeze."""

from dataclasses import replace

import pytest
from fakes.fabric_chain import (
    BFT,
    CHAINCODE,
    DAY_NS,
    RAFT,
    START_S,
    FabricChain,
    each,
    organisation_group,
)
from fakes.fabric_client import (
    ACKNOWLEDGEMENT,
    CLIENT,
    KEY,
    RECEIPT,
    SLOT_S,
    VALUE,
    ClientWorld,
    at,
)
from fakes.signing_chain import DictStore

from tieline.ledgers.fabric.material import Role, make_organisation
from tieline.ledgers.fabric.x509_making import ALWAYS
from tieline.light_clients.chain_tags import named_chain_tag
from tieline.light_clients.fabric import building
from tieline.light_clients.fabric import steps as steps_module
from tieline.light_clients.fabric.client import FabricBlockClient
from tieline.light_clients.fabric.messages import (
    AbsenceProof,
    ConfigStep,
    Misbehaviour,
)
from tieline.light_clients.fabric.remembering import find_written_once, verify_header_once
from tieline.protocol.client import ClientStatus
from tieline.protocol.commitment import packet_commitment_key
from tieline.protocol.errors import ClientRefused, ConsensusStateNotFound
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.wire.fabric.envelopes import ChannelHeader, Envelope, Payload
from tieline.wire.fabric.invocations import invocation_hash, marker_key
from tieline.wire.fabric.lifecycle import ChaincodeDefinition, sequence_key
from tieline.wire.fabric.policies import ApplicationPolicy, MetaRule, roles_out_of
from tieline.wire.fabric.policies import Role as MspRole
from tieline.wire.fabric.rwsets import NamespaceSet, Read, Version, Write
from tieline.wire.hashes import tag
from tieline.wire.ids import chain_tag

RULES = FabricBlockClient()
BOTH = pytest.mark.parametrize("consensus", [RAFT, BFT])


@pytest.fixture
def world():
    return ClientWorld()


@BOTH
def test_a_block_with_a_tick_is_taken_and_what_was_written_below_it_is_proved(consensus):
    world = ClientWorld(consensus)
    written = world.chain.write({KEY: VALUE})
    block = world.chain.commit(world.chain.write({RECEIPT: b"\x02"}), written)
    height = world.follow()
    assert RULES.latest_height(world.store) == Height(0, height)
    assert RULES.timestamp_ns(world.store, Height(0, height)) == at(START_S + SLOT_S)
    proof = world.prove(written, block, height, index=1)
    assert world.shown(proof, height) is None
    assert world.shown(proof, height, value=b"\x08" * 32) == "another value was written"
    assert "not written exactly once" in world.shown(proof, height, key=ACKNOWLEDGEMENT)
    assert "to 2" in world.shown(proof, world.first_height), "the block is above that height"
    assert "no consensus state" in world.shown(proof, height - 1), "a block without a Tick"


def test_a_write_in_the_block_of_the_tick_itself_is_proved(world):
    written = world.chain.write({KEY: VALUE})
    block = world.tick(written)
    height = world.follow(block)
    assert world.shown(world.prove(written, block, height), height) is None


def test_a_write_is_proved_under_any_later_tick(world):
    written = world.chain.write({KEY: VALUE})
    block = world.chain.commit(written)
    heights = [world.follow() for _ in range(3)]
    for height in heights:
        assert world.shown(world.prove(written, block, height), height) is None


def test_a_value_that_was_written_is_proved_though_it_was_deleted_since(world):
    # "It was written", not "it still stands": the marker is what is read back.
    written = world.chain.write({KEY: VALUE})
    block = world.chain.commit(written)
    height = world.follow()
    del world.chain.versions[f"i:{KEY.hex()}"]
    assert world.shown(world.prove(written, block, height), height) is None


def test_a_receipt_that_was_never_written_is_shown_to_be_absent(world):
    height = world.follow()
    recorded = world.chain.prove_absence(CLIENT, 1, world.chain.clock_s, RECEIPT)
    block = world.chain.commit(recorded)
    assert world.absent(world.record_proof(recorded, block), height) is None
    other = packet_commitment_key(CLIENT, 1)
    assert "its absence says nothing" in world.absent(
        world.record_proof(recorded, block), height, other
    )


def test_an_acknowledgement_that_is_not_there_even_now_is_shown_to_be_absent(world):
    height = world.follow()
    key = f"i:{ACKNOWLEDGEMENT.hex()}"
    proof = AbsenceProof(world.chain.read_back(key)).encode()
    assert world.absent(proof, height, ACKNOWLEDGEMENT) is None
    assert "without its record" in world.absent(proof, height, RECEIPT)


def test_the_same_header_again_changes_nothing(world):
    block = world.tick()
    world.follow(block)
    before = dict(world.store)
    assert world.update(world.chain.header(block)).heights == ()
    assert dict(world.store) == before


def test_an_older_block_is_filled_in(world):
    older, newer = world.tick(), world.tick()
    world.follow(newer)
    assert world.update(world.chain.header(older)).heights == (Height(0, older.header.number),)
    assert RULES.latest_height(world.store) == Height(0, newer.header.number)


def test_a_client_names_the_ledger_that_it_is_of(world):
    client, _ = world.chain.states(world.chain.blocks[2])
    genesis_hash = world.chain.blocks[0].header.hash()
    assert named_chain_tag(client.as_any()) == chain_tag(
        "fabric", "north", genesis_hash, tag(CHAINCODE)
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"channel": ""}, "without name"),
        ({"chaincode": "c" * 250}, "too long"),
        ({"genesis_hash": b"\x01" * 31}, "genesis hash"),
        ({"latest_height": 0}, "latest height"),
        ({"trusting_period_ns": 0}, "trusting period"),
        ({"max_clock_drift_ns": 0}, "drift"),
        ({"is_frozen": True}, "frozen"),
        ({"configs": ()}, "no configuration"),
        ({"definitions": ()}, "no configuration or definition"),
    ],
)
def test_no_client_begins_with_what_it_could_not_be_judged_by(world, changes, words):
    client, state = world.chain.states(world.chain.blocks[2])
    with pytest.raises(ClientRefused, match=words):
        RULES.initialise(DictStore(), replace(client, **changes).as_any(), state.as_any())


def test_no_client_begins_with_configurations_or_definitions_that_leave_one_out(world):
    client, state = world.chain.states(world.chain.blocks[2])
    config, definition = client.configs[0], client.definitions[0]
    later = replace(config, number=9)
    for changed in (
        replace(client, configs=(config, later)),
        replace(client, configs=(config, config)),
        replace(client, configs=(replace(config, config=b"\x08\x01"),)),
        replace(client, definitions=(definition, replace(definition, version=Version(3, 0)))),
        replace(client, definitions=(replace(definition, endorsement_policy=b""),)),
    ):
        with pytest.raises(ClientRefused):
            RULES.initialise(DictStore(), changed.as_any(), state.as_any())
    for other in (replace(state, block_hash=b""), replace(state, time_ns=state.time_ns + 1)):
        with pytest.raises(ClientRefused):
            RULES.initialise(DictStore(), client.as_any(), other.as_any())
    with pytest.raises(ClientRefused, match="another client type"):
        RULES.initialise(DictStore(), state.as_any(), client.as_any())


def test_a_channel_whose_ticks_stop_expires(world):
    status = RULES.status
    assert status(world.store, at(START_S)) is ClientStatus.ACTIVE
    assert status(world.store, at(START_S) + 7 * DAY_NS - 1) is ClientStatus.ACTIVE
    assert status(world.store, at(START_S) + 7 * DAY_NS) is ClientStatus.EXPIRED
    header = world.chain.header(world.tick())
    with pytest.raises(ClientRefused, match="expired"):
        RULES.update(world.store, header.as_any(), at(START_S) + 7 * DAY_NS)


def test_a_header_from_the_future_or_from_before_the_trusting_period_is_refused(world):
    header = world.chain.header(world.tick())
    with pytest.raises(ClientRefused, match="from the future"):
        RULES.update(world.store, header.as_any(), at(START_S + SLOT_S - 61))
    newest = world.chain.header(world.chain.tick_block(START_S + 6 * 86_400))
    world.update(newest)
    with pytest.raises(ClientRefused, match="older than the trusting period"):
        RULES.update(world.store, header.as_any(), at(START_S + SLOT_S) + 7 * DAY_NS)


def test_states_that_expired_are_forgotten_one_an_update(world):
    world.chain.tick_block(START_S + 86_400)
    world.follow(world.chain.blocks[-1])
    newest = world.chain.tick_block(START_S + 7 * 86_400 + 1)
    world.follow(newest)
    with pytest.raises(ConsensusStateNotFound):
        RULES.timestamp_ns(world.store, Height(0, world.first_height))


@BOTH
def test_two_signed_blocks_of_one_number_freeze_the_client(consensus):
    world = ClientWorld(consensus)
    chain = world.chain
    one = chain.make_block([chain.envelope(chain.write({KEY: VALUE}))])
    other = chain.make_block([chain.envelope(chain.write({RECEIPT: b"\x02"}))])
    shown = tuple(building.signed_block(block.encode()) for block in (one, other))
    now = at(START_S)
    same = Misbehaviour(fork=(shown[0], shown[0])).as_any()
    with pytest.raises(ClientRefused, match="do not conflict"):
        RULES.update(world.store, same, now)
    unsigned = replace(shown[1], previous_hash=bytes(32))
    with pytest.raises(ClientRefused, match="not good"):
        RULES.update(world.store, Misbehaviour(fork=(shown[0], unsigned)).as_any(), now)
    assert RULES.update(world.store, Misbehaviour(fork=shown).as_any(), now).misbehaviour
    assert RULES.status(world.store, now) is ClientStatus.FROZEN
    with pytest.raises(ClientRefused, match="frozen"):
        world.update(chain.header(world.tick()))


@BOTH
def test_a_fork_under_a_configuration_that_was_replaced_freezes_nothing(consensus):
    """Who is no orderer any more can sign what he likes."""
    world = ClientWorld(consensus)
    chain = world.chain
    forks = [
        chain.make_block([chain.envelope(chain.write({key: VALUE}))]) for key in (KEY, RECEIPT)
    ]
    chain.append(forks[0].data)
    step = ConfigStep(building.signed_block(chain.change_config(lambda one: one).encode()))
    shown = Misbehaviour(fork=tuple(building.signed_block(one.encode()) for one in forks))
    assert world.update(chain.header(world.tick(), config_steps=(step,))).heights
    with pytest.raises(ClientRefused, match="fork under a replaced configuration: 3"):
        RULES.update(world.store, shown.as_any(), at(chain.clock_s))
    assert RULES.status(world.store, at(chain.clock_s)) is ClientStatus.ACTIVE


def test_evidence_of_two_headers_is_judged_by_what_is_known_already(world):
    chain = world.chain
    low = chain.header(world.tick())
    step = chain.change_definition()
    high = chain.header(chain.tick_block(chain.clock_s), definition_steps=(step,))
    with pytest.raises(ClientRefused, match="misbehaviour that changes what is known"):
        RULES.update(world.store, Misbehaviour(headers=(high, low)).as_any(), at(chain.clock_s))
    assert RULES.status(world.store, at(chain.clock_s)) is ClientStatus.ACTIVE


@pytest.mark.parametrize(
    ("consensus", "more", "words"),
    [
        (RAFT, {"identifier_header": b"\x08\x01"}, "named by number where there are no consenters"),
        (BFT, {"signature_header": b"\x0a\x00"}, "orderer not named by its number"),
    ],
)
def test_an_orderer_that_is_named_in_the_other_form_too_is_refused(consensus, more, words):
    world = ClientWorld(consensus)
    header = world.chain.header(world.tick())
    first, *rest = header.block.signatures
    block = replace(header.block, signatures=(replace(first, **more), *rest))
    assert words in world.refusal_of(replace(header, block=block))


@BOTH
def test_blocks_of_two_channels_that_the_same_orderers_serve_freeze_nobody(consensus):
    # What orderers sign names no channel; what they put into a block does.
    world = ClientWorld(consensus)
    chain = world.chain
    own = chain.make_block([chain.envelope(chain.write({KEY: VALUE}))])
    elsewhere = replace(chain.write({RECEIPT: VALUE}), fabric_channel="south")
    others = [
        chain.make_block([chain.envelope(elsewhere)]),
        chain.make_block([chain.envelope(chain.write({KEY: VALUE})), chain.envelope(elsewhere)]),
        chain.make_block([config_envelope_of(chain, "south")], is_config=True),
    ]
    for other in others:
        fork = tuple(building.signed_block(block.encode()) for block in (own, other))
        for shown in (fork, fork[::-1]):
            with pytest.raises(ClientRefused, match="of another channel: 'south'"):
                RULES.update(world.store, Misbehaviour(fork=shown).as_any(), at(START_S))
    changed = chain.make_block([chain.config_change()], is_config=True)
    fork = tuple(building.signed_block(block.encode()) for block in (own, changed))
    assert RULES.update(world.store, Misbehaviour(fork=fork).as_any(), at(START_S)).misbehaviour


def config_envelope_of(chain, channel):
    envelope = Envelope.decode(chain.config_envelope(chain.held))
    payload = Payload.decode(envelope.payload)
    header = replace(ChannelHeader.decode(payload.channel_header), channel_id=channel)
    return Envelope(replace(payload, channel_header=header.encode()).encode(), b"").encode()


def test_another_block_at_a_held_height_freezes_the_client(world):
    chain = world.chain
    block = world.tick()
    world.follow(block)
    forked = FabricChain()
    forked.tick_block(START_S)
    other = forked.tick_block(START_S + SLOT_S + 1)
    assert other.header.number == block.header.number
    assert other.header.hash() != block.header.hash()
    assert world.update(forked.header(other)).misbehaviour
    assert RULES.status(world.store, at(chain.clock_s)) is ClientStatus.FROZEN


@pytest.mark.parametrize("later_s", [0, -1])
def test_time_that_stands_still_or_falls_freezes_the_client(world, later_s):
    block = world.tick()
    world.follow(block)
    falling = world.chain.tick_block(world.chain.clock_s + later_s)
    assert world.update(world.chain.header(falling)).misbehaviour


def test_two_ticks_that_do_not_rise_are_evidence(world):
    chain = world.chain
    low = world.tick()
    low_header = chain.header(low)
    high = chain.tick_block(chain.clock_s)
    shown = (chain.header(high), low_header)
    now = at(chain.clock_s)
    with pytest.raises(ClientRefused, match="do not conflict"):
        RULES.update(world.store, Misbehaviour(headers=shown[::-1]).as_any(), now)
    assert RULES.update(world.store, Misbehaviour(headers=shown).as_any(), now).misbehaviour


def test_a_block_that_stands_on_another_than_the_held_one_right_below_freezes(world):
    chain = world.chain
    block = world.tick()
    world.follow(block)
    chain.blocks[-1] = chain.make_block([chain.envelope(chain.write({KEY: VALUE}))], number=3)
    assert world.update(chain.header(world.tick())).misbehaviour


def test_unknown_messages_are_refused(world):
    with pytest.raises(ClientRefused, match="unknown client message"):
        RULES.update(world.store, AnyMessage("/other.Header", b""), at(START_S))
    with pytest.raises(ClientRefused, match="unknown field"):
        RULES.update(world.store, AnyMessage("/tieline.fabric.v1.Header", b"\xff\xff\x01"), 1)


@BOTH
def test_a_new_configuration_is_followed_and_old_blocks_are_judged_by_theirs(consensus):
    world = ClientWorld(consensus)
    chain = world.chain
    written = chain.write({KEY: VALUE})
    block = chain.commit(written)
    third = make_organisation(
        "Org3MSP", (("peer0", Role.PEER), ("client", Role.CLIENT)), ALWAYS, seed=b"3"
    )

    def with_third(config):
        groups = (*config.application.organisations, organisation_group(third))
        return replace(config, application=replace(config.application, organisations=groups))

    changed = chain.change_config(with_third)
    newest = world.tick()
    assert "is under configuration 4" in world.refusal_of(chain.header(newest))
    step = ConfigStep(building.signed_block(changed.encode()))
    height = newest.header.number
    assert world.update(chain.header(newest, config_steps=(step,))).heights
    # Two of three endorse: a majority as before.
    assert world.shown(world.prove(written, block, height), height) is None
    later = world.tick()
    assert world.update(chain.header(later, config_steps=(step,))).heights, "known already"


def test_a_configuration_counts_only_if_it_is_the_next_one_and_signed_under_the_one_before(world):
    chain = world.chain
    changed = chain.change_config(lambda config: config)
    newest = world.tick()
    good = building.signed_block(changed.encode())

    def refusal(step):
        return world.refusal_of(chain.header(newest, config_steps=(ConfigStep(step),)))

    signature = replace(good.signatures[0], signature=good.signatures[0].signature[:-1] + b"\0")
    assert "signature" in refusal(replace(good, signatures=(signature,)))
    assert "policy of block validation" in refusal(replace(good, signatures=()))
    skipped = replace(chain.held, sequence=3)
    other = chain.make_block([chain.config_envelope(skipped)], is_config=True, number=3)
    assert "configuration of 'north', 3" in refusal(building.signed_block(other.encode()))
    plain = chain.make_block([chain.envelope(chain.write({KEY: VALUE}))], is_config=True, number=3)
    assert "without configuration" in refusal(building.signed_block(plain.encode()))
    old = chain.make_block(
        [chain.config_envelope(chain.held)], is_config=True, number=3, last_config=0
    )
    assert "is under configuration 0" in refusal(building.signed_block(old.encode()))


@BOTH
def test_a_new_definition_is_followed_with_its_policy(consensus):
    world = ClientWorld(consensus)
    chain = world.chain
    written = chain.write({KEY: VALUE})
    block = chain.commit(written)
    one_is_enough = ApplicationPolicy(roles_out_of(1, [("Org1MSP", MspRole.PEER)])).encode()
    step = chain.change_definition(one_is_enough)
    newest = chain.commit(chain.tick(chain.clock_s + SLOT_S), peers=chain.peers[:1])
    assert "definition of the chaincode is not known" in world.refusal_of(chain.header(newest))
    assert world.update(chain.header(newest, definition_steps=(step,))).heights
    height = newest.header.number
    assert world.shown(world.prove(written, block, height), height) is None, "under the old one"
    alone = chain.marker_read_back(written, peers=chain.peers[:1])
    assert world.shown(world.prove(written, block, height, answer=alone), height) is None


def test_definitions_that_were_replaced_since_are_followed_one_by_the_other(world):
    chain = world.chain
    steps = tuple(chain.change_definition() for _ in range(3))
    newest = world.tick()
    refusal = world.refusal_of(chain.header(newest, definition_steps=steps[:2]))
    assert "definition of the chaincode is not known" in refusal, "the Tick is under the third"
    refusal = world.refusal_of(chain.header(newest, definition_steps=steps[1:]))
    assert "definition of the chaincode is not known" in refusal
    assert world.update(chain.header(newest, definition_steps=steps)).heights
    later = world.tick()
    refusal = world.refusal_of(chain.header(later, definition_steps=steps[1:2]))
    assert "end before the newest" in refusal
    refusal = world.refusal_of(chain.header(later, definition_steps=steps[::2]))
    assert "not one after the other" in refusal
    assert world.update(chain.header(later, definition_steps=steps[1:])).heights


def test_a_new_definition_is_believed_only_if_those_who_may_change_it_read_it_back(world):
    chain = world.chain
    one_is_enough = ApplicationPolicy(roles_out_of(1, [("Org1MSP", MspRole.PEER)])).encode()
    step = chain.change_definition(one_is_enough)
    newest = chain.commit(chain.tick(chain.clock_s + SLOT_S), peers=chain.peers[:1])
    header = chain.header(newest, definition_steps=(step,))
    tick = invocation_hash(chain.tick_args_of(newest, 0))
    alone = chain.read_back(marker_key(tick), peers=chain.peers[:1])
    refusal = world.refusal_of(replace(header, read_back=alone))
    assert "read-back of a new definition" in refusal


def test_a_definition_with_private_data_or_validation_of_its_own_is_not_followed(world):
    chain = world.chain
    for change in ({"collections": b"\x0a\x00"}, {"validation_plugin": "mine"}):
        simulated, after = chain.definition_change()
        writes = replace(after, **change).writes(chain.definition)
        touched = replace(simulated.others[0], writes=writes)
        block = chain.append([chain.envelope(replace(simulated, others=(touched,)))])
        step = building.definition_step(block.encode(), 0)
        refusal = world.refusal_of(chain.header(world.tick(), definition_steps=(step,)))
        assert "private data, or with validation" in refusal


def changed_definition(touched, **changes):
    """What a change of definition touches, with some of it otherwise."""
    return {"others": (replace(touched, **changes),)}


SEQUENCE = sequence_key(CHAINCODE)
ELSEWHERE = NamespaceSet(CHAINCODE, writes=(Write("k", b"v"),))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _: {"fabric_channel": "south"}, "not of _lifecycle on north"),
        (lambda _: {"chaincode": CHAINCODE}, "not of _lifecycle on north"),
        (lambda _: {"status": 500}, "transaction that failed"),
        (lambda touched: {"others": (touched, ELSEWHERE)}, f"that writes to {CHAINCODE!r}"),
        (
            lambda touched: changed_definition(touched, metadata_writes=(b"\x0a\x01k",)),
            "that writes to '_lifecycle'",
        ),
        (
            lambda touched: changed_definition(touched, reads=(Read(SEQUENCE),)),
            "first definition of the chaincode",
        ),
        (lambda touched: changed_definition(touched, writes=()), "not the next definition"),
        (
            lambda touched: changed_definition(
                touched,
                writes=ChaincodeDefinition(CHAINCODE, 3, "1.0").writes(
                    ChaincodeDefinition(CHAINCODE, 1, "1.0")
                ),
            ),
            "not the next definition",
        ),
    ],
)
def test_what_is_no_change_of_the_definition_is_not_followed(world, change, words):
    chain = world.chain
    simulated, _ = chain.definition_change()
    changed = replace(simulated, **change(simulated.others[0]))
    block = chain.append([chain.envelope(changed)])
    step = building.definition_step(block.encode(), 0)
    assert words in world.refusal_of(chain.header(world.tick(), definition_steps=(step,)))


def test_of_two_changes_of_one_definition_the_one_that_is_known_stays(world):
    """The other was ordered too, and is invalid; or came first in a block and is not."""
    chain = world.chain
    other = chain.append([chain.envelope(chain.definition_change()[0])])
    step = chain.change_definition()
    world.update(chain.header(world.tick(), definition_steps=(step,)))
    late = building.definition_step(other.encode(), 0)
    refusal = world.refusal_of(chain.header(world.tick(), definition_steps=(late,)))
    assert refusal == "another definition is known"


@BOTH
def test_a_configuration_beside_one_that_is_known_is_not_followed(consensus):
    """Those who ordered it may have been left out by the one that is known."""
    world = ClientWorld(consensus)
    chain = world.chain
    beside = FabricChain(consensus)
    beside.blocks = list(chain.blocks)
    other = beside.change_config(lambda config: config)
    chain.commit(chain.write({KEY: VALUE}))
    known = ConfigStep(building.signed_block(chain.change_config(lambda config: config).encode()))
    assert world.update(chain.header(world.tick(), config_steps=(known,))).heights
    step = ConfigStep(building.signed_block(other.encode()))
    refusal = world.refusal_of(chain.header(world.tick(), config_steps=(step,)))
    assert "another configuration is known after block 0" in refusal


def test_a_configuration_that_counts_one_consenter_twice_is_not_followed():
    """A number names who signed: two of one number would be one signature for both."""
    world = ClientWorld(BFT)
    chain = world.chain

    def doubled(config):
        first, second, *rest = config.orderer.consenters
        consenters = (first, replace(second, id=first.id), *rest)
        return replace(config, orderer=replace(config.orderer, consenters=consenters))

    step = ConfigStep(building.signed_block(chain.change_config(doubled).encode()))
    refusal = world.refusal_of(chain.header(world.tick(), config_steps=(step,)))
    assert "two consenters of one number" in refusal


def test_what_is_known_is_bounded(world, monkeypatch):
    monkeypatch.setattr(steps_module, "KNOWN_MAX", 2)
    chain = world.chain
    for _ in range(4):
        changed = chain.change_config(
            lambda config: replace(
                config,
                application=replace(
                    config.application,
                    policies={
                        **config.application.policies,
                        "Other": each(MetaRule.ANY, "Readers"),
                    },
                ),
            )
        )
        newest = world.tick()
        step = ConfigStep(building.signed_block(changed.encode()))
        assert world.update(chain.header(newest, config_steps=(step,))).heights
    held = [key for key in world.store if key.startswith(b"configs/")]
    assert len(held) == 2


def test_what_was_verified_once_is_remembered_and_what_was_refused_is_not(world):
    rules = FabricBlockClient(verify_header_once, find_written_once)
    chain = world.chain
    written = chain.write({KEY: VALUE})
    block = chain.commit(written)
    tick = world.tick()
    header = chain.header(tick).as_any()
    now = at(chain.clock_s)
    other = DictStore(world.store)
    before = verify_header_once.hits_count
    assert rules.update(world.store, header, now) == rules.update(other, header, now)
    assert verify_header_once.hits_count == before + 1
    height = Height(0, tick.header.number)
    proof = world.prove(written, block, tick.header.number)
    found = find_written_once.hits_count
    for store in (world.store, other):
        assert rules.verify_membership(store, height, proof, (KEY,), VALUE)
        assert not rules.verify_membership(store, height, proof, (KEY,), b"\x08" * 32)
    assert find_written_once.hits_count == found + 3
    stale = chain.read_back()
    poor = world.prove(written, block, tick.header.number, answer=stale)
    for _ in range(2):
        assert not rules.verify_membership(other, height, poor, (KEY,), VALUE)
