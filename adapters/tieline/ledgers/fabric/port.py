"""
What the adapter asks of a Fabric network, and nothing more: to simulate, to endorse, to order, and
for blocks. The embedded engine answers in this process, the native one over gRPC.

A port speaks for one carrier, the X.509 identity that signs proposals, envelopes and requests; the
transaction inside is signed by its own key, and the chaincode asks for no other authority.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from tieline.interfaces.errors import HubError, Unavailable
from tieline.wire.fabric.responses import ResponsePayload

CHAINCODE = "tieline"
"""Name of the chaincode in every channel."""


class Validation(IntEnum):
    """What a peer found a transaction of a block to be; Fabric's ``TxValidationCode``, in part."""

    VALID = 0
    BAD_CREATOR_SIGNATURE = 4
    DUPLICATE_TXID = 9
    ENDORSEMENT_POLICY_FAILURE = 10
    MVCC_READ_CONFLICT = 11
    PHANTOM_READ_CONFLICT = 12
    EXPIRED_CHAINCODE = 17
    NOT_VALIDATED = 254


class Carrier(Protocol):
    """An X.509 identity and its key."""

    @property
    def creator(self) -> bytes:
        """A ``msp.SerializedIdentity``: MSP id and certificate in PEM."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return an ECDSA P-256 signature over SHA-256 of *message*: DER, low s."""
        ...


@dataclass(frozen=True, slots=True)
class Endorsed:
    """
    An invocation that enough peers simulated to the same result and signed. Ordering it is another
    step, which a read-back never takes.
    """

    tx_id: str
    """Hex of sha256(nonce || creator)."""
    envelope: bytes
    """``common.Envelope`` with the transaction, signed by the carrier; ready to be ordered."""
    channel_header: bytes
    signature_header: bytes
    proposal_payload: bytes
    """The chaincode proposal payload, as it stands in the transaction: without transient data."""
    response_payload: bytes
    """``peer.ProposalResponsePayload``."""
    endorsements: tuple[tuple[bytes, bytes], ...]
    """Endorser (``msp.SerializedIdentity``) and signature, one a peer."""
    content: ResponsePayload
    """What ``response_payload`` says."""


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """What became of an ordered transaction."""

    code: int
    """A ``Validation``."""
    block: int


class InvocationRefused(HubError):
    """
    The chaincode answered with a status of 400 or above; nothing is written.

    Args:
        status: Its status.
        message: Its words: of ours, canonical JSON with codespace, code and log.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"chaincode refused: status={status} {message}")
        self.status = status
        self.message = message


class EndorsementsDiffer(Unavailable):
    """
    Peers simulated one invocation to different results: one is behind, or the chaincode is not the
    same. A fresh proposal helps in the first case.

    Args:
        endorsers: Who, as ``msp id@address`` or whatever the port knows them by.
        detail: What the network said.
    """

    def __init__(self, endorsers: Sequence[str], detail: str = "") -> None:
        named = ", ".join(endorsers) or "not named"
        super().__init__(f"endorsements differ: endorsers={named} {detail}".rstrip())
        self.endorsers = tuple(endorsers)


class FabricPort(Protocol):
    """
    One way into a Fabric channel.

    All calls may raise Unavailable (no answer; nothing is known but what is said below) and
    ConfigError (the operator must act: wrong MSP, wrong TLS root, no such channel or chaincode).
    """

    @property
    def fabric_channel(self) -> str:
        """The channel's name."""
        ...

    @property
    def name(self) -> str:
        """Which peer this is, for messages."""
        ...

    async def evaluate(self, args: Sequence[bytes]) -> bytes:
        """
        Run an invocation of the chaincode on one peer, write nothing, and return what it answers.

        Args:
            args: The function's name, then its arguments.

        Raises:
            InvocationRefused: The chaincode said no.
        """
        ...

    async def endorse(self, args: Sequence[bytes]) -> Endorsed:
        """
        Let as many peers simulate an invocation as the endorsement policy asks for; a fresh
        proposal with every call.

        Raises:
            InvocationRefused: The chaincode said no.
            EndorsementsDiffer: It did not come to the same result everywhere.
        """
        ...

    async def order(self, envelope: bytes) -> None:
        """
        Hand an envelope to the orderers. An envelope that was handed in before does no harm: its
        second copy is invalid as a duplicate.

        Raises:
            Unavailable: It may be in a block all the same, and later too.
            Rejected: The orderers refused it at the door.
        """
        ...

    async def commit_status(self, tx_id: str) -> CommitStatus | None:
        """Return what became of a transaction; None if the peer does not know it (yet)."""
        ...

    async def blocks_after(self, number: int, limit: int) -> Sequence[bytes]:
        """
        Return committed ``common.Block`` bytes with a number above *number*, ascending, without
        gaps, at most *limit*; metadata holds the peer's TRANSACTIONS_FILTER. -1 begins at genesis.
        """
        ...

    async def height(self) -> int:
        """Return the number of the newest committed block."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
