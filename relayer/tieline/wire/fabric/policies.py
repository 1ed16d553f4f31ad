"""
Policies of Fabric as they are written down. Judging by them is the light client's.

Sources:
    fabric-protos ``common/policies.proto``, ``msp/msp_principal.proto``, ``peer/policy.proto``;
    Fabric 3.1 ``common/cauthdsl``, ``common/policies/implicitmeta.go``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from tieline.wire.errors import Malformed
from tieline.wire.fabric.reader import Message
from tieline.wire.proto_fields import bytes_field, int_field, message_field, uint_field, uvarint

SIGNATURE_TYPE = 1
IMPLICIT_META_TYPE = 3
"""Of ``common.Policy``."""

DEPTH_MAX = 16
RULES_MAX = 1_024
"""Of one signature policy, over all depths; and principals."""

_PRINCIPAL_ROLE = 0
_PRINCIPAL_UNIT = 1
_PRINCIPAL_IDENTITY = 2


class Role(IntEnum):
    """``common.MSPRole.MSPRoleType``: what somebody is in an organisation."""

    MEMBER = 0
    ADMIN = 1
    CLIENT = 2
    PEER = 3
    ORDERER = 4


@dataclass(frozen=True, slots=True)
class RolePrincipal:
    """Whoever has a role in an organisation."""

    msp_id: str
    role: Role


@dataclass(frozen=True, slots=True)
class UnitPrincipal:
    """Whoever is of an organisational unit."""

    msp_id: str
    unit: str
    certifiers: bytes = b""


@dataclass(frozen=True, slots=True)
class IdentityPrincipal:
    """One identity."""

    identity: bytes
    """``SerializedIdentity``."""


@dataclass(frozen=True, slots=True)
class OtherPrincipal:
    """A kind of principal that is not judged here, so that nobody is it."""

    classification: int
    principal: bytes


Principal: TypeAlias = RolePrincipal | UnitPrincipal | IdentityPrincipal | OtherPrincipal


@dataclass(frozen=True, slots=True)
class SignedBy:
    """Satisfied by a signature of one who is the principal of this index."""

    index: int


@dataclass(frozen=True, slots=True)
class NOutOf:
    """Satisfied if at least *count* of the rules are, each signature serving once."""

    count: int
    rules: tuple[Rule, ...]


Rule: TypeAlias = SignedBy | NOutOf


@dataclass(frozen=True, slots=True)
class SignaturePolicy:
    """``common.SignaturePolicyEnvelope``: a rule over principals."""

    rule: Rule
    principals: tuple[Principal, ...]
    version: int = 0

    def encode(self) -> bytes:
        """Write the policy."""
        return (
            int_field(1, self.version)
            + message_field(2, _encode_rule(self.rule))
            + b"".join(message_field(3, encode_principal(one)) for one in self.principals)
        )

    @staticmethod
    def decode(data: bytes) -> SignaturePolicy:
        """Read a policy. Raises Malformed; also if a rule names no principal, or is too deep."""
        fields = Message(data)
        principals = fields.each(3)
        if len(principals) > RULES_MAX:
            raise Malformed(f"too many principals: count={len(principals)}")
        rule = _RuleReader(len(principals)).read(fields.embedded(2) or b"", 1)
        return SignaturePolicy(rule, tuple(map(decode_principal, principals)), fields.int32(1))


class MetaRule(IntEnum):
    """``common.ImplicitMetaPolicy.Rule``: how many of the groups below must agree."""

    ANY = 0
    ALL = 1
    MAJORITY = 2


@dataclass(frozen=True, slots=True)
class ImplicitMetaPolicy:
    """Satisfied by policies of this name in the groups right below, as many as the rule says."""

    sub_policy: str
    rule: MetaRule

    def encode(self) -> bytes:
        """Write ``common.ImplicitMetaPolicy``."""
        return bytes_field(1, self.sub_policy.encode()) + uint_field(2, self.rule)

    @staticmethod
    def decode(data: bytes) -> ImplicitMetaPolicy:
        """Read a policy. Raises Malformed."""
        fields = Message(data)
        rule = fields.int32(2)
        if rule not in MetaRule.__members__.values():
            raise Malformed(f"unknown rule of an implicit policy: {rule}")
        return ImplicitMetaPolicy(fields.text(1), MetaRule(rule))


Policy: TypeAlias = SignaturePolicy | ImplicitMetaPolicy


def encode_policy(policy: Policy) -> bytes:
    """Write ``common.Policy``, as configurations hold it."""
    kind = SIGNATURE_TYPE if isinstance(policy, SignaturePolicy) else IMPLICIT_META_TYPE
    return int_field(1, kind) + bytes_field(2, policy.encode())


def decode_policy(data: bytes) -> Policy:
    """Read ``common.Policy``. Raises Malformed; also for a type that Fabric itself refuses."""
    fields = Message(data)
    kind = fields.int32(1)
    if kind == SIGNATURE_TYPE:
        return SignaturePolicy.decode(fields.octets(2))
    if kind == IMPLICIT_META_TYPE:
        return ImplicitMetaPolicy.decode(fields.octets(2))
    raise Malformed(f"unknown type of policy: {kind}")


@dataclass(frozen=True, slots=True)
class ApplicationPolicy:
    """``peer.ApplicationPolicy``: a signature policy, or the path of one in the configuration."""

    signature_policy: SignaturePolicy | None = None
    reference: str = ""
    """Such as ``/Channel/Application/Endorsement``; empty if there is a signature policy."""

    def encode(self) -> bytes:
        """Write the policy."""
        if self.signature_policy is not None:
            return message_field(1, self.signature_policy.encode())
        return message_field(2, self.reference.encode())

    @staticmethod
    def decode(data: bytes) -> ApplicationPolicy:
        """Read a policy. Raises Malformed; also if it holds neither or both."""
        fields = Message(data)
        policy = fields.embedded(1)
        if (policy is not None) == fields.has(2):
            raise Malformed("application policy holds neither or both of its kinds")
        if policy is not None:
            return ApplicationPolicy(SignaturePolicy.decode(policy))
        return ApplicationPolicy(None, fields.text(2))


def encode_principal(principal: Principal) -> bytes:
    """Write ``common.MSPPrincipal``."""
    match principal:
        case RolePrincipal(msp_id, role):
            kind, body = _PRINCIPAL_ROLE, bytes_field(1, msp_id.encode()) + uint_field(2, role)
        case UnitPrincipal(msp_id, unit, certifiers):
            kind = _PRINCIPAL_UNIT
            body = bytes_field(1, msp_id.encode()) + bytes_field(2, unit.encode())
            body += bytes_field(3, certifiers)
        case IdentityPrincipal(identity):
            kind, body = _PRINCIPAL_IDENTITY, identity
        case OtherPrincipal(classification, raw):
            kind, body = classification, raw
    return int_field(1, kind) + bytes_field(2, body)


def decode_principal(data: bytes) -> Principal:
    """Read ``common.MSPPrincipal``. Raises Malformed."""
    fields = Message(data)
    kind, body = fields.int32(1), fields.octets(2)
    if kind == _PRINCIPAL_IDENTITY:
        return IdentityPrincipal(body)
    if kind == _PRINCIPAL_ROLE:
        role = Message(body)
        number = role.int32(2)
        if number in Role.__members__.values():
            return RolePrincipal(role.text(1), Role(number))
    if kind == _PRINCIPAL_UNIT:
        unit = Message(body)
        return UnitPrincipal(unit.text(1), unit.text(2), unit.octets(3))
    return OtherPrincipal(kind, body)


def roles_out_of(count: int, roles: Sequence[tuple[str, Role]]) -> SignaturePolicy:
    """Return the policy that *count* of these roles, each an organisation and its role, sign."""
    return SignaturePolicy(
        NOutOf(count, tuple(SignedBy(index) for index in range(len(roles)))),
        tuple(RolePrincipal(msp_id, role) for msp_id, role in roles),
    )


def _encode_rule(rule: Rule) -> bytes:
    if isinstance(rule, SignedBy):
        # The index stands in a oneof: it is written even when it is 0.
        return b"\x08" + uvarint(rule.index)
    rules = b"".join(message_field(2, _encode_rule(one)) for one in rule.rules)
    return message_field(2, int_field(1, rule.count) + rules)


class _RuleReader:
    """Reads one policy's rule, which together may not be larger than ``RULES_MAX``."""

    def __init__(self, principals: int) -> None:
        self._principals = principals
        self._read = 0

    def read(self, data: bytes, depth: int) -> Rule:
        """Read one rule and those below it."""
        self._read += 1
        if depth > DEPTH_MAX or self._read > RULES_MAX:
            raise Malformed(f"policy too large: depth={depth} rules={self._read}")
        fields = Message(data)
        inner = fields.embedded(2)
        if inner is None:
            index = fields.int32(1)
            # An index that is 0 is written all the same: no field at all is no rule.
            if not fields.has_number(1) or not 0 <= index < self._principals:
                raise Malformed(f"rule names no principal: index={index}")
            return SignedBy(index)
        if fields.has_number(1):
            raise Malformed("rule of two kinds")
        group = Message(inner)
        rules = group.each(2)
        return NOutOf(group.int32(1), tuple(self.read(one, depth + 1) for one in rules))
