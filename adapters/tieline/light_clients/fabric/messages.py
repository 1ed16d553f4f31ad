"""
Client messages and proofs of fabric-block clients as records and as protobuf bytes.

Every decoder refuses all spellings but the one that its encoder writes.

Sources:
    ``proto/tieline/fabric/v1/fabric.proto``; ``docs/spec/trust.md`` 4.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from tieline.light_clients.fabric.states import URL
from tieline.protocol.limits import PROOF_BYTES_MAX
from tieline.protocol.messages import AnyMessage
from tieline.wire.errors import Malformed
from tieline.wire.proto_fields import Fields, bytes_field, message_field, uint_field

HEADER_URL = URL + "Header"
MISBEHAVIOUR_URL = URL + "Misbehaviour"

MESSAGE_BYTES_MAX = PROOF_BYTES_MAX
"""A whole block of 512 KiB with room: Fabric's data hash lets nothing be left out."""


@dataclass(frozen=True, slots=True)
class OrdererSignature:
    """One orderer's signature; of the two headers exactly one is there."""

    signature_header: bytes
    """``common.SignatureHeader`` (Raft): its creator is the signer."""
    identifier_header: bytes
    """``common.IdentifierHeader`` (SmartBFT): the signer's certificate is in the configuration."""
    signature: bytes
    """ECDSA, DER, low s."""

    def encode(self) -> bytes:
        """Write ``OrdererSignature``."""
        return (
            bytes_field(1, self.signature_header)
            + bytes_field(2, self.identifier_header)
            + bytes_field(3, self.signature)
        )

    @staticmethod
    def decode(data: bytes) -> OrdererSignature:
        """Read what ``encode`` writes."""
        fields = Fields(data, known=3)
        return OrdererSignature(fields.octets(1), fields.octets(2), fields.octets(3))


@dataclass(frozen=True, slots=True)
class SignedBlock:
    """A whole block; its header's data hash follows from the envelopes."""

    number: int
    previous_hash: bytes
    envelopes: tuple[bytes, ...]
    """``common.Envelope`` each, as Fabric wrote them."""
    metadata_value: bytes
    """``common.OrdererBlockMetadata``: it names the last config block."""
    signatures: tuple[OrdererSignature, ...]

    def encode(self) -> bytes:
        """Write ``SignedBlock``."""
        return (
            uint_field(1, self.number)
            + bytes_field(2, self.previous_hash)
            + _each(3, self.envelopes)
            + bytes_field(4, self.metadata_value)
            + _each(5, (one.encode() for one in self.signatures))
        )

    @staticmethod
    def decode(data: bytes) -> SignedBlock:
        """Read what ``encode`` writes."""
        fields = Fields(data, known=5)
        return SignedBlock(
            fields.uint(1),
            fields.octets(2),
            fields.each_bytes(3),
            fields.octets(4),
            tuple(OrdererSignature.decode(one) for one in fields.each_bytes(5)),
        )


@dataclass(frozen=True, slots=True)
class PeerEndorsement:
    """A peer's signature over a response."""

    endorser: bytes
    """``msp.SerializedIdentity``."""
    signature: bytes
    """ECDSA, DER, low s, over the response payload and the endorser."""

    def encode(self) -> bytes:
        """Write ``PeerEndorsement``."""
        return bytes_field(1, self.endorser) + bytes_field(2, self.signature)

    @staticmethod
    def decode(data: bytes) -> PeerEndorsement:
        """Read what ``encode`` writes."""
        fields = Fields(data, known=2)
        return PeerEndorsement(fields.octets(1), fields.octets(2))


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What peers answered to a proposal that need not be ordered."""

    channel_header: bytes
    signature_header: bytes
    proposal_payload: bytes
    """``protos.ChaincodeProposalPayload`` without its transient map."""
    response_payload: bytes
    """``protos.ProposalResponsePayload``: what the peers signed."""
    endorsements: tuple[PeerEndorsement, ...]

    def encode(self) -> bytes:
        """Write ``ReadBack``."""
        return (
            bytes_field(1, self.channel_header)
            + bytes_field(2, self.signature_header)
            + bytes_field(3, self.proposal_payload)
            + bytes_field(4, self.response_payload)
            + _each(5, (one.encode() for one in self.endorsements))
        )

    @staticmethod
    def decode(data: bytes) -> ReadBack:
        """Read what ``encode`` writes."""
        fields = Fields(data, known=5)
        return ReadBack(
            fields.octets(1),
            fields.octets(2),
            fields.octets(3),
            fields.octets(4),
            tuple(PeerEndorsement.decode(one) for one in fields.each_bytes(5)),
        )


@dataclass(frozen=True, slots=True)
class ConfigStep:
    """The block with the channel's next configuration."""

    block: SignedBlock

    def encode(self) -> bytes:
        """Write ``ConfigStep``."""
        return message_field(1, self.block.encode())

    @staticmethod
    def decode(data: bytes) -> ConfigStep:
        """Read what ``encode`` writes."""
        return ConfigStep(SignedBlock.decode(Fields(data, known=1).octets(1)))


@dataclass(frozen=True, slots=True)
class DefinitionStep:
    """
    The transaction with the chaincode's next definition.

    It reads the version of the definition before; the header's read-back reads that of the last.
    """

    block: SignedBlock
    index: int

    def encode(self) -> bytes:
        """Write ``DefinitionStep``."""
        return message_field(1, self.block.encode()) + uint_field(2, self.index)

    @staticmethod
    def decode(data: bytes) -> DefinitionStep:
        """Read what ``encode`` writes."""
        fields = Fields(data, known=2)
        return DefinitionStep(SignedBlock.decode(fields.octets(1)), fields.uint(2))


