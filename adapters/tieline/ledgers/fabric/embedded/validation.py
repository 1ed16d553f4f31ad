"""
What a peer finds each transaction of a block to be: well formed, signed by a member, not seen
before, endorsed as its chaincode's definition asks, and not overtaken in what it read.

Definitions, configuration and ids are those before the block; reads are judged transaction by
transaction, so that of two that touch one key the first wins.

Sources:
    Fabric 3.1.1, ``core/common/validation``, ``core/committer/txvalidator/v20``,
    ``core/ledger/kvledger/txmgmt/validation``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from tieline.ledgers.fabric.embedded.channel_view import ChannelView
from tieline.ledgers.fabric.embedded.lifecycle import LIFECYCLE_POLICY, definition_in
from tieline.ledgers.fabric.embedded.world_state import Updates, WorldState
from tieline.light_clients.fabric.msp import Identity
from tieline.wire.errors import Malformed
from tieline.wire.fabric.blocks import Block
from tieline.wire.fabric.config import ENDORSEMENT
from tieline.wire.fabric.envelopes import (
    CONFIG,
    ENDORSER_TRANSACTION,
    ChannelHeader,
    Envelope,
    Payload,
    SignatureHeader,
)
from tieline.wire.fabric.lifecycle import LIFECYCLE
from tieline.wire.fabric.private_hashes import decode_hashed_set, hashed_namespace
from tieline.wire.fabric.proposals import transaction_id
from tieline.wire.fabric.rwsets import NamespaceSet, ReadWriteSet, Version
from tieline.wire.fabric.transactions import EndorserTransaction, decode_transaction


class Code(IntEnum):
    """``peer.TxValidationCode``: what this engine gives."""

    VALID = 0
    BAD_PAYLOAD = 2
    BAD_COMMON_HEADER = 3
    BAD_CREATOR_SIGNATURE = 4
    INVALID_ENDORSER_TRANSACTION = 5
    UNSUPPORTED_TX_PAYLOAD = 7
    BAD_PROPOSAL_TXID = 8
    DUPLICATE_TXID = 9
    ENDORSEMENT_POLICY_FAILURE = 10
    MVCC_READ_CONFLICT = 11
    BAD_RWSET = 22
    INVALID_WRITESET = 24
    INVALID_CHAINCODE = 25


class _NotValid(Exception):
    def __init__(self, code: Code) -> None:
        super().__init__(code.name)
        self.code = code


@dataclass(frozen=True, slots=True)
class Validated:
    """A block judged."""

    codes: bytes
    """A ``Code`` for each transaction: TRANSACTIONS_FILTER."""
    tx_ids: tuple[str, ...]
    """Of each transaction, empty where it cannot be read."""
    updates: Updates


def validate_block(
    block: Block, view: ChannelView, state: WorldState, is_known: Callable[[str], bool]
) -> Validated:
    """
    Judge all transactions of a block that is no configuration.

    Args:
        block: As ordered; its signatures are looked at elsewhere.
        view: The configuration in force.
        state: Of the peer, before the block.
        is_known: Whether a transaction id is in an earlier block, valid or not.
    """
    codes: list[Code] = []
    ids: list[str] = []
    found: list[EndorserTransaction | None] = []
    here: set[str] = set()
    for raw in block.data:
        try:
            transaction = _checked(raw, view, state, is_known)
        except _NotValid as refused:
            codes.append(refused.code)
            ids.append(_id_of(raw))
            found.append(None)
            continue
        is_second = transaction.tx_id in here
        codes.append(Code.DUPLICATE_TXID if is_second else Code.VALID)
        ids.append(transaction.tx_id)
        found.append(None if is_second else transaction)
        here.add(transaction.tx_id)
    updates = Updates()
    for index, one in enumerate(found):
        if one is None:
            continue
        sets = one.opened.content.sets
        if _is_overtaken(sets, state, updates):
            codes[index] = Code.MVCC_READ_CONFLICT
        else:
            _apply(sets, updates, Version(block.header.number, index))
    return Validated(bytes(codes), tuple(ids), updates)


@lru_cache(maxsize=4096)
def read_transaction(raw: bytes) -> EndorserTransaction:
    """
    Read an envelope; remembered, since every peer reads the same bytes.

    Raises:
        Malformed: Nothing that a peer would go on with.
    """
    return decode_transaction(raw)


def _checked(
    raw: bytes, view: ChannelView, state: WorldState, is_known: Callable[[str], bool]
) -> EndorserTransaction:
    """Return a transaction whose form, signer, id and endorsements are good."""
    kind = _check_envelope(raw, view)
    if kind != ENDORSER_TRANSACTION:
        raise _NotValid(Code.UNSUPPORTED_TX_PAYLOAD)
    try:
        transaction = read_transaction(raw)
    except Malformed:
        raise _NotValid(Code.INVALID_ENDORSER_TRANSACTION) from None
    if is_known(transaction.tx_id):
        raise _NotValid(Code.DUPLICATE_TXID)
    try:
        _check_endorsed(transaction, view, state)
    except Malformed:
        raise _NotValid(Code.BAD_RWSET) from None
    return transaction


def _check_envelope(raw: bytes, view: ChannelView) -> int:
    """Check headers, creator and transaction id, and return the header's type."""
    envelope = Envelope.decode(raw)  # a block of anything else was refused as a whole
    try:
        payload = Payload.decode(envelope.payload)
    except Malformed:
        raise _NotValid(Code.BAD_PAYLOAD) from None
    try:
        header = ChannelHeader.decode(payload.channel_header)
        signer = SignatureHeader.decode(payload.signature_header)
    except Malformed:
        raise _NotValid(Code.BAD_COMMON_HEADER) from None
    if header.epoch or not signer.nonce or not signer.creator:
        raise _NotValid(Code.BAD_COMMON_HEADER)
    is_ours = header.channel_id == view.config.channel_id
    if not is_ours or view.signer(signer.creator, envelope.payload, envelope.signature) is None:
        raise _NotValid(Code.BAD_CREATOR_SIGNATURE)
    if header.type == ENDORSER_TRANSACTION and header.tx_id != transaction_id(
        signer.nonce, signer.creator
    ):
        raise _NotValid(Code.BAD_PROPOSAL_TXID)
    return header.type


