"""
States of fabric-block clients as records and as protobuf bytes.

Every decoder refuses all spellings but the one that its encoder writes.

Sources:
    ``proto/tieline/fabric/v1/fabric.proto``; ``docs/spec/trust.md`` 4.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.wire.errors import Malformed
from tieline.wire.fabric.rwsets import Version
from tieline.wire.hashes import keccak
from tieline.wire.ids import chain_tag
from tieline.wire.proto_fields import Fields, bytes_field, message_field, uint_field

URL = "/tieline.fabric.v1."
CLIENT_STATE_URL = URL + "ClientState"
CONSENSUS_STATE_URL = URL + "ConsensusState"


@dataclass(frozen=True, slots=True)
class KnownConfig:
    """A configuration of the channel, in force from the block behind its own."""

    number: int
    """Of the config block."""
    config: bytes
    """``common.Config``, as in that block. Empty in a stored client state."""

    def encode(self) -> bytes:
        """Write ``KnownConfig``."""
        return uint_field(1, self.number) + bytes_field(2, self.config)

    @staticmethod
    def decode(data: bytes) -> KnownConfig:
        """Read what ``encode`` writes."""
        fields = Fields(data, known=2)
        return KnownConfig(fields.uint(1), fields.octets(2))


@dataclass(frozen=True, slots=True)
class KnownDefinition:
    """A committed definition of the chaincode."""

    version: Version
    """Of its ``_lifecycle`` keys."""
    sequence: int
    """Rises by one with each definition."""
    endorsement_policy: bytes
    """``common.ApplicationPolicy``."""

    def encode(self) -> bytes:
        """Write ``KnownDefinition``."""
        return (
            uint_field(1, self.version.block)
            + uint_field(2, self.version.index)
            + uint_field(3, self.sequence)
            + bytes_field(4, self.endorsement_policy)
        )

    @staticmethod
    def decode(data: bytes) -> KnownDefinition:
        """Read what ``encode`` writes."""
        fields = Fields(data, known=4)
        version = Version(fields.uint(1), fields.uint(2))
        return KnownDefinition(version, fields.uint(3), fields.octets(4))


@dataclass(frozen=True, slots=True)
class ClientState:
    """What a client believes about its channel's rules, and how far it has come. Spans in ns."""

    channel: str
    chaincode: str
    genesis_hash: bytes
    """sha256 of block 0's header bytes."""
    latest_height: int
    trusting_period_ns: int
    max_clock_drift_ns: int
    configs: tuple[KnownConfig, ...]
    """Ascending; the last one is the newest that is known."""
    definitions: tuple[KnownDefinition, ...]
    """Ascending; the last one is the newest that is known."""
    is_frozen: bool = False

    @property
    def chain_tag(self) -> bytes:
        """The 32 bytes that name the ledger instance."""
        host_id = keccak(self.chaincode.encode())
        return chain_tag("fabric", self.channel, self.genesis_hash, host_id)

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

    def encode(self) -> bytes:
        """Write ``ClientState``."""
        parts = [
            bytes_field(1, self.channel.encode()),
            bytes_field(2, self.chaincode.encode()),
            bytes_field(3, self.genesis_hash),
            uint_field(4, self.latest_height),
            uint_field(5, self.trusting_period_ns),
            uint_field(6, self.max_clock_drift_ns),
            uint_field(7, int(self.is_frozen)),
            *(message_field(8, one.encode()) for one in self.configs),
            *(message_field(9, one.encode()) for one in self.definitions),
        ]
        return b"".join(parts)

    @staticmethod
    def decode(data: bytes) -> ClientState:
        """Read what ``encode`` writes. Raises Malformed."""
        fields = Fields(data, known=9)
        state = ClientState(
            fields.text(1),
            fields.text(2),
            fields.octets(3),
            latest_height=fields.uint(4),
            trusting_period_ns=fields.uint(5),
            max_clock_drift_ns=fields.uint(6),
            configs=tuple(KnownConfig.decode(one) for one in fields.each_bytes(8)),
            definitions=tuple(KnownDefinition.decode(one) for one in fields.each_bytes(9)),
            is_frozen=bool(fields.uint(7)),
        )
        if state.encode() != data:
            raise Malformed("client state in a second spelling")
        return state

    def as_any(self) -> AnyMessage:
        """Return the bytes with their type."""
        return AnyMessage(CLIENT_STATE_URL, self.encode())


@dataclass(frozen=True, slots=True)
class ConsensusState:
    """What a client holds of one block with a Tick."""

    time_ns: int
    """What the Tick wrote; whole seconds."""
    block_hash: bytes
    """sha256 of the block's header bytes."""

    def encode(self) -> bytes:
        """Write ``ConsensusState``."""
        return uint_field(1, self.time_ns) + bytes_field(2, self.block_hash)

    @staticmethod
    def decode(data: bytes) -> ConsensusState:
        """Read what ``encode`` writes. Raises Malformed."""
        fields = Fields(data, known=2)
        state = ConsensusState(fields.uint(1), fields.octets(2))
        if state.encode() != data:
            raise Malformed("consensus state in a second spelling")
        return state

    def as_any(self) -> AnyMessage:
        """Return the bytes with their type."""
        return AnyMessage(CONSENSUS_STATE_URL, self.encode())
