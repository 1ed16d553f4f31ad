"""
States and messages of evm-sealed clients as records and as protobuf bytes.

Every decoder refuses all spellings but the one that its encoder writes.

Sources:
    ``proto/tieline/client/v1/evm_sealed.proto``; ``docs/spec/trust.md`` 5.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

from tieline.light_clients.client_messages import ClientMessage, require_length, require_spelling
from tieline.protocol.height import Height
from tieline.wire.errors import Malformed
from tieline.wire.ids import chain_tag
from tieline.wire.proto_fields import Fields, bytes_field, message_field, uint_field

_URL = "/tieline.client.v1."
CLIENT_STATE_URL = _URL + "EvmSealedClientState"
CONSENSUS_STATE_URL = _URL + "EvmSealedConsensusState"
HEADER_URL = _URL + "EvmSealedHeader"
MISBEHAVIOUR_URL = _URL + "EvmSealedMisbehaviour"

COMMITMENTS_SLOT = bytes.fromhex("1260944489272988d9df285149b5aa1b0f48f2136d6f416159f840a3e0747600")
"""Where the host contract keeps the mapping of commitments: eureka's ERC-7201 slot."""

MESSAGE_BYTES_MAX = 262_144
"""Sixteen account proofs of a trie of billions are about 80 kB; two such headers fit."""

_ADDRESS_WORD_PADDING = bytes(12)


class Sealing(IntEnum):
    """Whose signatures make a header final, and where they stand. Stored: never renumbered."""

    AUTHORITY = 1
    """More than two thirds of a fixed set, beside the header, over ``HeaderSeal``."""
    QBFT = 2
    """ceil(2n/3) of the validators, in the extra data."""
    IBFT2 = 3
    """As QBFT, in the extra data of IBFT 2.0."""


@dataclass(frozen=True, slots=True)
class PinnedContract:
    """A contract whose code may not change."""

    address: bytes
    """20 bytes."""
    code_hash: bytes
    """keccak-256 of its byte code."""

    def encode(self) -> bytes:
        """Write ``PinnedContract``."""
        return bytes_field(1, self.address) + bytes_field(2, self.code_hash)

    @staticmethod
    def decode(data: bytes) -> PinnedContract:
        """Read what ``encode`` writes."""
        fields = Fields(data, known=2)
        return PinnedContract(fields.octets(1), fields.octets(2))


@dataclass(frozen=True, slots=True)
class ClientState(ClientMessage):
    """What a client believes about its chain's rules, and how far it has come. Spans in ns."""

    URL = CLIENT_STATE_URL

    chain_id: int
    genesis_hash: bytes
    """Hash of block 0."""
    sealing: Sealing
    sealers: tuple[bytes, ...]
    """The authority set, ascending; empty for QBFT and IBFT2, whose sets consensus states name."""
    host: bytes
    """The contract that holds the commitments; one of the pinned ones."""
    pinned: tuple[PinnedContract, ...]
    """Ascending by address: host, application and its modules."""
    latest_height: int
    trusting_period_ns: int
    max_clock_drift_ns: int
    is_frozen: bool = False
    commitments_slot: bytes = COMMITMENTS_SLOT

    @property
    def chain_tag(self) -> bytes:
        """The 32 bytes that name the ledger instance."""
        host_id = _ADDRESS_WORD_PADDING + self.host
        return chain_tag("evm", str(self.chain_id), self.genesis_hash, host_id)

    def encode(self) -> bytes:
        """Write ``EvmSealedClientState``."""
        parts = [
            uint_field(1, self.chain_id),
            bytes_field(2, self.genesis_hash),
            uint_field(3, self.sealing),
            *(message_field(4, sealer) for sealer in self.sealers),
            bytes_field(5, self.host),
            *(message_field(6, one.encode()) for one in self.pinned),
            bytes_field(7, self.commitments_slot),
            uint_field(8, self.latest_height),
            uint_field(9, self.trusting_period_ns),
            uint_field(10, self.max_clock_drift_ns),
            uint_field(11, int(self.is_frozen)),
        ]
        return b"".join(parts)

    @staticmethod
    def decode(data: bytes) -> ClientState:
        """Read what ``encode`` writes. Raises Malformed."""
        fields = Fields(data, known=11)
        try:
            sealing = Sealing(fields.uint(3))
        except ValueError as exc:
            raise Malformed(f"unknown sealing: {fields.uint(3)}") from exc
        state = ClientState(
            fields.uint(1),
            fields.octets(2),
            sealing,
            fields.each_bytes(4),
            fields.octets(5),
            tuple(PinnedContract.decode(one) for one in fields.each_bytes(6)),
            latest_height=fields.uint(8),
            trusting_period_ns=fields.uint(9),
            max_clock_drift_ns=fields.uint(10),
            is_frozen=bool(fields.uint(11)),
            commitments_slot=fields.octets(7),
        )
        require_spelling(state.encode(), data, "client state")
        return state

    @property
    def latest(self) -> Height:
        """The highest height with a consensus state."""
        return Height(0, self.latest_height)

    def risen_to(self, height: Height) -> ClientState:
        """Return it with another latest height."""
        return replace(self, latest_height=height.revision_height)

    def frozen(self) -> ClientState:
        """Return it frozen."""
        return replace(self, is_frozen=True)


