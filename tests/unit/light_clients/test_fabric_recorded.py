"""
Blocks of two real Fabric 3.1.1 networks, one ordered by etcdraft, one by SmartBFT: orderers, peers,
configurations and definitions are judged as they were when Fabric judged them.
"""

from dataclasses import replace

import pytest
from fakes.recorded_fabric import NETWORKS, recorded

from tieline.light_clients.client_rules import NotConvincing
from tieline.light_clients.fabric import building
from tieline.light_clients.fabric.blocks import Span, verify_any_block, verify_block
from tieline.light_clients.fabric.knowledge import EvidenceRefused, Knowledge
from tieline.light_clients.fabric.messages import ConfigStep, PeerEndorsement, ReadBack, SignedBlock
from tieline.light_clients.fabric.states import KnownDefinition
from tieline.light_clients.fabric.steps import follow
from tieline.light_clients.fabric.transactions import (
    good_endorsers,
    verify_lifecycle,
    verify_read_back,
)
from tieline.wire.errors import Malformed
from tieline.wire.fabric.blocks import is_config_block
from tieline.wire.fabric.envelopes import ENDORSER_TRANSACTION, channel_header_of
from tieline.wire.fabric.lifecycle import LIFECYCLE, definition_of_state
from tieline.wire.fabric.rwsets import Version
from tieline.wire.fabric.transactions import decode_transaction

ANY_TIME = Span(1_700_000_000, 1_900_000_000)
EACH = pytest.mark.parametrize("network", NETWORKS)
ENDORSEMENT = "/Channel/Application/Endorsement"


def definitions_of(record):
    """Return (version, definition) of every commit of one, found in the blocks."""
    found, state = [], {}
    for block in record.blocks[1:]:
        for index, raw in enumerate(block.data):
            if channel_header_of(raw).type != ENDORSER_TRANSACTION:
                continue
            transaction = decode_transaction(raw)
            if transaction.opened.args[:1] != (b"CommitChaincodeDefinition",):
                continue
            for write in transaction.opened.content.sets.of(LIFECYCLE).writes:
                state[write.key] = write.value
            definition = definition_of_state(record.chaincode, state)
            found.append((Version(block.header.number, index), definition))
    return found


def known(record, definitions=1):
    """Return what a client of this chain begins with: block 0 and the first definition."""
    held = tuple(
        KnownDefinition(version, one.sequence, one.validation_parameter)
        for version, one in definitions_of(record)[:definitions]
    )
    config = building.known_config(record.raw_blocks[0])
    return Knowledge(record.channel, record.chaincode, (config,), held)


def config_steps(record):
    return [
        ConfigStep(building.signed_block(raw))
        for raw, block in zip(record.raw_blocks, record.blocks, strict=True)
        if block.header.number and is_config_block(block.data)
    ]


def definition_steps(record):
    return [
        building.definition_step(record.raw_blocks[version.block], version.index)
        for version, _ in definitions_of(record)[1:]
    ]


def all_known(record):
    return follow(known(record), config_steps(record), definition_steps(record), ANY_TIME)


@EACH
def test_every_block_of_a_real_network_is_signed_by_its_orderers(network):
    record = recorded(network)
    knowledge = all_known(record)
    for raw, block in zip(record.raw_blocks[1:], record.blocks[1:], strict=True):
        header = verify_any_block(building.signed_block(raw), knowledge, ANY_TIME)
        assert header == block.header
        if not is_config_block(block.data):
            assert verify_block(building.signed_block(raw), knowledge, ANY_TIME).header == header


@EACH
def test_a_real_configuration_and_a_real_definition_are_followed(network):
    record = recorded(network)
    start, knowledge = known(record), all_known(record)
    assert len(start.configs) == 1
    assert [one.number for one in knowledge.configs] == [0, record.done["config"]]
    assert [one.sequence for one in knowledge.definitions] == [1, 2]
    after = building.signed_block(record.raw_blocks[record.done["after config"]])
    with pytest.raises(EvidenceRefused, match="is under configuration"):
        verify_block(after, start, ANY_TIME)


@EACH
def test_endorsers_of_real_transactions_satisfy_the_policies_that_fabric_found_them_to(network):
    record = recorded(network)
    knowledge = all_known(record)
    judged = {}
    for name in ("put", "conflict", "too few endorsements", "odd", "after definition"):
        raw = record.raw_blocks[record.done[name]]
        block = verify_block(building.signed_block(raw), knowledge, ANY_TIME)
        endorsed = decode_transaction(block.envelope(0)).endorsed
        signers = good_endorsers(endorsed, block.rules, ANY_TIME)
        judged[name] = block.rules.judge.satisfies_at(ENDORSEMENT, signers)
    assert judged == {
        "put": True,
        "conflict": True,
        "too few endorsements": False,
        "odd": True,
        "after definition": True,
    }


@EACH
def test_a_real_change_of_definition_satisfies_the_channels_policy(network):
    record = recorded(network)
    knowledge = all_known(record)
    for version, _ in definitions_of(record):
        block = verify_block(
            building.signed_block(record.raw_blocks[version.block]), knowledge, ANY_TIME
        )
        assert verify_lifecycle(block, version.index, knowledge, ANY_TIME).of(LIFECYCLE).writes


@EACH
def test_real_read_backs_are_judged_as_far_as_a_strange_chaincode_lets_them(network):
    # The recorded chaincode knows no ReadBack: all but that name is as it should be.
    record = recorded(network)
    before, after = known(record), all_known(record)
    for name, is_late in (("marker", False), ("absent", False), ("after definition", True)):
        found = record.read_backs[name]
        answer = ReadBack(
            found.channel_header,
            found.signature_header,
            found.proposal_payload,
            found.response_payload,
            tuple(PeerEndorsement(one.endorser, one.signature) for one in found.endorsements),
        )
        with pytest.raises(EvidenceRefused, match="something else than a read-back"):
            verify_read_back(answer, after if is_late else before, ANY_TIME)
        rules = (after if is_late else before).newest_rules
        assert rules.judge.satisfies_at(ENDORSEMENT, good_endorsers(found, rules, ANY_TIME)), name


def altered(block: SignedBlock):
    """Return every block that differs in one byte of its encoding and can be decoded."""
    raw = block.encode()
    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= 0x01
        try:
            found = SignedBlock.decode(bytes(changed))
        except Malformed:
            continue
        # A second spelling is refused by the message that the block is part of.
        if found.encode() == bytes(changed):
            yield place, found


@EACH
@pytest.mark.slow
def test_no_byte_of_a_real_block_can_be_altered(network):
    record = recorded(network)
    knowledge = all_known(record)
    for name in ("put", "conflict"):
        good = building.signed_block(record.raw_blocks[record.done[name]])
        hash_of = verify_block(good, knowledge, ANY_TIME).header.hash()
        taken = []
        for place, block in altered(good):
            try:
                found = verify_block(block, knowledge, ANY_TIME)
            except (NotConvincing, Malformed):
                continue
            taken.append((place, found.header.hash() == hash_of))
        assert not taken


@EACH
def test_a_real_block_without_a_part_of_its_signatures_is_refused(network):
    record = recorded(network)
    knowledge = all_known(record)
    good = building.signed_block(record.raw_blocks[record.done["put"]])
    for signatures in ((), good.signatures[1:], good.signatures[:1] * 2):
        with pytest.raises(NotConvincing):
            verify_block(replace(good, signatures=signatures), knowledge, ANY_TIME)
