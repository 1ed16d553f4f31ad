"""
Blocks of Fabric: header, data and metadata, their hashes, and what orderers sign.

Sources:
    Fabric 3.1 ``protoutil/blockutils.go``; fabric-protos ``common/common.proto``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeVar

from tieline.wire.errors import Malformed
from tieline.wire.fabric.envelopes import CONFIG, ChannelHeader, Envelope, Payload
from tieline.wire.fabric.reader import Message, is_as_written
from tieline.wire.proto_fields import Fields, bytes_field, message_field, uint_field

SIGNATURES = 0
LAST_CONFIG = 1
"""Empty since Fabric 2: the signed value of SIGNATURES tells it."""
TRANSACTIONS_FILTER = 2
ORDERER = 3
"""Empty since Fabric 2."""
COMMIT_HASH = 4
METADATA_COUNT = 5

BLOCK_BYTES_MAX = 16 << 20
TRANSACTIONS_MAX = 65_536
"""More than a channel's administrators let orderers put into a block."""
SIGNATURES_MAX = 256
"""More orderers than any channel has."""
METADATA_MAX = 16
_HASH_BYTES = 32

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """What chains blocks. ``previous_hash`` of block 0 is empty."""

    number: int
    previous_hash: bytes
    data_hash: bytes

    def encode(self) -> bytes:
        """Write ``common.BlockHeader``, as it travels."""
        return (
            uint_field(1, self.number)
            + bytes_field(2, self.previous_hash)
            + bytes_field(3, self.data_hash)
        )

    @staticmethod
    def decode(data: bytes) -> BlockHeader:
        """Read what ``encode`` writes, and nothing else. Raises Malformed."""
        fields = Fields(data, known=3)
        header = BlockHeader(fields.uint(1), fields.octets(2), fields.octets(3))
        for one in (header.previous_hash, header.data_hash):
            if len(one) not in {0, _HASH_BYTES}:
                raise Malformed(f"hash of {len(one)} bytes")
        return _same(header, header.encode(), data, "block header")

    def to_der(self) -> bytes:
        """Return the bytes that are hashed and signed: an ASN.1 sequence of the three."""
        number = self.number.to_bytes(self.number.bit_length() // 8 + 1)
        body = _element(0x02, number) + _element(0x04, self.previous_hash)
        return _element(0x30, body + _element(0x04, self.data_hash))

    def hash(self) -> bytes:
        """Return what the next header holds as ``previous_hash``."""
        return sha256(self.to_der()).digest()


def _element(tag: int, content: bytes) -> bytes:
    # A header is below 128 bytes: number 9, two hashes 32 each, and their heads.
    return bytes((tag, len(content))) + content


@dataclass(frozen=True, slots=True)
class MetadataSignature:
    """One orderer's signature, in the form of etcdraft or in that of SmartBFT."""

    signature: bytes
    signature_header: bytes = b""
    """``common.SignatureHeader``; empty in the form of SmartBFT."""
    identifier_header: bytes = b""
    """``common.IdentifierHeader``; empty in the form of etcdraft."""

    @property
    def is_by_identifier(self) -> bool:
        """Whether the signer is named by the number of a consenter."""
        return bool(self.identifier_header) and not self.signature_header

    @property
    def identifier(self) -> int:
        """The consenter's number. Raises Malformed."""
        return Message(self.identifier_header).uint32(1)

    def signed_bytes(self, value: bytes, header: BlockHeader) -> bytes:
        """Return what was signed, *value* being that of the metadata the signature is in."""
        head = self.identifier_header if self.is_by_identifier else self.signature_header
        return value + head + header.to_der()

    def encode(self) -> bytes:
        """Write ``common.MetadataSignature``."""
        return (
            bytes_field(1, self.signature_header)
            + bytes_field(2, self.signature)
            + bytes_field(3, self.identifier_header)
        )

    @staticmethod
    def decode(data: bytes) -> MetadataSignature:
        """Read what ``encode`` writes, and nothing else. Raises Malformed."""
        fields = Fields(data, known=3)
        signature = MetadataSignature(fields.octets(2), fields.octets(1), fields.octets(3))
        return _same(signature, signature.encode(), data, "signature of a block")


def identifier_header(identifier: int, nonce: bytes) -> bytes:
    """Write ``common.IdentifierHeader``."""
    return uint_field(1, identifier) + bytes_field(2, nonce)


@dataclass(frozen=True, slots=True)
class Metadata:
    """A signed value: metadata SIGNATURES of a block."""

    value: bytes
    signatures: tuple[MetadataSignature, ...] = ()

    def encode(self) -> bytes:
        """Write ``common.Metadata``."""
        signatures = b"".join(message_field(2, one.encode()) for one in self.signatures)
        return bytes_field(1, self.value) + signatures

    @staticmethod
    def decode(data: bytes) -> Metadata:
        """Read what ``encode`` writes, and nothing else. Raises Malformed."""
        fields = Fields(data, known=2)
        signatures = fields.each_bytes(2)
        if len(signatures) > SIGNATURES_MAX:
            raise Malformed(f"too many signatures of a block: count={len(signatures)}")
        metadata = Metadata(fields.octets(1), tuple(map(MetadataSignature.decode, signatures)))
        return _same(metadata, metadata.encode(), data, "metadata")


@dataclass(frozen=True, slots=True)
class OrdererMetadata:
    """What orderers sign with a header: the value of metadata SIGNATURES."""

    last_config: int
    """Number of the newest configuration block up to this one."""
    consenter_metadata: bytes = b""

    def encode(self) -> bytes:
        """Write ``common.OrdererBlockMetadata``."""
        config = message_field(1, uint_field(1, self.last_config))
        return config + bytes_field(2, self.consenter_metadata)

    @staticmethod
    def decode(data: bytes) -> OrdererMetadata:
        """Read the value. Raises Malformed."""
        fields = Message(data)
        return OrdererMetadata(fields.message(1).uint64(1), fields.octets(2))


@dataclass(frozen=True, slots=True)
class Block:
    """A block as orderers deliver it or as a peer keeps it."""

    header: BlockHeader
    data: tuple[bytes, ...]
    """Envelopes."""
    metadata: tuple[bytes, ...] = ()
    """By SIGNATURES, TRANSACTIONS_FILTER, COMMIT_HASH; only the first is signed by anybody."""

    def encode(self) -> bytes:
        """Write ``common.Block``."""
        data = b"".join(message_field(1, one) for one in self.data)
        metadata = b"".join(message_field(1, one) for one in self.metadata)
        return (
            message_field(1, self.header.encode())
            + message_field(2, data)
            + message_field(3, metadata)
        )

    @staticmethod
    def decode(data: bytes) -> Block:
        """
        Read what ``encode`` writes, and nothing else.

        Raises:
            Malformed: A second spelling, or more than a block holds. Neither the data's hash nor
                the envelopes are looked at: see ``is_data_of`` and ``check_well_formed``.
        """
        if len(data) > BLOCK_BYTES_MAX:
            raise Malformed(f"block too long: bytes={len(data)}")
        fields = Fields(data, known=3)
        envelopes = Fields(fields.octets(2), known=1).each_bytes(1)
        metadata = Fields(fields.octets(3), known=1).each_bytes(1)
        if len(envelopes) > TRANSACTIONS_MAX or len(metadata) > METADATA_MAX:
            raise Malformed(
                f"block holds too much: envelopes={len(envelopes)} metadata={len(metadata)}"
            )
        block = Block(BlockHeader.decode(fields.octets(1)), envelopes, metadata)
        return _same(block, block.encode(), data, "block")

    @property
    def is_data_of_header(self) -> bool:
        """Whether the header holds the hash of the data."""
        return data_hash(self.data) == self.header.data_hash

    @property
    def signatures(self) -> Metadata:
        """The orderers' signatures and what they signed besides. Raises Malformed."""
        if not self.metadata:
            raise Malformed("block without metadata")
        return Metadata.decode(self.metadata[SIGNATURES])

    @property
    def transactions_filter(self) -> bytes:
        """A validation code for each transaction; empty as orderers deliver. Signed by nobody."""
        return (
            self.metadata[TRANSACTIONS_FILTER] if len(self.metadata) > TRANSACTIONS_FILTER else b""
        )


def data_hash(data: Sequence[bytes]) -> bytes:
    """Return the hash of a block's data. It covers no lengths: see ``check_well_formed``."""
    return sha256(b"".join(data)).digest()


def is_config_block(data: Sequence[bytes]) -> bool:
    """Tell whether a block's data is a configuration: one envelope, of that type."""
    if len(data) != 1:
        return False
    try:
        payload = Payload.decode(Envelope.decode(data[0]).payload)
        return ChannelHeader.decode(payload.channel_header).type == CONFIG
    except Malformed:
        return False


def check_well_formed(data: Sequence[bytes]) -> None:
    """
    Check that a block's data is cut into envelopes in the only way its hash allows.

    The hash covers the envelopes one after the other, so without this check the same hash would
    stand for other envelopes, cut elsewhere.

    Raises:
        Malformed: No envelope; or one without payload or signature, or that Go would write
            otherwise. A configuration, which is alone in its block, needs only to be one.
    """
    if not data:
        raise Malformed("block without data")
    if is_config_block(data):
        return
    for index, raw in enumerate(data):
        envelope = Envelope.decode(raw)
        if not envelope.payload or not envelope.signature:
            raise Malformed(f"envelope without payload or signature: index={index}")
        if not is_as_written(raw, known=2):
            raise Malformed(f"envelope in a second spelling: index={index}")


def _same(value: _Value, written: bytes, data: bytes, name: str) -> _Value:
    if written != data:
        raise Malformed(f"{name} in a second spelling")
    return value