@dataclass(frozen=True, slots=True)
class Header:
    """A block with a Tick, and what must be known of the channel to believe it."""

    block: SignedBlock
    tick_index: int
    read_back: ReadBack
    """Of the Tick's marker."""
    config_steps: tuple[ConfigStep, ...] = ()
    """Ascending: all of the channel since the trusted height."""
    definition_steps: tuple[DefinitionStep, ...] = ()
    """Ascending: all of the chaincode since the trusted height."""

    def encode(self) -> bytes:
        """Write ``Header``."""
        return (
            _proved(self.block, self.tick_index, self.read_back)
            + _each(4, (one.encode() for one in self.config_steps))
            + _each(5, (one.encode() for one in self.definition_steps))
        )

    @staticmethod
    def decode(data: bytes) -> Header:
        """Read what ``encode`` writes. Raises Malformed."""
        _check_size(data, "header")
        fields = Fields(data, known=5)
        header = Header(
            *_read_proved(fields),
            tuple(ConfigStep.decode(one) for one in fields.each_bytes(4)),
            tuple(DefinitionStep.decode(one) for one in fields.each_bytes(5)),
        )
        _check_spelling(header, data, "header")
        return header

    def as_any(self) -> AnyMessage:
        """Return the bytes with their type."""
        return AnyMessage(HEADER_URL, self.encode())


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """Either two blocks of one number, or two blocks whose Ticks do not rise with them."""

    fork: tuple[SignedBlock, SignedBlock] | None = None
    """Whole: what orderers sign names no channel, the transactions do."""
    headers: tuple[Header, Header] | None = None
    """The first is not lower than the second."""

    def encode(self) -> bytes:
        """Write ``Misbehaviour``."""
        parts = [message_field(1 + at, one.encode()) for at, one in enumerate(self.fork or ())]
        parts += [message_field(3 + at, one.encode()) for at, one in enumerate(self.headers or ())]
        return b"".join(parts)

    @staticmethod
    def decode(data: bytes) -> Misbehaviour:
        """Read what ``encode`` writes. Raises Malformed."""
        _check_size(data, "misbehaviour")
        fields = Fields(data, known=4)
        fork = headers = None
        if fields.has(1):
            fork = (SignedBlock.decode(fields.octets(1)), SignedBlock.decode(fields.octets(2)))
        else:
            headers = (Header.decode(fields.octets(3)), Header.decode(fields.octets(4)))
        misbehaviour = Misbehaviour(fork, headers)
        _check_spelling(misbehaviour, data, "misbehaviour")
        return misbehaviour

    def as_any(self) -> AnyMessage:
        """Return the bytes with their type."""
        return AnyMessage(MISBEHAVIOUR_URL, self.encode())


@dataclass(frozen=True, slots=True)
class MembershipProof:
    """What shows that a valid transaction wrote a key."""

    block: SignedBlock
    """Holds the transaction; at or below the proof's height."""
    index: int
    read_back: ReadBack
    """Of the transaction's marker."""
    data_hashes: tuple[bytes, ...]
    """Of the blocks behind it, up to the one of the proof's height."""

    def encode(self) -> bytes:
        """Write ``MembershipProof``."""
        return _proved(self.block, self.index, self.read_back) + _each(4, self.data_hashes)

    @staticmethod
    def decode(data: bytes) -> MembershipProof:
        """Read what ``encode`` writes. Raises Malformed."""
        _check_size(data, "proof")
        fields = Fields(data, known=4)
        proof = MembershipProof(*_read_proved(fields), fields.each_bytes(4))
        _check_spelling(proof, data, "proof")
        return proof


@dataclass(frozen=True, slots=True)
class RecordedAbsence:
    """The transaction that wrote an absence record."""

    block: SignedBlock
    """May be above the proof's height."""
    index: int


@dataclass(frozen=True, slots=True)
class AbsenceProof:
    """What shows that a receipt, or an acknowledgement, was not written."""

    read_back: ReadBack
    """Of the recording transaction's marker; for an acknowledgement, of its key and the clock."""
    recorded: RecordedAbsence | None = None
    """None for an acknowledgement."""

    def encode(self) -> bytes:
        """Write ``AbsenceProof``."""
        if self.recorded is None:
            return message_field(3, self.read_back.encode())
        return _proved(self.recorded.block, self.recorded.index, self.read_back)

    @staticmethod
    def decode(data: bytes) -> AbsenceProof:
        """Read what ``encode`` writes. Raises Malformed."""
        _check_size(data, "proof")
        fields = Fields(data, known=3)
        block, index, read_back = _read_proved(fields)
        recorded = RecordedAbsence(block, index) if fields.has(1) else None
        proof = AbsenceProof(read_back, recorded)
        _check_spelling(proof, data, "proof")
        return proof


class _Encodes(Protocol):
    def encode(self) -> bytes: ...


def _each(number: int, values: Iterable[bytes]) -> bytes:
    return b"".join([message_field(number, value) for value in values])


def _proved(block: SignedBlock, index: int, read_back: ReadBack) -> bytes:
    """Write what all that shows a transaction begins with."""
    return (
        message_field(1, block.encode())
        + uint_field(2, index)
        + message_field(3, read_back.encode())
    )


def _read_proved(fields: Fields) -> tuple[SignedBlock, int, ReadBack]:
    return (
        SignedBlock.decode(fields.octets(1)),
        fields.uint(2),
        ReadBack.decode(fields.octets(3)),
    )


def _check_size(data: bytes, what: str) -> None:
    if len(data) > MESSAGE_BYTES_MAX:
        raise Malformed(f"{what} too long: bytes={len(data)}")


def _check_spelling(message: _Encodes, data: bytes, what: str) -> None:
    if message.encode() != data:
        raise Malformed(f"{what} in a second spelling")
