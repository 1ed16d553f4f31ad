"""Configurations, policies and definitions of Fabric against the official protobuf classes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fakes.fabric_messages import official, rewritten
from fakes.fabric_samples import CONFIG, GROUP, MAJORITY, NESTED

from tieline.wire.errors import Malformed
from tieline.wire.fabric import config_groups, policies
from tieline.wire.fabric.blocks import Block, OrdererMetadata, check_well_formed
from tieline.wire.fabric.config import (
    APPLICATION,
    ORDERER,
    channel_config,
    decode_channel_config,
)
from tieline.wire.fabric.config_groups import (
    Config,
    ConfigEnvelope,
    ConfigGroup,
    ConfigPolicy,
    ConfigValue,
    config_of_envelope,
    genesis_block,
)
from tieline.wire.fabric.envelopes import Envelope
from tieline.wire.fabric.lifecycle import (
    ChaincodeDefinition,
    after_writes,
    definition_of_state,
    sequence_key,
)
from tieline.wire.fabric.policies import (
    ApplicationPolicy,
    NOutOf,
    OtherPrincipal,
    Policy,
    Role,
    SignaturePolicy,
    SignedBy,
    decode_policy,
    decode_principal,
    encode_policy,
    encode_principal,
    roles_out_of,
)
from tieline.wire.fabric.rwsets import Write


def test_a_configuration_reads_back_whole() -> None:
    block = genesis_block("lab", GROUP, b"nonce")
    assert decode_channel_config(block.data[0]) == CONFIG
    assert Block.decode(block.encode()) == block
    assert block.is_data_of_header
    assert OrdererMetadata.decode(block.signatures.value) == OrdererMetadata(0)
    check_well_formed(block.data)


def test_a_configuration_is_what_the_official_classes_read() -> None:
    block = genesis_block("lab", GROUP, b"nonce")
    payload = official("Payload").FromString(Envelope.decode(block.data[0]).payload)
    root: Any = official("ConfigEnvelope").FromString(payload.data).config.channel_group
    orderer, application = root.groups[ORDERER], root.groups[APPLICATION]
    size = official("BatchSize").FromString(orderer.values["BatchSize"].value)
    assert (size.max_message_count, size.absolute_max_bytes) == (100, 512 << 10)
    consenters = official("Orderers").FromString(orderer.values["Orderers"].value)
    assert consenters.consenter_mapping[0].server_tls_cert == b"server"
    msp = official("MSPConfig").FromString(application.groups["Org2"].values["MSP"].value)
    organisation_read = official("FabricMSPConfig").FromString(msp.config)
    assert organisation_read.SerializeToString() == msp.config
    assert organisation_read.fabric_node_ous.orderer_ou_identifier.certificate == b""
    assert set(official("Capabilities").FromString(root.values["Capabilities"].value).capabilities)
    assert root.mod_policy == "Admins"


def test_a_configuration_that_the_official_classes_write_reads_the_same() -> None:
    """Maps come in any order, so no order is asked for."""
    again = rewritten("Config", Config(5, GROUP).encode())
    assert channel_config("lab", Config.decode(again)) == replace(CONFIG, sequence=5)


def test_policies_and_groups_are_found_by_path() -> None:
    assert CONFIG.policy("/Channel/Application/Endorsement") == MAJORITY
    assert CONFIG.policy("/Channel/Orderer/Orderers/Endorsement") is not None
    assert CONFIG.policy("/Channel/Nowhere/Endorsement") is None
    assert CONFIG.policy("/Channel/Writers") is None
    below = ("/Channel/Application/Org1", "/Channel/Application/Org2")
    assert CONFIG.below("/Channel/Application") == below
    assert CONFIG.below("/Channel") == ("/Channel/Orderer", "/Channel/Application")
    found = CONFIG.organisation("Org2MSP")
    assert found is not None
    assert found.name == "Org2"
    assert CONFIG.organisation("Org2") is None


def test_an_update_is_kept_with_the_configuration_it_led_to() -> None:
    held = ConfigEnvelope(Config(3, ConfigGroup()), b"\x0a\x01u")
    assert ConfigEnvelope.decode(held.encode()) == held


@pytest.mark.parametrize(
    "policy", [NESTED, MAJORITY, roles_out_of(2, [("A", Role.PEER), ("B", Role.ORDERER)])]
)
def test_policies_are_what_the_official_classes_write(policy: Policy) -> None:
    assert decode_policy(encode_policy(policy)) == policy
    name = (
        "SignaturePolicyEnvelope" if isinstance(policy, SignaturePolicy) else "ImplicitMetaPolicy"
    )
    assert rewritten("Policy", encode_policy(policy)) == encode_policy(policy)
    assert rewritten(name, policy.encode()) == policy.encode()


def test_a_principal_that_is_not_known_reads_back() -> None:
    for one in (OtherPrincipal(3, b"anonymous"), OtherPrincipal(0, b"\x10\x09")):
        assert decode_principal(encode_principal(one)) == one


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x12\x00",
        b"\x12\x04\x08\x01\x1a\x00",
        b"\x12\x04\x08\x00\x12\x00\x1a\x00",
        b"\x12\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x1a\x00",
        SignaturePolicy(SignedBy(0), ()).encode(),
        SignaturePolicy(NOutOf(1, (SignedBy(0),) * 1024), NESTED.principals).encode(),
        SignaturePolicy(SignedBy(0), (OtherPrincipal(0, b"\x10\x09"),) * 1025).encode(),
    ],
)
def test_a_rule_without_principal_or_measure_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        SignaturePolicy.decode(raw)


def test_a_rule_may_not_be_deeper_than_any_that_people_write() -> None:
    rule: policies.Rule = SignedBy(0)
    for _ in range(policies.DEPTH_MAX - 1):
        rule = NOutOf(1, (rule,))
    deep = SignaturePolicy(rule, NESTED.principals)
    assert SignaturePolicy.decode(deep.encode()) == deep
    with pytest.raises(Malformed):
        SignaturePolicy.decode(replace(deep, rule=NOutOf(1, (rule,))).encode())


@pytest.mark.parametrize("raw", [b"", b"\x08\x02", b"\x08\x03\x12\x02\x10\x03"])
def test_a_policy_of_no_known_type_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        decode_policy(raw)


def test_an_application_policy_holds_one_of_its_kinds() -> None:
    for one in (ApplicationPolicy(NESTED), ApplicationPolicy(None, "/Channel/Application/Admins")):
        assert ApplicationPolicy.decode(one.encode()) == one
        assert rewritten("ApplicationPolicy", one.encode()) == one.encode()
    for raw in (b"", ApplicationPolicy(NESTED).encode() + b"\x12\x00"):
        with pytest.raises(Malformed):
            ApplicationPolicy.decode(raw)


def nested(depth: int) -> ConfigGroup:
    group = ConfigGroup()
    for _ in range(depth - 1):
        group = ConfigGroup({"below": group})
    return group


@pytest.mark.parametrize(
    "group",
    [
        ConfigGroup(),
        replace(GROUP, groups={ORDERER: GROUP.groups[ORDERER]}),
        replace(GROUP, policies={"Admins": ConfigPolicy(b"")}),
        replace(GROUP, groups={**GROUP.groups, APPLICATION: ConfigGroup({"Org1": ConfigGroup(
            {}, {"MSP": ConfigValue(b"\x08\x01")})})}),
    ],
)  # fmt: skip
def test_a_tree_that_is_no_channel_is_malformed(group: ConfigGroup) -> None:
    with pytest.raises(Malformed):
        decode_channel_config(genesis_block("lab", group, b"nonce").data[0])


@pytest.mark.parametrize(
    "group",
    [
        nested(config_groups.DEPTH_MAX + 1),
        ConfigGroup({str(number): ConfigGroup() for number in range(config_groups.GROUPS_MAX)}),
    ],
)
def test_a_tree_without_measure_is_malformed(group: ConfigGroup) -> None:
    with pytest.raises(Malformed, match="too large"):
        Config.decode(Config(0, group).encode())
    assert Config.decode(Config(0, nested(config_groups.DEPTH_MAX)).encode())


def test_a_transaction_is_no_configuration() -> None:
    for raw in (b"", b"\x0a\x02\x0a\x00"):
        with pytest.raises(Malformed):
            config_of_envelope(raw)
    with pytest.raises(Malformed):
        ConfigEnvelope.decode(b"")


FIRST = ChaincodeDefinition("tieline", 1, "1.0")


def test_a_definition_is_what_the_official_classes_write() -> None:
    state = FIRST.state()
    read = {key: official("StateData").FromString(raw) for key, raw in state.items()}
    assert read[sequence_key("tieline")].Int64 == 1
    prefix = "namespaces/fields/tieline/"
    info = official("ChaincodeEndorsementInfo").FromString(read[f"{prefix}EndorsementInfo"].Bytes)
    assert (info.version, info.endorsement_plugin) == ("1.0", "escc")
    rules = official("ChaincodeValidationInfo").FromString(read[f"{prefix}ValidationInfo"].Bytes)
    assert rules.validation_parameter == FIRST.validation_parameter
    metadata = official("StateMetadata").FromString(state["namespaces/metadata/tieline"])
    assert metadata.datatype == "ChaincodeDefinition"
    assert metadata.fields[0] == "Sequence"
    assert read[f"{prefix}Collections"].WhichOneof("Type") == "Bytes"
    assert FIRST.endorsement_policy.reference == "/Channel/Application/Endorsement"


def test_only_what_changes_of_a_definition_is_written() -> None:
    second = replace(FIRST, sequence=2)
    third = replace(second, sequence=3, validation_parameter=ApplicationPolicy(NESTED).encode())
    assert len(FIRST.writes(None)) == 5
    assert [one.key for one in second.writes(FIRST)] == [sequence_key("tieline")]
    held: ChaincodeDefinition | None = None
    before: ChaincodeDefinition | None = None
    for one in (FIRST, second, third):
        held, before = after_writes("tieline", held, one.writes(before)), one
        assert held == one
    assert third.endorsement_policy.signature_policy == NESTED


def test_writes_of_another_chaincode_change_nothing() -> None:
    other = ChaincodeDefinition("tieline2", 1, "1.0").writes(None)
    assert after_writes("tieline", FIRST, other) is FIRST
    assert after_writes("tieline", None, other) is None


@pytest.mark.parametrize(
    "spoiled",
    [
        {"namespaces/metadata/tieline": b""},
        {"namespaces/metadata/tieline": b"\x0a\x05Other"},
        {sequence_key("tieline"): b"\x08\x00"},
        {sequence_key("tieline"): b"\xff"},
        {"namespaces/fields/tieline/ValidationInfo": b"\x12\x01\xff"},
    ],
)
def test_keys_that_hold_no_definition_are_malformed(spoiled: dict[str, bytes]) -> None:
    with pytest.raises(Malformed):
        definition_of_state("tieline", {**FIRST.state(), **spoiled})


def test_a_definition_that_is_deleted_is_malformed() -> None:
    with pytest.raises(Malformed):
        after_writes("tieline", FIRST, (Write(sequence_key("tieline"), is_delete=True),))
