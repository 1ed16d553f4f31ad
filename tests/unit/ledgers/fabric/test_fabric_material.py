"""Organisations, their authorities and members, made of a seed or by chance."""

import stat
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from fabric_protos.msp import identities_pb2

from tieline.ledgers.fabric.material import (
    ALWAYS,
    Role,
    Validity,
    make_organisation,
    write_organisation,
)
from tieline.ledgers.fabric.x509_making import P256_ORDER, is_low_s

MEMBERS = (("peer0", Role.PEER), ("admin", Role.ADMIN), ("hub", Role.CLIENT))


def made(seed=b"a seed", msp_id="Org1MSP", validity=ALWAYS):
    return make_organisation(msp_id, MEMBERS, validity, seed=seed)


def everything(organisation):
    keys = [organisation.authority, organisation.tls_authority]
    for member in organisation.members.values():
        keys += [member.signing, member.tls]
    return [(key.certificate_pem, key.private_pem()) for key in keys]


def test_a_seed_makes_the_same_bytes_again_and_each_key_once():
    first, again = everything(made()), everything(made())
    assert first == again
    assert len({private for _, private in first}) == len(first) == 2 + 2 * len(MEMBERS)


@pytest.mark.parametrize("other", [{"seed": b"another"}, {"msp_id": "Org2MSP"}, {"seed": None}])
def test_another_seed_organisation_or_chance_shares_no_key(other):
    keys = {private for _, private in everything(made())}
    assert keys.isdisjoint(private for _, private in everything(made(**other)))


def test_members_chain_to_their_own_authorities_and_to_no_other():
    organisation, other = made(), made(b"another")
    for member in organisation.members.values():
        member.signing.certificate.verify_directly_issued_by(organisation.authority.certificate)
        member.tls.certificate.verify_directly_issued_by(organisation.tls_authority.certificate)
        with pytest.raises(Exception, match=r"^$"):  # cryptography says no more
            member.signing.certificate.verify_directly_issued_by(other.authority.certificate)


def test_the_role_stands_in_the_certificate():
    for name, role in MEMBERS:
        member = made().member(name)
        units = member.signing.certificate.subject.get_attributes_for_oid(
            NameOID.ORGANIZATIONAL_UNIT_NAME
        )
        assert [unit.value for unit in units] == [role.value]
    assert [one.name for one in made().having(Role.ADMIN)] == ["admin"]


def test_every_certificate_has_a_low_s():
    organisations = [made(bytes([n])) for n in range(8)]
    for organisation in organisations:
        for pem, _ in everything(organisation):
            signature = x509.load_pem_x509_certificate(pem).signature
            assert is_low_s(signature)
            r, s = decode_dss_signature(signature)
            assert not is_low_s(encode_dss_signature(r, P256_ORDER - s))


def test_certificates_for_a_scenarios_clock_hold_at_any_of_its_times():
    certificate = made().member("peer0").signing.certificate
    assert certificate.not_valid_before_utc == datetime(1970, 1, 1, tzinfo=UTC)
    assert certificate.not_valid_after_utc == datetime(2100, 1, 1, tzinfo=UTC)


def test_certificates_in_real_time_hold_from_an_hour_ago_for_ten_years():
    certificate = made(validity=Validity.around(1_800_000_000)).authority.certificate
    assert certificate.not_valid_before_utc.timestamp() == 1_800_000_000 - 3600
    assert certificate.not_valid_after_utc.timestamp() == 1_800_000_000 + 3650 * 86400


def test_tls_certificates_serve_both_ends_on_this_machine():
    certificate = made().member("peer0").tls.certificate
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usage) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]


def test_a_creator_names_organisation_and_certificate():
    member = made().member("hub")
    identity = identities_pb2.SerializedIdentity.FromString(member.creator())
    assert identity.mspid == "Org1MSP"
    assert identity.id_bytes == member.signing.certificate_pem


def test_written_keys_are_for_their_owner_alone_and_the_public_folder_has_none(tmp_path):
    write_organisation(made(), tmp_path / "org1")
    write_organisation(made(), tmp_path / "org1")  # again: nothing is in the way
    private = [path for path in tmp_path.rglob("*") if path.name in {"key.pem", "server.key"}]
    assert len(private) == 2 * len(MEMBERS)
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
    public = {str(path.relative_to(tmp_path)) for path in (tmp_path / "org1/msp").rglob("*.*")}
    assert public == {
        "org1/msp/cacerts/ca.pem",
        "org1/msp/tlscacerts/tlsca.pem",
        "org1/msp/config.yaml",
    }