@dataclass(frozen=True, slots=True)
class ConsensusState(ClientMessage):
    """What a client holds of one header."""

    URL = CONSENSUS_STATE_URL

    time_ns: int
    """Block time; whole seconds."""
    storage_root: bytes
    """Root of the host contract's storage after this block."""
    block_hash: bytes
    validators: tuple[bytes, ...] = ()
    """Who sealed this block may: ascending; empty for an authority set."""

    def encode(self) -> bytes:
        """Write ``EvmSealedConsensusState``."""
        return (
            uint_field(1, self.time_ns)
            + bytes_field(2, self.storage_root)
            + bytes_field(3, self.block_hash)
            + b"".join(message_field(4, one) for one in self.validators)
        )

    @staticmethod
    def decode(data: bytes) -> ConsensusState:
        """Read what ``encode`` writes. Raises Malformed."""
        fields = Fields(data, known=4)
        state = ConsensusState(
            fields.uint(1), fields.octets(2), fields.octets(3), fields.each_bytes(4)
        )
        require_spelling(state.encode(), data, "consensus state")
        return state


@dataclass(frozen=True, slots=True)
class ClientHeader(ClientMessage):
    """A header with all that is needed to believe it."""

    URL = HEADER_URL

    header: bytes
    """RLP, as hashed."""
    seals: tuple[bytes, ...]
    """65 bytes r, s, v each, ascending by signer; empty where they are in the extra data."""
    account_nodes: tuple[bytes, ...]
    """See ``building.pooled_nodes``."""
    trusted_height: int = 0
    """Height whose validators are trusted; 0 for an authority set."""

    def encode(self) -> bytes:
        """Write ``EvmSealedHeader``."""
        return (
            bytes_field(1, self.header)
            + b"".join(message_field(2, one) for one in self.seals)
            + uint_field(3, self.trusted_height)
            + b"".join(message_field(4, one) for one in self.account_nodes)
        )

    @staticmethod
    def decode(data: bytes) -> ClientHeader:
        """Read what ``encode`` writes. Raises Malformed."""
        require_length(data, MESSAGE_BYTES_MAX, "header")
        fields = Fields(data, known=4)
        header = ClientHeader(
            fields.octets(1), fields.each_bytes(2), fields.each_bytes(4), fields.uint(3)
        )
        require_spelling(header.encode(), data, "header")
        return header


@dataclass(frozen=True, slots=True)
class Misbehaviour(ClientMessage):
    """Two sealed headers that cannot both be true; the first is not lower than the second."""

    URL = MISBEHAVIOUR_URL

    header_1: bytes
    header_2: bytes

    def encode(self) -> bytes:
        """Write ``EvmSealedMisbehaviour``."""
        return message_field(1, self.header_1) + message_field(2, self.header_2)

    @staticmethod
    def decode(data: bytes) -> Misbehaviour:
        """Read what ``encode`` writes. Raises Malformed."""
        require_length(data, MESSAGE_BYTES_MAX, "misbehaviour")
        fields = Fields(data, known=2)
        misbehaviour = Misbehaviour(fields.octets(1), fields.octets(2))
        require_spelling(misbehaviour.encode(), data, "misbehaviour")
        return misbehaviour


@dataclass(frozen=True, slots=True)
class StorageProof:
    """What shows a value, or its absence, in the host's storage."""

    nodes: tuple[bytes, ...]
    """Trie nodes from the root down; an empty trie has one, 0x80."""

    def encode(self) -> bytes:
        """Write ``EvmStorageProof``."""
        return b"".join(message_field(1, node) for node in self.nodes)

    @staticmethod
    def decode(data: bytes) -> StorageProof:
        """Read what ``encode`` writes. Raises Malformed."""
        require_length(data, MESSAGE_BYTES_MAX, "proof")
        proof = StorageProof(Fields(data, known=1).each_bytes(1))
        require_spelling(proof.encode(), data, "storage proof")
        return proof
