"""X.509 identities of organisations that nobody knows, the same in every run."""

from functools import cache

from tieline.ledgers.fabric.material import Role, make_organisation
from tieline.ledgers.fabric.wallets import Identity
from tieline.ledgers.fabric.x509_making import ALWAYS
from tieline.wire.hashes import sha256


@cache
def identity_of(msp_id, name="client"):
    """The identity of a client of an organisation."""
    seed = sha256(f"identities of {msp_id}".encode())
    member = make_organisation(msp_id, [(name, Role.CLIENT)], ALWAYS, seed=seed).member(name)
    return Identity(msp_id, member.signing.certificate_pem, member.signing.private_pem())
