"""
Headers, commits and validator sets of CometBFT 0.38: records, protobuf bytes, hashes.

Bytes are those that gogoproto writes. Decoders take parts of messages that a caller compares as a
whole (``light_clients.tendermint.messages``), so they need not refuse every second spelling.

Sources:
    CometBFT 0.38 ``types/block.go``, ``types/validator.go``,
    ``crypto/merkle/tree.go``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hashlib import sha256

from tieline.wire.errors import Malformed
from tieline.wire.proto_fields import (
    Fields,
    bytes_field,
    int_field,
    message_field,
    read_uvarint,
    uint_field,
    uvarint,
)

BLOCK_PROTOCOL = 11
ABSENT_FLAG = 1
COMMIT_FLAG = 2
NIL_FLAG = 3
NO_TIME_NS = -62_135_596_800 * 10**9
"""Go's zero time, which stands in the signature of an absent validator."""

_NS_PER_S = 10**9
_SECONDS_MIN = NO_TIME_NS // _NS_PER_S
_SECONDS_MAX = 253_402_300_799
"""The years 1 to 9999, all that a ``google.protobuf.Timestamp`` may say."""

# What an ed25519 validator's vote and record begin with: nearly all are written exactly so.
_VOTES = (b"\x08\x02\x12\x14", b"\x08\x03\x12\x14")
_ADDRESS = b"\x0a\x14"
_KEY = b"\x12\x22\x0a\x20"
_SETS_REMEMBERED = 64
"""Sets change seldom; a few ledgers, with those just left behind."""


def encode_time(time_ns: int) -> bytes:
    """Write a ``google.protobuf.Timestamp`` of unix nanoseconds."""
    seconds, nanos = divmod(time_ns, _NS_PER_S)
    if seconds > 0 and nanos:
        return b"\x08" + uvarint(seconds) + b"\x10" + uvarint(nanos)
    return int_field(1, seconds) + uint_field(2, nanos)


def decode_time(data: bytes) -> int:
    """Read unix nanoseconds, of the years 1 to 9999. Raises Malformed."""
    fields = Fields(data, known=2)
    nanos, seconds = fields.uint(2), fields.int64(1)
    if nanos >= _NS_PER_S or not _SECONDS_MIN <= seconds <= _SECONDS_MAX:
        raise Malformed(f"no time: seconds={seconds} nanoseconds={nanos}")
    return seconds * _NS_PER_S + nanos


@dataclass(frozen=True, slots=True)
class BlockId:
    """A block's header hash, and the tree over the parts in which it travels."""

    hash: bytes
    parts_total: int
    parts_hash: bytes

    def encode(self) -> bytes:
        """Write ``tendermint.types.BlockID``; CanonicalBlockID has the same bytes."""
        parts = uint_field(1, self.parts_total) + bytes_field(2, self.parts_hash)
        return bytes_field(1, self.hash) + message_field(2, parts)

    @staticmethod
    def decode(data: bytes) -> BlockId:
        """Read what ``encode`` writes."""
        fields = Fields(data, known=2)
        parts = Fields(fields.octets(2), known=2)
        return BlockId(fields.octets(1), parts.uint(1), parts.octets(2))


NO_BLOCK = BlockId(b"", 0, b"")
"""The block before the first."""


