"""
The tree that a channel's configuration is: groups with values and policies; block 0.

Sources:
    fabric-protos ``common/configtx.proto``; Fabric 3.1 ``common/configtx``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tieline.wire.errors import Malformed
from tieline.wire.fabric.blocks import (
    LAST_CONFIG,
    METADATA_COUNT,
    SIGNATURES,
    Block,
    BlockHeader,
    Metadata,
    OrdererMetadata,
    data_hash,
)
from tieline.wire.fabric.envelopes import (
    CONFIG,
    ChannelHeader,
    Envelope,
    Payload,
    SignatureHeader,
)
from tieline.wire.fabric.proposals import transaction_id
from tieline.wire.fabric.reader import Message
from tieline.wire.proto_fields import bytes_field, message_field, uint_field

DEPTH_MAX = 8
"""Fabric's own tree is three deep."""
GROUPS_MAX = 1_024
ADMINS = "Admins"
"""The policy by which nearly everything is changed."""


@dataclass(frozen=True, slots=True)
class ConfigValue:
    """``common.ConfigValue``: bytes of a type that the value's key tells."""

    value: bytes
    mod_policy: str = ADMINS
    version: int = 0

    def encode(self) -> bytes:
        """Write the value."""
        return (
            uint_field(1, self.version)
            + bytes_field(2, self.value)
            + bytes_field(3, self.mod_policy.encode())
        )

    @staticmethod
    def decode(data: bytes) -> ConfigValue:
        """Read a value. Raises Malformed."""
        fields = Message(data)
        return ConfigValue(fields.octets(2), fields.text(3), fields.uint64(1))


@dataclass(frozen=True, slots=True)
class ConfigPolicy:
    """``common.ConfigPolicy``: a policy (``policies.encode_policy``), as bytes."""

    policy: bytes
    mod_policy: str = ADMINS
    version: int = 0

    def encode(self) -> bytes:
        """Write the policy."""
        return (
            uint_field(1, self.version)
            + message_field(2, self.policy)
            + bytes_field(3, self.mod_policy.encode())
        )

    @staticmethod
    def decode(data: bytes) -> ConfigPolicy:
        """Read a policy. Raises Malformed."""
        fields = Message(data)
        return ConfigPolicy(fields.embedded(2) or b"", fields.text(3), fields.uint64(1))


@dataclass(frozen=True, slots=True)
class ConfigGroup:
    """``common.ConfigGroup``: a node of the tree."""

    groups: Mapping[str, ConfigGroup] = field(default_factory=dict[str, "ConfigGroup"])
    values: Mapping[str, ConfigValue] = field(default_factory=dict[str, ConfigValue])
    policies: Mapping[str, ConfigPolicy] = field(default_factory=dict[str, ConfigPolicy])
    mod_policy: str = ADMINS
    version: int = 0

    def encode(self) -> bytes:
        """Write the group, maps by ascending key; Go writes them in any order."""
        maps = (
            (2, {key: one.encode() for key, one in self.groups.items()}),
            (3, {key: one.encode() for key, one in self.values.items()}),
            (4, {key: one.encode() for key, one in self.policies.items()}),
        )
        entries = [
            message_field(number, bytes_field(1, key.encode()) + message_field(2, raw))
            for number, held in maps
            for key, raw in sorted(held.items())
        ]
        return (
            uint_field(1, self.version)
            + b"".join(entries)
            + bytes_field(5, self.mod_policy.encode())
        )

    @staticmethod
    def decode(data: bytes) -> ConfigGroup:
        """Read a group and all below it. Raises Malformed; also if the tree is too large."""
        return _GroupReader().read(data, 1)


class _GroupReader:
    """Reads one tree, which as a whole may not be larger than ``GROUPS_MAX``."""

    def __init__(self) -> None:
        self._read = 0

    def read(self, data: bytes, depth: int) -> ConfigGroup:
        """Read a group and those below it."""
        self._read += 1
        if depth > DEPTH_MAX or self._read > GROUPS_MAX:
            raise Malformed(f"configuration too large: depth={depth} groups={self._read}")
        fields = Message(data)
        return ConfigGroup(
            {key: self.read(raw, depth + 1) for key, raw in fields.entries(2).items()},
            {key: ConfigValue.decode(raw) for key, raw in fields.entries(3).items()},
            {key: ConfigPolicy.decode(raw) for key, raw in fields.entries(4).items()},
            fields.text(5),
            fields.uint64(1),
        )


@dataclass(frozen=True, slots=True)
class Config:
    """``common.Config``: the tree with the number of changes up to it."""

    sequence: int
    channel_group: ConfigGroup

    def encode(self) -> bytes:
        """Write the configuration."""
        return uint_field(1, self.sequence) + message_field(2, self.channel_group.encode())

    @staticmethod
    def decode(data: bytes) -> Config:
        """Read a configuration. Raises Malformed."""
        fields = Message(data)
        return Config(fields.uint64(1), ConfigGroup.decode(fields.embedded(2) or b""))


@dataclass(frozen=True, slots=True)
class ConfigEnvelope:
    """``common.ConfigEnvelope``: a configuration with the signed update that led to it."""

    config: Config
    last_update: bytes | None = None
    """``common.Envelope``; None at the beginning of a channel."""

    def encode(self) -> bytes:
        """Write the envelope's data."""
        update = b"" if self.last_update is None else message_field(2, self.last_update)
        return message_field(1, self.config.encode()) + update

    @staticmethod
    def decode(data: bytes) -> ConfigEnvelope:
        """Read the data of an envelope of type CONFIG. Raises Malformed."""
        fields = Message(data)
        config = fields.embedded(1)
        if config is None:
            raise Malformed("configuration envelope without configuration")
        return ConfigEnvelope(Config.decode(config), fields.embedded(2))


def config_of_envelope(envelope: bytes) -> tuple[str, ConfigEnvelope]:
    """Return the channel of an envelope of type CONFIG, and what it holds. Raises Malformed."""
    payload = Payload.decode(Envelope.decode(envelope).payload)
    header = ChannelHeader.decode(payload.channel_header)
    if header.type != CONFIG:
        raise Malformed(f"not a configuration: type={header.type}")
    return header.channel_id, ConfigEnvelope.decode(payload.data)


def genesis_block(channel_id: str, group: ConfigGroup, nonce: bytes) -> Block:
    """Return block 0 of a channel. Nobody signs it: it is the anchor of trust."""
    header = ChannelHeader(CONFIG, channel_id, transaction_id(nonce, b""), version=1)
    payload = Payload(
        header.encode(),
        SignatureHeader(b"", nonce).encode(),
        ConfigEnvelope(Config(0, group)).encode(),
    )
    data = (Envelope(payload.encode(), b"").encode(),)
    metadata = [b""] * METADATA_COUNT
    metadata[SIGNATURES] = Metadata(OrdererMetadata(0).encode()).encode()
    metadata[LAST_CONFIG] = Metadata(b"").encode()
    return Block(BlockHeader(0, b"", data_hash(data)), data, tuple(metadata))
