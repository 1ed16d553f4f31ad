"""
A channel's configuration as a record: who orders, who endorses, by which policies.

Sources:
    fabric-protos ``common/configuration.proto``, ``orderer/configuration.proto``; Fabric 3.1
    ``common/channelconfig``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tieline.wire.errors import Malformed
from tieline.wire.fabric.config_groups import (
    Config,
    ConfigGroup,
    ConfigPolicy,
    ConfigValue,
    config_of_envelope,
)
from tieline.wire.fabric.organisations import MspConfig
from tieline.wire.fabric.policies import (
    Policy,
    decode_policy,
    encode_policy,
)
from tieline.wire.fabric.reader import Message
from tieline.wire.proto_fields import bytes_field, int_field, message_field, uint_field

RAFT = "etcdraft"
BFT = "BFT"
CHANNEL = "Channel"
ORDERER = "Orderer"
APPLICATION = "Application"
BLOCK_VALIDATION = "BlockValidation"
ENDORSEMENT = "Endorsement"
LIFECYCLE_ENDORSEMENT = "LifecycleEndorsement"

CONSENTERS_MAX = 256
_DATA_HASHING_WIDTH = (1 << 32) - 1
_HASHING = "SHA256"


@dataclass(frozen=True, slots=True)
class Consenter:
    """``common.Consenter``: an orderer of a SmartBFT channel, known by its number."""

    id: int
    host: str
    port: int
    msp_id: str
    identity: bytes
    """PEM certificate by which it signs."""
    client_tls_certificate: bytes = b""
    server_tls_certificate: bytes = b""

    def encode(self) -> bytes:
        """Write the consenter."""
        return (
            uint_field(1, self.id)
            + bytes_field(2, self.host.encode())
            + uint_field(3, self.port)
            + bytes_field(4, self.msp_id.encode())
            + bytes_field(5, self.identity)
            + bytes_field(6, self.client_tls_certificate)
            + bytes_field(7, self.server_tls_certificate)
        )

    @staticmethod
    def decode(data: bytes) -> Consenter:
        """Read a consenter. Raises Malformed."""
        fields = Message(data)
        return Consenter(
            fields.uint32(1),
            fields.text(2),
            fields.uint32(3),
            fields.text(4),
            fields.octets(5),
            fields.octets(6),
            fields.octets(7),
        )


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """``orderer.BatchSize`` and ``orderer.BatchTimeout``: when a block is cut."""

    transactions_max: int
    bytes_max: int
    bytes_preferred_max: int
    timeout: str
    """As Go writes durations, such as ``100ms``."""


@dataclass(frozen=True, slots=True)
class Organisation:
    """A group right below Orderer or Application."""

    name: str
    """Of the group; its policies go by it. Certificates go by ``msp.msp_id``."""
    msp: MspConfig
    policies: Mapping[str, Policy]
    other_values: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    """Such as AnchorPeers and Endpoints, unread."""


@dataclass(frozen=True, slots=True)
class OrdererConfig:
    """Who orders blocks, and how large they get."""

    consensus_type: str
    """RAFT or BFT."""
    consensus_metadata: bytes
    batch_limits: BatchLimits
    organisations: tuple[Organisation, ...]
    policies: Mapping[str, Policy]
    """BLOCK_VALIDATION is the one that blocks are judged by."""
    capabilities: frozenset[str]
    consenters: tuple[Consenter, ...] = ()
    """Of a BFT channel; empty under etcdraft."""
    consensus_state: int = 0
    """0 in ordinary operation, 1 while the kind of ordering is changed."""


@dataclass(frozen=True, slots=True)
class ApplicationConfig:
    """Who endorses."""

    organisations: tuple[Organisation, ...]
    policies: Mapping[str, Policy]
    capabilities: frozenset[str]
    access: bytes = b""
    """``peer.ACLs``, unread."""


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """All that a channel's configuration says and that blocks and transactions are judged by."""

    channel_id: str
    sequence: int
    """0 in block 0, then one more with every change."""
    orderer: OrdererConfig
    application: ApplicationConfig
    policies: Mapping[str, Policy]
    """Of the channel as a whole."""
    capabilities: frozenset[str]

    def organisation(self, msp_id: str) -> Organisation | None:
        """Return an organisation by the name in its identities; None if the channel has none."""
        for one in (*self.application.organisations, *self.orderer.organisations):
            if one.msp.msp_id == msp_id:
                return one
        return None

    def policy(self, path: str) -> Policy | None:
        """Return a policy by its path, such as ``/Channel/Application/Endorsement``."""
        *groups, name = path.removeprefix("/").split("/")
        found = self._groups().get(tuple(groups))
        return None if found is None else found.get(name)

    def below(self, path: str) -> tuple[str, ...]:
        """Return the paths of the groups right below a group, such as ``/Channel/Orderer``."""
        above = tuple(path.removeprefix("/").split("/"))
        return tuple("/" + "/".join(one) for one in self._groups() if one[:-1] == above)

    def _groups(self) -> dict[tuple[str, ...], Mapping[str, Policy]]:
        found: dict[tuple[str, ...], Mapping[str, Policy]] = {(CHANNEL,): self.policies}
        for name, part in ((ORDERER, self.orderer), (APPLICATION, self.application)):
            found[CHANNEL, name] = part.policies
            for one in part.organisations:
                found[CHANNEL, name, one.name] = one.policies
        return found


