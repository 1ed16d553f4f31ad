"""
What the relayer wants done, as data: messages for a ledger, and the proof that is still missing.

An effect has the same key whenever it is decided, so that what is under way is not started twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from tieline.protocol.height import Height
from tieline.protocol.messages import AcknowledgePacket, RecvPacket, TimeoutPacket
from tieline.relay.route import Endpoint
from tieline.swap.messages import (
    MsgApplyVerdict,
    MsgClaim,
    MsgCollectShare,
    MsgExpirePending,
    MsgPostCellSet,
    MsgPostClearing,
    MsgPostDelivery,
    MsgRefund,
    MsgReleaseOrder,
    MsgRetryOwed,
    MsgTradeEvidence,
)

ProvedMessage = RecvPacket | AcknowledgePacket | TimeoutPacket
RelayedMessage = (
    ProvedMessage
    | MsgPostCellSet
    | MsgPostClearing
    | MsgTradeEvidence
    | MsgApplyVerdict
    | MsgPostDelivery
    | MsgClaim
    | MsgExpirePending
    | MsgRefund
    | MsgReleaseOrder
    | MsgRetryOwed
    | MsgCollectShare
)
"""What anyone may bring: exactly these are the relayer's."""

NO_SIGNER = b""
NO_HEIGHT = Height(0, 1)
"""Stands in a template until the proof is there."""


class StepName(StrEnum):
    """The steps, by the name of their file. Stored in journals, never renamed."""

    POST_CELL_SETS = "post_cell_sets"
    POST_CLEARING = "post_clearing"
    APPLY_VERDICT = "apply_verdict"
    POST_DELIVERY = "post_delivery"
    CLAIM_LOCK = "claim_lock"
    DELIVER_PACKET = "deliver_packet"
    DELIVER_ACKNOWLEDGEMENT = "deliver_acknowledgement"
    DELIVER_TIMEOUT = "deliver_timeout"
    EXPIRE_PENDING = "expire_pending"
    REFUND_LOCK = "refund_lock"
    RELEASE_ORDERS = "release_orders"
    RETRY_OWED = "retry_owed"
    COLLECT_SHARES = "collect_shares"


@dataclass(frozen=True, slots=True)
class ProofWanted:
    """A key of a counterparty's store ``ibc`` that must be proved to the executing ledger."""

    verifier: Endpoint
    """The client on the executing ledger that checks the proof."""
    source_ledger: str
    key: bytes
    state_height: int
    """Block whose state is proved; the client needs the header ``proof_lag`` above it."""
    header_height: int
    is_present: bool
    """Whether the key must be there or must be absent."""


@dataclass(frozen=True, slots=True)
class Proved:
    """Proof bytes as the executing ledger's client takes them."""

    proof: bytes
    height: Height


def effect_name(ledger_id: str, key: str) -> str:
    """Return the name of an effect: ledger and key, unique in the hub."""
    return f"{ledger_id}/{key}"


_ABOUT_PACKETS = frozenset({"recv", "ack", "timeout"})


def client_named(name: str) -> str:
    """Return the client that an effect's name says it is shown to; empty if it is shown to none."""
    parts = name.rsplit("/", 3)[1:]
    return parts[1] if len(parts) == 3 and parts[0] in _ABOUT_PACKETS else ""


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing to do on one ledger: all of its messages in one transaction, in order."""

    step: StepName
    ledger_id: str
    key: str
    """Unique a ledger, the same whenever this effect is decided; printable, no secret."""
    messages: tuple[RelayedMessage, ...] = field(repr=False)
    """Templates without signer and proof. Not printed: claims hold preimages."""
    proof: ProofWanted | None = None
    deadline_s: int | None = None
    """Chain time from which on the ledger refuses it."""

    @property
    def name(self) -> str:
        """Ledger and key: unique in the hub."""
        return effect_name(self.ledger_id, self.key)


def complete(effect: Effect, signer: bytes, proved: Proved | None) -> tuple[RelayedMessage, ...]:
    """
    Return the effect's messages with signer and proof filled in.

    Args:
        effect: What was decided.
        signer: 20-byte account of the lane that sends it.
        proved: Present exactly if the effect wants a proof.
    """
    assert (proved is None) == (effect.proof is None), effect.name
    return tuple(_complete_message(message, signer, proved) for message in effect.messages)


def _complete_message(
    message: RelayedMessage, signer: bytes, proved: Proved | None
) -> RelayedMessage:
    match message:
        case RecvPacket(packet=packet) if proved:
            return RecvPacket(signer, packet, proved.proof, proved.height)
        case AcknowledgePacket(packet=packet, acknowledgement=answer) if proved:
            return AcknowledgePacket(signer, packet, answer, proved.proof, proved.height)
        case TimeoutPacket(packet=packet) if proved:
            return TimeoutPacket(signer, packet, proved.proof, proved.height)
        case _:
            return replace(message, signer=signer)
