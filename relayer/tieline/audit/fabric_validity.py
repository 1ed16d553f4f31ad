"""
What each transaction of a Fabric block is worth, judged as peers judge it: signed by a member, not
seen before, endorsed as its chaincode's definition asks, and not overtaken in what it read.

Definitions, configuration and ids are those before the block; reads are judged transaction by
transaction.

Sources:
    Fabric 3.1.1, ``core/committer/txvalidator/v20``, ``core/ledger/kvledger/txmgmt/validation``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tieline.audit.fabric_chain import OrderedBlock
from tieline.audit.fabric_state import BlockWrites, ChannelState
from tieline.light_clients.fabric.msp import Identity, IdentityRefused
from tieline.light_clients.fabric.transactions import LIFECYCLE_ENDORSEMENT, good_endorsers
from tieline.wire.errors import Malformed
from tieline.wire.fabric.config import ENDORSEMENT
from tieline.wire.fabric.envelopes import channel_header_of
from tieline.wire.fabric.lifecycle import (
    LIFECYCLE,
    ChaincodeDefinition,
    definition_of_state,
)
from tieline.wire.fabric.private_hashes import decode_hashed_set, hashed_namespace
from tieline.wire.fabric.rwsets import NamespaceSet, ReadWriteSet
from tieline.wire.fabric.signatures import verify
from tieline.wire.fabric.transactions import (
    BAD_CREATOR_SIGNATURE,
    DUPLICATE_TXID,
    ENDORSEMENT_POLICY_FAILURE,
    MVCC_READ_CONFLICT,
    VALID,
    EndorserTransaction,
)

BAD_RWSET = 22
"""What was touched of private data cannot be read."""


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
    try:
        is_endorsed = _is_endorsed(block, transaction, state)
    except Malformed:
        return BAD_RWSET
    return VALID if is_endorsed else ENDORSEMENT_POLICY_FAILURE


def code_of_reads(sets: ReadWriteSet, state: ChannelState, writes: BlockWrites) -> int:
    """Return VALID, or that something that was read is of another version now."""
    for one in sets.namespaces:
        reads = [(one.namespace, read.key, read.version) for read in one.reads]
        for hashed in map(decode_hashed_set, one.collections):
            name = hashed_namespace(one.namespace, hashed.collection)
            reads += [(name, key, version) for key, version in hashed.reads]
        for name, key, version in reads:
            if (name, key) in writes.written or state.version(name, key) != version:
                return MVCC_READ_CONFLICT
    return VALID


def claimed_id(envelope: bytes) -> str:
    """Return the transaction id that an envelope claims; empty if it cannot be read."""
    try:
        return channel_header_of(envelope).tx_id
    except Malformed:
        return ""


def is_plain(sets: ReadWriteSet) -> bool:
    """Tell whether nothing is touched that could not be judged here, or is not our contract's."""
    return not any(
        one.metadata_writes or one.range_queries or (one.collections and one.namespace != LIFECYCLE)
        for one in sets.namespaces
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
    """
    Ask the policy of the chaincode, of every other whose namespace is written, and of each
    organisation in whose own collection something is written.
    """
    content = transaction.opened.content
    signers = good_endorsers(transaction.endorsed, block.rules, block.span)
    touched = {one.namespace: one for one in content.sets.namespaces}
    touched.setdefault(content.chaincode, NamespaceSet(content.chaincode))
    for name, one in sorted(touched.items()):
        owners = [
            hashed.owner for hashed in map(decode_hashed_set, one.collections) if hashed.writes
        ]
        is_called = name == content.chaincode and not owners
        if (one.writes or is_called) and not _satisfies(name, block, state, signers):
            return False
        if not all(_is_agreed_by(owner, block, signers) for owner in owners):
            return False
    return True


def _satisfies(
    name: str, block: OrderedBlock, state: ChannelState, signers: Sequence[Identity]
) -> bool:
    if name == LIFECYCLE:
        return block.rules.judge.satisfies_at(LIFECYCLE_ENDORSEMENT, signers)
    definition = definition_in(state, name)
    if definition is None:
        return False
    return block.rules.judge.satisfies(definition.endorsement_policy, signers)


def _is_agreed_by(owner: str | None, block: OrderedBlock, signers: Sequence[Identity]) -> bool:
    """Ask an organisation's own endorsers; other collections have policies of their own."""
    for one in block.rules.config.application.organisations:
        if one.msp.msp_id == owner:
            return block.rules.judge.satisfies_at(
                f"/Channel/Application/{one.name}/{ENDORSEMENT}", signers
            )
    return False
