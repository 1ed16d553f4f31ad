"""A channel's next configuration is its administrators' word, not that of whoever orders."""

from dataclasses import replace

import pytest
from fakes.fabric_chain import CHANNEL, FabricChain, each, organisation_group
from fakes.fabric_client import ClientWorld
from fakes.recorded_fabric import NETWORKS, recorded

from tieline.ledgers.fabric.embedded.config_blocks import config_transaction
from tieline.ledgers.fabric.embedded.signing import Signatory
from tieline.ledgers.fabric.material import Role, make_organisation
from tieline.ledgers.fabric.x509_making import ALWAYS
from tieline.light_clients.fabric import building
from tieline.light_clients.fabric.config_changes import check_change
from tieline.light_clients.fabric.knowledge import EvidenceRefused, read_rules
from tieline.light_clients.fabric.messages import ConfigStep
from tieline.wire.errors import Malformed
from tieline.wire.fabric.config_groups import ConfigEnvelope, ConfigGroup, config_of_envelope
from tieline.wire.fabric.config_updates import SignedConfigUpdate
from tieline.wire.fabric.envelopes import (
    CONFIG_UPDATE,
    ChannelHeader,
    Envelope,
    Payload,
    SignatureHeader,
)
from tieline.wire.fabric.policies import MetaRule, roles_out_of
from tieline.wire.fabric.policies import Role as MspRole
from tieline.wire.fabric.signatures import sign
from tieline.wire.proto_fields import bytes_field, message_field

USERS = (("peer0", Role.PEER), ("client", Role.CLIENT), ("admin", Role.ADMIN))


@pytest.fixture
def world():
    return ClientWorld()


@pytest.fixture(scope="module")
def thieves():
    return make_organisation("Org3MSP", USERS, ALWAYS, seed=b"thieves")


def letting_in(organisation):
    """Let one more organisation in, and let it alone say what is written."""

    def change(config):
        groups = (*config.application.organisations, organisation_group(organisation))
        policies = {**config.application.policies, "Endorsement": each(MetaRule.ANY, "Endorsement")}
        application = replace(config.application, organisations=groups, policies=policies)
        return replace(config, application=application)

    return change


def refusal(world, changed):
    chain = world.chain
    step = ConfigStep(building.signed_block(changed.encode()))
    return world.refusal_of(chain.header(world.tick(), config_steps=(step,)))


def taken(world, changed):
    chain = world.chain
    step = ConfigStep(building.signed_block(changed.encode()))
    return world.update(chain.header(world.tick(), config_steps=(step,))).heights


def test_an_orderer_alone_lets_nobody_in(world, thieves):
    chain = world.chain
    envelope = chain.config_change(letting_in(thieves))
    after = config_of_envelope(envelope)[1]
    forged = chain.order_config(chain.config_envelope(after.config))
    assert "payload without header" in refusal(world, forged)


@pytest.mark.parametrize("who", [(), ("OrdererMSP",), ("OrdererMSP", "Org1MSP")])
def test_too_few_administrators_let_nobody_in(world, thieves, who):
    chain = world.chain
    everybody = (*chain.organisations, chain.orderers)
    admins = [one.member("admin") for one in everybody if one.msp_id in who]
    clients = [one.member("client") for one in chain.organisations]
    changed = chain.change_config(letting_in(thieves), [*admins, *clients])
    assert "administrators did not sign" in refusal(world, changed)


def test_who_is_no_administrator_signs_for_none(world, thieves):
    chain = world.chain
    everybody = (*chain.organisations, chain.orderers)
    forged = [
        replace(one.member("admin"), signing=replace(one.member("admin").signing, key=thief))
        for one in everybody
        for thief in [thieves.member("admin").signing.key]
    ]
    strangers = [thieves.member("admin")]
    changed = chain.change_config(letting_in(thieves), [*forged, *strangers])
    assert "administrators did not sign" in refusal(world, changed)


def test_all_administrators_let_somebody_in(world, thieves):
    assert taken(world, world.chain.change_config(letting_in(thieves)))


def test_what_administrators_signed_is_what_becomes_of_it(world, thieves):
    chain = world.chain
    honest = config_of_envelope(chain.config_change())[1]
    more = config_of_envelope(chain.config_change(letting_in(thieves)))[1]
    forged = chain.order_config(chain.config_envelope(more.config, honest.last_update))
    assert "another configuration follows" in refusal(world, forged)


def test_an_update_counts_once(world):
    chain = world.chain
    first = chain.config_change()
    update = config_of_envelope(first)[1].last_update
    assert taken(world, chain.order_config(first))
    again = replace(chain.held, sequence=2)
    forged = chain.order_config(chain.config_envelope(again, update))
    assert "to another version than the next" in refusal(world, forged)


def test_an_update_is_of_one_channel(world):
    chain = world.chain
    admins = [Signatory.of(one.member("admin")) for one in (*chain.organisations, chain.orderers)]

    def change(config):
        limits = replace(config.orderer.batch_limits, timeout="1s")
        return replace(config, orderer=replace(config.orderer, batch_limits=limits))

    other = config_transaction("south", chain.held, change, admins, admins[-1], 0)
    elsewhere = config_of_envelope(other)[1]
    forged = chain.order_config(chain.config_envelope(elsewhere.config, elsewhere.last_update))
    assert "update of another channel: 'south'" in refusal(world, forged)


