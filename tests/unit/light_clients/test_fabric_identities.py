"""Members of a channel's organisations: chains, roles, expiry, revocation, policies."""

from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from fakes.fabric_chain import (
    RAFT,
    START_S,
    FabricChain,
    channel_config,
    each,
    msp_config,
)
from fakes.fabric_client import (
    ACKNOWLEDGEMENT,
    CLIENT,
    KEY,
    RECEIPT,
    SLOT_S,
    VALUE,
    ClientWorld,
)

from tieline.ledgers.fabric.material import Role, make_organisation
from tieline.ledgers.fabric.x509_making import (
    ALWAYS,
    CertifiedKey,
    Source,
    Subject,
    Validity,
    make_leaf,
)
from tieline.light_clients import height_chain
from tieline.light_clients.client_states import ClientStates
from tieline.light_clients.fabric import building
from tieline.light_clients.fabric import msp as msp_module
from tieline.light_clients.fabric.messages import ConfigStep, MembershipProof
from tieline.light_clients.fabric.msp import (
    CHAIN_MAX,
    IdentityRefused,
    Organisation,
    Organisations,
)
from tieline.light_clients.fabric.policies import Judge
from tieline.light_clients.fabric.states import ClientState, ConsensusState
from tieline.protocol.commitment import packet_receipt_key
from tieline.wire.errors import Malformed
from tieline.wire.fabric.envelopes import Envelope
from tieline.wire.fabric.identities import SerializedIdentity
from tieline.wire.fabric.organisations import NodeUnits, UnitIdentifier
from tieline.wire.fabric.policies import (
    ApplicationPolicy,
    IdentityPrincipal,
    MetaRule,
    NOutOf,
    OtherPrincipal,
    RolePrincipal,
    SignaturePolicy,
    SignedBy,
    UnitPrincipal,
    roles_out_of,
)
from tieline.wire.fabric.policies import Role as MspRole
from tieline.wire.fabric.rwsets import Version
from tieline.wire.fabric.transactions import transaction_payload

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
USERS = (("peer0", Role.PEER), ("client", Role.CLIENT), ("admin", Role.ADMIN))
YEAR = timedelta(days=365)


def between(from_s, to_s):
    return Validity(EPOCH + timedelta(seconds=from_s), EPOCH + timedelta(seconds=to_s))


@pytest.fixture(scope="module")
def organisation():
    return make_organisation("Org1MSP", USERS, ALWAYS, seed=b"one")


def pem(certificate):
    return certificate.public_bytes(Encoding.PEM)