@dataclass(frozen=True, slots=True)
class Header:
    """What validators sign of a block. ``app_hash`` is that of the block before."""

    chain_id: str
    height: int
    time_ns: int
    last_block_id: BlockId
    last_commit_hash: bytes
    data_hash: bytes
    validators_hash: bytes
    next_validators_hash: bytes
    consensus_hash: bytes
    app_hash: bytes
    last_results_hash: bytes
    evidence_hash: bytes
    proposer_address: bytes
    block_protocol: int = BLOCK_PROTOCOL
    app_protocol: int = 0

    def _version(self) -> bytes:
        return uint_field(1, self.block_protocol) + uint_field(2, self.app_protocol)

    def _hashes(self) -> tuple[bytes, ...]:
        return (
            self.last_commit_hash,
            self.data_hash,
            self.validators_hash,
            self.next_validators_hash,
            self.consensus_hash,
            self.app_hash,
            self.last_results_hash,
            self.evidence_hash,
            self.proposer_address,
        )

    def encode(self) -> bytes:
        """Write ``tendermint.types.Header``."""
        parts = [
            message_field(1, self._version()),
            bytes_field(2, self.chain_id.encode()),
            int_field(3, self.height),
            message_field(4, encode_time(self.time_ns)),
            message_field(5, self.last_block_id.encode()),
        ]
        parts += [bytes_field(number, value) for number, value in enumerate(self._hashes(), 6)]
        return b"".join(parts)

    @staticmethod
    def decode(data: bytes) -> Header:
        """Read what ``encode`` writes."""
        fields = Fields(data, known=14)
        version = Fields(fields.octets(1), known=2)
        return Header(
            fields.text(2),
            fields.int64(3),
            decode_time(fields.octets(4)),
            BlockId.decode(fields.octets(5)),
            fields.octets(6),
            fields.octets(7),
            fields.octets(8),
            fields.octets(9),
            fields.octets(10),
            fields.octets(11),
            fields.octets(12),
            fields.octets(13),
            fields.octets(14),
            block_protocol=version.uint(1),
            app_protocol=version.uint(2),
        )

    def hash(self) -> bytes:
        """Return the block hash: the tree over the fourteen fields, each wrapped."""
        leaves = [
            self._version(),
            bytes_field(1, self.chain_id.encode()),
            int_field(1, self.height),
            encode_time(self.time_ns),
            self.last_block_id.encode(),
        ]
        leaves += [bytes_field(1, value) for value in self._hashes()]
        return merkle_root(leaves)


@dataclass(frozen=True, slots=True)
class CommitSig:
    """One validator's word on a block: for it (2), for none (3), or silent (1)."""

    flag: int
    validator_address: bytes
    time_ns: int
    signature: bytes

    def encode(self) -> bytes:
        """Write ``tendermint.types.CommitSig``."""
        time = encode_time(self.time_ns)
        if len(self.validator_address) == 20 and len(self.signature) == 64 and 1 < self.flag < 4:
            head = _VOTES[self.flag - 2] + self.validator_address
            return head + b"\x1a%c" % len(time) + time + b"\x22\x40" + self.signature
        return (
            uint_field(1, self.flag)
            + bytes_field(2, self.validator_address)
            + message_field(3, time)
            + bytes_field(4, self.signature)
        )

    @staticmethod
    def decode(data: bytes) -> CommitSig:
        """Read what ``encode`` writes."""
        if data[:4] in _VOTES and data[24:25] == b"\x1a":
            end = 26 + data[25]
            if data[end : end + 2] == b"\x22\x40" and len(data) == end + 66:
                return CommitSig(data[1], data[4:24], decode_time(data[26:end]), data[end + 2 :])
        fields = Fields(data, known=4)
        return CommitSig(
            fields.uint(1), fields.octets(2), decode_time(fields.octets(3)), fields.octets(4)
        )


@dataclass(frozen=True, slots=True)
class Commit:
    """The signatures that made a block final, in the order of the validator set."""

    height: int
    round: int
    block_id: BlockId
    signatures: tuple[CommitSig, ...]

    def encode(self) -> bytes:
        """Write ``tendermint.types.Commit``."""
        head = (
            int_field(1, self.height)
            + int_field(2, self.round)
            + message_field(3, self.block_id.encode())
        )
        return head + b"".join(message_field(4, one.encode()) for one in self.signatures)

    @staticmethod
    def decode(data: bytes) -> Commit:
        """Read what ``encode`` writes."""
        fields = Fields(data, known=4)
        return Commit(
            fields.int64(1),
            fields.int64(2),
            BlockId.decode(fields.octets(3)),
            tuple(CommitSig.decode(raw) for raw in fields.each_bytes(4)),
        )

    def hash(self) -> bytes:
        """Return what the next header holds as ``last_commit_hash``."""
        return merkle_root([one.encode() for one in self.signatures])


EMPTY_COMMIT = Commit(0, 0, NO_BLOCK, ())
"""What the first block holds as the commit of the block before."""


