"""
States and messages of 07-tendermint clients as records and as protobuf bytes.

Every decoder refuses all spellings but the one that its encoder writes, so what is signed is all
that a message can say.

Sources:
    ibc-go ``proto/ibc/lightclients/tendermint/v1/tendermint.proto``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tieline.light_clients.client_messages import ClientMessage, require_length, require_spelling
from tieline.protocol.height import Height
from tieline.wire.cometbft import SignedHeader, ValidatorSet, decode_time, encode_time
from tieline.wire.errors import Malformed
from tieline.wire.proto_fields import Fields, bytes_field, int_field, message_field, uint_field

_URL = "/ibc.lightclients.tendermint.v1."
CLIENT_STATE_URL = _URL + "ClientState"
CONSENSUS_STATE_URL = _URL + "ConsensusState"
HEADER_URL = _URL + "Header"
MISBEHAVIOUR_URL = _URL + "Misbehaviour"

MESSAGE_BYTES_MAX = 262_144
"""Two sets and a commit of 256 validators are about 100 kB; two such headers fit."""

_NS_PER_S = 10**9
_SPAN_NS_COUNT = 1 << 63


def revision_of(chain_id: str) -> int:
    """Return the number behind the last hyphen of ``name-N`` (N without leading zero), else 0."""
    name, hyphen, number = chain_id.rpartition("-")
    is_revision = (
        bool(hyphen)
        and bool(name)
        and not name.endswith("-")
        and number.isascii()
        and number.isdigit()
        and number[0] != "0"
    )
    return int(number) if is_revision and len(number) < 20 else 0


def encode_height(height: Height | None) -> bytes:
    """Write ``ibc.core.client.v1.Height``; None is the zero height."""
    if height is None:
        return b""
    return uint_field(1, height.revision_number) + uint_field(2, height.revision_height)


def decode_height(data: bytes) -> Height | None:
    """Read a height; None for zero."""
    fields = Fields(data, known=2)
    if not fields.uint(2):
        if fields.uint(1):
            raise Malformed("height without a block")
        return None
    return Height(fields.uint(1), fields.uint(2))


def _encode_duration(span_ns: int) -> bytes:
    seconds, nanos = divmod(span_ns, _NS_PER_S)
    return int_field(1, seconds) + uint_field(2, nanos)


def _decode_duration(data: bytes) -> int:
    """Read a span of 0 to 292 years in nanoseconds, as Go's can hold it. Raises Malformed."""
    fields = Fields(data, known=2)
    seconds, nanos = fields.int64(1), fields.uint(2)
    span_ns = seconds * _NS_PER_S + nanos
    if seconds < 0 or nanos >= _NS_PER_S or span_ns >= _SPAN_NS_COUNT:
        raise Malformed(f"no duration: seconds={seconds} nanoseconds={nanos}")
    return span_ns


def _proof_spec(leaf: bytes, child_size: int, prefix_min: int, prefix_max: int) -> bytes:
    inner = (
        bytes_field(1, b"\x00\x01")
        + uint_field(2, child_size)
        + uint_field(3, prefix_min)
        + uint_field(4, prefix_max)
        + uint_field(6, 1)
    )
    return message_field(1, leaf) + message_field(2, inner)


_LEAF_SPEC = uint_field(1, 1) + uint_field(3, 1) + uint_field(4, 1) + bytes_field(5, b"\x00")
SDK_PROOF_SPECS = (_proof_spec(_LEAF_SPEC, 33, 4, 12), _proof_spec(_LEAF_SPEC, 32, 1, 1))
"""``commitmenttypes.GetSDKSpecs()``: IAVL, then the simple merkle tree."""

SDK_UPGRADE_PATH = ("upgrade", "upgradedIBCState")