def issue(
    issuer,
    issuer_key,
    name,
    *,
    units=(),
    is_authority=False,
    key=None,
    limit=None,
    signs=True,
    begin=EPOCH,
):
    """Return a certificate, of an authority or of a member, and its key."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    attributes += [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, one) for one in units]
    subject = x509.Name(attributes)
    usage = [False] * 9
    usage[5] = is_authority and signs
    usage[0] = not usage[5]
    algorithm = None if isinstance(issuer_key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(EPOCH + 100 * YEAR)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=limit), critical=True)
        .add_extension(x509.KeyUsage(*usage), critical=True)
        .sign(issuer_key or key, algorithm)
    )
    return made, key


def revocation_list(certificate, key, *serials):
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(certificate.subject)
        .last_update(EPOCH)
        .next_update(EPOCH + YEAR)
    )
    for serial in serials:
        revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(EPOCH)
        builder = builder.add_revoked_certificate(revoked.build())
    return builder.sign(key, hashes.SHA256())


def test_each_member_has_the_role_that_its_unit_gives(organisation):
    known = Organisation(msp_config(organisation))
    for name, role in (
        ("peer0", MspRole.PEER),
        ("client", MspRole.CLIENT),
        ("admin", MspRole.ADMIN),
    ):
        found = known.identify(organisation.member(name).signing.certificate_pem)
        assert (found.msp_id, found.role, found.is_listed_admin) == ("Org1MSP", role, False)
        assert found.valid_from_s == 0
        assert found.valid_to_s == int((datetime(2100, 1, 1, tzinfo=UTC) - EPOCH).total_seconds())
    assert known.identify(organisation.member("peer0").signing.certificate_pem) is known.identify(
        organisation.member("peer0").signing.certificate_pem
    )


def test_nobody_else_is_a_member(organisation):
    known = Organisation(msp_config(organisation))
    stranger = make_organisation("Org1MSP", USERS, ALWAYS, seed=b"other")
    for certificate, words in (
        (stranger.member("peer0").signing.certificate_pem, "no chain"),
        (stranger.authority.certificate_pem, "no chain"),
        (organisation.authority.certificate_pem, "is no identity"),
        (organisation.member("peer0").tls.certificate_pem, "no chain"),
        (b"", "identity of"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "identity of"),
    ):
        with pytest.raises(IdentityRefused, match=words):
            known.identify(certificate)
    everybody = Organisations([msp_config(organisation)])
    claimed = SerializedIdentity("Org2MSP", organisation.member("peer0").signing.certificate_pem)
    for identity in (claimed.encode(), b"\xff", b""):
        with pytest.raises(IdentityRefused, match=r"not of the channel|not an identity"):
            everybody.identify(identity)


def test_one_organisation_is_described_in_one_way(organisation):
    config = msp_config(organisation)
    Organisations([config, config])
    with pytest.raises(Malformed, match="described in two ways"):
        Organisations([config, replace(config, node_units=None)])


@pytest.mark.slow
def test_no_byte_of_a_certificate_can_be_altered(organisation):
    known = Organisation(msp_config(organisation))
    der = organisation.member("peer0").signing.certificate.public_bytes(Encoding.DER)
    for place in range(len(der)):
        for bit in range(8):
            changed = bytearray(der)
            changed[place] ^= 1 << bit
            body = b64encode(bytes(changed))
            with pytest.raises(IdentityRefused):
                known.identify(
                    b"-----BEGIN CERTIFICATE-----\n" + body + b"\n-----END CERTIFICATE-----\n"
                )
    assert known.identify(organisation.member("peer0").signing.certificate_pem)


@pytest.mark.parametrize("units", [(), ("other",), ("peer", "client"), ("PEER",)])
def test_who_has_not_exactly_one_role_is_refused(organisation, units):
    config = msp_config(organisation)
    authority = organisation.authority
    leaf, _ = issue(authority.certificate, authority.key, "somebody", units=units)
    with pytest.raises(IdentityRefused, match="not exactly one role"):
        Organisation(config).identify(pem(leaf))
    found = Organisation(replace(config, node_units=None)).identify(pem(leaf))
    assert found.role is None


def test_a_role_under_another_authority_and_members_of_no_wanted_unit_are_refused(organisation):
    config = msp_config(organisation)
    other, _ = issue(None, None, "other authority", is_authority=True)
    peer = UnitIdentifier("peer", pem(other))
    certificate = organisation.member("peer0").signing.certificate_pem
    units = replace(config, node_units=NodeUnits(True, peer=peer))
    with pytest.raises(IdentityRefused, match="under another authority"):
        Organisation(units).identify(certificate)
    for wanted, is_taken in (("peer", True), ("department", False)):
        taking = replace(config, units=(UnitIdentifier(wanted),))
        if is_taken:
            assert Organisation(taking).identify(certificate).role is MspRole.PEER
        else:
            with pytest.raises(IdentityRefused, match="of no unit"):
                Organisation(taking).identify(certificate)


def test_listed_admins_are_admins_where_units_give_no_roles(organisation):
    certificate = organisation.member("client").signing.certificate_pem
    config = replace(msp_config(organisation), node_units=None, admins=(certificate,))
    assert Organisation(config).identify(certificate).is_listed_admin


def chain_of(count, **last):
    """Return a root, *count* authorities below one another, and a leaf of the lowest."""
    certificate, key = issue(None, None, "root", is_authority=True)
    made = [certificate]
    for place in range(count):
        options = last if place == count - 1 else {}
        certificate, key = issue(
            certificate, key, f"between {place}", **{"is_authority": True, **options}
        )
        made.append(certificate)
    leaf, _ = issue(certificate, key, "leaf", units=("peer",))
    return made[0], made[1:], leaf


def of_chain(organisation, root, between_them):
    config = msp_config(organisation)
    return replace(
        config,
        root_certificates=(pem(root),),
        intermediate_certificates=tuple(map(pem, between_them)),
        node_units=NodeUnits(True, peer=UnitIdentifier("peer")),
    )


def test_a_chain_may_have_authorities_between_but_not_any_number(organisation):
    for count in range(CHAIN_MAX):
        root, middle, leaf = chain_of(count)
        config = of_chain(organisation, root, middle)
        if count < CHAIN_MAX - 1:
            assert Organisation(config).identify(pem(leaf)).role is MspRole.PEER
        else:
            with pytest.raises(IdentityRefused, match="no chain"):
                Organisation(config).identify(pem(leaf))
    root, middle, leaf = chain_of(2)
    with pytest.raises(IdentityRefused, match="no chain"):
        Organisation(of_chain(organisation, root, middle[1:])).identify(pem(leaf))


def test_an_authority_that_may_have_none_below_it_has_none(organisation):
    certificate, key = issue(None, None, "root", is_authority=True, limit=0)
    below, below_key = issue(certificate, key, "below", is_authority=True)
    leaf, _ = issue(below, below_key, "leaf", units=("peer",))
    direct, _ = issue(certificate, key, "direct", units=("peer",))
    known = Organisation(of_chain(organisation, certificate, []))
    assert known.identify(pem(direct)).role is MspRole.PEER
    known = Organisation(of_chain(organisation, certificate, [below]))
    with pytest.raises(IdentityRefused, match="no chain"):
        known.identify(pem(leaf))


@pytest.mark.parametrize("count", [1, 2])
def test_an_authority_with_others_below_it_issues_no_identities(organisation, count):
    # Fabric's rule: who keeps a root for its authorities may use it for much else.
    root, root_key = issue(None, None, "root", is_authority=True)
    certificate, key = root, root_key
    made, keys = [], [root_key]
    for place in range(count):
        certificate, key = issue(certificate, key, f"between {place}", is_authority=True)
        made.append(certificate)
        keys.append(key)
    known = Organisation(of_chain(organisation, root, made))
    for issuer, issuer_key in zip([root, *made][:-1], keys[:-1], strict=True):
        other, _ = issue(issuer, issuer_key, "other", units=("peer",))
        with pytest.raises(IdentityRefused, match="has others below it"):
            known.identify(pem(other))
    leaf, _ = issue(certificate, key, "leaf", units=("peer",))
    assert known.identify(pem(leaf)).role is MspRole.PEER


def test_a_renewed_authority_leaves_those_whom_it_vouched_for_before(organisation):
    # The same name and key: peers take the one that was valid when an identity began.
    old, key = issue(None, None, "root", is_authority=True)
    new, _ = issue(None, None, "root", is_authority=True, key=key, begin=EPOCH + YEAR)
    before, _ = issue(old, key, "before", units=("peer",))
    after, _ = issue(new, key, "after", units=("peer",), begin=EPOCH + YEAR)
    both = replace(
        of_chain(organisation, old, []), root_certificates=(pem(old), pem(new), pem(old))
    )
    known = Organisation(both)
    assert known.identify(pem(before)).role is MspRole.PEER
    with pytest.raises(IdentityRefused, match="more than one chain"):
        known.identify(pem(after))
    alone = Organisation(of_chain(organisation, new, []))
    assert alone.identify(pem(after)).role is MspRole.PEER
    with pytest.raises(IdentityRefused, match="no chain"):
        alone.identify(pem(before))


def test_a_root_that_is_also_said_to_stand_below_one_is_a_root(organisation):
    root, key = issue(None, None, "root", is_authority=True)
    leaf, _ = issue(root, key, "leaf", units=("peer",))
    assert Organisation(of_chain(organisation, root, [root])).identify(pem(leaf))


def test_an_organisation_that_could_not_vouch_is_refused(organisation):
    config = msp_config(organisation)
    leaf = organisation.member("peer0").signing.certificate_pem
    weak, _ = issue(
        None, None, "root", is_authority=True, key=ec.generate_private_key(ec.SECP384R1())
    )
    mute, _ = issue(None, None, "root", is_authority=True, signs=False)
    for changed in (
        replace(config, root_certificates=(leaf,)),
        replace(config, root_certificates=(b"",)),
        replace(config, root_certificates=(pem(weak),)),
        replace(config, root_certificates=(pem(mute),)),
        replace(config, intermediate_certificates=(leaf,)),
        replace(config, revocation_lists=(b"-----BEGIN X509 CRL-----",)),
        replace(config, revocation_lists=(b"\x30\x00",)),
        replace(config, admins=(b"nobody",)),
    ):
        with pytest.raises(Malformed):
            Organisation(changed)


@pytest.mark.parametrize(
    "key", [ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()]
)
def test_members_have_keys_on_p256(organisation, key):
    authority = organisation.authority
    leaf, _ = issue(authority.certificate, authority.key, "odd", units=("peer",), key=key)
    with pytest.raises(IdentityRefused, match="not on P-256"):
        Organisation(msp_config(organisation)).identify(pem(leaf))


def test_a_member_or_authority_that_was_taken_back_is_refused(organisation):
    authority = organisation.authority
    peer, client = (organisation.member(name).signing for name in ("peer0", "client"))
    revoking = revocation_list(authority.certificate, authority.key, peer.certificate.serial_number)
    stranger = make_organisation("Org1MSP", USERS, ALWAYS, seed=b"other").authority
    forged = revocation_list(authority.certificate, stranger.key, client.certificate.serial_number)
    for encoding in (Encoding.PEM, Encoding.DER):
        lists = (forged.public_bytes(encoding), revoking.public_bytes(encoding))
        known = Organisation(msp_config(organisation, lists))
        with pytest.raises(IdentityRefused, match="revoked"):
            known.identify(peer.certificate_pem)
        assert known.identify(client.certificate_pem).role is MspRole.CLIENT, "forged"
    root, root_key = issue(None, None, "root", is_authority=True)
    middle, middle_key = issue(root, root_key, "middle", is_authority=True)
    leaf, _ = issue(middle, middle_key, "leaf", units=("peer",))
    held = revocation_list(root, root_key, middle.serial_number).public_bytes(Encoding.PEM)
    config = replace(of_chain(organisation, root, [middle]), revocation_lists=(held,))
    with pytest.raises(IdentityRefused, match="revoked"):
        Organisation(config).identify(pem(leaf))


def test_what_is_remembered_of_members_is_bounded(organisation, monkeypatch):
    monkeypatch.setattr(msp_module, "IDENTITIES_REMEMBERED", 3)
    known = Organisation(msp_config(organisation))
    authority = organisation.authority
    for number in range(4):
        leaf = make_leaf(
            Source(b"many"), Subject(f"peer{number}", "Org1MSP", "peer"), authority, ALWAYS
        )
        known.identify(leaf.certificate_pem)
    assert len(known._known) == 1


# --- policies --------------------------------------------------------------------------------


class Members:
    """Two organisations, and a judge of their channel."""

    def __init__(self) -> None:
        self.made = [make_organisation(f"Org{n}MSP", USERS, ALWAYS, seed=b"x") for n in (1, 2, 3)]
        self.orderers = make_organisation("OrdererMSP", [("o", Role.ORDERER)], ALWAYS, seed=b"x")
        self.config = channel_config(self.made, self.orderers, RAFT)
        self.organisations = Organisations(msp_config(one) for one in self.made)
        self.judge = Judge(self.config, self.organisations)

    def identity(self, number, name="peer0"):
        return self.organisations.identify(self.made[number - 1].member(name).creator())

    def named(self, number):
        return IdentityPrincipal(self.made[number - 1].member("peer0").creator())


@pytest.fixture(scope="module")
def members():
    return Members()


def peers(*numbers):
    return [(f"Org{number}MSP", MspRole.PEER) for number in numbers]


def test_a_policy_counts_different_signers(members):
    judge, one, two = members.judge, members.identity(1), members.identity(2)
    both = ApplicationPolicy(roles_out_of(2, peers(1, 2)))
    assert judge.satisfies(both, [one, two])
    assert judge.satisfies(both, [two, one])
    for signers in ([one], [one, one], [two, two], [], [one, members.identity(2, "client")]):
        assert not judge.satisfies(both, signers)
    twice = ApplicationPolicy(roles_out_of(2, peers(1, 1)))
    assert not judge.satisfies(twice, [one, one]), "each signature serves once"
    assert not judge.satisfies(twice, [one, two])


def test_signatures_serve_in_the_order_in_which_a_peer_tries_them(members):
    # Fabric's greedy choice: the first rule takes the only signer that the second could use.
    anybody = RolePrincipal("Org1MSP", MspRole.MEMBER)
    peer = RolePrincipal("Org1MSP", MspRole.PEER)
    one, client = members.identity(1), members.identity(1, "client")
    rules = (SignedBy(0), SignedBy(1))
    greedy = ApplicationPolicy(SignaturePolicy(NOutOf(2, rules), (anybody, peer)))
    assert members.judge.satisfies(greedy, [client, one])
    assert not members.judge.satisfies(greedy, [one, client])
    inner = NOutOf(2, (NOutOf(2, rules), SignedBy(0)))
    undone = ApplicationPolicy(SignaturePolicy(NOutOf(1, (inner, SignedBy(1))), (anybody, peer)))
    assert members.judge.satisfies(undone, [one]), "a rule that failed gives its signers back"


def test_what_nobody_signed_satisfies_nothing(members):
    none_needed = ApplicationPolicy(SignaturePolicy(NOutOf(0, ()), ()))
    assert not members.judge.satisfies(none_needed, [])
    assert not members.judge.satisfies(none_needed, [members.identity(1)])
    assert not members.judge.satisfies_at("/Channel/Orderer/BlockValidation", [])


def test_an_identity_may_be_named_and_other_kinds_name_nobody(members):
    one = members.identity(1)
    for principal, is_one in (
        (members.named(1), True),
        (members.named(2), False),
        (IdentityPrincipal(b"\xff"), False),
        (UnitPrincipal("Org1MSP", "peer"), False),
        (OtherPrincipal(4, b""), False),
        (RolePrincipal("Org1MSP", MspRole.ADMIN), False),
    ):
        policy = ApplicationPolicy(SignaturePolicy(NOutOf(1, (SignedBy(0),)), (principal,)))
        assert members.judge.satisfies(policy, [one]) is is_one


@pytest.mark.parametrize(
    ("rule", "needed"), [(MetaRule.ANY, 1), (MetaRule.ALL, 3), (MetaRule.MAJORITY, 2)]
)
def test_an_implicit_policy_counts_the_groups_right_below(members, rule, needed):
    policies = {**members.config.application.policies, "Endorsement": each(rule, "Endorsement")}
    application = replace(members.config.application, policies=policies)
    config = replace(members.config, application=application)
    judge = Judge(config, members.organisations)
    everybody = [members.identity(number) for number in (1, 2, 3)]
    for count in range(4):
        assert judge.satisfies_at("/Channel/Application/Endorsement", everybody[:count]) is (
            count >= needed
        )


def test_a_policy_that_is_not_there_is_satisfied_by_nobody(members):
    everybody = [members.identity(number) for number in (1, 2, 3)]
    for path in ("", "/", "Endorsement", "/Channel/Nowhere/Endorsement", "/Channel/Application/X"):
        assert not members.judge.satisfies_at(path, everybody)
        assert not members.judge.satisfies(ApplicationPolicy(None, path), everybody)
    policies = {"Endorsement": each(MetaRule.ANY, "Missing")}
    application = replace(members.config.application, policies=policies)
    judge = Judge(replace(members.config, application=application), members.organisations)
    assert not judge.satisfies_at("/Channel/Application/Endorsement", everybody)


# --- in a client -----------------------------------------------------------------------------


def test_an_expired_identity_orders_writes_and_endorses_nothing():
    soon = between(START_S - 1, START_S + SLOT_S)
    world = ClientWorld(chain=FabricChain(validity=soon))
    chain = world.chain
    written = chain.write({KEY: VALUE})
    block = chain.commit(written)
    height = world.follow()
    proof = world.prove(written, block, height)
    assert world.shown(proof, height) is None, "the last second counts"
    assert "orderer's certificate has expired" in world.refusal_of(chain.header(world.tick()))


def renewed_orderer(chain, validity):
    """Let the orderer of Raft sign with another certificate from now on."""
    member, authority = chain.orderers.member("orderer0"), chain.orderers.authority
    subject = Subject("orderer0", "OrdererMSP", "orderer")
    leaf = make_leaf(Source(b"renewed"), subject, authority, validity)
    chain.orderers.members["orderer0"] = replace(member, signing=leaf)


def test_what_was_ordered_before_a_certificate_was_renewed_is_provable_ever_after():
    # The held block stands on it: who signed that one says so of all below.
    world = ClientWorld()
    chain = world.chain
    renewed_orderer(chain, between(START_S, START_S + SLOT_S - 1))
    written = chain.write({KEY: VALUE})
    block = chain.commit(written)
    renewed_orderer(chain, ALWAYS)
    for _ in range(2):
        height = world.follow()
        assert world.shown(world.prove(written, block, height), height) is None
    renewed_orderer(chain, between(chain.clock_s + 1, chain.clock_s + SLOT_S))
    later = chain.make_block(block.data, number=block.header.number)
    proof = replace(
        MembershipProof.decode(world.prove(written, block, height)),
        block=building.signed_block(later.encode()),
    )
    assert "is not valid yet" in world.shown(proof.encode(), height)


def renewed_peer(chain, validity):
    """Let the second organisation's peer endorse with another certificate from now on."""
    second = chain.organisations[1]
    leaf = make_leaf(
        Source(b"renewed"), Subject("peer0", "Org2MSP", "peer"), second.authority, validity
    )
    second.members["peer0"] = replace(second.member("peer0"), signing=leaf)


