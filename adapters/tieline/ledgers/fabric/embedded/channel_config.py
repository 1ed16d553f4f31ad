"""
A new channel's configuration as configtxgen writes it: organisations with NodeOUs, policies as in
Fabric's test network, who orders, how large blocks get.

Sources:
    Fabric 3.1.1, ``internal/configtxgen/encoder``, ``common/policies/bft.go``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from tieline.ledgers.fabric.embedded.channel_plan import ChannelPlan, Consensus
from tieline.ledgers.fabric.material import Member, Organisation
from tieline.protocol.quorum import byzantine_majority
from tieline.wire.fabric import config as records
from tieline.wire.fabric.config import ChannelConfig, Consenter
from tieline.wire.fabric.config_groups import ADMINS
from tieline.wire.fabric.organisations import MspConfig, NodeUnits, UnitIdentifier
from tieline.wire.fabric.policies import (
    IdentityPrincipal,
    ImplicitMetaPolicy,
    MetaRule,
    NOutOf,
    Policy,
    Role,
    SignaturePolicy,
    SignedBy,
    roles_out_of,
)
from tieline.wire.proto_fields import bytes_field, message_field, uint_field

READERS, WRITERS = "Readers", "Writers"
_HOST: Final = "localhost"
_PORT: Final = 7050
"""Nobody listens: the network has no sockets. A configuration asks for numbers all the same."""
_CHANNEL_CAPABILITY: Final = {Consensus.RAFT: "V2_0", Consensus.BFT: "V3_0"}
_BATCH_TIMEOUT: Final = "100ms"


def first_config(plan: ChannelPlan) -> ChannelConfig:
    """Return the configuration that a channel begins with."""
    return ChannelConfig(
        plan.channel,
        0,
        _orderer_config(plan),
        records.ApplicationConfig(
            tuple(_application_organisation(one) for one in plan.organisations),
            {
                **_usual_policies(),
                records.ENDORSEMENT: _meta(MetaRule.MAJORITY, records.ENDORSEMENT),
                records.LIFECYCLE_ENDORSEMENT: _meta(MetaRule.MAJORITY, records.ENDORSEMENT),
            },
            frozenset({"V2_5"}),
        ),
        _usual_policies(),
        frozenset({_CHANNEL_CAPABILITY[plan.consensus]}),
    )


def consenter(number: int, member: Member) -> Consenter:
    """Return the entry of a BFT orderer; numbers begin with 1."""
    tls = member.tls.certificate_pem
    identity = member.signing.certificate_pem
    return Consenter(number, _HOST, _PORT + number, member.msp_id, identity, tls, tls)


def quorum_of(consenters: Sequence[Consenter]) -> SignaturePolicy:
    """Return the policy that a quorum of BFT orderers sign, by their identities."""
    identities = (
        bytes_field(1, one.msp_id.encode()) + bytes_field(2, one.identity) for one in consenters
    )
    rules = tuple(SignedBy(index) for index in range(len(consenters)))
    principals = tuple(map(IdentityPrincipal, identities))
    return SignaturePolicy(NOutOf(byzantine_majority(len(consenters)), rules), principals)


def msp_config(organisation: Organisation) -> MspConfig:
    """Return what a channel knows of an organisation."""
    root = organisation.authority.certificate_pem
    units = {name: UnitIdentifier(name, root) for name in ("client", "peer", "admin", "orderer")}
    return MspConfig(
        organisation.msp_id,
        (root,),
        tls_root_certificates=(organisation.tls_authority.certificate_pem,),
        node_units=NodeUnits(is_enabled=True, **units),
    )


def _orderer_config(plan: ChannelPlan) -> records.OrdererConfig:
    policies: dict[str, Policy] = {
        **_usual_policies(),
        records.BLOCK_VALIDATION: _meta(MetaRule.ANY, WRITERS),
    }
    consenters: tuple[Consenter, ...] = ()
    if plan.consensus is Consensus.BFT:
        consenters = tuple(consenter(n, one) for n, one in enumerate(plan.consenters, 1))
        policies[records.BLOCK_VALIDATION] = quorum_of(consenters)
        metadata = uint_field(1, plan.limits.messages_max)  # smartbft Options
    else:
        metadata = b"".join(
            message_field(1, _raft_consenter(number, one))
            for number, one in enumerate(plan.consenters, 1)
        )
    member = roles_out_of(1, [(plan.orderers.msp_id, Role.MEMBER)])
    admin = roles_out_of(1, [(plan.orderers.msp_id, Role.ADMIN)])
    return records.OrdererConfig(
        plan.consensus.value,
        metadata,
        records.BatchLimits(
            plan.limits.messages_max,
            plan.limits.absolute_bytes_max,
            plan.limits.preferred_bytes_max,
            _BATCH_TIMEOUT,
        ),
        (
            records.Organisation(
                _group_name(plan.orderers),
                msp_config(plan.orderers),
                {READERS: member, WRITERS: member, ADMINS: admin},
                {"Endpoints": bytes_field(1, f"{_HOST}:{_PORT}".encode())},
            ),
        ),
        policies,
        frozenset({"V2_0"}),
        consenters,
    )


def _application_organisation(organisation: Organisation) -> records.Organisation:
    def one_of(*roles: Role) -> SignaturePolicy:
        return roles_out_of(1, [(organisation.msp_id, role) for role in roles])

    policies: Mapping[str, Policy] = {
        READERS: one_of(Role.ADMIN, Role.PEER, Role.CLIENT),
        WRITERS: one_of(Role.ADMIN, Role.CLIENT),
        ADMINS: one_of(Role.ADMIN),
        records.ENDORSEMENT: one_of(Role.PEER),
    }
    anchor = bytes_field(1, _HOST.encode()) + uint_field(2, _PORT)
    anchors = {"AnchorPeers": message_field(1, anchor)}
    return records.Organisation(
        _group_name(organisation), msp_config(organisation), policies, anchors
    )


def _raft_consenter(number: int, member: Member) -> bytes:
    tls = member.tls.certificate_pem
    where = bytes_field(1, _HOST.encode()) + uint_field(2, _PORT + number)
    return where + bytes_field(3, tls) + bytes_field(4, tls)


def _usual_policies() -> dict[str, Policy]:
    return {
        READERS: _meta(MetaRule.ANY, READERS),
        WRITERS: _meta(MetaRule.ANY, WRITERS),
        ADMINS: _meta(MetaRule.MAJORITY, ADMINS),
    }


def _meta(rule: MetaRule, sub_policy: str) -> ImplicitMetaPolicy:
    return ImplicitMetaPolicy(sub_policy, rule)


def _group_name(organisation: Organisation) -> str:
    return organisation.msp_id.removesuffix("MSP")
