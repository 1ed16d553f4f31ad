"""What a peer answers to proposals, and which blocks it does not take."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.embedded_fabric import FIRST, START_S, PutNetwork

from tieline.interfaces.errors import Contradicted
from tieline.ledgers.fabric.embedded.channel_plan import CLIENT
from tieline.ledgers.fabric.embedded.lifecycle import COMMIT, commit_args
from tieline.ledgers.fabric.embedded.signing import Signatory
from tieline.ledgers.fabric.port import CHAINCODE, InvocationRefused
from tieline.wire.fabric.envelopes import CONFIG, ChannelHeader
from tieline.wire.fabric.lifecycle import LIFECYCLE
from tieline.wire.fabric.proposals import Proposal, SignedProposal, propose
from tieline.wire.fabric.responses import ResponsePayload
from tieline.wire.fabric.rwsets import Read, Version, Write

NONCE = b"\7" * 24


@pytest.fixture
def lab():
    return PutNetwork()


def member(lab):
    return Signatory.of(lab.plan.organisations[0].member(CLIENT))


def proposal(lab, *args, nonce=NONCE):
    called = args or (b"put", b"k", b"v")
    return propose("lab", CHAINCODE, called, member(lab).creator, nonce, START_S)


def signed(lab, one):
    raw = one.encode()
    return SignedProposal(raw, member(lab).sign(raw))


def changed(one: Proposal, **parts):
    header = replace(ChannelHeader.decode(one.channel_header), **parts)
    return replace(one, channel_header=header.encode())


def test_a_good_proposal_is_answered_with_what_was_read_and_written_and_a_signature(lab):
    lab.commit(lab.put("k", b"old"))
    peer = lab.network.peers[0]
    answer = peer.answer(signed(lab, proposal(lab)))
    content = ResponsePayload.decode(answer.payload)
    assert content.response.payload == b"old"
    assert content.proposal_hash == proposal(lab).hash()
    assert content.sets.of(CHAINCODE).reads == (Read("k", Version(2, 0)),)
    assert content.sets.of(CHAINCODE).writes == (Write("k", b"v"),)
    key = "namespaces/fields/tieline/Sequence"
    assert content.sets.of(LIFECYCLE).reads == (Read(key, Version(1, 0)),)
    assert [one.namespace for one in content.sets.namespaces] == [LIFECYCLE, CHAINCODE]
    assert content.event is not None
    assert (content.event.tx_id, content.event.payload) == (proposal(lab).tx_id, b"put")
    endorsement = answer.endorsement
    who = peer.view.signer(
        endorsement.endorser, endorsement.signed_bytes(answer.payload), endorsement.signature
    )
    assert who is not None
    assert who.msp_id == "Org1MSP"


def test_reading_notes_absence_and_writes_nothing(lab):
    answer = lab.network.peers[0].answer(signed(lab, proposal(lab, b"get", b"none")))
    sets = ResponsePayload.decode(answer.payload).sets.of(CHAINCODE)
    assert (sets.reads, sets.writes) == ((Read("none", None),), ())


def test_the_chaincode_sees_committed_state_only(lab):
    first = lab.put("k", b"1")
    assert lab.endorse(b"get", b"k").content.response.payload == b""
    lab.commit(first)
    assert lab.endorse(b"get", b"k").content.response.payload == b"1"


SPOILED = [
    (lambda lab, one: changed(one, type=CONFIG), "not a chaincode's"),
    (lambda lab, one: changed(one, epoch=1), "not a chaincode's"),
    (lambda lab, one: changed(one, channel_id="bal"), "channel 'bal' not found"),
    (lambda lab, one: changed(one, tx_id="0" * 64), "transaction id of other parts"),
    (lambda lab, one: changed(one, extension=b""), "error validating"),
    (lambda lab, one: replace(one, signature_header=b"\xff"), "error validating"),
    (lambda lab, one: replace(one, channel_header=b"\xff"), "error validating"),
]


@pytest.mark.parametrize(("spoil", "why"), SPOILED)
def test_a_spoiled_proposal_is_endorsed_by_no_peer(lab, spoil, why):
    for peer in lab.network.peers:
        assert peer.answer(signed(lab, proposal(lab))).endorsement is not None
        answer = peer.answer(signed(lab, spoil(lab, proposal(lab))))
        assert answer.endorsement is None
        assert answer.payload == b""
        assert why in answer.response.message


def test_a_proposal_with_another_signature_is_endorsed_by_no_peer(lab):
    good = signed(lab, proposal(lab))
    other = signed(lab, proposal(lab, b"put", b"k", b"w"))
    answer = lab.network.peers[0].answer(replace(good, signature=other.signature))
    assert answer.endorsement is None
    assert "access denied" in answer.response.message


def test_an_id_that_is_in_a_block_is_simulated_no_more(lab):
    done = lab.put("k")
    again = Proposal(done.channel_header, done.signature_header, done.proposal_payload)
    peer = lab.network.peers[1]
    assert peer.answer(signed(lab, again)).endorsement is not None
    lab.commit(done)
    answer = peer.answer(signed(lab, again))
    assert answer.endorsement is None
    assert "duplicate" in answer.response.message


@pytest.mark.parametrize(
    "args", [(b"Other", b""), (COMMIT,), (COMMIT, b"\xff"), commit_args(replace(FIRST, sequence=9))]
)
def test_definitions_that_make_no_sense_are_refused(lab, args):
    with pytest.raises(InvocationRefused):
        lab.port.endorse_at(lab.network.peers, args, LIFECYCLE)


def test_a_definition_whose_policy_nobody_can_read_is_refused(lab):
    bad = replace(FIRST, sequence=2, validation_parameter=b"\xff")
    with pytest.raises(InvocationRefused, match="no definition"):
        lab.port.endorse_at(lab.network.peers, commit_args(bad), LIFECYCLE)


def test_a_second_definition_writes_what_changes_alone(lab):
    agreed = lab.port.endorse_at(
        lab.network.peers, commit_args(replace(FIRST, sequence=2)), LIFECYCLE
    )
    content = ResponsePayload.decode(agreed.response_payload)
    assert content.chaincode_version == "syscc"
    assert [one.key for one in content.sets.of(LIFECYCLE).writes] == [
        "namespaces/fields/tieline/Sequence"
    ]


def test_a_configuration_out_of_turn_is_taken_by_no_peer(lab):
    orderer = lab.network._orderer
    old = lab.network.update_config(lambda config: config)
    again = orderer.make_block(old.data, is_config=True)
    for peer in lab.network.peers:
        with pytest.raises(Contradicted, match="out of turn"):
            peer.commit(again)


def test_a_block_without_data_or_of_no_envelopes_is_taken_by_no_peer(lab):
    for data in ((), (b"\xff",)):
        orderer = PutNetwork().network._orderer
        with pytest.raises(Contradicted, match="is none"):
            lab.network.peers[0].commit(orderer.make_block(data))