def _check_endorsed(transaction: EndorserTransaction, view: ChannelView, state: WorldState) -> None:
    """Check the policy of the chaincode, and of every other whose namespace is written."""
    content = transaction.opened.content
    endorsed = transaction.endorsed
    signers = view.endorsers(endorsed.response_payload, endorsed.endorsements)
    touched = {one.namespace: one for one in content.sets.namespaces}
    touched.setdefault(content.chaincode, NamespaceSet(content.chaincode))
    for name, one in sorted(touched.items()):
        if one.metadata_writes or one.range_queries:
            raise _NotValid(Code.INVALID_WRITESET)  # nothing here could judge them
        owners = _written_collections(one)
        is_called = name == content.chaincode and not owners
        if one.writes or is_called:
            _check_policy(name, signers, view, state)
        for owner in owners:
            if not _is_agreed_by(owner, signers, view):
                raise _NotValid(Code.ENDORSEMENT_POLICY_FAILURE)


def _written_collections(one: NamespaceSet) -> set[str]:
    """Return whose own collections are written; others have policies that are not known here."""
    owners: set[str] = set()
    for collection in map(decode_hashed_set, one.collections):
        if collection.writes:
            if collection.owner is None:
                raise _NotValid(Code.INVALID_WRITESET)
            owners.add(collection.owner)
    return owners


def _check_policy(
    namespace: str, signers: list[Identity], view: ChannelView, state: WorldState
) -> None:
    if namespace == LIFECYCLE:
        is_endorsed = view.satisfies_at(LIFECYCLE_POLICY, signers)
    else:
        definition = definition_in(state, namespace)
        if definition is None:
            raise _NotValid(Code.INVALID_CHAINCODE)
        is_endorsed = view.satisfies(definition.validation_parameter, signers)
    if not is_endorsed:
        raise _NotValid(Code.ENDORSEMENT_POLICY_FAILURE)


def _is_agreed_by(msp_id: str, signers: list[Identity], view: ChannelView) -> bool:
    """Tell whether an organisation's own endorsers signed, as its own collection asks."""
    for one in view.config.application.organisations:
        if one.msp.msp_id == msp_id:
            path = f"/Channel/Application/{one.name}/{ENDORSEMENT}"
            return view.satisfies_at(path, signers)
    return False


def _is_overtaken(sets: ReadWriteSet, state: WorldState, updates: Updates) -> bool:
    """Tell whether anything that was read is of another version now."""
    return any(
        updates.has(namespace, key) or state.version(namespace, key) != version
        for namespace, key, version in _reads(sets)
    )


def _reads(sets: ReadWriteSet) -> Iterator[tuple[str, str, Version | None]]:
    for one in sets.namespaces:
        for read in one.reads:
            yield one.namespace, read.key, read.version
        for collection in map(decode_hashed_set, one.collections):
            hashed = hashed_namespace(one.namespace, collection.collection)
            for key, version in collection.reads:
                yield hashed, key, version


def _apply(sets: ReadWriteSet, updates: Updates, version: Version) -> None:
    for one in sets.namespaces:
        for write in one.writes:
            value = None if write.is_deletion else write.value
            updates.put(one.namespace, write.key, value, version)
        for collection in map(decode_hashed_set, one.collections):
            hashed = hashed_namespace(one.namespace, collection.collection)
            for key, hashed_value in collection.writes:
                updates.put(hashed, key, hashed_value, version)


def _id_of(raw: bytes) -> str:
    """Return the transaction id that an envelope claims; empty if it cannot be read."""
    try:
        payload = Payload.decode(Envelope.decode(raw).payload)
        header = ChannelHeader.decode(payload.channel_header)
    except Malformed:
        return ""
    return "" if header.type == CONFIG else header.tx_id
