"""
What each transaction of a Fabric block is worth, judged as peers judge it: signed by a member, not
seen before, endorsed as its chaincode's definition asks, and not overtaken in what it read.

Definitions, configuration and ids are those before the block; reads are judged transaction by
transaction.

Sources:
    Fabric 3.1.1, ``core/committer/txvalidator/v20``, ``core/ledger/kvledger/txmgmt/validation``.
"""

from __future__ import annotations

from collections.abc import Collection

from tieline.audit.fabric_chain import OrderedBlock
from tieline.audit.fabric_state import BlockWrites, ChannelState
from tieline.light_clients.fabric.msp import IdentityRefused
from tieline.light_clients.fabric.transactions import LIFECYCLE_ENDORSEMENT, good_endorsers
from tieline.wire.errors import Malformed
from tieline.wire.fabric.envelopes import channel_header_of
from tieline.wire.fabric.lifecycle import (
    LIFECYCLE,
    ChaincodeDefinition,
    definition_of_state,
)
from tieline.wire.fabric.rwsets import ReadWriteSet
from tieline.wire.fabric.signatures import verify
from tieline.wire.fabric.transactions import (
    BAD_CREATOR_SIGNATURE,
    DUPLICATE_TXID,
    ENDORSEMENT_POLICY_FAILURE,
    MVCC_READ_CONFLICT,
    VALID,
    EndorserTransaction,
)


def code_before_reads(
    block: OrderedBlock,
    transaction: EndorserTransaction,
    channel: str,
    state: ChannelState,
    seen: Collection[str],
) -> int:
    """
    Return a transaction's validation code, as far as its reads are not asked.

    Args:
        block: Where it is.
        transaction: One of the block's.
        channel: The channel's name.
        state: Before the block.
        seen: Ids of all transactions of earlier blocks, valid or not.
    """
    if transaction.channel_id != channel or not _is_signed(block, transaction):
        return BAD_CREATOR_SIGNATURE
    if transaction.tx_id in seen:
        return DUPLICATE_TXID
    if not _is_endorsed(block, transaction, state):
        return ENDORSEMENT_POLICY_FAILURE
    return VALID


def code_of_reads(sets: ReadWriteSet, state: ChannelState, writes: BlockWrites) -> int:
    """Return VALID, or that something that was read is of another version now."""
    for one in sets.namespaces:
        for read in one.reads:
            place = (one.namespace, read.key)
            if place in writes.written or state.version(*place) != read.version:
                return MVCC_READ_CONFLICT
    return VALID


def claimed_id(envelope: bytes) -> str:
    """Return the transaction id that an envelope claims; empty if it cannot be read."""
    try:
        return channel_header_of(envelope).tx_id
    except Malformed:
        return ""


def is_plain(sets: ReadWriteSet) -> bool:
    """Tell whether nothing is touched that this audit could not judge."""
    return not any(
        one.metadata_writes or one.range_queries or one.collections for one in sets.namespaces
    )


def definition_in(state: ChannelState, chaincode: str) -> ChaincodeDefinition | None:
    """Return the committed definition of a chaincode, None if there is none."""
    keys = ChaincodeDefinition(chaincode, 1, "").state()
    held = {key: state.value(LIFECYCLE, key) for key in keys}
    if not any(held.values()):
        return None
    return definition_of_state(chaincode, held)


def _is_signed(block: OrderedBlock, transaction: EndorserTransaction) -> bool:
    try:
        creator = block.rules.organisations.identify(transaction.creator)
    except (IdentityRefused, Malformed):
        return False
    envelope = transaction.envelope
    return creator.is_valid_within(*block.span) and verify(
        creator.key, envelope.signature, envelope.payload
    )


def _is_endorsed(
    block: OrderedBlock, transaction: EndorserTransaction, state: ChannelState
) -> bool:
    """Ask the policy of the chaincode, and of every other whose namespace is written."""
    content = transaction.opened.content
    written = {one.namespace for one in content.sets.namespaces if one.writes}
    signers = good_endorsers(transaction.endorsed, block.rules, block.span)
    for name in sorted({content.chaincode, *written}):
        if name == LIFECYCLE:
            if not block.rules.judge.satisfies_at(LIFECYCLE_ENDORSEMENT, signers):
                return False
            continue
        definition = definition_in(state, name)
        if definition is None:
            return False
        if not block.rules.judge.satisfies(definition.endorsement_policy, signers):
            return False
    return True
