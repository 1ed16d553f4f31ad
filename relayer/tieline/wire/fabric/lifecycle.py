"""
Definitions of chaincodes as they lie in the namespace ``_lifecycle``: one key for each field.

A transaction that commits a definition writes only the fields that change, so a definition is
read from what was written before it as well.

Sources:
    Fabric 3.1 ``core/chaincode/lifecycle/{serializer,lifecycle}.go``; fabric-protos
    ``peer/lifecycle/{db,chaincode_definition}.proto``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tieline.wire.errors import Malformed
from tieline.wire.fabric.policies import ApplicationPolicy
from tieline.wire.fabric.reader import Message
from tieline.wire.fabric.rwsets import Write
from tieline.wire.proto_fields import bytes_field, message_field, uint_field, uvarint

LIFECYCLE = "_lifecycle"
DEFAULT_ENDORSEMENT = "/Channel/Application/Endorsement"
"""The policy of a definition that names none."""

_DATATYPE = "ChaincodeDefinition"
_FIELDS = ("Sequence", "EndorsementInfo", "ValidationInfo", "Collections")
_FIELDS_MAX = 64
_UINT64_COUNT = 1 << 64


@dataclass(frozen=True, slots=True)
class ChaincodeDefinition:
    """What a channel agreed on about a chaincode."""

    chaincode: str
    sequence: int
    """1 for the first definition, one more for each after it."""
    version: str
    validation_parameter: bytes = ApplicationPolicy(None, DEFAULT_ENDORSEMENT).encode()
    """``ApplicationPolicy``: the endorsement policy."""
    init_required: bool = False
    endorsement_plugin: str = "escc"
    validation_plugin: str = "vscc"
    collections: bytes = b""
    """``peer.CollectionConfigPackage``, unread."""

    @property
    def endorsement_policy(self) -> ApplicationPolicy:
        """The policy that transactions of the chaincode must satisfy. Raises Malformed."""
        return ApplicationPolicy.decode(self.validation_parameter)

    def state(self) -> dict[str, bytes]:
        """Return the keys and values by which ``_lifecycle`` holds the definition."""
        endorsement = (
            bytes_field(1, self.version.encode())
            + uint_field(2, int(self.init_required))
            + bytes_field(3, self.endorsement_plugin.encode())
        )
        validation = bytes_field(1, self.validation_plugin.encode())
        validation += bytes_field(2, self.validation_parameter)
        # A value is one of several kinds, so it is written even when it is empty.
        values = (
            b"\x08" + uvarint(self.sequence),
            message_field(2, endorsement),
            message_field(2, validation),
            message_field(2, self.collections),
        )
        keys = (field_key(self.chaincode, name) for name in _FIELDS)
        metadata = bytes_field(1, _DATATYPE.encode())
        metadata += b"".join(message_field(2, name.encode()) for name in _FIELDS)
        return {**dict(zip(keys, values, strict=True)), metadata_key(self.chaincode): metadata}

    def writes(self, before: ChaincodeDefinition | None) -> tuple[Write, ...]:
        """Return what the transaction that commits the definition writes, by ascending key."""
        held = {} if before is None else before.state()
        return tuple(
            Write(key, value)
            for key, value in sorted(self.state().items())
            if held.get(key) != value
        )


def metadata_key(chaincode: str) -> str:
    """Return the key that says which fields a definition has."""
    return f"namespaces/metadata/{chaincode}"


def field_key(chaincode: str, name: str) -> str:
    """Return the key of a definition's field."""
    return f"namespaces/fields/{chaincode}/{name}"


def sequence_key(chaincode: str) -> str:
    """Return the key that every transaction of the chaincode reads."""
    return field_key(chaincode, "Sequence")


def definition_of_state(chaincode: str, state: Mapping[str, bytes]) -> ChaincodeDefinition:
    """
    Read a definition from the keys of ``_lifecycle``.

    Raises:
        Malformed: A key is missing or of another kind, or the chaincode is not defined here.
    """
    metadata = Message(state.get(metadata_key(chaincode), b""))
    names = metadata.each_text(2)
    if metadata.text(1) != _DATATYPE or len(names) > _FIELDS_MAX or not set(_FIELDS) <= {*names}:
        raise Malformed(f"no definition of a chaincode: {chaincode!r}")
    held = {name: Message(state.get(field_key(chaincode, name), b"")) for name in _FIELDS}
    sequence = held["Sequence"].int64(1)
    if sequence < 1:
        raise Malformed(f"definition without sequence: {chaincode!r}")
    endorsement = held["EndorsementInfo"].message(2)
    validation = held["ValidationInfo"].message(2)
    return ChaincodeDefinition(
        chaincode,
        sequence,
        endorsement.text(1),
        validation.octets(2),
        endorsement.boolean(2),
        endorsement.text(3),
        validation.text(1),
        held["Collections"].octets(2),
    )


def after_writes(
    chaincode: str, before: ChaincodeDefinition | None, writes: Iterable[Write]
) -> ChaincodeDefinition | None:
    """
    Return the definition after a valid transaction's writes in ``_lifecycle``.

    Returns:
        *before* itself if they do not touch the chaincode.

    Raises:
        Malformed: What they leave is no definition.
    """
    known = {metadata_key(chaincode), *(field_key(chaincode, name) for name in _FIELDS)}
    changed = {one.key: one for one in writes if one.key in known}
    if not changed:
        return before
    state = {} if before is None else before.state()
    for key, one in changed.items():
        state[key] = b"" if one.is_deletion else one.value
    return definition_of_state(chaincode, state)
