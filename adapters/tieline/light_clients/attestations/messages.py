"""
States and messages of attestations clients as records and as protobuf bytes.

Sources:
    ``docs/spec/bytes.md`` (attestation); golden cases ``tests/vectors/attestations.json``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from tieline.light_clients.client_messages import ClientMessage, require_spelling
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.wire.attestation_proofs import AttestationProof
from tieline.wire.errors import Malformed
from tieline.wire.proto_fields import Fields, message_field, uint_field

_URL = "/ibc.lightclients.attestations.v1."
CLIENT_STATE_URL = _URL + "ClientState"
CONSENSUS_STATE_URL = _URL + "ConsensusState"
ATTESTATION_PROOF_URL = _URL + "AttestationProof"

ATTESTORS_MAX = 64
"""One a utility cell, and a cell set has at most 64."""

_ADDRESS_HEX_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class ClientState(ClientMessage):
    """Who attests, how many must, and how far they have come. Revision is always 0."""

    URL = CLIENT_STATE_URL

    attestor_addresses: tuple[str, ...]
    """0x and 40 hexadecimal digits, in any case."""
    min_required_sigs: int
    latest_height: int
    is_frozen: bool = False

    @property
    def attestors(self) -> tuple[bytes, ...]:
        """The addresses, 20 bytes each. Raises Malformed on any other text."""
        return tuple(_address(text) for text in self.attestor_addresses)

    @property
    def trusting_period_ns(self) -> None:
        """Nothing that was attested expires."""

    def encode(self) -> bytes:
        """Write ``ClientState``."""
        encoded = b"".join(message_field(1, one.encode()) for one in self.attestor_addresses)
        return (
            encoded
            + uint_field(2, self.min_required_sigs)
            + uint_field(3, self.latest_height)
            + uint_field(4, int(self.is_frozen))
        )

    @staticmethod
    def decode(data: bytes) -> ClientState:
        """Read what ``encode`` writes."""
        fields = Fields(data, known=4)
        try:
            addresses = tuple(one.decode() for one in fields.each_bytes(1))
        except UnicodeDecodeError as exc:
            raise Malformed("attestor address is not text") from exc
        state = ClientState(addresses, fields.uint(2), fields.uint(3), bool(fields.uint(4)))
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
    """Chain time at a height, ns."""

    URL = CONSENSUS_STATE_URL

    time_ns: int

    def encode(self) -> bytes:
        """Write ``ConsensusState``."""
        return uint_field(1, self.time_ns)

    @staticmethod
    def decode(data: bytes) -> ConsensusState:
        """Read what ``encode`` writes."""
        state = ConsensusState(Fields(data, known=1).uint(1))
        require_spelling(state.encode(), data, "consensus state")
        return state


def proof_as_any(proof: AttestationProof) -> AnyMessage:
    """Return an attested state as the client message that it is."""
    return AnyMessage(ATTESTATION_PROOF_URL, proof.encode())


@lru_cache(maxsize=1024)
def _address(text: str) -> bytes:
    digits = text[2:]
    if text[:2] != "0x" or len(digits) != _ADDRESS_HEX_CHARACTERS:
        raise Malformed(f"not an address: {text!r}")
    try:
        return bytes.fromhex(digits)
    except ValueError as exc:
        raise Malformed(f"not an address: {text!r}") from exc


def address_text(address: bytes) -> str:
    """Return an address as client states hold it; lower case, which ibc-go takes too."""
    return "0x" + address.hex()
