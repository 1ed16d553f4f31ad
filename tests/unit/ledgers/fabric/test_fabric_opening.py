"""What an operator names for the TLS link to a peer is looked at before a peer is asked."""

from __future__ import annotations

from base64 import encodebytes

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate
from fakes.fabric_identities import identity_of

from tieline.interfaces.errors import ConfigError
from tieline.ledgers.fabric.opening import FabricSource, open_ports
from tieline.ledgers.fabric.wallets import FolderWallet

BROKEN = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
P256 = bytes.fromhex("2a8648ce3d030107")
"""The curve's name in a certificate; with another last octet one that nobody knows."""


def pem_of(der):
    return b"-----BEGIN CERTIFICATE-----\n%s-----END CERTIFICATE-----\n" % encodebytes(der)


@pytest.fixture
def source(tmp_path):
    """Makes a source of the named files; ``root``, ``crt`` and ``key`` are as they should be."""
    one, other = identity_of("Org1MSP", "client"), identity_of("Org2MSP", "client")
    FolderWallet(tmp_path / "wallet").put("relayer", one)
    files = {"root": one.certificate_pem, "crt": one.certificate_pem, "key": one.key_pem}
    files |= {"other": other.key_pem, "noise": b"noise", "broken": BROKEN, "empty": b""}
    der = load_pem_x509_certificate(one.certificate_pem).public_bytes(Encoding.DER)
    files["curve"] = pem_of(der.replace(P256, P256[:-1] + b"\x09"))
    point = der.index(P256) + len(P256) + 4
    files["point"] = pem_of(der[:point] + bytes(8) + der[point + 8 :])
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    def make(root, shown):
        return FabricSource(
            fabric_channel="lab",
            peers=("peer0.org1.example:7051",),
            wallet=tmp_path / "wallet",
            identity="relayer",
            passphrase_variable="",
            tls_roots_file=tmp_path / root,
            tls_shown_files=shown and (tmp_path / shown[0], tmp_path / shown[1]),
            trusting_period_s=1,
        )

    return make


@pytest.mark.parametrize("shown", [None, ("crt", "key")])
def test_files_that_fit_are_taken(source, shown):
    (port,) = open_ports(source("root", shown))
    assert port.name == "peer0.org1.example:7051"


@pytest.mark.parametrize(
    ("root", "shown", "said"),
    [
        ("noise", None, "noise: holds no certificate"),
        ("broken", None, "broken: holds no certificate"),
        ("empty", None, "empty: holds no certificate"),
        ("key", None, "key: holds no certificate"),
        ("gone", None, "gone: the TLS root certificates cannot be read"),
        ("root", ("noise", "key"), "noise: holds no certificate"),
        ("root", ("key", "crt"), "key: holds no certificate"),
        ("root", ("curve", "key"), "curve: its certificate has a key"),
        ("root", ("point", "key"), "point: its certificate has a key"),
        ("root", ("crt", "noise"), "noise: holds no key"),
        ("root", ("crt", "empty"), "empty: holds no key"),
        ("root", ("crt", "other"), "other: is not the key of"),
    ],
)
def test_files_that_do_not_fit_are_named(source, root, shown, said):
    """Before, some ended by a traceback at the first block, others by a peer that never answers."""
    with pytest.raises(ConfigError, match=said) as caught:
        open_ports(source(root, shown))
    assert caught.value.instead
