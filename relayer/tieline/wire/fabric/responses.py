"""
What endorsers sign: the hash of a proposal with what its simulation read, wrote and answered.

A transaction carries such a response into a block; a read-back is one that was never ordered.

Sources:
    Fabric 3.1 ``protoutil/txutils.go``, ``core/common/validation/msgvalidation.go``; fabric-protos
    ``peer/proposal_response.proto``, ``peer/chaincode_event.proto``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tieline.wire.errors import Malformed
from tieline.wire.fabric.envelopes import ENDORSER_TRANSACTION, ChannelHeader, SignatureHeader
from tieline.wire.fabric.proposals import (
    arguments_of,
    chaincode_called,
    proposal_hash,
    transaction_id,
)
from tieline.wire.fabric.reader import Message
from tieline.wire.fabric.rwsets import ReadWriteSet
from tieline.wire.proto_fields import bytes_field, int_field, message_field

ENDORSEMENTS_MAX = 1 << 18
"""A client may add what it likes, and peers pass over it: no fewer than a block has room for."""
SUCCESS = 200


@dataclass(frozen=True, slots=True)
class Endorsement:
    """``peer.Endorsement``: an endorser and its signature."""

    endorser: bytes
    """``SerializedIdentity``."""
    signature: bytes

    def signed_bytes(self, response_payload: bytes) -> bytes:
        """Return what the endorser signed."""
        return response_payload + self.endorser

    def encode(self) -> bytes:
        """Write the endorsement."""
        return bytes_field(1, self.endorser) + bytes_field(2, self.signature)

    @staticmethod
    def decode(data: bytes) -> Endorsement:
        """Read an endorsement as a peer does. Raises Malformed."""
        fields = Message(data)
        return Endorsement(fields.octets(1), fields.octets(2))


@dataclass(frozen=True, slots=True)
class Response:
    """``peer.Response``: what the chaincode answered. Below 400 is a success."""

    status: int
    message: str = ""
    payload: bytes = b""

    def encode(self) -> bytes:
        """Write the response."""
        return (
            int_field(1, self.status)
            + bytes_field(2, self.message.encode())
            + bytes_field(3, self.payload)
        )

    @staticmethod
    def decode(data: bytes) -> Response:
        """Read a response as a peer does. Raises Malformed."""
        fields = Message(data)
        return Response(fields.int32(1), fields.text(2), fields.octets(3))


@dataclass(frozen=True, slots=True)
class ChaincodeEvent:
    """``peer.ChaincodeEvent``: the one event a transaction may have."""

    chaincode: str
    tx_id: str
    name: str
    payload: bytes

    def encode(self) -> bytes:
        """Write the event."""
        return (
            bytes_field(1, self.chaincode.encode())
            + bytes_field(2, self.tx_id.encode())
            + bytes_field(3, self.name.encode())
            + bytes_field(4, self.payload)
        )

    @staticmethod
    def decode(data: bytes) -> ChaincodeEvent:
        """Read an event as a peer does. Raises Malformed."""
        fields = Message(data)
        return ChaincodeEvent(fields.text(1), fields.text(2), fields.text(3), fields.octets(4))


@dataclass(frozen=True, slots=True)
class ResponsePayload:
    """``peer.ProposalResponsePayload`` with the ``ChaincodeAction`` in it."""

    proposal_hash: bytes
    chaincode: str
    chaincode_version: str
    sets: ReadWriteSet
    response: Response
    event: ChaincodeEvent | None = None

    def encode(self) -> bytes:
        """Write the payload that endorsers sign."""
        identity = bytes_field(2, self.chaincode.encode()) + bytes_field(
            3, self.chaincode_version.encode()
        )
        action = (
            bytes_field(1, self.sets.encode())
            + bytes_field(2, b"" if self.event is None else self.event.encode())
            + message_field(3, self.response.encode())
            + message_field(4, identity)
        )
        return bytes_field(1, self.proposal_hash) + bytes_field(2, action)

    @staticmethod
    def decode(data: bytes) -> ResponsePayload:
        """
        Read a payload as a peer does.

        Raises:
            Malformed: A part is no message, or a peer would not validate it: no name or version
                of the chaincode, an event of another.
        """
        fields = Message(data)
        action = Message(fields.octets(2))
        identity = action.message(4)
        name, version = identity.text(2), identity.text(3)
        if not name or not version:
            raise Malformed(f"response without chaincode: name={name!r} version={version!r}")
        event = ChaincodeEvent.decode(action.octets(2)) if action.has(2) else None
        if event is not None and event.chaincode != name:
            raise Malformed(f"event of another chaincode: {event.chaincode!r} is not {name!r}")
        return ResponsePayload(
            fields.octets(1),
            name,
            version,
            ReadWriteSet.decode(action.octets(1)),
            Response.decode(action.embedded(3) or b""),
            event,
        )


@dataclass(frozen=True, slots=True)
class EndorsedResponse:
    """A response with what ties it to its proposal: all that somebody else needs to judge it."""

    channel_header: bytes
    signature_header: bytes
    proposal_payload: bytes
    response_payload: bytes
    endorsements: tuple[Endorsement, ...]

    def open(self) -> OpenedResponse:
        """
        Return what the bytes say, having checked that they belong together.

        Raises:
            Malformed: As ``open_committed``; also if the transaction id is not that of nonce and
                creator, or the arguments cannot be read.
        """
        opened = self.open_committed()
        signer, tx_id = opened.signer, opened.header.tx_id
        if tx_id != transaction_id(signer.nonce, signer.creator):
            raise Malformed(f"transaction id is not that of nonce and creator: {tx_id!r}")
        return replace(opened, args=arguments_of(self.proposal_payload))

    def open_committed(self) -> OpenedResponse:
        """
        Return what the bytes say, having checked what a peer checks of them in a block.

        A peer that validates does not ask what was called, nor whose the inner nonce is: endorsers
        did. Arguments that cannot be read are none here.

        Raises:
            Malformed: A part is no message; the proposal's hash is not that of the headers and
                payload; the channel header is of another type or names another chaincode; nonce or
                creator is missing. Signatures and policies are not looked at.
        """
        header = ChannelHeader.decode(self.channel_header)
        signer = SignatureHeader.decode(self.signature_header)
        content = ResponsePayload.decode(self.response_payload)
        if header.type != ENDORSER_TRANSACTION or header.epoch:
            raise Malformed(f"not a chaincode's: type={header.type} epoch={header.epoch}")
        if len(self.endorsements) > ENDORSEMENTS_MAX:
            raise Malformed(f"too many endorsements: count={len(self.endorsements)}")
        if not signer.nonce or not signer.creator:
            raise Malformed("proposal without creator or nonce")
        if chaincode_called(header) != content.chaincode:
            raise Malformed(f"answer of another chaincode: {content.chaincode!r}")
        parts = self.channel_header, self.signature_header, self.proposal_payload
        if content.proposal_hash != proposal_hash(*parts):
            raise Malformed("hash of another proposal")
        try:
            args = arguments_of(self.proposal_payload)
        except Malformed:
            args = ()
        return OpenedResponse(header, signer, args, content)


@dataclass(frozen=True, slots=True)
class OpenedResponse:
    """What an endorsed response says."""

    header: ChannelHeader
    signer: SignatureHeader
    """Who asked."""
    args: tuple[bytes, ...]
    """What was asked, function first; of a transaction none if they cannot be read."""
    content: ResponsePayload