def test_an_update_of_nothing_is_none(world):
    chain = world.chain
    admins = [Signatory.of(one.member("admin")) for one in (*chain.organisations, chain.orderers)]
    envelope = config_transaction(CHANNEL, chain.held, lambda one: one, admins, admins[-1], 0)
    assert "changes nothing" in refusal(world, chain.order_config(envelope))


def test_an_update_that_was_made_for_another_configuration_is_refused(world, thieves):
    chain = world.chain
    before = chain.held
    assert taken(world, chain.change_config(letting_in(thieves)))
    chain.held = before
    late = config_of_envelope(chain.config_change(letting_in(chain.orderers)))[1]
    after = replace(late.config, sequence=2)
    forged = chain.order_config(chain.config_envelope(after, late.last_update))
    assert "update of another configuration" in refusal(world, forged)


def test_an_organisation_changes_its_own_policies_alone(world):
    chain = world.chain

    def change(config):
        first, *rest = config.application.organisations
        policies = {**first.policies, "Endorsement": roles_out_of(1, [("Org1MSP", MspRole.MEMBER)])}
        organisations = (replace(first, policies=policies), *rest)
        return replace(config, application=replace(config.application, organisations=organisations))

    first, second, orderers = (
        one.member("admin") for one in (*chain.organisations, chain.orderers)
    )
    held = chain.held
    refused = chain.config_change(change, [second, orderers])
    assert "'Org1MSP'" in refusal(world, chain.order_config(refused))
    world = ClientWorld(chain=FabricChain())
    assert world.chain.held == held
    assert taken(world, world.chain.change_config(change, [first, orderers]))


def test_an_organisation_leaves(world):
    chain = world.chain

    def change(config):
        organisations = config.application.organisations[:1]
        return replace(config, application=replace(config.application, organisations=organisations))

    changed = chain.change_config(change)
    chain.organisations = chain.organisations[:1]
    assert taken(world, changed)


def rules_of(fabric, block):
    return read_rules(fabric.channel, building.known_config(block).config)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_change_that_fabric_made_is_taken_and_none_of_its_octets_may_differ(network):
    fabric = recorded(network)
    before = config_of_envelope(fabric.blocks[0].data[0])[1].config
    rules = rules_of(fabric, fabric.raw_blocks[0])
    after = config_of_envelope(fabric.block("config").data[0])[1]
    check_change(before, rules, after)
    update = SignedConfigUpdate.decode(after.last_update).update
    for place in range(len(update)):
        changed = bytearray(update)
        changed[place] ^= 1
        forged = after.last_update.replace(update, bytes(changed))
        with pytest.raises((EvidenceRefused, Malformed)):
            check_change(before, rules, replace(after, last_update=forged))


def test_a_policy_for_changes_may_be_named_from_the_root(world):
    chain = world.chain
    orderer = chain.held.channel_group.groups["Orderer"]
    timeout = replace(orderer.values["BatchTimeout"], mod_policy="/Channel/Application/Admins")
    groups = {
        **chain.held.channel_group.groups,
        "Orderer": replace(orderer, values={**orderer.values, "BatchTimeout": timeout}),
    }
    before = replace(chain.held, channel_group=replace(chain.held.channel_group, groups=groups))
    rules = read_rules(CHANNEL, before.encode())
    written = ConfigGroup(
        {"Orderer": ConfigGroup(values={"BatchTimeout": replace(timeout, version=1)})}
    )
    read = ConfigGroup({"Orderer": ConfigGroup()})
    update = b"".join(
        (
            bytes_field(1, CHANNEL.encode()),
            message_field(2, read.encode()),
            message_field(3, written.encode()),
        )
    )
    later = replace(
        before,
        channel_group=replace(
            before.channel_group,
            groups={
                **groups,
                "Orderer": replace(
                    groups["Orderer"],
                    values={**orderer.values, "BatchTimeout": replace(timeout, version=1)},
                ),
            },
        ),
    )
    application = [one.member("admin") for one in chain.organisations]
    for admins, is_taken in ((application, True), ([chain.orderers.member("admin")], False)):
        signed = signed_update(update, admins)
        if is_taken:
            check_change(before, rules, ConfigEnvelope(later, signed))
        else:
            with pytest.raises(EvidenceRefused, match="BatchTimeout"):
                check_change(before, rules, ConfigEnvelope(later, signed))


def signed_update(update, admins):
    parts = [bytes_field(1, update)]
    for one in admins:
        head = SignatureHeader(one.creator(), b"nonce").encode()
        signature = sign(one.signing.key, head + update)
        parts.append(message_field(2, bytes_field(1, head) + bytes_field(2, signature)))
    header = ChannelHeader(CONFIG_UPDATE, CHANNEL, "").encode()
    return Envelope(Payload(header, b"", b"".join(parts)).encode(), b"").encode()
