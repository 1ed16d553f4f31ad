"""
What is said to peers and to their gateways, as bytes that are signed: one proposal for each call,
with a nonce of its own and this computer's time, which peers hold against theirs.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tieline.ledgers.fabric.port import Carrier
from tieline.wire.fabric.proposals import NONCE_BYTES, Proposal, SignedProposal, propose

MESSAGE_BYTES_MAX: Final = 64 * 1024 * 1024
CHANNEL_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    # A peer that was killed is dialled again soon.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """Where a peer listens, and by what it and its caller know one another."""

    name: str
    """For messages."""
    target: str
    """``HOST:PORT``."""
    root_pem: bytes
    """Certificate of the authority that vouches for the peer's TLS certificate."""
    certificate_pem: bytes
    """The caller's own TLS certificate; empty: none is shown."""
    key_pem: bytes
    """The key to it."""


@dataclass(frozen=True, slots=True)
class Call:
    """A proposal and its creator's signature."""

    proposal: Proposal
    tx_id: str
    signed: bytes
    """``peer.SignedProposal``."""


def make_call(carrier: Carrier, fabric_channel: str, chaincode: str, args: Sequence[bytes]) -> Call:
    """
    Return a fresh proposal, signed.

    Args:
        carrier: Who proposes.
        fabric_channel: Empty for what concerns a peer alone.
        chaincode: Name.
        args: Function first.
    """
    nonce = secrets.token_bytes(NONCE_BYTES)
    proposal = propose(fabric_channel, chaincode, args, carrier.creator, nonce, time.time_ns())
    encoded = proposal.encode()
    signed = SignedProposal(encoded, carrier.sign(encoded)).encode()
    return Call(proposal, proposal.tx_id, signed)
