"""
One carrier's way into an embedded network: it proposes at the peers, and hands in what they sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tieline.interfaces.errors import ConfigError, Unavailable
from tieline.ledgers.fabric.embedded.lifecycle import commit_args
from tieline.ledgers.fabric.embedded.network import Network
from tieline.ledgers.fabric.embedded.peer import Answer, Peer
from tieline.ledgers.fabric.port import (
    CHAINCODE,
    Carrier,
    CommitStatus,
    Endorsed,
    EndorsementsDiffer,
    InvocationRefused,
)
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.wire.fabric.envelopes import Envelope
from tieline.wire.fabric.lifecycle import LIFECYCLE, ChaincodeDefinition
from tieline.wire.fabric.proposals import Proposal, SignedProposal, propose
from tieline.wire.fabric.responses import Endorsement, Response, ResponsePayload
from tieline.wire.fabric.transactions import endorsed_response, transaction_payload

_FAILED: Final = 400


class EmbeddedPort:
    """Implements ``port.FabricPort``."""

    def __init__(
        self, network: Network, carrier: Carrier, *, peer: int = 0, is_prompt: bool = False
    ) -> None:
        """
        Speak for a carrier.

        Args:
            network: Where to.
            carrier: Signs proposals and envelopes.
            peer: Which one to ask first, by its place.
            is_prompt: Make a block of every envelope at once instead of waiting for a clock.
        """
        self._network = network
        self._carrier = carrier
        self._first = network.peers[peer]
        self._is_prompt = is_prompt

    @property
    def fabric_channel(self) -> str:
        """The channel's name."""
        return self._network.plan.channel

    @property
    def name(self) -> str:
        """Which peer this is, for messages."""
        return f"{self._first.msp_id}@embedded"

    async def evaluate(self, args: Sequence[bytes]) -> bytes:
        """Run an invocation on one peer and return what it answers. Raises InvocationRefused."""
        _, signed = self._propose(CHAINCODE, args)
        return _accepted(self._first.answer(signed)).response.payload

    async def endorse(self, args: Sequence[bytes]) -> Endorsed:
        """Let every peer simulate and sign. Raises InvocationRefused, EndorsementsDiffer."""
        return self.endorse_at(self._network.peers, args)

    def endorse_at(
        self, peers: Sequence[Peer], args: Sequence[bytes], chaincode: str = CHAINCODE
    ) -> Endorsed:
        """Let some peers simulate and sign, be they enough or not. Raises as ``endorse``."""
        proposal, signed = self._propose(chaincode, args)
        answers = [peer.answer(signed) for peer in peers]
        if len({(one.response.status, one.payload) for one in answers}) != 1:
            raise EndorsementsDiffer([peer.msp_id for peer in peers], _statuses(answers))
        endorsements = tuple(_endorsement(_accepted(one)) for one in answers)
        endorsed = endorsed_response(proposal, answers[0].payload, endorsements)
        payload = transaction_payload(endorsed)
        return Endorsed(
            tx_id=proposal.tx_id,
            envelope=Envelope(payload, self._carrier.sign(payload)).encode(),
            channel_header=endorsed.channel_header,
            signature_header=endorsed.signature_header,
            proposal_payload=endorsed.proposal_payload,
            response_payload=endorsed.response_payload,
            endorsements=tuple((one.endorser, one.signature) for one in endorsements),
            content=ResponsePayload.decode(endorsed.response_payload),
        )

    async def order(self, envelope: bytes) -> None:
        """Hand an envelope to the orderers. Raises Rejected."""
        self._network.order(envelope)
        if self._is_prompt:
            self._network.cut()

    async def commit_status(self, tx_id: str) -> CommitStatus | None:
        """Return what became of a transaction; None if the peer does not know it (yet)."""
        found = self._first.status_of(tx_id)
        return None if found is None else CommitStatus(*found)

    async def blocks_after(self, number: int, limit: int) -> Sequence[bytes]:
        """Return committed blocks above *number*, ascending, at most *limit*."""
        newest = min(self._network.height, number + limit)
        return [self._network.block(one) for one in range(number + 1, newest + 1)]

    async def height(self) -> int:
        """Return the number of the newest committed block."""
        return self._network.height

    def define(self, definition: ChaincodeDefinition) -> None:
        """
        Commit a definition of a chaincode, in a block of its own.

        Raises:
            ConfigError: The organisations do not agree to it: another sequence is next.
        """
        try:
            agreed = self.endorse_at(self._network.peers, commit_args(definition), LIFECYCLE)
        except InvocationRefused as refused:
            raise ConfigError(f"definition of {definition.chaincode}: {refused}") from refused
        self._network.cut()
        self._network.order(agreed.envelope)
        self._network.cut()

    def close(self) -> None:
        """Nothing is open."""

    def _propose(self, chaincode: str, args: Sequence[bytes]) -> tuple[Proposal, SignedProposal]:
        network, creator = self._network, self._carrier.creator
        proposal = propose(
            network.plan.channel,
            chaincode,
            args,
            creator,
            network.fresh_nonce(creator),
            network.now_s() * NANOSECONDS_PER_SECOND,
        )
        raw = proposal.encode()
        return proposal, SignedProposal(raw, self._carrier.sign(raw))


def _accepted(answer: Answer) -> Answer:
    if answer.response.status >= _FAILED:
        raise InvocationRefused(answer.response.status, answer.response.message)
    return answer


def _endorsement(answer: Answer) -> Endorsement:
    if answer.endorsement is None:
        raise Unavailable(f"a peer did not sign: {answer.response.message}")
    return answer.endorsement


def _statuses(answers: Sequence[Answer]) -> str:
    responses: list[Response] = [one.response for one in answers]
    return " ".join(f"{one.status} {one.message}".strip() for one in responses)