@pytest.mark.parametrize("in_block_of_tick", [False, True])
def test_what_was_endorsed_before_a_certificate_ran_out_is_provable_ever_after(in_block_of_tick):
    # Nobody can have it endorsed again: a receipt that is there can neither be answered else, nor
    # time out.
    world = ClientWorld()
    chain = world.chain
    renewed_peer(chain, between(START_S, START_S + SLOT_S - 1))
    written = chain.write({KEY: VALUE})
    block = chain.commit(written) if not in_block_of_tick else None
    envelopes = [chain.envelope(written)]
    renewed_peer(chain, ALWAYS)
    if block is None:
        block = tick_block_of(chain, written, envelopes)
        height = world.follow(block)
    else:
        height = world.follow()
    for _ in range(2):
        assert world.shown(world.prove(written, block, height), height) is None
        height = world.follow()


def tick_block_of(chain, written, envelopes):
    """Commit what was endorsed already, and a Tick behind it in the same block."""
    tick = chain.tick(chain.clock_s + SLOT_S)
    block = chain.append([*envelopes, chain.envelope(tick)])
    for index, simulated in enumerate((written, tick)):
        for one in simulated.writes:
            chain.versions[one.key] = Version(block.header.number, index)
            chain.values[one.key] = one.value
    chain.clock_s += SLOT_S
    return block


