"""What peers find transactions of a block to be, each code by the case that earns it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from fakes.embedded_fabric import FIRST, PutNetwork, finish

from tieline.interfaces.errors import Rejected
from tieline.ledgers.fabric.embedded.channel_plan import ADMIN, CLIENT, PEER, plan_channel
from tieline.ledgers.fabric.embedded.embedded_port import EmbeddedPort
from tieline.ledgers.fabric.embedded.lifecycle import commit_args
from tieline.ledgers.fabric.embedded.signing import Signatory
from tieline.ledgers.fabric.embedded.validation import Code
from tieline.ledgers.fabric.port import CHAINCODE, EndorsementsDiffer, InvocationRefused
from tieline.wire.fabric.envelopes import (
    CONFIG_UPDATE,
    ChannelHeader,
    Envelope,
    Payload,
    SignatureHeader,
)
from tieline.wire.fabric.lifecycle import LIFECYCLE, ChaincodeDefinition
from tieline.wire.fabric.policies import ApplicationPolicy, Role, roles_out_of
from tieline.wire.fabric.responses import EndorsedResponse, Endorsement, ResponsePayload
from tieline.wire.fabric.rwsets import NamespaceSet, ReadWriteSet, Write
from tieline.wire.fabric.transactions import decode_transaction, transaction_payload
from tieline.wire.proto_fields import bytes_field, message_field


@pytest.fixture
def lab():
    return PutNetwork()


def carrier(lab, name=CLIENT):
    return Signatory.of(lab.plan.organisations[0].member(name))


def signed_again(lab, endorsed: EndorsedResponse, name=CLIENT) -> bytes:
    """The envelope of a response, signed by a member."""
    payload = transaction_payload(endorsed)
    return Envelope(payload, carrier(lab, name).sign(payload)).encode()


def endorsed_by_all(lab, response: ResponsePayload, before: EndorsedResponse) -> EndorsedResponse:
    """What peers that were broken into would sign."""
    raw = response.encode()
    signers = [Signatory.of(one) for one in lab.plan.peers]
    signed = tuple(Endorsement(one.creator, one.sign(raw + one.creator)) for one in signers)
    return replace(before, response_payload=raw, endorsements=signed)


def test_of_two_transactions_on_one_key_in_a_block_the_second_is_invalid(lab):
    """B132: MVCC, on a key that is there and on one that is not."""
    for _ in range(2):
        first, second = lab.put("k", b"1"), lab.put("k", b"2")
        assert lab.commit(first, second) == [Code.VALID, Code.MVCC_READ_CONFLICT]
        assert lab.value("k") == b"1"


def test_a_transaction_that_read_what_an_earlier_block_wrote_over_is_invalid(lab):
    late = lab.put("k", b"late")
    assert lab.commit(lab.put("k", b"early")) == [Code.VALID]
    assert lab.commit(late) == [Code.MVCC_READ_CONFLICT]
    assert lab.commit(lab.put("k", b"later")) == [Code.VALID]


def test_a_deleted_key_is_read_as_absent_and_deleting_counts_as_writing(lab):
    lab.commit(lab.put("k", b"1"))
    gone, other = lab.put("k", b""), lab.put("k", b"2")
    assert lab.commit(gone, other) == [Code.VALID, Code.MVCC_READ_CONFLICT]
    assert lab.value("k") is None
    assert lab.endorse(b"get", b"k").content.response.payload == b""


def test_disjoint_transactions_of_one_block_are_all_valid(lab):
    assert lab.commit(*(lab.put(f"k{n}") for n in range(32))) == [Code.VALID] * 32


def test_the_same_envelope_twice_is_a_duplicate_in_one_block_and_in_a_later_one(lab):
    once = lab.put("k")
    assert lab.commit(once, once) == [Code.VALID, Code.DUPLICATE_TXID]
    assert lab.commit(once) == [Code.DUPLICATE_TXID]
    assert finish(lab.port.commit_status(once.tx_id)).code == Code.VALID, "the first result stands"


def test_an_id_is_used_up_by_an_invalid_transaction_too(lab):
    first, second = lab.put("k", b"1"), lab.put("k", b"2")
    lab.commit(first, second)
    assert lab.commit(second) == [Code.DUPLICATE_TXID]


def test_what_one_organisation_alone_endorsed_is_ordered_and_then_invalid(lab):
    """B132: an unmet endorsement policy; nobody says so before the commit."""
    alone = lab.port.endorse_at(lab.network.peers[:1], [b"put", b"k", b"v"])
    assert lab.commit(alone) == [Code.ENDORSEMENT_POLICY_FAILURE]
    assert lab.value("k") is None


def test_two_endorsements_of_one_peer_are_one(lab):
    alone = decode_transaction(
        lab.port.endorse_at(lab.network.peers[:1], [b"put", b"k", b"v"]).envelope
    ).endorsed
    doubled = replace(alone, endorsements=alone.endorsements * 2)
    assert lab.commit_as_given(signed_again(lab, doubled)) == [Code.ENDORSEMENT_POLICY_FAILURE]


def test_an_endorsement_of_other_bytes_does_not_count(lab):
    endorsed = decode_transaction(lab.put("k").envelope).endorsed
    spoiled = replace(endorsed.endorsements[1], signature=endorsed.endorsements[0].signature)
    swapped = replace(endorsed, endorsements=(endorsed.endorsements[0], spoiled))
    assert lab.commit_as_given(signed_again(lab, swapped)) == [Code.ENDORSEMENT_POLICY_FAILURE]


def test_peers_that_come_to_different_results_are_an_error_at_endorsing():
    lab = PutNetwork(moods=(b"merry", b"sad"))
    with pytest.raises(EndorsementsDiffer, match="Org1MSP, Org2MSP"):
        lab.endorse(b"mood")
    assert lab.commit(lab.put("k")) == [Code.VALID], "in everything else they agree"


def test_a_refusal_of_the_chaincode_is_told_and_endorsed_by_nobody(lab):
    with pytest.raises(InvocationRefused, match="no such thing") as told:
        lab.endorse(b"refuse")
    assert told.value.status == 500
    with pytest.raises(InvocationRefused, match="no such thing"):
        finish(lab.port.evaluate([b"refuse"]))


def test_evaluating_a_writing_invocation_writes_nothing(lab):
    height = lab.network.height
    assert finish(lab.port.evaluate([b"put", b"k", b"v"])) == b""
    assert (lab.network.height, lab.value("k")) == (height, None)


def test_who_is_no_member_is_refused_by_peers_and_by_orderers(lab):
    """B132: a permissioned channel."""
    stranger = plan_channel("lab", b"another seed").organisations[0].member(CLIENT)
    port = EmbeddedPort(lab.network, Signatory.of(stranger))
    with pytest.raises(InvocationRefused, match="access denied"):
        finish(port.endorse([b"put", b"k", b"v"]))
    payload = Envelope.decode(lab.put("k").envelope).payload
    forged = Envelope(payload, Signatory.of(stranger).sign(payload)).encode()
    with pytest.raises(Rejected, match="Writers"):
        lab.network.order(forged)
    assert lab.commit_as_given(forged) == [Code.BAD_CREATOR_SIGNATURE]


def test_a_peer_may_not_propose_and_an_administrator_may(lab):
    with pytest.raises(InvocationRefused, match="Writers"):
        finish(lab.port_of(0, PEER).endorse([b"put", b"k", b"v"]))
    done = finish(lab.port_of(1, ADMIN).endorse([b"put", b"k", b"v"]))
    assert lab.commit(done) == [Code.VALID]


def spoil_nothing(lab, endorsed):
    return signed_again(lab, endorsed)


def spoil_signature(lab, endorsed):
    envelope = Envelope.decode(signed_again(lab, endorsed))
    return replace(envelope, signature=carrier(lab).sign(b"something else")).encode()


def spoil_id(lab, endorsed):
    header = endorsed.channel_header
    digit = header.index(decode_transaction(signed_again(lab, endorsed)).tx_id.encode())
    other = b"0" if header[digit : digit + 1] != b"0" else b"1"
    return signed_again(
        lab, replace(endorsed, channel_header=header[:digit] + other + header[digit + 1 :])
    )


def spoil_proposal(lab, endorsed):
    payload = endorsed.proposal_payload.replace(b"value", b"vaXue")
    assert payload != endorsed.proposal_payload
    return signed_again(lab, replace(endorsed, proposal_payload=payload))


def spoil_channel(lab, endorsed):
    return PutNetwork(channel="bal").put("k", b"value").envelope


def spoil_payload(lab, endorsed):
    return Envelope(b"\x0a\xff", carrier(lab).sign(b"\x0a\xff")).encode()


def spoil_headers(lab, endorsed):
    payload = Payload(b"\xff", endorsed.signature_header, b"x").encode()
    return Envelope(payload, carrier(lab).sign(payload)).encode()


def spoil_chaincode(lab, endorsed):
    content = ResponsePayload.decode(endorsed.response_payload)
    other = ReadWriteSet((NamespaceSet("other", writes=(Write("k", b"v"),)),))
    return signed_again(lab, endorsed_by_all(lab, replace(content, sets=other), endorsed))


def spoil_metadata(lab, endorsed):
    content = ResponsePayload.decode(endorsed.response_payload)
    other = ReadWriteSet((NamespaceSet(CHAINCODE, metadata_writes=(b"\x0a\x01k",)),))
    return signed_again(lab, endorsed_by_all(lab, replace(content, sets=other), endorsed))


def spoil_type(lab, endorsed):
    header = replace(ChannelHeader.decode(endorsed.channel_header), type=CONFIG_UPDATE)
    return signed_again(lab, replace(endorsed, channel_header=header.encode()))


def spoil_nonce(lab, endorsed):
    header = SignatureHeader(carrier(lab).creator, b"")
    return signed_again(lab, replace(endorsed, signature_header=header.encode()))


def with_collection(lab, endorsed, collection):
    content = ResponsePayload.decode(endorsed.response_payload)
    other = ReadWriteSet((NamespaceSet(CHAINCODE, collections=(collection,)),))
    return signed_again(lab, endorsed_by_all(lab, replace(content, sets=other), endorsed))


def hashed_write(collection, inner=b""):
    write = bytes_field(1, bytes(32)) + bytes_field(3, bytes(32))
    return bytes_field(1, collection) + bytes_field(2, message_field(2, write) + inner)


def spoil_collection(lab, endorsed):
    return with_collection(lab, endorsed, hashed_write(b"secrets"))


def spoil_owner(lab, endorsed):
    return with_collection(lab, endorsed, hashed_write(b"_implicit_org_Org9MSP"))


def spoil_key_policy(lab, endorsed):
    name = b"_implicit_org_Org1MSP"
    return with_collection(lab, endorsed, hashed_write(name, message_field(3, b"")))


SPOILED = [
    (spoil_type, Code.UNSUPPORTED_TX_PAYLOAD),
    (spoil_nonce, Code.BAD_COMMON_HEADER),
    (spoil_collection, Code.INVALID_WRITESET),
    (spoil_owner, Code.ENDORSEMENT_POLICY_FAILURE),
    (spoil_key_policy, Code.BAD_RWSET),
    (spoil_nothing, Code.VALID),
    (spoil_signature, Code.BAD_CREATOR_SIGNATURE),
    (spoil_id, Code.BAD_PROPOSAL_TXID),
    (spoil_proposal, Code.INVALID_ENDORSER_TRANSACTION),
    (spoil_channel, Code.BAD_CREATOR_SIGNATURE),
    (spoil_payload, Code.BAD_PAYLOAD),
    (spoil_headers, Code.BAD_COMMON_HEADER),
    (spoil_chaincode, Code.INVALID_CHAINCODE),
    (spoil_metadata, Code.INVALID_WRITESET),
]


@pytest.mark.parametrize(("spoil", "code"), SPOILED)
def test_a_spoiled_transaction_in_a_block_is_found_out(lab, spoil, code):
    endorsed = decode_transaction(lab.put("k", b"value").envelope).endorsed
    assert lab.commit_as_given(spoil(lab, endorsed)) == [code]
    assert lab.value("k") == (b"value" if code == Code.VALID else None)


def test_a_chaincode_that_writes_definitions_needs_the_organisations_as_a_definition_does(lab):
    """The namespace that is written decides whose policy counts, not the chaincode that wrote."""
    anybody = roles_out_of(1, [("Org1MSP", Role.PEER), ("Org2MSP", Role.PEER)])
    policy = ApplicationPolicy(anybody).encode()
    lab.port.define(ChaincodeDefinition(CHAINCODE, 2, "1.0", policy))
    alone = lab.port.endorse_at(lab.network.peers[:1], [b"put", b"k", b"v"])
    endorsed = decode_transaction(alone.envelope).endorsed
    content = ResponsePayload.decode(endorsed.response_payload)
    third = ChaincodeDefinition(CHAINCODE, 3, "1.0", policy)
    stolen = ReadWriteSet((NamespaceSet(LIFECYCLE, writes=third.writes(None)),))
    raw = replace(content, sets=stolen).encode()
    one = Signatory.of(lab.plan.peers[0])
    signed = (Endorsement(one.creator, one.sign(raw + one.creator)),)
    bad = signed_again(lab, replace(endorsed, response_payload=raw, endorsements=signed))
    assert lab.commit_as_given(bad) == [Code.ENDORSEMENT_POLICY_FAILURE]
    assert lab.commit(alone) == [Code.DUPLICATE_TXID]


def test_a_new_definition_undoes_what_was_endorsed_under_the_old_one(lab):
    anybody = roles_out_of(1, [("Org1MSP", Role.PEER), ("Org2MSP", Role.PEER)])
    before = lab.put("k", b"old")
    lab.port.define(ChaincodeDefinition(CHAINCODE, 2, "2.0", ApplicationPolicy(anybody).encode()))
    assert lab.commit(before) == [Code.MVCC_READ_CONFLICT]
    alone = lab.port.endorse_at(lab.network.peers[1:], [b"put", b"k", b"new"])
    assert lab.commit(alone) == [Code.VALID]
    assert decode_transaction(alone.envelope).opened.content.chaincode_version == "2.0"


def test_a_definition_counts_from_the_block_behind_its_own(lab):
    anybody = roles_out_of(1, [("Org1MSP", Role.PEER), ("Org2MSP", Role.PEER)])
    wanted = ChaincodeDefinition(CHAINCODE, 2, "2.0", ApplicationPolicy(anybody).encode())
    defining = lab.port.endorse_at(lab.network.peers, commit_args(wanted), LIFECYCLE)
    alone = lab.port.endorse_at(lab.network.peers[:1], [b"put", b"k", b"v"])
    codes = lab.commit(defining, alone)
    assert codes == [Code.VALID, Code.ENDORSEMENT_POLICY_FAILURE]


def test_a_definition_out_of_turn_is_agreed_to_by_nobody(lab):
    for sequence in (1, 3):
        with pytest.raises(InvocationRefused, match="must be sequence 2"):
            lab.port.endorse_at(
                lab.network.peers, commit_args(replace(FIRST, sequence=sequence)), LIFECYCLE
            )


def test_a_chaincode_without_a_definition_is_not_found(lab):
    with pytest.raises(InvocationRefused, match="chaincode other not found"):
        lab.port.endorse_at(lab.network.peers, [b"put", b"k", b"v"], "other")


def revocation_list(organisation, member) -> bytes:
    """The organisation takes a member's certificate back."""
    when = datetime(2000, 1, 1, tzinfo=UTC)
    revoked = (
        x509.RevokedCertificateBuilder()
        .serial_number(member.signing.certificate.serial_number)
        .revocation_date(when)
        .build()
    )
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(organisation.authority.certificate.subject)
        .last_update(when)
        .next_update(datetime(2100, 1, 1, tzinfo=UTC))
        .add_revoked_certificate(revoked)
        .sign(organisation.authority.key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def test_a_member_whose_certificate_was_taken_back_signs_in_vain(lab):
    """A new configuration counts from its own block on, also for what was endorsed before it."""
    organisation = lab.plan.organisations[0]
    taken_back = revocation_list(organisation, organisation.member(CLIENT))
    before = lab.put("k")

    def revoke(config):
        first, *others = config.application.organisations
        first = replace(first, msp=replace(first.msp, revocation_lists=(taken_back,)))
        return replace(
            config,
            application=replace(config.application, organisations=(first, *others)),
        )

    changed = lab.network.update_config(revoke)
    assert list(changed.transactions_filter) == [Code.VALID]
    assert lab.network.view.config.sequence == 1
    with pytest.raises(Rejected, match="Writers"):
        lab.network.order(before.envelope)
    assert lab.commit_as_given(before.envelope) == [Code.BAD_CREATOR_SIGNATURE]
    with pytest.raises(InvocationRefused, match="access denied"):
        lab.put("k")
    other = finish(lab.port_of(1, CLIENT).endorse([b"put", b"k", b"v"]))
    assert lab.commit(other) == [Code.VALID]
