"""
Proposals: what a client asks endorsers to simulate, its transaction id and its hash.

Sources:
    Fabric 3.1 ``protoutil/proputils.go``; fabric-protos ``peer/proposal.proto``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from tieline.wire.errors import Malformed
from tieline.wire.fabric.envelopes import ENDORSER_TRANSACTION, ChannelHeader, SignatureHeader
from tieline.wire.fabric.reader import Message
from tieline.wire.proto_fields import bytes_field, message_field, uint_field

NONCE_BYTES = 24
"""As Fabric's clients draw them; peers ask only that there are any."""
ARGUMENTS_MAX = 1 << 18
"""No fewer than a block has room for: another chaincode may take them all."""
_GOLANG = 1
_NS_PER_S = 10**9


def transaction_id(nonce: bytes, creator: bytes) -> str:
    """Return the id of a transaction: 64 hexadecimal digits."""
    return sha256(nonce + creator).hexdigest()


def proposal_hash(channel_header: bytes, signature_header: bytes, payload: bytes) -> bytes:
    """Return what endorsers sign of a proposal, *payload* being without transient data."""
    return sha256(channel_header + signature_header + payload).digest()


@dataclass(frozen=True, slots=True)
class Proposal:
    """``peer.Proposal``: two headers and a chaincode's input, as bytes."""

    channel_header: bytes
    signature_header: bytes
    payload: bytes
    """``peer.ChaincodeProposalPayload`` without transient data: what is hashed and ordered."""
    transient: bytes = b""
    """The entries of its transient map, written; endorsers alone see them."""

    def encode(self) -> bytes:
        """Write the proposal: what its creator signs."""
        header = bytes_field(1, self.channel_header) + bytes_field(2, self.signature_header)
        return bytes_field(1, header) + bytes_field(2, self.payload + self.transient)

    @staticmethod
    def decode(data: bytes) -> Proposal:
        """Read a proposal as a peer does. Raises Malformed."""
        fields = Message(data)
        header = Message(fields.octets(1))
        payload = Message(fields.octets(2))
        return Proposal(
            header.octets(1),
            header.octets(2),
            bytes_field(1, payload.octets(1)),
            b"".join(message_field(2, one) for one in payload.each(2)),
        )

    def hash(self) -> bytes:
        """Return what endorsers sign of it."""
        return proposal_hash(self.channel_header, self.signature_header, self.payload)

    @property
    def tx_id(self) -> str:
        """The transaction id that its signature header gives. Raises Malformed."""
        header = SignatureHeader.decode(self.signature_header)
        return transaction_id(header.nonce, header.creator)


@dataclass(frozen=True, slots=True)
class SignedProposal:
    """``peer.SignedProposal``: a proposal's bytes with its creator's signature over them."""

    proposal: bytes
    signature: bytes

    def encode(self) -> bytes:
        """Write the signed proposal."""
        return bytes_field(1, self.proposal) + bytes_field(2, self.signature)

    @staticmethod
    def decode(data: bytes) -> SignedProposal:
        """Read a signed proposal as a peer does. Raises Malformed."""
        fields = Message(data)
        return SignedProposal(fields.octets(1), fields.octets(2))


def propose(
    channel_id: str,
    chaincode: str,
    args: Sequence[bytes],
    creator: bytes,
    nonce: bytes,
    time_ns: int = 0,
    *,
    transient: Mapping[str, bytes] | None = None,
) -> Proposal:
    """
    Return the proposal to call *chaincode* with *args*.

    Args:
        channel_id: Name of the channel; empty for what concerns a peer alone.
        chaincode: Name.
        args: Function first.
        creator: ``SerializedIdentity``.
        nonce: Never used before with this creator.
        time_ns: Unix nanoseconds, for the header; nobody checks it.
        transient: What endorsers see and blocks do not hold.
    """
    identity = message_field(2, bytes_field(2, chaincode.encode()))
    seconds, nanos = divmod(time_ns, _NS_PER_S)
    header = ChannelHeader(
        ENDORSER_TRANSACTION,
        channel_id,
        transaction_id(nonce, creator),
        # ChaincodeHeaderExtension and ChaincodeSpec both hold the ChaincodeID in field 2.
        extension=identity,
        seconds=seconds,
        nanos=nanos,
    )
    arguments = b"".join(message_field(1, one) for one in args)
    spec = uint_field(1, _GOLANG) + identity + message_field(3, arguments)
    entries = sorted((transient or {}).items())
    return Proposal(
        header.encode(),
        SignatureHeader(creator, nonce).encode(),
        bytes_field(1, message_field(1, spec)),
        b"".join(
            message_field(2, bytes_field(1, key.encode()) + bytes_field(2, value))
            for key, value in entries
        ),
    )


def chaincode_called(channel_header: ChannelHeader) -> str:
    """Return the chaincode that a header's extension names. Raises Malformed if it names none."""
    name = Message(channel_header.extension).message(2).text(2)
    if not name:
        raise Malformed("header names no chaincode")
    return name


def arguments_of(payload: bytes) -> tuple[bytes, ...]:
    """Return the arguments in a ``ChaincodeProposalPayload``, function first. Raises Malformed."""
    invocation = Message(Message(payload).octets(1))
    arguments = invocation.message(1).message(3).each(1)
    if len(arguments) > ARGUMENTS_MAX:
        raise Malformed(f"too many arguments: count={len(arguments)}")
    return arguments