def test_who_had_expired_when_the_clock_ticked_last_before_a_block_endorses_nothing_in_it():
    world = ClientWorld()
    chain = world.chain
    renewed_peer(chain, between(START_S - 9, START_S - 1))
    written = chain.write({KEY: VALUE})
    block = chain.commit(written)
    renewed_peer(chain, between(START_S + SLOT_S + 1, START_S + 90))
    later = chain.write({KEY: VALUE}, nonce=1)
    late = chain.commit(later)
    renewed_peer(chain, ALWAYS)
    height = world.follow()
    words = "endorsements do not satisfy the chaincode's policy"
    assert world.shown(world.prove(written, block, height), height) == words, "expired before"
    assert world.shown(world.prove(later, late, height), height) == words, "not begun yet"
    assert world.shown(world.prove(written, block, height := world.follow()), height) == words
    assert world.shown(world.prove(later, late, height), height) is None


def test_below_all_that_is_held_no_certificate_has_run_out(monkeypatch):
    # What is forgotten may not make unprovable what was provable.
    world = ClientWorld()
    chain = world.chain
    renewed_peer(chain, between(START_S, START_S + SLOT_S - 1))
    written = chain.write({KEY: VALUE})
    block = chain.commit(written)
    renewed_peer(chain, ALWAYS)
    height = world.follow()
    proof = world.prove(written, block, height)
    states = ClientStates(ClientState.decode, ConsensusState.decode)
    states.forget_earliest(world.store)
    assert world.shown(proof, height) is None
    monkeypatch.setattr(height_chain, "STEPS_MAX", 1)
    assert "many heights are held since" in world.shown(proof, height)


