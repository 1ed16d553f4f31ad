"""
The ordering service: cuts envelopes into blocks by count and bytes, chains them, and signs each
with one orderer (Raft) or a quorum of four (BFT). What is missing is agreement between several
machines.

Sources:
    Fabric 3.1.1, ``orderer/common/{blockcutter,msgprocessor,multichannel}``;
    ``orderer/consensus/smartbft``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from hashlib import sha256

from tieline.ledgers.fabric.embedded.channel_plan import BatchLimits, ChannelPlan, Consensus
from tieline.ledgers.fabric.embedded.signing import Signatory
from tieline.protocol.quorum import byzantine_majority
from tieline.wire.fabric.blocks import (
    Block,
    BlockHeader,
    Metadata,
    MetadataSignature,
    OrdererMetadata,
    data_hash,
    identifier_header,
)
from tieline.wire.fabric.envelopes import Envelope, SignatureHeader
from tieline.wire.proto_fields import bytes_field, message_field, uint_field

NONCE_BYTES = 24


class BlockCutter:
    """Envelopes that wait, and where one block ends."""

    def __init__(self, limits: BatchLimits) -> None:
        """Begin with nothing."""
        self._limits = limits
        self._pending: list[bytes] = []
        self._pending_bytes = 0

    @property
    def is_waiting(self) -> bool:
        """Whether a batch has begun."""
        return bool(self._pending)

    def take(self, envelope: bytes) -> list[list[bytes]]:
        """Take an envelope, and return the batches that are full by it: none, one or two."""
        size = _size(envelope)
        if size > self._limits.preferred_bytes_max:
            return [*self.cut(), [envelope]]
        full: list[list[bytes]] = []
        if self._pending_bytes + size > self._limits.preferred_bytes_max:
            full += self.cut()
        self._pending.append(envelope)
        self._pending_bytes += size
        if len(self._pending) >= self._limits.messages_max:
            full += self.cut()
        return full

    def cut(self) -> list[list[bytes]]:
        """Return what waits as one batch, or no batch."""
        batch, self._pending, self._pending_bytes = self._pending, [], 0
        return [batch] if batch else []


def _size(envelope: bytes) -> int:
    read = Envelope.decode(envelope)
    return len(read.payload) + len(read.signature)


class Orderer:
    """All orderers of a channel together."""

    def __init__(self, plan: ChannelPlan, genesis: Block) -> None:
        """Begin behind block 0 with those who are to order."""
        self._plan = plan
        members: Mapping[int, Signatory] = {
            number: Signatory.of(one) for number, one in enumerate(plan.consenters, 1)
        }
        self._consenters = dict(members)
        """By id, those who sign; a configuration may leave some out."""
        self._newest = genesis.header
        self._last_config = 0

    @property
    def signatory(self) -> Signatory:
        """The orderer that vouches for configurations: the first."""
        return self._consenters[min(self._consenters)]

    def keep_only(self, ids: Set[int]) -> None:
        """Sign with these alone from now on: a configuration leaves the others out."""
        self._consenters = {n: one for n, one in self._consenters.items() if n in ids}

    def follow(self, header: BlockHeader, *, is_config: bool) -> None:
        """Go on behind a block that was made before."""
        self._newest = header
        if is_config:
            self._last_config = header.number

    def make_block(self, envelopes: Sequence[bytes], *, is_config: bool = False) -> Block:
        """Return the next block, signed, with *envelopes* as they are given."""
        data = tuple(envelopes)
        number = self._newest.number + 1
        header = BlockHeader(number, self._newest.hash(), data_hash(data))
        if is_config:
            self._last_config = number
        value = OrdererMetadata(self._last_config, self._consenter_metadata(number)).encode()
        last_config = Metadata(uint_field(1, self._last_config)).encode()
        signatures = Metadata(value, self._sign(value, header)).encode()
        self._newest = header
        return Block(header, data, (signatures, last_config, b"", b"", b""))

    def _sign(self, value: bytes, header: BlockHeader) -> tuple[MetadataSignature, ...]:
        if self._plan.consensus is Consensus.RAFT:
            signer = self.signatory
            head = SignatureHeader(signer.creator, _nonce(header, 0)).encode()
            unsigned = MetadataSignature(b"", signature_header=head)
            signed = signer.sign(unsigned.signed_bytes(value, header))
            return (MetadataSignature(signed, signature_header=head),)
        numbers = sorted(self._consenters)
        # Another quorum each time, as in a network in which the slowest comes too late.
        begin = header.number % len(numbers)
        turn = [*numbers[begin:], *numbers[:begin]][: byzantine_majority(len(numbers))]
        return tuple(self._sign_by_number(number, value, header) for number in sorted(turn))

    def _sign_by_number(self, number: int, value: bytes, header: BlockHeader) -> MetadataSignature:
        head = identifier_header(number, _nonce(header, number))
        unsigned = MetadataSignature(b"", identifier_header=head)
        signed = self._consenters[number].sign(unsigned.signed_bytes(value, header))
        return MetadataSignature(signed, identifier_header=head)

    def _consenter_metadata(self, number: int) -> bytes:
        """Return what consensus notes in a block: an index of its log, or its view."""
        if self._plan.consensus is Consensus.RAFT:
            # etcdraft.BlockMetadata: ids of consenters, the next free one, place in the log.
            count = len(self._consenters)
            ids = bytes(range(1, count + 1))
            noted = bytes_field(1, ids) + uint_field(2, count + 1) + uint_field(3, number)
        else:
            noted = uint_field(2, number)  # smartbftprotos.ViewMetadata.latest_sequence
        return message_field(1, noted)


def _nonce(header: BlockHeader, number: int) -> bytes:
    # Uniqueness is all that a nonce is for, and a driven ledger must repeat.
    return sha256(b"orderer nonce" + number.to_bytes(4) + header.hash()).digest()[:NONCE_BYTES]
