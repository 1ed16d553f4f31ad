"""
Who somebody is in an organisation of a Fabric channel: certificate chains, roles, revocation.

Signatures are P-256 throughout. Whether an identity is held at a time is asked by whoever knows
the time; nothing here does.

Sources:
    ``docs/spec/trust.md`` 4; RFC 5280; Fabric 3.1 ``msp/mspimpl.go``, ``msp/mspimplvalidate.go``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID

from tieline.light_clients.client_rules import NotConvincing
from tieline.wire.errors import Malformed
from tieline.wire.fabric.identities import SerializedIdentity
from tieline.wire.fabric.organisations import MspConfig, UnitIdentifier
from tieline.wire.fabric.policies import Role

CHAIN_MAX = 5
"""A leaf, three authorities between, a root; more than any organisation has."""
IDENTITIES_REMEMBERED = 256

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_PEM_HEAD = b"-----BEGIN"
_X509_ERRORS = (
    ValueError,
    TypeError,
    CryptographyDeprecationWarning,
    InvalidSignature,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""
All that ``cryptography`` says of certificates that strangers made, its warnings where those are
errors; ``Malformed`` is a ValueError.
"""


class IdentityRefused(NotConvincing):
    """Nobody of the channel's organisations; carries the first rule that is broken."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A member of an organisation, as its certificates say."""

    msp_id: str
    certificate: bytes
    """DER: with the organisation's name it tells one identity from another."""
    role: Role | None
    """By its organisational unit; None where the organisation tells no roles."""
    is_listed_admin: bool
    key: EllipticCurvePublicKey
    valid_from_s: int
    """Unix seconds, of the whole chain; inclusive, as is the end."""
    valid_to_s: int

    def is_valid_within(self, from_s: int, to_s: int) -> bool:
        """Tell whether it was valid at any time of an interval, unix seconds, ends included."""
        return self.valid_from_s <= to_s and from_s <= self.valid_to_s


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    key: EllipticCurvePublicKey
    is_root: bool
    revoked: frozenset[int]
    """Serial numbers that it took back."""


class Organisation:
    """An organisation that may vouch for identities."""

    def __init__(self, config: MspConfig) -> None:
        """
        Take what the channel's configuration says of it.

        Raises:
            Malformed: A certificate or revocation list is none, or is of another kind of key.
        """
        self.msp_id = config.msp_id
        self._known = dict[bytes, Identity]()
        try:
            lists = [_read_revocations(one) for one in config.revocation_lists]
            authorities = [
                *(_read_authority(one, lists, is_root=True) for one in config.root_certificates),
                *(_read_authority(one, lists) for one in config.intermediate_certificates),
            ]
            # Reversed, so that one that is also a root is a root.
            by_certificate = {_der(one.certificate): one for one in reversed(authorities)}
            self._authorities = list(by_certificate.values())
            self._inner = frozenset(self._above_others())
            self._admins = frozenset(_der(_read_certificate(one)) for one in config.admins)
            self._node_units = _read_node_units(config)
            self._units = [(one.unit, _issuer_of(one)) for one in config.units]
        except _X509_ERRORS as exc:
            raise Malformed(f"organisation {config.msp_id!r}: {exc}") from exc

    def identify(self, pem: bytes) -> Identity:
        """
        Return who holds a certificate.

        Raises:
            IdentityRefused: This organisation did not issue it, took it back, or gives it no role.
        """
        known = self._known.get(pem)
        if known is not None:
            return known
        try:
            found = self._identify(_read_certificate(pem))
        except _X509_ERRORS as exc:
            raise IdentityRefused(f"identity of {self.msp_id}: {exc}") from exc
        if len(self._known) >= IDENTITIES_REMEMBERED:
            self._known.clear()
        self._known[pem] = found
        return found

    def _identify(self, leaf: x509.Certificate) -> Identity:
        # First the chain: nothing else of what a stranger made is read.
        chains = [one for one in self._chains(leaf) if _was_valid_when_began(leaf, one)]
        if len(chains) != 1:
            what = "no" if not chains else "more than one"
            raise IdentityRefused(f"{what} chain of certificates to {self.msp_id}")
        if leaf.serial_number < 1:
            raise IdentityRefused(f"serial number below 1 under {self.msp_id}")
        if _is_authority(leaf):
            raise IdentityRefused(f"an authority of {self.msp_id} is no identity")
        chain = chains[0]
        if _der(chain[0].certificate) in self._inner:
            raise IdentityRefused(
                f"issued by an authority of {self.msp_id} that has others below it"
            )
        for issued, issuer in zip((leaf, *(one.certificate for one in chain)), chain, strict=False):
            if issued.serial_number in issuer.revoked:
                raise IdentityRefused(f"certificate was revoked by {self.msp_id}")
        windows = [_window(one) for one in (leaf, *(one.certificate for one in chain))]
        return Identity(
            self.msp_id,
            _der(leaf),
            self._role(leaf, chain[0]),
            _der(leaf) in self._admins,
            _key(leaf),
            max(start for start, _ in windows),
            min(end for _, end in windows),
        )

    def _chains(self, issued: x509.Certificate, below: int = 1) -> Iterable[tuple[_Authority, ...]]:
        """Return all ways from a certificate up to a root, without the certificate itself."""
        if below == CHAIN_MAX:
            return
        for authority in self._authorities:
            if not _is_issued_by(issued, authority.certificate, below - 1):
                continue
            if authority.is_root:
                yield (authority,)
            else:
                for rest in self._chains(authority.certificate, below + 1):
                    yield (authority, *rest)

    def _above_others(self) -> Iterable[bytes]:
        """Return the authorities (DER) that vouch for others: of these no identity comes."""
        for one in self._authorities:
            if not one.is_root:
                for chain in self._chains(one.certificate):
                    yield from (_der(above.certificate) for above in chain)

    def _role(self, leaf: x509.Certificate, issuer: _Authority) -> Role | None:
        units = _units(leaf)
        self._check_units(units, issuer)
        if self._node_units is None:
            return None
        roles = list[Role]()
        for role, identifier, certificate in self._node_units:
            if identifier in units:
                if certificate not in {b"", _der(issuer.certificate)}:
                    raise IdentityRefused(f"role under another authority of {self.msp_id}")
                roles.append(role)
        if len(roles) != 1:
            raise IdentityRefused(f"not exactly one role in {self.msp_id}: units={units}")
        return roles[0]

    def _check_units(self, units: Sequence[str], issuer: _Authority) -> None:
        """Refuse a member of none of the units, where the organisation takes only theirs."""
        taken = {b"", _der(issuer.certificate)}
        if self._units and not any(
            unit in units and certificate in taken for unit, certificate in self._units
        ):
            raise IdentityRefused(f"of no unit of {self.msp_id}: units={list(units)}")