def test_an_absence_is_recorded_by_whoever_was_renewed_since_the_time_that_it_is_for():
    world = ClientWorld()
    chain = world.chain
    old = world.first_height
    renewed_peer(chain, between(START_S + 1, START_S + 900))
    recorded = chain.prove_absence(CLIENT, 1, START_S, RECEIPT)
    proof = world.record_proof(recorded, chain.commit(recorded))
    assert world.absent(proof, old) is not None, "it is not valid at any time that is known"
    world.follow()
    assert world.absent(world.record_proof(recorded, chain.blocks[-2]), old) is None
    renewed_peer(chain, between(START_S - 9, START_S - 1))
    recorded = chain.prove_absence(CLIENT, 2, START_S, packet_receipt_key(CLIENT, 2))
    block = chain.commit(recorded)
    renewed_peer(chain, ALWAYS)
    expired = world.record_proof(recorded, block)
    words = "endorsements do not satisfy the chaincode's policy"
    assert world.absent(expired, old, packet_receipt_key(CLIENT, 2)) == words


def test_a_read_back_by_an_expired_peer_shows_nothing():
    world = ClientWorld()
    chain = world.chain
    written = chain.write({KEY: VALUE})
    block = chain.commit(written)
    height = world.follow()
    old = chain.organisations[1]
    for validity, is_good in (
        (between(START_S, START_S + SLOT_S), True),
        (between(START_S, START_S + SLOT_S - 1), False),
        (between(START_S + SLOT_S + 1, START_S + 90), False),
    ):
        leaf = make_leaf(
            Source(b"renewed"), Subject("peer0", "Org2MSP", "peer"), old.authority, validity
        )
        renewed = replace(chain.peers[1], signing=leaf)
        answer = chain.marker_read_back(written, peers=[chain.peers[0], renewed])
        refusal = world.shown(world.prove(written, block, height, answer=answer), height)
        assert refusal is None if is_good else "endorser's certificate has expired" in refusal


