"""Small blocks, transactions and configurations of Fabric, made up: every field is in the bytes."""

from __future__ import annotations

from tieline.wire.fabric.blocks import (
    Block,
    BlockHeader,
    Metadata,
    MetadataSignature,
    OrdererMetadata,
    data_hash,
)
from tieline.wire.fabric.config import (
    BFT,
    ApplicationConfig,
    BatchLimits,
    ChannelConfig,
    Consenter,
    OrdererConfig,
    Organisation,
    config_group,
)
from tieline.wire.fabric.envelopes import Envelope
from tieline.wire.fabric.identities import SerializedIdentity
from tieline.wire.fabric.organisations import MspConfig, NodeUnits, UnitIdentifier
from tieline.wire.fabric.policies import (
    IdentityPrincipal,
    ImplicitMetaPolicy,
    MetaRule,
    NOutOf,
    Role,
    RolePrincipal,
    SignaturePolicy,
    SignedBy,
    UnitPrincipal,
    roles_out_of,
)
from tieline.wire.fabric.proposals import propose
from tieline.wire.fabric.responses import (
    ChaincodeEvent,
    EndorsedResponse,
    Endorsement,
    Response,
    ResponsePayload,
)
from tieline.wire.fabric.rwsets import NamespaceSet, Read, ReadWriteSet, Version, Write
from tieline.wire.fabric.transactions import endorsed_response, transaction_payload

CREATOR = SerializedIdentity("Org1MSP", b"-----BEGIN CERTIFICATE-----").encode()
PROPOSAL = propose("lab", "toy", [b"put", b"k", b""], CREATOR, b"n" * 24, 10**18 + 5)
SETS = ReadWriteSet(
    (
        NamespaceSet("_lifecycle", (Read("namespaces/fields/toy/Sequence", Version(5, 0)),)),
        NamespaceSet(
            "toy",
            (Read("absent"), Read("genesis", Version(0, 0)), Read("k", Version(7, 300))),
            (Write("gone", b"", is_delete=True), Write("k", b"v")),
        ),
    )
)
CONTENT = ResponsePayload(
    PROPOSAL.hash(),
    "toy",
    "1.0",
    SETS,
    Response(200, "", b"answer"),
    ChaincodeEvent("toy", PROPOSAL.tx_id, "tieline", b"event"),
)
ENDORSED = endorsed_response(PROPOSAL, CONTENT.encode(), (Endorsement(CREATOR, b"signature"),))


ENVELOPES = (Envelope(b"one", b"1").encode(), Envelope(b"two", b"2").encode())
HEADER = BlockHeader(300, b"\x01" * 32, data_hash(ENVELOPES))
VALUE = OrdererMetadata(0, b"consenters")
BLOCK = Block(
    HEADER,
    ENVELOPES,
    (
        Metadata(VALUE.encode(), (MetadataSignature(b"s", b"h"),)).encode(),
        b"",
        b"\x00\x0b",
        b"",
        b"hash",
    ),
)

MAJORITY = ImplicitMetaPolicy("Endorsement", MetaRule.MAJORITY)
NESTED = SignaturePolicy(
    NOutOf(1, (SignedBy(0), NOutOf(2, (SignedBy(1), SignedBy(0), SignedBy(2))))),
    (
        RolePrincipal("Org1MSP", Role.MEMBER),
        UnitPrincipal("Org1MSP", "grid", b"certifier"),
        IdentityPrincipal(b"identity"),
    ),
)
UNITS = NodeUnits(
    True, UnitIdentifier("client", b"ca"), UnitIdentifier("peer"), None, UnitIdentifier("orderer")
)


def organisation(name: str) -> Organisation:
    msp = MspConfig(
        f"{name}MSP",
        (b"root", b"second root"),
        (b"intermediate",),
        (b"admin",),
        (b"revoked",),
        (UnitIdentifier("grid", b"issuer"),),
        (b"tls",),
        (b"tls intermediate",),
        UNITS,
    )
    endorsement = roles_out_of(1, [(f"{name}MSP", Role.PEER)])
    return Organisation(name, msp, {"Endorsement": endorsement}, {"AnchorPeers": b"anchor"})


CONFIG = ChannelConfig(
    "lab",
    0,
    OrdererConfig(
        BFT,
        b"options",
        BatchLimits(100, 512 << 10, 256 << 10, "100ms"),
        (organisation("Orderers"),),
        {"BlockValidation": NESTED},
        frozenset({"V2_0"}),
        (Consenter(1, "localhost", 7050, "OrderersMSP", b"PEM", b"client", b"server"),),
        1,
    ),
    ApplicationConfig(
        (organisation("Org1"), organisation("Org2")),
        {"Endorsement": MAJORITY, "LifecycleEndorsement": MAJORITY},
        frozenset({"V2_5"}),
        b"acls",
    ),
    {"Readers": ImplicitMetaPolicy("Readers", MetaRule.ANY)},
    frozenset({"V3_0"}),
)
GROUP = config_group(CONFIG)


def envelope_of(endorsed: EndorsedResponse) -> bytes:
    return Envelope(transaction_payload(endorsed), b"signature").encode()
