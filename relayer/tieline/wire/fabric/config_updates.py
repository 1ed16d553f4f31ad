"""
What administrators sign to change a channel's configuration, and what becomes of it.

Sources:
    fabric-protos ``common/configtx.proto``; Fabric 3.1 ``common/configtx/{update,configmap}.go``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from tieline.wire.errors import Malformed
from tieline.wire.fabric.config_groups import ConfigGroup, ConfigPolicy, ConfigValue
from tieline.wire.fabric.envelopes import CONFIG_UPDATE, ChannelHeader, Envelope, Payload
from tieline.wire.fabric.reader import Message
from tieline.wire.proto_fields import bytes_field, int_field

_ROOT: Final = "Channel"

Element: TypeAlias = ConfigGroup | ConfigValue | ConfigPolicy


class Place(NamedTuple):
    """Where an element stands in the tree."""

    kind: type[Element]
    path: tuple[str, ...]
    """Its own name last."""

    @property
    def group(self) -> str:
        """The path of the group in which a relative policy of it is looked up."""
        return "/" + "/".join(self.path if self.kind is ConfigGroup else self.path[:-1])


Elements: TypeAlias = Mapping[Place, Element]


@dataclass(frozen=True, slots=True)
class ConfigSignature:
    """``common.ConfigSignature``: one administrator's."""

    signature_header: bytes
    signature: bytes

    def signed_bytes(self, update: bytes) -> bytes:
        """Return what was signed."""
        return self.signature_header + update


@dataclass(frozen=True, slots=True)
class SignedConfigUpdate:
    """``common.ConfigUpdateEnvelope`` with the ``common.ConfigUpdate`` in it."""

    update: bytes
    """As it was signed."""
    signatures: tuple[ConfigSignature, ...]
    channel_id: str
    read_set: ConfigGroup
    """What must still be as it was: versions count, nothing else."""
    write_set: ConfigGroup

    @staticmethod
    def decode(envelope: bytes) -> SignedConfigUpdate:
        """Read an envelope of type CONFIG_UPDATE. Raises Malformed."""
        payload = Payload.decode(Envelope.decode(envelope).payload)
        kind = ChannelHeader.decode(payload.channel_header).type
        if kind != CONFIG_UPDATE:
            raise Malformed(f"not an update of a configuration: type={kind}")
        fields = Message(payload.data)
        update = Message(fields.octets(1))
        signatures = map(Message, fields.each(2))
        return SignedConfigUpdate(
            fields.octets(1),
            tuple(ConfigSignature(one.octets(1), one.octets(2)) for one in signatures),
            update.text(1),
            ConfigGroup.decode(update.embedded(2) or b""),
            ConfigGroup.decode(update.embedded(3) or b""),
        )


def elements_of(root: ConfigGroup) -> dict[Place, Element]:
    """Return all elements of a tree by their places."""
    found: dict[Place, Element] = {}
    waiting: list[tuple[tuple[str, ...], ConfigGroup]] = [((_ROOT,), root)]
    while waiting:
        path, group = waiting.pop()
        found[Place(ConfigGroup, path)] = group
        found.update((Place(ConfigValue, (*path, key)), one) for key, one in group.values.items())
        found.update(
            (Place(ConfigPolicy, (*path, key)), one) for key, one in group.policies.items()
        )
        waiting.extend(((*path, key), one) for key, one in group.groups.items())
    return found


def changed_elements(held: Elements, update: SignedConfigUpdate) -> dict[Place, Element]:
    """
    Return what an update changes of a configuration, new elements included.

    Raises:
        Malformed: It was made for another configuration than *held*, or changes nothing.
    """
    read = elements_of(update.read_set)
    for place, one in read.items():
        before = held.get(place)
        if before is None or before.version != one.version:
            raise Malformed(f"update of another configuration: {place.path}")
    changed = {
        place: one
        for place, one in elements_of(update.write_set).items()
        if place not in read or read[place].version != one.version
    }
    for place, one in changed.items():
        before = held.get(place)
        if one.version != (0 if before is None else before.version + 1):
            raise Malformed(f"update to another version than the next: {place.path} {one.version}")
    if not changed:
        raise Malformed("update that changes nothing")
    return changed


def is_result(held: Elements, changed: Elements, result: ConfigGroup) -> bool:
    """Tell whether *result* is what *changed* makes of *held*. Raises Malformed."""
    return _same(Place(ConfigGroup, (_ROOT,)), {**held, **changed}, result)


def _same(place: Place, elements: Elements, result: ConfigGroup) -> bool:
    """Compare a group as its own element names its members, each member as its own says."""
    group = elements.get(place)
    if not isinstance(group, ConfigGroup) or _head(group) != _head(result):
        return False
    path = place.path
    return (
        all(
            elements.get(Place(ConfigValue, (*path, key))) == one
            for key, one in result.values.items()
        )
        and all(
            _is_policy(elements.get(Place(ConfigPolicy, (*path, key))), one)
            for key, one in result.policies.items()
        )
        and all(
            _same(Place(ConfigGroup, (*path, key)), elements, one)
            for key, one in result.groups.items()
        )
    )


def _head(group: ConfigGroup) -> tuple[object, ...]:
    """Return what a group says by itself: its version, its policy, who its members are."""
    names = (group.groups.keys(), group.values.keys(), group.policies.keys())
    return (group.version, group.mod_policy, *map(set, names))


def _is_policy(expected: Element | None, found: ConfigPolicy) -> bool:
    """Compare policies as messages: an orderer writes again what an administrator wrote."""
    return isinstance(expected, ConfigPolicy) and _plain(expected) == _plain(found)


def _plain(policy: ConfigPolicy) -> tuple[bytes, str, int]:
    fields = Message(policy.policy)
    written = int_field(1, fields.int32(1)) + bytes_field(2, fields.octets(2))
    return written, policy.mod_policy, policy.version