def decode_channel_config(envelope: bytes) -> ChannelConfig:
    """
    Read the configuration in a configuration block's one envelope.

    Raises:
        Malformed: Of another type, no configuration, or one without orderers or application.
    """
    channel_id, held = config_of_envelope(envelope)
    return channel_config(channel_id, held.config)


def channel_config(channel_id: str, config: Config) -> ChannelConfig:
    """Return a configuration as a record. Raises Malformed as ``decode_channel_config``."""
    root = config.channel_group
    orderer, application = root.groups.get(ORDERER), root.groups.get(APPLICATION)
    if orderer is None or application is None:
        raise Malformed("configuration of no channel that has both orderers and application")
    return ChannelConfig(
        channel_id,
        config.sequence,
        _orderer(orderer),
        ApplicationConfig(
            _organisations(application),
            _policies(application),
            _capabilities(application),
            _value(application, "ACLs"),
        ),
        _policies(root),
        _capabilities(root),
    )


def _orderer(group: ConfigGroup) -> OrdererConfig:
    consensus = Message(_value(group, "ConsensusType"))
    size = Message(_value(group, "BatchSize"))
    consenters = Message(_value(group, "Orderers")).each(1)
    if len(consenters) > CONSENTERS_MAX:
        raise Malformed(f"too many consenters: count={len(consenters)}")
    timeout = Message(_value(group, "BatchTimeout")).text(1)
    return OrdererConfig(
        consensus.text(1),
        consensus.octets(2),
        BatchLimits(size.uint32(1), size.uint32(2), size.uint32(3), timeout),
        _organisations(group),
        _policies(group),
        _capabilities(group),
        tuple(map(Consenter.decode, consenters)),
        consensus.int32(3),
    )


def _organisations(group: ConfigGroup) -> tuple[Organisation, ...]:
    found: list[Organisation] = []
    for name, one in sorted(group.groups.items()):
        others = {key: held.value for key, held in one.values.items() if key != "MSP"}
        msp = MspConfig.decode(_value(one, "MSP"))
        found.append(Organisation(name, msp, _policies(one), others))
    return tuple(found)


def _policies(group: ConfigGroup) -> dict[str, Policy]:
    return {name: decode_policy(one.policy) for name, one in sorted(group.policies.items())}


def _capabilities(group: ConfigGroup) -> frozenset[str]:
    return frozenset(Message(_value(group, "Capabilities")).entries(1))


def _value(group: ConfigGroup, key: str) -> bytes:
    held = group.values.get(key)
    return b"" if held is None else held.value


def config_group(config: ChannelConfig) -> ConfigGroup:
    """Return the tree of a configuration, every part of it changed by the Admins right above."""
    return ConfigGroup(
        {
            ORDERER: _orderer_group(config.orderer),
            APPLICATION: _application_group(config.application),
        },
        {
            "HashingAlgorithm": ConfigValue(bytes_field(1, _HASHING.encode())),
            "BlockDataHashingStructure": ConfigValue(uint_field(1, _DATA_HASHING_WIDTH)),
            "Capabilities": _capabilities_value(config.capabilities),
        },
        _config_policies(config.policies),
    )


def _orderer_group(orderer: OrdererConfig) -> ConfigGroup:
    limits = orderer.batch_limits
    consensus = (
        bytes_field(1, orderer.consensus_type.encode())
        + bytes_field(2, orderer.consensus_metadata)
        + int_field(3, orderer.consensus_state)
    )
    size = (
        uint_field(1, limits.transactions_max)
        + uint_field(2, limits.bytes_max)
        + uint_field(3, limits.bytes_preferred_max)
    )
    values = {
        "ConsensusType": ConfigValue(consensus),
        "BatchSize": ConfigValue(size),
        "BatchTimeout": ConfigValue(bytes_field(1, limits.timeout.encode())),
        "ChannelRestrictions": ConfigValue(b""),
        "Capabilities": _capabilities_value(orderer.capabilities),
    }
    if orderer.consenters:
        consenters = b"".join(message_field(1, one.encode()) for one in orderer.consenters)
        values["Orderers"] = ConfigValue(consenters)
    return ConfigGroup(
        _organisation_groups(orderer.organisations), values, _config_policies(orderer.policies)
    )


def _application_group(application: ApplicationConfig) -> ConfigGroup:
    values = {"Capabilities": _capabilities_value(application.capabilities)}
    if application.access:
        values["ACLs"] = ConfigValue(application.access)
    return ConfigGroup(
        _organisation_groups(application.organisations),
        values,
        _config_policies(application.policies),
    )


def _organisation_groups(organisations: tuple[Organisation, ...]) -> dict[str, ConfigGroup]:
    return {
        one.name: ConfigGroup(
            {},
            {
                "MSP": ConfigValue(one.msp.encode()),
                **{key: ConfigValue(held) for key, held in one.other_values.items()},
            },
            _config_policies(one.policies),
        )
        for one in organisations
    }


def _config_policies(policies: Mapping[str, Policy]) -> dict[str, ConfigPolicy]:
    return {name: ConfigPolicy(encode_policy(one)) for name, one in policies.items()}


def _capabilities_value(capabilities: frozenset[str]) -> ConfigValue:
    entries = (bytes_field(1, one.encode()) + message_field(2, b"") for one in sorted(capabilities))
    return ConfigValue(b"".join(message_field(1, one) for one in entries))
