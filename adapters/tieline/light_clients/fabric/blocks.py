"""
Is a block signed by the orderers of its channel?

Sources:
    ``docs/spec/trust.md`` 3 and 4; Fabric 3.1 ``protoutil/blockutils.go``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tieline.light_clients.fabric.knowledge import EvidenceRefused, Knowledge, Rules
from tieline.light_clients.fabric.messages import OrdererSignature, SignedBlock
from tieline.light_clients.fabric.msp import Identity
from tieline.light_clients.fabric.policies import has_role
from tieline.protocol.quorum import byzantine_majority
from tieline.wire.fabric.blocks import (
    BlockHeader,
    MetadataSignature,
    OrdererMetadata,
    check_well_formed,
    data_hash,
    is_config_block,
)
from tieline.wire.fabric.config import BFT
from tieline.wire.fabric.envelopes import SignatureHeader, channel_header_of
from tieline.wire.fabric.identities import SerializedIdentity
from tieline.wire.fabric.policies import Role
from tieline.wire.fabric.signatures import read_signature, verify

HASH_BYTES = 32
NUMBER_MAX = (1 << 63) - 1
BLOCK_VALIDATION = "/Channel/Orderer/BlockValidation"


class Span(NamedTuple):
    """When an identity must have been valid: at some time of these, unix seconds, both included."""

    from_s: int
    to_s: int


@dataclass(frozen=True, slots=True)
class OrderedBlock:
    """A block that the orderers signed, cut into envelopes in the one way there is."""

    header: BlockHeader
    envelopes: tuple[bytes, ...]
    rules: Rules
    """Of the configuration that it was ordered under."""

    def envelope(self, index: int) -> bytes:
        """Return one transaction. Raises EvidenceRefused if there is none of this index."""
        if index >= len(self.envelopes):
            raise EvidenceRefused(f"no transaction of this index: {index}")
        return self.envelopes[index]


def verify_block(block: SignedBlock, knowledge: Knowledge, span: Span) -> OrderedBlock:
    """
    Check a block of transactions.

    Raises:
        EvidenceRefused: Not signed by those whom the configuration of its height asks for.
        Malformed: Its envelopes could be cut otherwise.
    """
    header, rules = _verify_data(block, knowledge, span)
    if is_config_block(block.envelopes):
        raise EvidenceRefused(f"a config block holds no transaction: number={block.number}")
    return OrderedBlock(header, block.envelopes, rules)


def verify_config_block(block: SignedBlock, knowledge: Knowledge, span: Span) -> OrderedBlock:
    """
    Check a block with a configuration, which is signed under the one before it.

    Raises:
        EvidenceRefused: Not signed by those whom the configuration before it asks for.
        Malformed: It holds no configuration.
    """
    header, rules = _verify_data(block, knowledge, span, is_config=True)
    if not is_config_block(block.envelopes):
        raise EvidenceRefused(f"block without configuration: number={block.number}")
    return OrderedBlock(header, block.envelopes, rules)


def verify_any_block(block: SignedBlock, knowledge: Knowledge, span: Span) -> BlockHeader:
    """
    Check a block of either kind that nothing is looked for in, and that it is of the channel.

    Orderers sign no channel's name, and the same ones may serve many. But an honest one puts into
    a block of a channel only what names it.

    Raises:
        EvidenceRefused: Not signed by those whom the configuration of its height asks for, or of
            another channel.
        Malformed: Its envelopes could be cut otherwise, or name no channel.
    """
    is_config = is_config_block(block.envelopes)
    header, _ = _verify_data(block, knowledge, span, is_config=is_config)
    for one in block.envelopes:
        named = channel_header_of(one).channel_id
        if named != knowledge.channel:
            raise EvidenceRefused(f"block of another channel: {named!r}")
    return header


def _verify_data(
    block: SignedBlock, knowledge: Knowledge, span: Span, *, is_config: bool = False
) -> tuple[BlockHeader, Rules]:
    header = BlockHeader(block.number, block.previous_hash, data_hash(block.envelopes))
    rules = _verify_header(header, block, knowledge, span, is_config=is_config)
    check_well_formed(block.envelopes)
    return header, rules


def _verify_header(
    header: BlockHeader,
    claimed: SignedBlock,
    knowledge: Knowledge,
    span: Span,
    *,
    is_config: bool,
) -> Rules:
    if not 1 <= header.number <= NUMBER_MAX:
        raise EvidenceRefused(f"number of a block out of range: {header.number}")
    if not len(header.previous_hash) == len(header.data_hash) == HASH_BYTES:
        raise EvidenceRefused("a hash of a block's header is not 32 bytes")
    before = knowledge.config_before(header.number)
    named = OrdererMetadata.decode(claimed.metadata_value).last_config
    if named != (header.number if is_config else before.number):
        raise EvidenceRefused(
            f"block {header.number} is under configuration {named}, newest known before it is "
            f"{before.number}"
        )
    rules = knowledge.rules_of(before)
    if rules.config.orderer.consensus_type == BFT:
        _check_consenters(header, claimed.metadata_value, claimed.signatures, rules, span)
    else:
        _check_orderers(header, claimed.metadata_value, claimed.signatures, rules, span)
    return rules


def _check_orderers(
    header: BlockHeader,
    value: bytes,
    signatures: Sequence[OrdererSignature],
    rules: Rules,
    span: Span,
) -> None:
    """Check the form in which each signature names its signer."""
    signers = list[Identity]()
    for one in signatures:
        if one.identifier_header:
            raise EvidenceRefused("orderer named by number where there are no consenters")
        creator = SignatureHeader.decode(one.signature_header).creator
        signers.append(_signer(creator, one, value, header, rules, span))
    _check_policy(signers, rules)


def _check_consenters(
    header: BlockHeader,
    value: bytes,
    signatures: Sequence[OrdererSignature],
    rules: Rules,
    span: Span,
) -> None:
    """Check the form in which each signature names a consenter of the configuration."""
    consenters = {one.id: one for one in rules.config.orderer.consenters}
    if not consenters:
        raise EvidenceRefused("configuration without consenters")
    signers = dict[int, Identity]()
    for one in signatures:
        if one.signature_header:
            raise EvidenceRefused("orderer not named by its number")
        number = _metadata_signature(one).identifier
        consenter = consenters.get(number)
        if consenter is None:
            raise EvidenceRefused(f"signer is no consenter: id={number}")
        if number in signers:
            raise EvidenceRefused(f"consenter signed twice: id={number}")
        identity = SerializedIdentity(consenter.msp_id, consenter.identity).encode()
        signers[number] = _signer(identity, one, value, header, rules, span)
    needed = byzantine_majority(len(consenters))
    if len(signers) < needed:
        raise EvidenceRefused(f"too few consenters signed: count={len(signers)} of {needed}")
    _check_policy(list(signers.values()), rules)


def _check_policy(signers: Sequence[Identity], rules: Rules) -> None:
    if len({one.certificate for one in signers}) != len(signers):
        raise EvidenceRefused("an orderer signed twice")
    if not rules.judge.satisfies_at(BLOCK_VALIDATION, signers):
        raise EvidenceRefused("signatures do not satisfy the policy of block validation")


def _signer(
    identity: bytes,
    signature: OrdererSignature,
    value: bytes,
    header: BlockHeader,
    rules: Rules,
    span: Span,
) -> Identity:
    signer = rules.organisations.identify(identity)
    if not has_role(signer, Role.ORDERER):
        raise EvidenceRefused(f"signer of a block is no orderer of {signer.msp_id}")
    if not signer.is_valid_within(*span):
        raise EvidenceRefused(f"orderer's certificate has expired, or is not valid yet: {span}")
    signed = _metadata_signature(signature).signed_bytes(value, header)
    check_signature(signer, signature.signature, signed, "a block")
    return signer


def _metadata_signature(one: OrdererSignature) -> MetadataSignature:
    return MetadataSignature(one.signature, one.signature_header, one.identifier_header)


def check_signature(signer: Identity, signature: bytes, message: bytes, what: str) -> None:
    """Raise EvidenceRefused, or Malformed, unless the signature is good and in its one spelling."""
    if not verify(signer.key, signature, message):
        raise EvidenceRefused(f"signature of {what} is not good")
    # Fabric passes over bytes behind the two numbers.
    if encode_dss_signature(*read_signature(signature)) != signature:
        raise EvidenceRefused(f"signature of {what} in a second spelling")