def carrier(chain, key, validity=ALWAYS):
    """Return a client of the channel by its certificate, with a key that Fabric's peers take."""
    authority = chain.organisations[0].authority
    made, _ = issue(authority.certificate, authority.key, "carrier", units=("client",), key=key)
    expiring = make_leaf(
        Source(b"short"), Subject("client", "Org1MSP", "client"), authority, validity
    )
    certified = expiring if key is None else CertifiedKey(made, key)
    return replace(chain.client, signing=certified)


def brought_by(chain, member, simulated):
    """Commit a transaction that a client hands in; the peers find it valid."""
    usual = chain.client
    chain.organisations[0].members["client"] = member
    payload = transaction_payload(chain.endorse(simulated))
    chain.organisations[0].members["client"] = usual
    key = member.signing.key
    is_edwards = isinstance(key, ed25519.Ed25519PrivateKey)
    signature = key.sign(payload) if is_edwards else key.sign(payload, ec.ECDSA(hashes.SHA256()))
    block = chain.append([Envelope(payload, signature).encode()])
    for one in simulated.writes:
        chain.versions[one.key] = Version(block.header.number, 0)
        chain.values[one.key] = one.value
    return block


@pytest.mark.parametrize(
    "key",
    [None, ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()],
    ids=["about to expire", "P-384", "Ed25519"],
)
def test_whoever_brings_a_transaction_cannot_make_it_unprovable(key):
    # Fabric's peers take all of these. What is received is neither answered nor timed out else.
    world = ClientWorld()
    chain = world.chain
    member = carrier(chain, key, between(START_S, START_S + SLOT_S - 1))
    written = chain.write({RECEIPT: b"\x02", ACKNOWLEDGEMENT: VALUE})
    block = brought_by(chain, member, written)
    for _ in range(2):
        height = world.follow()
        proof = world.prove(written, block, height)
        assert world.shown(proof, height, key=ACKNOWLEDGEMENT) is None
    tick = chain.tick(chain.clock_s + SLOT_S)
    block = brought_by(chain, member, tick)
    chain.clock_s += SLOT_S
    assert world.update(chain.header(block)).heights, "anyone may let the clock tick"
    recorded = chain.prove_absence(CLIENT, 2, chain.clock_s, packet_receipt_key(CLIENT, 2))
    block = brought_by(chain, member, recorded)
    absent = world.record_proof(recorded, block)
    newest = chain.blocks[-2].header.number
    assert world.absent(absent, newest, packet_receipt_key(CLIENT, 2)) is None


