"""Proposals, responses and transactions of Fabric against the official protobuf classes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.fabric_messages import official
from fakes.fabric_samples import CONTENT, CREATOR, ENDORSED, PROPOSAL, SETS, envelope_of

from tieline.wire.errors import Malformed
from tieline.wire.fabric.envelopes import ChannelHeader, Envelope, Payload, SignatureHeader
from tieline.wire.fabric.proposals import Proposal, SignedProposal, proposal_hash, propose
from tieline.wire.fabric.responses import (
    ChaincodeEvent,
    EndorsedResponse,
    Endorsement,
    ResponsePayload,
)
from tieline.wire.fabric.rwsets import NamespaceSet, ReadWriteSet, Write
from tieline.wire.fabric.transactions import (
    decode_transaction,
    transaction_payload,
)


def test_a_proposal_is_what_the_official_classes_write() -> None:
    read = official("Proposal").FromString(PROPOSAL.encode())
    assert read.SerializeToString() == PROPOSAL.encode()
    header = official("ChannelHeader").FromString(PROPOSAL.channel_header)
    assert header.SerializeToString() == PROPOSAL.channel_header
    assert (header.type, header.channel_id, header.tx_id) == (3, "lab", PROPOSAL.tx_id)
    assert (header.timestamp.seconds, header.timestamp.nanos) == (10**9, 5)
    extension = official("ChaincodeHeaderExtension").FromString(header.extension)
    assert extension.chaincode_id.name == "toy"


def test_transient_data_is_sent_but_not_hashed() -> None:
    secret = propose("lab", "toy", [b"put"], CREATOR, b"n", transient={"b": b"2", "a": b""})
    read = official("Proposal").FromString(secret.encode())
    payload = official("ChaincodeProposalPayload").FromString(read.payload)
    assert dict(payload.TransientMap) == {"a": b"", "b": b"2"}
    assert Proposal.decode(secret.encode()) == secret
    assert secret.hash() == propose("lab", "toy", [b"put"], CREATOR, b"n").hash()


def test_a_response_payload_is_what_the_official_classes_write() -> None:
    read = official("ProposalResponsePayload").FromString(CONTENT.encode())
    action = official("ChaincodeAction").FromString(read.extension)
    sets = official("TxReadWriteSet").FromString(action.results)
    keys = official("KVRWSet").FromString(sets.ns_rwset[1].rwset)
    again = (read, action, sets, keys)
    assert [one.SerializeToString() for one in again[1:3]] == [read.extension, action.results]
    assert keys.SerializeToString() == sets.ns_rwset[1].rwset
    assert [one.HasField("version") for one in keys.reads] == [False, True, True]
    assert ResponsePayload.decode(CONTENT.encode()) == CONTENT


def test_a_transaction_is_what_the_official_classes_write() -> None:
    data = envelope_of(ENDORSED)
    payload = official("Payload").FromString(official("Envelope").FromString(data).payload)
    body = official("Transaction").FromString(payload.data)
    assert body.SerializeToString() == payload.data
    action = official("ChaincodeActionPayload").FromString(body.actions[0].payload)
    assert action.SerializeToString() == body.actions[0].payload
    assert body.actions[0].header == payload.header.signature_header


def test_a_transaction_reads_back_whole() -> None:
    read = decode_transaction(envelope_of(ENDORSED))
    assert read.endorsed == ENDORSED
    assert read.opened.content == CONTENT
    assert read.opened.args == (b"put", b"k", b"")
    assert (read.channel_id, read.chaincode, read.tx_id) == ("lab", "toy", PROPOSAL.tx_id)
    assert read.opened.content.sets.of("toy").writes[0].is_deletion
    assert read.opened.content.sets.of("elsewhere") == NamespaceSet("elsewhere")


def test_an_empty_value_deletes_and_so_does_the_flag() -> None:
    assert Write("k").is_deletion
    assert Write("k", b"v", is_delete=True).is_deletion
    assert not Write("k", b"v").is_deletion


def test_a_signed_proposal_reads_back() -> None:
    signed = SignedProposal(PROPOSAL.encode(), b"signature")
    assert SignedProposal.decode(signed.encode()) == signed


def test_what_peers_pass_over_does_not_hide_a_transaction() -> None:
    """B062: a peer commits it, so a reader that refused it would miss the write."""
    payload = Payload.decode(transaction_payload(ENDORSED))
    unknown = b"\x9a\x06\x03abc" + b"\xa3\x06\x08\x01\xa4\x06"
    twice = b"\x12\x03old"
    odd = twice + replace(payload, data=payload.data + unknown).encode() + unknown
    assert decode_transaction(Envelope(odd, b"s").encode()).opened.content == CONTENT


OTHER = propose("lab", "toy", [b"get", b"k"], CREATOR, b"m" * 24)
MIXED_HASH = proposal_hash(PROPOSAL.channel_header, OTHER.signature_header, PROPOSAL.payload)
LATE_HEADER = replace(ChannelHeader.decode(PROPOSAL.channel_header), epoch=1).encode()
LATE_HASH = proposal_hash(LATE_HEADER, PROPOSAL.signature_header, PROPOSAL.payload)
SPOILED = [
    (
        "another epoch",
        replace(
            ENDORSED,
            channel_header=LATE_HEADER,
            response_payload=replace(CONTENT, proposal_hash=LATE_HASH).encode(),
        ),
    ),
    ("hash of another proposal", replace(ENDORSED, proposal_payload=OTHER.payload)),
    (
        "id of another proposal",
        replace(
            ENDORSED,
            signature_header=OTHER.signature_header,
            response_payload=replace(CONTENT, proposal_hash=MIXED_HASH).encode(),
        ),
    ),
    ("no message", replace(ENDORSED, response_payload=b"\xff")),
    ("no message either", replace(ENDORSED, channel_header=b"\x0b")),
    ("another's nonce", replace(ENDORSED, signature_header=b"")),
    (
        "another type",
        replace(ENDORSED, channel_header=ChannelHeader(1, "lab", PROPOSAL.tx_id).encode()),
    ),
    (
        "no chaincode in the header",
        replace(ENDORSED, channel_header=ChannelHeader(3, "lab", PROPOSAL.tx_id).encode()),
    ),
    (
        "answer of another chaincode",
        replace(
            ENDORSED, response_payload=replace(CONTENT, chaincode="other", event=None).encode()
        ),
    ),
    (
        "event of another chaincode",
        replace(
            ENDORSED,
            response_payload=replace(CONTENT, event=ChaincodeEvent("other", "", "", b"")).encode(),
        ),
    ),
    (
        "no version of the chaincode",
        replace(ENDORSED, response_payload=replace(CONTENT, chaincode_version="").encode()),
    ),
    (
        "a namespace twice",
        replace(
            ENDORSED,
            response_payload=replace(CONTENT, sets=ReadWriteSet(SETS.namespaces * 2)).encode(),
        ),
    ),
    (
        "too many endorsements",
        replace(ENDORSED, endorsements=(Endorsement(b"", b""),) * ((1 << 18) + 1)),
    ),
]


@pytest.mark.parametrize(("what", "endorsed"), SPOILED, ids=[name for name, _ in SPOILED])
def test_parts_that_do_not_belong_together_are_malformed(
    what: str, endorsed: EndorsedResponse
) -> None:
    with pytest.raises(Malformed):
        endorsed.open()
    with pytest.raises(Malformed):
        decode_transaction(envelope_of(endorsed))


def test_a_transaction_of_two_actions_or_none_is_malformed() -> None:
    payload = Payload.decode(transaction_payload(ENDORSED))
    for data in (payload.data * 2, b""):
        changed = Envelope(replace(payload, data=data).encode(), b"s").encode()
        with pytest.raises(Malformed, match="one action"):
            decode_transaction(changed)


def test_the_header_that_creators_sign_must_give_the_transaction_id() -> None:
    payload = Payload.decode(transaction_payload(ENDORSED))
    for header in (SignatureHeader(CREATOR, b"m" * 24), SignatureHeader(b"", b"n" * 24)):
        changed = replace(payload, signature_header=header.encode())
        with pytest.raises(Malformed):
            decode_transaction(Envelope(changed.encode(), b"s").encode())