class Organisations:
    """All organisations of a channel."""

    def __init__(self, configs: Iterable[MspConfig]) -> None:
        """Take what the channel's configuration says of them. Raises Malformed."""
        found = dict[str, MspConfig]()
        for config in configs:
            if found.setdefault(config.msp_id, config) != config:
                raise Malformed(f"organisation described in two ways: {config.msp_id!r}")
        self._by_id = {msp_id: Organisation(config) for msp_id, config in found.items()}

    def identify(self, serialized: bytes) -> Identity:
        """Return who a ``SerializedIdentity`` is. Raises IdentityRefused."""
        try:
            claimed = SerializedIdentity.decode(serialized)
        except Malformed as exc:
            raise IdentityRefused(f"not an identity: {exc}") from exc
        organisation = self._by_id.get(claimed.msp_id)
        if organisation is None:
            raise IdentityRefused(f"organisation is not of the channel: {claimed.msp_id!r}")
        return organisation.identify(claimed.certificate)


def _read_certificate(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)


def _read_authority(
    pem: bytes, lists: Sequence[x509.CertificateRevocationList], *, is_root: bool = False
) -> _Authority:
    certificate = _read_certificate(pem)
    if not _is_authority(certificate):
        raise Malformed("an organisation's authority may not issue certificates")
    key = _key(certificate)
    revoked = frozenset(
        one.serial_number for held in lists if _is_list_of(held, certificate, key) for one in held
    )
    return _Authority(certificate, key, is_root, revoked)


def _read_revocations(data: bytes) -> x509.CertificateRevocationList:
    if data.startswith(_PEM_HEAD):
        return x509.load_pem_x509_crl(data)
    return x509.load_der_x509_crl(data)


def _is_list_of(
    held: x509.CertificateRevocationList,
    authority: x509.Certificate,
    key: EllipticCurvePublicKey,
) -> bool:
    return held.issuer == authority.subject and held.is_signature_valid(key)


def _read_node_units(config: MspConfig) -> tuple[tuple[Role, str, bytes], ...] | None:
    """Return role, unit and issuer (DER, empty: any) of each unit that gives a role."""
    units = config.node_units
    if units is None or not units.is_enabled:
        return None
    given = (
        (Role.CLIENT, units.client),
        (Role.PEER, units.peer),
        (Role.ADMIN, units.admin),
        (Role.ORDERER, units.orderer),
    )
    return tuple((role, one.unit, _issuer_of(one)) for role, one in given if one is not None)


def _issuer_of(unit: UnitIdentifier) -> bytes:
    return _der(_read_certificate(unit.certificate)) if unit.certificate else b""


def _is_authority(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate may issue others."""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        if not constraints.ca:
            return False
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return usage.key_cert_sign


def _is_issued_by(issued: x509.Certificate, issuer: x509.Certificate, between: int) -> bool:
    """Tell whether *issuer* signed, with *between* authorities below the one that is signed."""
    limit = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
    if issued.issuer != issuer.subject or (limit is not None and between > limit):
        return False
    try:
        issued.verify_directly_issued_by(issuer)
    except _X509_ERRORS:
        return False
    return True


def _key(certificate: x509.Certificate) -> EllipticCurvePublicKey:
    key = certificate.public_key()
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise Malformed("key of a certificate is not on P-256")
    return key


def _units(certificate: x509.Certificate) -> list[str]:
    found = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    return [one.value for one in found if isinstance(one.value, str)]


def _window(certificate: x509.Certificate) -> tuple[int, int]:
    return (
        (certificate.not_valid_before_utc - _EPOCH) // _SECOND,
        (certificate.not_valid_after_utc - _EPOCH) // _SECOND,
    )


def _was_valid_when_began(leaf: x509.Certificate, chain: Sequence[_Authority]) -> bool:
    """Tell whether all were valid a second after *leaf* began, which is what peers ask."""
    moment = leaf.not_valid_before_utc + _SECOND
    certificates = (leaf, *(one.certificate for one in chain))
    return all(
        one.not_valid_before_utc <= moment <= one.not_valid_after_utc for one in certificates
    )


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)
