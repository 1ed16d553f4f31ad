"""What strangers bring of Fabric: blocks, transactions, configurations, definitions, signatures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from fakes.fabric_samples import (
    BLOCK,
    CONFIG,
    CONTENT,
    CREATOR,
    ENDORSED,
    GROUP,
    MAJORITY,
    NESTED,
    PROPOSAL,
    envelope_of,
)

from fuzz.decoders import Target
from tieline.wire.fabric.blocks import Block, check_well_formed
from tieline.wire.fabric.config import decode_channel_config
from tieline.wire.fabric.config_groups import Config, config_of_envelope, genesis_block
from tieline.wire.fabric.envelopes import ChannelHeader, Envelope, Payload
from tieline.wire.fabric.identities import SerializedIdentity
from tieline.wire.fabric.lifecycle import ChaincodeDefinition, definition_of_state, sequence_key
from tieline.wire.fabric.organisations import MspConfig
from tieline.wire.fabric.policies import ApplicationPolicy, decode_policy, encode_policy
from tieline.wire.fabric.proposals import Proposal, SignedProposal
from tieline.wire.fabric.reader import is_as_written
from tieline.wire.fabric.responses import Endorsement, ResponsePayload
from tieline.wire.fabric.rwsets import ReadWriteSet
from tieline.wire.fabric.signatures import read_signature, sign, verify
from tieline.wire.fabric.transactions import decode_transaction, transaction_payload

KEY = ec.derive_private_key(7, ec.SECP256R1())
MESSAGE = b"message"


def _as_peers(decode: Callable[[bytes], Any], encode: Callable[[Any], bytes]) -> Any:
    """A reader of many spellings: what it took has one, which it takes for the same."""

    def read(data: bytes) -> Any:
        value = decode(data)
        assert decode(encode(value)) == value, "another content when written again"
        return value

    return read


def _well_formed(data: bytes) -> None:
    """A block of one envelope; Go writes such an envelope as it is."""
    check_well_formed((data,))
    envelope = Envelope.decode(data)
    assert data.startswith(envelope.encode()) or not is_as_written(data, known=2)


def _transaction(data: bytes) -> None:
    taken = decode_transaction(data)
    payload = transaction_payload(taken.endorsed)
    again = decode_transaction(Envelope(payload, taken.envelope.signature).encode())
    assert again.opened.content == taken.opened.content


def _signature(data: bytes) -> None:
    r, s = read_signature(data)
    if verify(KEY.public_key(), data, MESSAGE):
        assert (r, s) == read_signature(sign(KEY, MESSAGE)), "a second signature of one message"


def _sequence(data: bytes) -> ChaincodeDefinition:
    state = ChaincodeDefinition("tieline", 1, "1.0").state()
    return definition_of_state("tieline", {**state, sequence_key("tieline"): data})


def fabric_targets() -> list[Target]:
    """Return every reader."""
    configured = genesis_block("lab", GROUP, b"nonce")
    envelope = envelope_of(ENDORSED)
    many = [
        ("identity", CREATOR, SerializedIdentity.decode, SerializedIdentity.encode),
        ("channel header", PROPOSAL.channel_header, ChannelHeader.decode, ChannelHeader.encode),
        ("payload", transaction_payload(ENDORSED), Payload.decode, Payload.encode),
        ("proposal", PROPOSAL.encode(), Proposal.decode, Proposal.encode),
        ("endorsement", ENDORSED.endorsements[0].encode(), Endorsement.decode, Endorsement.encode),
        ("response", CONTENT.encode(), ResponsePayload.decode, ResponsePayload.encode),
        ("sets", CONTENT.sets.encode(), ReadWriteSet.decode, ReadWriteSet.encode),
        ("configuration tree", Config(1, GROUP).encode(), Config.decode, Config.encode),
        (
            "organisation",
            CONFIG.application.organisations[0].msp.encode(),
            MspConfig.decode,
            MspConfig.encode,
        ),
        (
            "application policy",
            ApplicationPolicy(NESTED).encode(),
            ApplicationPolicy.decode,
            ApplicationPolicy.encode,
        ),
    ]
    signed = SignedProposal(PROPOSAL.encode(), b"signature").encode()
    policies = encode_policy(NESTED), encode_policy(MAJORITY)
    found: list[Target] = [
        Target(f"fabric {name}", (sample,), _as_peers(decode, encode))
        for name, sample, decode, encode in many
    ]
    return [
        *found,
        Target("fabric policy", policies, _as_peers(decode_policy, encode_policy)),
        Target("fabric block", (BLOCK.encode(), configured.encode()), Block.decode,
               write=Block.encode),
        Target("fabric signed proposal", (signed,), SignedProposal.decode),
        Target("fabric envelope", (envelope,), _well_formed),
        Target("fabric transaction", (envelope,), _transaction),
        Target("fabric configuration", (configured.data[0],), decode_channel_config),
        Target("fabric configuration envelope", (configured.data[0],), config_of_envelope),
        Target("fabric signature", (sign(KEY, MESSAGE),), _signature),
        Target("fabric definition", (b"\x08\x01",), _sequence),
    ]  # fmt: skip