def test_a_revoked_peer_endorses_nothing_from_the_configuration_on_that_says_so():
    world = ClientWorld()
    chain = world.chain
    before = chain.write({KEY: VALUE})
    block = chain.commit(before)
    height = world.follow()
    good = world.prove(before, block, height)
    assert world.shown(good, height) is None
    second = chain.organisations[1]
    serial = chain.peers[1].signing.certificate.serial_number
    held = revocation_list(second.authority.certificate, second.authority.key, serial)

    def revoke(config):
        organisations = list(config.application.organisations)
        msp = msp_config(second, (held.public_bytes(Encoding.PEM),))
        organisations[1] = replace(organisations[1], msp=msp)
        application = replace(config.application, organisations=tuple(organisations))
        return replace(config, application=application)

    changed = chain.change_config(revoke)
    renewed = make_leaf(
        Source(b"renewed"), Subject("peer1", "Org2MSP", "peer"), second.authority, ALWAYS
    )
    revoked = chain.peers[1]
    fresh = replace(revoked, signing=renewed)
    second.members["peer0"] = fresh
    newest = world.tick()
    step = ConfigStep(building.signed_block(changed.encode()))
    header = chain.header(newest, config_steps=(step,))
    second.members["peer0"] = revoked
    stale = chain.header(newest, config_steps=(step,)).read_back
    assert "revoked" in world.refusal_of(replace(header, read_back=stale))
    assert world.update(header).heights
    assert "revoked" in world.shown(good, height), "its read-back counts no more"
    second.members["peer0"] = fresh
    answer = chain.marker_read_back(before)
    again = world.prove(before, block, height, answer=answer)
    assert world.shown(again, height) is None, "its old transactions do"
    second.members["peer0"] = revoked
    after = chain.write({KEY: VALUE}, nonce=1)
    late = chain.commit(after)
    second.members["peer0"] = fresh
    height = world.follow()
    refusal = world.shown(world.prove(after, late, height), height)
    assert refusal == "endorsements do not satisfy the chaincode's policy"