@dataclass(frozen=True, slots=True)
class ClientState(ClientMessage):
    """What a client believes about its chain's rules, and how far it has come. Spans in ns."""

    URL = CLIENT_STATE_URL

    chain_id: str
    trust_numerator: int
    trust_denominator: int
    trusting_period_ns: int
    unbonding_period_ns: int
    max_clock_drift_ns: int
    latest_height: Height
    is_frozen: bool = False
    proof_specs: tuple[bytes, ...] = SDK_PROOF_SPECS
    upgrade_path: tuple[str, ...] = SDK_UPGRADE_PATH

    def encode(self) -> bytes:
        """Write ``ClientState``; a frozen one has frozen height 0-1."""
        trust = uint_field(1, self.trust_numerator) + uint_field(2, self.trust_denominator)
        frozen = Height(0, 1) if self.is_frozen else None
        parts = [
            bytes_field(1, self.chain_id.encode()),
            message_field(2, trust),
            message_field(3, _encode_duration(self.trusting_period_ns)),
            message_field(4, _encode_duration(self.unbonding_period_ns)),
            message_field(5, _encode_duration(self.max_clock_drift_ns)),
            message_field(6, encode_height(frozen)),
            message_field(7, encode_height(self.latest_height)),
        ]
        parts += [message_field(8, spec) for spec in self.proof_specs]
        parts += [message_field(9, step.encode()) for step in self.upgrade_path]
        return b"".join(parts)

    @staticmethod
    def decode(data: bytes) -> ClientState:
        """Read what ``encode`` writes; the two deprecated flags are refused."""
        fields = Fields(data, known=9)
        trust = Fields(fields.octets(2), known=2)
        latest = decode_height(fields.octets(7))
        if latest is None:
            raise Malformed("latest height is zero")
        try:
            upgrade_path = tuple(step.decode() for step in fields.each_bytes(9))
        except UnicodeDecodeError as exc:
            raise Malformed("upgrade path is not UTF-8") from exc
        state = ClientState(
            fields.text(1),
            trust.uint(1),
            trust.uint(2),
            _decode_duration(fields.octets(3)),
            _decode_duration(fields.octets(4)),
            _decode_duration(fields.octets(5)),
            latest_height=latest,
            is_frozen=decode_height(fields.octets(6)) is not None,
            proof_specs=fields.each_bytes(8),
            upgrade_path=upgrade_path,
        )
        require_spelling(state.encode(), data, "client state")
        return state

    @property
    def latest(self) -> Height:
        """The highest height with a consensus state."""
        return self.latest_height

    def risen_to(self, height: Height) -> ClientState:
        """Return it with another latest height."""
        return replace(self, latest_height=height)

    def frozen(self) -> ClientState:
        """Return it frozen."""
        return replace(self, is_frozen=True)


@dataclass(frozen=True, slots=True)
class ConsensusState(ClientMessage):
    """What a client holds of one header."""

    URL = CONSENSUS_STATE_URL

    time_ns: int
    root: bytes
    """App hash: the root of the state one block before."""
    next_validators_hash: bytes

    def encode(self) -> bytes:
        """Write ``ConsensusState``."""
        return (
            message_field(1, encode_time(self.time_ns))
            + message_field(2, bytes_field(1, self.root))
            + bytes_field(3, self.next_validators_hash)
        )

    @staticmethod
    def decode(data: bytes) -> ConsensusState:
        """Read what ``encode`` writes."""
        fields = Fields(data, known=3)
        root = Fields(fields.octets(2), known=1).octets(1)
        state = ConsensusState(decode_time(fields.octets(1)), root, fields.octets(3))
        require_spelling(state.encode(), data, "consensus state")
        return state


@dataclass(frozen=True, slots=True)
class ClientHeader(ClientMessage):
    """A header with all that is needed to believe it, starting from a trusted height."""

    URL = HEADER_URL

    signed_header: SignedHeader
    validators: ValidatorSet
    trusted_height: Height
    trusted_validators: ValidatorSet
    """The set at trusted height + 1."""

    @property
    def height(self) -> Height:
        """Block height, in the revision that the chain id names. Raises ValueError below 1."""
        header = self.signed_header.header
        return Height(revision_of(header.chain_id), header.height)

    def encode(self) -> bytes:
        """Write ``Header``."""
        return (
            message_field(1, self.signed_header.encode())
            + message_field(2, self.validators.encode())
            + message_field(3, encode_height(self.trusted_height))
            + message_field(4, self.trusted_validators.encode())
        )

    @staticmethod
    def decode(data: bytes) -> ClientHeader:
        """Read what ``encode`` writes."""
        require_length(data, MESSAGE_BYTES_MAX, "header")
        fields = Fields(data, known=4)
        trusted_height = decode_height(fields.octets(3))
        if trusted_height is None:
            raise Malformed("trusted height is zero")
        signed = SignedHeader.decode(fields.octets(1))
        if signed.header.height < 1:
            raise Malformed("header's height below 1")
        # A set is refused by its own decoder if it is in a second spelling.
        canonical = (
            message_field(1, signed.encode())
            + message_field(2, fields.octets(2))
            + message_field(3, encode_height(trusted_height))
            + message_field(4, fields.octets(4))
        )
        require_spelling(canonical, data, "header")
        validators = ValidatorSet.decode(fields.octets(2))
        return ClientHeader(
            signed, validators, trusted_height, ValidatorSet.decode(fields.octets(4))
        )


@dataclass(frozen=True, slots=True)
class Misbehaviour(ClientMessage):
    """Two headers that cannot both be true; the first is not lower than the second."""

    URL = MISBEHAVIOUR_URL

    header_1: bytes
    header_2: bytes
    client_id: str = ""
    """Deprecated and believed by nobody, yet ibc-go refuses a message without one."""

    def encode(self) -> bytes:
        """Write ``Misbehaviour``."""
        return (
            bytes_field(1, self.client_id.encode())
            + message_field(2, self.header_1)
            + message_field(3, self.header_2)
        )

    @staticmethod
    def decode(data: bytes) -> Misbehaviour:
        """Read what ``encode`` writes."""
        require_length(data, MESSAGE_BYTES_MAX, "misbehaviour")
        fields = Fields(data, known=3)
        misbehaviour = Misbehaviour(fields.octets(2), fields.octets(3), fields.text(1))
        require_spelling(misbehaviour.encode(), data, "misbehaviour")
        return misbehaviour
