"""
Configuration transactions: the one of genesis, and updates that administrators sign.

Sources:
    Fabric 3.1.1, ``common/genesis/genesis.go``, ``common/configtx/{update,validator}.go``,
    ``internal/configtxlator/update``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import TypeVar

from tieline.ledgers.fabric.embedded.channel_config import first_config
from tieline.ledgers.fabric.embedded.channel_plan import ChannelPlan
from tieline.ledgers.fabric.embedded.signing import Signatory
from tieline.wire.fabric.blocks import Block, BlockHeader, Metadata, OrdererMetadata, data_hash
from tieline.wire.fabric.config import ChannelConfig, channel_config, config_group
from tieline.wire.fabric.config_groups import (
    Config,
    ConfigEnvelope,
    ConfigGroup,
    ConfigPolicy,
    ConfigValue,
)
from tieline.wire.fabric.envelopes import (
    CONFIG,
    CONFIG_UPDATE,
    ChannelHeader,
    Envelope,
    Payload,
    SignatureHeader,
)
from tieline.wire.fabric.proposals import NONCE_BYTES
from tieline.wire.proto_fields import bytes_field, message_field, uint_field

_Versioned = TypeVar("_Versioned", ConfigValue, ConfigPolicy)
Change = Callable[[ChannelConfig], ChannelConfig]
"""Returns a configuration that differs; its sequence is none of its business."""


def genesis_block(plan: ChannelPlan) -> Block:
    """Return block 0, which nobody signs: whoever joins must be told its hash."""
    content = ConfigEnvelope(Config(0, config_group(first_config(plan))))
    nonce = plan.genesis_nonce
    tx_id = sha256(nonce).hexdigest()
    header = ChannelHeader(CONFIG, plan.channel, tx_id, seconds=plan.genesis_time_s)
    payload = Payload(header.encode(), SignatureHeader(b"", nonce).encode(), content.encode())
    data = (Envelope(payload.encode(), b"").encode(),)
    metadata = (
        Metadata(OrdererMetadata(0).encode()).encode(),
        Metadata(uint_field(1, 0)).encode(),
        b"",
        b"",
        b"",
    )
    return Block(BlockHeader(0, b"", data_hash(data)), data, metadata)


def config_transaction(
    channel: str,
    current: Config,
    change: Change,
    admins: Sequence[Signatory],
    orderer: Signatory,
    time_s: int,
) -> bytes:
    """
    Return the envelope of the next configuration, as an orderer makes it of an update.

    Args:
        channel: Its name.
        current: What is in force.
        change: What is to be different.
        admins: Who signs the update.
        orderer: Who vouches for the result.
        time_s: Unix seconds, for the headers.
    """
    before = current.channel_group
    after = _next_versions(before, config_group(change(channel_config(channel, current))))
    update = (
        bytes_field(1, channel.encode())
        + message_field(2, _read(before, after).encode())
        + message_field(3, _written(before, after).encode())
    )
    signatures = b"".join(message_field(2, _approval(one, update)) for one in admins)
    wrapped = bytes_field(1, update) + signatures
    last_update = _signed(channel, CONFIG_UPDATE, wrapped, admins[0], time_s)
    content = ConfigEnvelope(Config(current.sequence + 1, after), last_update)
    return _signed(channel, CONFIG, content.encode(), orderer, time_s)


def _approval(admin: Signatory, update: bytes) -> bytes:
    head = _header_of(admin, update).encode()
    return bytes_field(1, head) + bytes_field(2, admin.sign(head + update))


def _signed(channel: str, kind: int, content: bytes, signatory: Signatory, time_s: int) -> bytes:
    header = ChannelHeader(kind, channel, "", seconds=time_s)
    signer = _header_of(signatory, content)
    payload = Payload(header.encode(), signer.encode(), content).encode()
    return Envelope(payload, signatory.sign(payload)).encode()


def _header_of(signatory: Signatory, content: bytes) -> SignatureHeader:
    nonce = sha256(b"nonce" + signatory.creator + content).digest()[:NONCE_BYTES]
    return SignatureHeader(signatory.creator, nonce)


def _next_versions(before: ConfigGroup, after: ConfigGroup) -> ConfigGroup:
    """Give each changed value, policy and set of members its next version, others their old."""
    groups = {
        name: _next_versions(before.groups[name], one) if name in before.groups else one
        for name, one in after.groups.items()
    }
    values = _each_next(before.values, after.values)
    policies = _each_next(before.policies, after.policies)
    is_other_set = (
        groups.keys() != before.groups.keys()
        or values.keys() != before.values.keys()
        or policies.keys() != before.policies.keys()
    )
    version = before.version + int(is_other_set)
    return ConfigGroup(groups, values, policies, after.mod_policy, version)


def _each_next(
    was: Mapping[str, _Versioned], now: Mapping[str, _Versioned]
) -> dict[str, _Versioned]:
    found: dict[str, _Versioned] = {}
    for name, one in now.items():
        old = was.get(name)
        version = 0 if old is None else old.version
        same = replace(one, version=version)
        found[name] = same if old in {None, same} else replace(one, version=version + 1)
    return found


def _read(before: ConfigGroup, after: ConfigGroup) -> ConfigGroup:
    """Return what the update leaves as it is: versions, of what ``_written`` holds unchanged."""
    is_other_set = after.version != before.version
    return ConfigGroup(
        {
            name: _read(before.groups[name], one)
            for name, one in after.groups.items()
            if name in before.groups and (is_other_set or one != before.groups[name])
        },
        _unchanged(before.values, after.values) if is_other_set else {},
        _unchanged(before.policies, after.policies) if is_other_set else {},
        "",
        before.version,
    )


def _written(before: ConfigGroup | None, after: ConfigGroup) -> ConfigGroup:
    """Return what differs, under the groups that lead there; another set of members whole."""
    if before is None:
        return after
    is_other_set = after.version != before.version
    return ConfigGroup(
        {
            name: _written(before.groups.get(name), one)
            for name, one in after.groups.items()
            if is_other_set or one != before.groups[name]
        },
        {k: one for k, one in after.values.items() if is_other_set or one != before.values[k]},
        {k: one for k, one in after.policies.items() if is_other_set or one != before.policies[k]},
        after.mod_policy if is_other_set else "",
        after.version,
    )


def _unchanged(
    was: Mapping[str, _Versioned], now: Mapping[str, _Versioned]
) -> dict[str, _Versioned]:
    return {name: one for name, one in now.items() if was.get(name) == one}
