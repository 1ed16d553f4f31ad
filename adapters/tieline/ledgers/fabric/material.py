"""
Organisations of a Fabric channel: their authorities for identities and for TLS, and their members,
each with a key for either. In memory; of a seed they repeat byte for byte. Folders as Fabric's
programs read them are written by ``write_organisation``.

What roles a channel gives to them is in its configuration.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from fabric_protos.msp import identities_pb2

from tieline.ledgers.fabric.x509_making import (
    ALWAYS,
    CertifiedKey,
    Source,
    Subject,
    Validity,
    make_leaf,
    make_root,
)
from tieline.wire.fabric.signatures import sign

__all__ = [
    "ALWAYS",
    "HOSTS",
    "CertifiedKey",
    "Member",
    "MemberCarrier",
    "Organisation",
    "Role",
    "Validity",
    "make_organisation",
    "write_member",
    "write_organisation",
]

HOSTS: Final = ("localhost", "127.0.0.1")
"""Where programs on this machine listen."""
_NODE_UNITS: Final = "".join(
    f"  {unit}OUIdentifier:\n"
    "    Certificate: cacerts/ca.pem\n"
    f"    OrganizationalUnitIdentifier: {unit.lower()}\n"
    for unit in ("Client", "Peer", "Admin", "Orderer")
)
_NODE_UNITS_FILE: Final = f"NodeOUs:\n  Enable: true\n{_NODE_UNITS}"


class Role(StrEnum):
    """What a member is to its organisation; stands in its certificate as OU."""

    PEER = "peer"
    ORDERER = "orderer"
    CLIENT = "client"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Member:
    """One identity of an organisation."""

    name: str
    role: Role
    msp_id: str
    signing: CertifiedKey
    """What it signs proposals, endorsements and blocks with."""
    tls: CertifiedKey
    """What it shows when it listens or dials."""

    def creator(self) -> bytes:
        """Return the identity as it stands in headers and endorsements: SerializedIdentity."""
        identity = identities_pb2.SerializedIdentity(
            mspid=self.msp_id, id_bytes=self.signing.certificate_pem
        )
        return identity.SerializeToString(deterministic=True)


@dataclass(frozen=True, slots=True)
class MemberCarrier:
    """A member as ``port.Carrier``: who proposes, and signs that it did."""

    creator: bytes
    key: EllipticCurvePrivateKey

    @classmethod
    def of(cls, member: Member) -> MemberCarrier:
        """Return *member* as one."""
        return cls(member.creator(), member.signing.key)

    def sign(self, message: bytes) -> bytes:
        """Return an ECDSA P-256 signature over SHA-256 of *message*: DER, low s."""
        return sign(self.key, message)


@dataclass(frozen=True, slots=True)
class Organisation:
    """One organisation (an MSP) with all its keys."""

    msp_id: str
    authority: CertifiedKey
    """Vouches for its members."""
    tls_authority: CertifiedKey
    """Vouches for where its members listen and dial from."""
    members: Mapping[str, Member]
    """By name."""

    def member(self, name: str) -> Member:
        """Return one of its members."""
        return self.members[name]

    def having(self, role: Role) -> tuple[Member, ...]:
        """Return those of a role, in the order they were given."""
        return tuple(one for one in self.members.values() if one.role is role)


def make_organisation(
    msp_id: str,
    members: Sequence[tuple[str, Role]],
    validity: Validity,
    *,
    seed: bytes | None = None,
    hosts: Sequence[str] = HOSTS,
) -> Organisation:
    """
    Return a new organisation.

    Args:
        msp_id: Its name, such as ``Org1MSP``.
        members: Names and roles; a name once.
        validity: Of all certificates: ``ALWAYS``, or ``Validity.around(now)``.
        seed: Secret; the same one makes the same organisation. None: made by chance.
        hosts: Where members listen.
    """
    source = Source(seed)
    names = [name for name, _ in members]
    assert len(set(names)) == len(names), f"a name twice: {names}"
    authority = make_root(source, Subject("ca", msp_id), validity)
    tls_authority = make_root(source, Subject("tlsca", msp_id), validity)
    made = {
        name: Member(
            name,
            role,
            msp_id,
            make_leaf(source, Subject(name, msp_id, role), authority, validity),
            make_leaf(source, Subject(name, msp_id, role), tls_authority, validity, hosts=hosts),
        )
        for name, role in members
    }
    return Organisation(msp_id, authority, tls_authority, made)


def write_organisation(organisation: Organisation, folder: Path) -> None:
    """
    Write what a channel's configuration says of it: ``msp/``, without any private key, and
    ``NAME/msp`` and ``NAME/tls`` of each member with theirs, readable by the owner alone.
    """
    _write_public(organisation, folder / "msp")
    for member in organisation.members.values():
        write_member(organisation, member, folder / member.name)


def write_member(organisation: Organisation, member: Member, folder: Path) -> None:
    """Write ``msp/`` and ``tls/`` of one member."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    msp, tls = folder / "msp", folder / "tls"
    _write_public(organisation, msp)
    _write(msp / "signcerts" / "cert.pem", member.signing.certificate_pem)
    _write(msp / "keystore" / "key.pem", member.signing.private_pem(), is_secret=True)
    _write(tls / "server.crt", member.tls.certificate_pem)
    _write(tls / "server.key", member.tls.private_pem(), is_secret=True)
    _write(tls / "ca.crt", organisation.tls_authority.certificate_pem)


def _write_public(organisation: Organisation, msp: Path) -> None:
    _write(msp / "cacerts" / "ca.pem", organisation.authority.certificate_pem)
    _write(msp / "tlscacerts" / "tlsca.pem", organisation.tls_authority.certificate_pem)
    _write(msp / "config.yaml", _NODE_UNITS_FILE.encode())


def _write(path: Path, content: bytes, *, is_secret: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    mode = 0o600 if is_secret else 0o644
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