@dataclass(frozen=True, slots=True)
class Validator:
    """An ed25519 key with voting power."""

    public_key: bytes
    voting_power: int
    proposer_priority: int = 0
    """Bookkeeping of the proposer's turn; no hash covers it."""
    address: bytes = field(init=False, compare=False, repr=False)
    """20 bytes: the head of the key's SHA-256."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", sha256(self.public_key).digest()[:20])

    def _key(self) -> bytes:
        return bytes_field(1, self.public_key)

    def encode(self) -> bytes:
        """Write ``tendermint.types.Validator``."""
        return (
            bytes_field(1, self.address)
            + message_field(2, self._key())
            + int_field(3, self.voting_power)
            + int_field(4, self.proposer_priority)
        )

    def encode_simple(self) -> bytes:
        """Write ``tendermint.types.SimpleValidator``, the leaf of the set's hash."""
        return message_field(1, self._key()) + int_field(2, self.voting_power)

    @staticmethod
    def decode(data: bytes) -> Validator:
        """Read what ``encode`` writes. Raises Malformed if the address is not the key's."""
        if data[:2] == _ADDRESS and data[22:26] == _KEY and data[58:59] == b"\x18":
            address = data[2:22]
            power, end = read_uvarint(data, 59)
            power -= power >> 63 << 64
            priority = Fields(data[end:], known=4).int64(4) if end < len(data) else 0
            validator = Validator(data[26:58], power, priority)
        else:
            fields = Fields(data, known=4)
            key = Fields(fields.octets(2), known=1)
            address = fields.octets(1)
            validator = Validator(key.octets(1), fields.int64(3), fields.int64(4))
        if address != validator.address:
            raise Malformed("validator's address is not that of its key")
        return validator


@dataclass(frozen=True)
class ValidatorSet:
    """Validators by descending power, then ascending address."""

    validators: tuple[Validator, ...]
    proposer: Validator | None = None

    @cached_property
    def total_voting_power(self) -> int:
        """Sum over all validators."""
        return sum(one.voting_power for one in self.validators)

    def encode(self) -> bytes:
        """Write ``tendermint.types.ValidatorSet`` with its total."""
        return self.encode_without_total() + int_field(3, self.total_voting_power)

    def encode_without_total(self) -> bytes:
        """Write ``tendermint.types.ValidatorSet`` as CometBFT does, which sums for itself."""
        encoded = b"".join(message_field(1, one.encode()) for one in self.validators)
        if self.proposer is not None:
            encoded += message_field(2, self.proposer.encode())
        return encoded

    @staticmethod
    def decode(data: bytes) -> ValidatorSet:
        """
        Read a validator set, in the one spelling of those who wrote it: with the total or without.

        Raises:
            Malformed: Another spelling, a proposer who is not in the set, or a total that is
                neither left out nor the sum.
        """
        return _decode_set(data)

    def hash(self) -> bytes:
        """Return what headers hold as ``validators_hash``."""
        return self._hash

    @cached_property
    def _hash(self) -> bytes:
        return merkle_root([one.encode_simple() for one in self.validators])


def forget_sets() -> None:
    """Read every validator set anew from now on; for those who measure."""
    _decode_set.cache_clear()


@lru_cache(maxsize=_SETS_REMEMBERED)
def _decode_set(data: bytes) -> ValidatorSet:
    fields = Fields(data, known=3)
    validators = tuple(Validator.decode(raw) for raw in fields.each_bytes(1))
    proposer = Validator.decode(fields.octets(2)) if fields.has(2) else None
    if proposer is not None and proposer not in validators:
        raise Malformed("proposer is not in the validator set")
    validator_set = ValidatorSet(validators, proposer)
    if fields.has(3) and fields.int64(3) != validator_set.total_voting_power:
        raise Malformed("total voting power is not the sum")
    canonical = validator_set.encode() if fields.has(3) else validator_set.encode_without_total()
    if canonical != data:
        raise Malformed("validator set in a second spelling")
    return validator_set


@dataclass(frozen=True, slots=True)
class SignedHeader:
    """A header with the commit that made it final."""

    header: Header
    commit: Commit

    def encode(self) -> bytes:
        """Write ``tendermint.types.SignedHeader``."""
        return message_field(1, self.header.encode()) + message_field(2, self.commit.encode())

    @staticmethod
    def decode(data: bytes) -> SignedHeader:
        """Read what ``encode`` writes."""
        fields = Fields(data, known=2)
        return SignedHeader(Header.decode(fields.octets(1)), Commit.decode(fields.octets(2)))


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the RFC 6962 root: leaves under 0x00, inner nodes under 0x01; SHA-256 of nothing."""
    if not leaves:
        return sha256(b"").digest()
    row = [sha256(b"\x00" + leaf).digest() for leaf in leaves]
    # Pairing neighbours and carrying the odd one up gives the split at the largest power of two.
    while len(row) > 1:
        above = [
            sha256(b"\x01" + row[index] + row[index + 1]).digest()
            for index in range(0, len(row) - 1, 2)
        ]
        if len(row) & 1:
            above.append(row[-1])
        row = above
    return row[0]
