"""
What whoever serves a Fabric channel's proofs hands to its light client, from what peers return.

Checks nothing: the client does. Bytes that are not what Fabric writes raise ``Malformed``.
"""

from __future__ import annotations

from collections.abc import Iterable

from tieline.light_clients.fabric.messages import (
    AbsenceProof,
    ConfigStep,
    DefinitionStep,
    Header,
    MembershipProof,
    OrdererSignature,
    PeerEndorsement,
    ReadBack,
    RecordedAbsence,
    SignedBlock,
)
from tieline.light_clients.fabric.states import KnownConfig
from tieline.wire.errors import Malformed
from tieline.wire.proto_fields import Fields


def signed_block(block: bytes) -> SignedBlock:
    """Return a block (``common.Block``, as delivered) without what nobody signs."""
    fields = Fields(block, known=3)
    header = Fields(fields.octets(1), known=3)
    value, signatures = _signatures(_metadata(fields))
    envelopes = Fields(fields.octets(2), known=1).each_bytes(1)
    return SignedBlock(header.uint(1), header.octets(2), envelopes, value, signatures)


def data_hash(block: bytes) -> bytes:
    """Return the data hash that a block's (``common.Block``) header names."""
    return Fields(Fields(block, known=3).octets(1), known=3).octets(3)


def read_back(payload: bytes) -> ReadBack:
    """
    Return an endorsed answer.

    Args:
        payload: ``common.Payload`` of the transaction that Endorse prepared; it is never ordered.
    """
    fields = Fields(payload, known=2)
    header = Fields(fields.octets(1), known=2)
    action = Fields(Fields(fields.octets(2), known=1).octets(1), known=2)
    parts = Fields(action.octets(2), known=2)
    endorsed = Fields(parts.octets(2), known=2)
    endorsements = (Fields(one, known=2) for one in endorsed.each_bytes(2))
    return ReadBack(
        header.octets(1),
        header.octets(2),
        parts.octets(1),
        endorsed.octets(1),
        tuple(PeerEndorsement(one.octets(1), one.octets(2)) for one in endorsements),
    )


def known_config(block: bytes) -> KnownConfig:
    """Return the configuration that a config block (``common.Block``) brings, for a new client."""
    fields = Fields(block, known=3)
    envelopes = Fields(fields.octets(2), known=1).each_bytes(1)
    if len(envelopes) != 1:
        raise Malformed("not a config block: not one envelope")
    payload = Fields(Fields(envelopes[0], known=2).octets(1), known=2)
    number = Fields(fields.octets(1), known=3).uint(1)
    return KnownConfig(number, Fields(payload.octets(2), known=2).octets(1))


def definition_step(block: bytes, index: int) -> DefinitionStep:
    """Return the next definition: block (``common.Block``) and index of ``_lifecycle``'s write."""
    return DefinitionStep(signed_block(block), index)


def client_header(
    block: bytes,
    tick_index: int,
    payload: bytes,
    config_blocks: Iterable[bytes] = (),
    definitions: Iterable[DefinitionStep] = (),
) -> Header:
    """
    Put together what brings a client to a block with a Tick.

    Args:
        block: ``common.Block``.
        tick_index: Of the Tick's transaction.
        payload: Of a prepared ReadBack of the Tick's marker. With *definitions*, it is endorsed
            by whoever the channel's LifecycleEndorsement asks for as well.
        config_blocks: All config blocks above the trusted height, ascending.
        definitions: All definitions that were committed above it, ascending.
    """
    steps = tuple(ConfigStep(signed_block(one)) for one in config_blocks)
    answer = read_back(payload)
    return Header(signed_block(block), tick_index, answer, steps, tuple(definitions))


def membership_proof(
    block: bytes, index: int, payload: bytes, data_hashes: Iterable[bytes]
) -> bytes:
    """
    Return the native proof of a written key for ``StoredValue.proof``.

    Args:
        block: ``common.Block`` with the transaction, at or below the proof's height.
        index: Of the transaction.
        payload: Of a prepared ReadBack of its marker.
        data_hashes: Of all blocks behind it, up to and with the one of the proof's height.
    """
    return MembershipProof(
        signed_block(block), index, read_back(payload), tuple(data_hashes)
    ).encode()


def receipt_absence_proof(block: bytes, index: int, payload: bytes) -> bytes:
    """
    Return the native proof that a receipt is not there.

    Args:
        block: ``common.Block`` with the ProveAbsence; may be above the proof's height.
        index: Of that transaction.
        payload: Of a prepared ReadBack of its marker.
    """
    return AbsenceProof(read_back(payload), RecordedAbsence(signed_block(block), index)).encode()


def acknowledgement_absence_proof(payload: bytes) -> bytes:
    """
    Return the native proof that an acknowledgement is not there.

    Args:
        payload: Of a prepared ReadBack whose one argument is the acknowledgement's physical key,
            when the clock stood at or behind the time of the proof's height.
    """
    return AbsenceProof(read_back(payload)).encode()


def _metadata(block: Fields) -> bytes:
    """Return the one entry of a block's metadata that orderers sign."""
    entries = Fields(block.octets(3), known=1).each_bytes(1)
    if not entries:
        raise Malformed("block without metadata")
    return entries[0]


def _signatures(metadata: bytes) -> tuple[bytes, tuple[OrdererSignature, ...]]:
    fields = Fields(metadata, known=2)
    signatures = (Fields(one, known=3) for one in fields.each_bytes(2))
    return fields.octets(1), tuple(
        OrdererSignature(one.octets(1), one.octets(3), one.octets(2)) for one in signatures
    )
