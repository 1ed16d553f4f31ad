"""
Transactions of Fabric: an endorsed response in a creator's envelope.

Sources:
    Fabric 3.1 ``protoutil/txutils.go``, ``core/common/validation/msgvalidation.go``; fabric-protos
    ``peer/transaction.proto``.
"""

from __future__ import annotations

from dataclasses import dataclass

from tieline.wire.errors import Malformed
from tieline.wire.fabric.envelopes import (
    ENDORSER_TRANSACTION,
    ChannelHeader,
    Envelope,
    Payload,
    SignatureHeader,
)
from tieline.wire.fabric.proposals import Proposal, transaction_id
from tieline.wire.fabric.reader import Message
from tieline.wire.fabric.responses import (
    ENDORSEMENTS_MAX,
    EndorsedResponse,
    Endorsement,
    OpenedResponse,
)
from tieline.wire.proto_fields import bytes_field, message_field

VALID = 0
BAD_CREATOR_SIGNATURE = 4
DUPLICATE_TXID = 9
ENDORSEMENT_POLICY_FAILURE = 10
MVCC_READ_CONFLICT = 11
NOT_VALIDATED = 254
"""Of ``peer.TxValidationCode``, those that are met."""


@dataclass(frozen=True, slots=True)
class EndorserTransaction:
    """A chaincode's transaction, as it lies in a block."""

    envelope: Envelope
    """Its payload is what the creator signed."""
    channel_id: str
    tx_id: str
    chaincode: str
    creator: bytes
    """``SerializedIdentity``."""
    nonce: bytes
    endorsed: EndorsedResponse
    opened: OpenedResponse


def decode_transaction(data: bytes) -> EndorserTransaction:
    """
    Read the envelope of a chaincode's transaction as a peer does.

    Raises:
        Malformed: It is of another type (see ``envelopes.channel_header_of``), or what a peer
            refuses before it looks at signatures, policies and versions.
    """
    envelope = Envelope.decode(data)
    payload = Payload.decode(envelope.payload)
    header = ChannelHeader.decode(payload.channel_header)
    if header.type != ENDORSER_TRANSACTION:
        raise Malformed(f"not a chaincode's transaction: type={header.type}")
    signer = SignatureHeader.decode(payload.signature_header)
    if not signer.creator or not signer.nonce:
        raise Malformed("transaction without creator or nonce")
    if header.tx_id != transaction_id(signer.nonce, signer.creator):
        raise Malformed(f"transaction id is not that of nonce and creator: {header.tx_id!r}")
    actions = Message(payload.data).each(1)
    if len(actions) != 1:
        raise Malformed(f"transaction of more or less than one action: count={len(actions)}")
    endorsed = _endorsed(payload.channel_header, Message(actions[0]))
    opened = endorsed.open_committed()
    return EndorserTransaction(
        envelope,
        header.channel_id,
        header.tx_id,
        opened.content.chaincode,
        signer.creator,
        signer.nonce,
        endorsed,
        opened,
    )


def _endorsed(channel_header: bytes, action: Message) -> EndorsedResponse:
    body = Message(action.octets(2))
    inner = body.message(2)
    endorsements = inner.each(2)
    if len(endorsements) > ENDORSEMENTS_MAX:
        raise Malformed(f"too many endorsements: count={len(endorsements)}")
    return EndorsedResponse(
        channel_header,
        action.octets(1),
        body.octets(1),
        inner.octets(1),
        tuple(map(Endorsement.decode, endorsements)),
    )


def endorsed_response(
    proposal: Proposal, response_payload: bytes, endorsements: tuple[Endorsement, ...]
) -> EndorsedResponse:
    """Return the answer to a proposal with all that judges it."""
    return EndorsedResponse(
        proposal.channel_header,
        proposal.signature_header,
        proposal.payload,
        response_payload,
        endorsements,
    )


def transaction_payload(endorsed: EndorsedResponse) -> bytes:
    """Return the payload of the envelope that brings an endorsed response into a block."""
    inner = bytes_field(1, endorsed.response_payload) + b"".join(
        message_field(2, one.encode()) for one in endorsed.endorsements
    )
    body = bytes_field(1, endorsed.proposal_payload) + message_field(2, inner)
    action = bytes_field(1, endorsed.signature_header) + bytes_field(2, body)
    return Payload(
        endorsed.channel_header, endorsed.signature_header, message_field(1, action)
    ).encode()
