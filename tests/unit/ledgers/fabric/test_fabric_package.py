"""The chaincode package, the external builder's scripts and the file that names the service."""

import io
import json
import os
import subprocess
import tarfile

import pytest
from fakes.fabric_identities import identity_of

from tieline.interfaces.errors import ConfigError
from tieline.ledgers.fabric import chaincode_main
from tieline.ledgers.fabric.chaincode_main import (
    open_chaincode,
    read_keys,
    read_package_id,
    wall_clock,
)
from tieline.ledgers.fabric.native.chaincode_package import (
    LinkKeys,
    connection_file,
    make_package,
    write_builder,
)


def test_a_label_makes_the_same_package_and_another_label_another():
    assert make_package("a_1") == make_package("a_1")
    assert make_package("a_1").package_id != make_package("a_2").package_id
    assert make_package("a_1").package_id.startswith("a_1:")


def test_the_package_is_what_peers_open():
    content = make_package("a_1").content
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
        assert tar.getnames() == ["metadata.json", "code.tar.gz"]
        metadata = json.load(tar.extractfile("metadata.json"))
    assert metadata == {"type": "ccaas", "label": "a_1"}


def run(builder, name, *folders, **environment):
    command = [str(builder / "bin" / name), *map(str, folders)]
    return subprocess.run(command, env=os.environ | environment, check=False).returncode


@pytest.mark.parametrize(("kind", "code"), [("ccaas", 0), ("golang", 1)])
def test_the_builder_takes_services_and_nothing_else(tmp_path, kind, code):
    write_builder(tmp_path / "builder")
    metadata = json.dumps({"type": kind, "label": "x"}, separators=(",", ":"))
    (tmp_path / "metadata.json").write_text(metadata)
    assert run(tmp_path / "builder", "detect", tmp_path, tmp_path) == code


def test_the_builder_releases_where_this_peers_chaincode_listens(tmp_path):
    write_builder(tmp_path / "builder")
    own = tmp_path / "connection.json"
    own.write_bytes(connection_file("127.0.0.1:20001", None))
    out, release = tmp_path / "out", tmp_path / "release"
    assert run(tmp_path / "builder", "build", tmp_path, tmp_path, out) == 0
    named = {"TIELINE_CCAAS_CONNECTION": str(own)}
    assert run(tmp_path / "builder", "release", out, release, **named) == 0
    released = json.loads((release / "chaincode/server/connection.json").read_bytes())
    assert released == {
        "address": "127.0.0.1:20001",
        "dial_timeout": "5s",
        "tls_required": False,
    }


def test_with_tls_the_peer_shows_its_own_certificate():
    content = json.loads(connection_file("127.0.0.1:1", LinkKeys(b"root", b"certificate", b"key")))
    assert content["tls_required"]
    assert content["client_auth_required"]
    assert (content["root_cert"], content["client_cert"], content["client_key"]) == (
        "root",
        "certificate",
        "key",
    )


@pytest.mark.parametrize("text", ["", "label", "label:12", "la bel:" + "ab" * 32])
def test_what_is_no_package_id_is_refused_before_a_peer_waits_for_it(text):
    with pytest.raises(ConfigError, match="label:hash"):
        read_package_id(text)


def test_the_contract_takes_the_hash_of_one_genesis_or_any():
    assert open_chaincode("", "")
    assert open_chaincode("", "ab" * 32)
    with pytest.raises(ConfigError, match="64 hex digits"):
        open_chaincode("", "abcd")


def test_another_chaincode_is_named_by_module_and_function():
    made = open_chaincode("fakes.put_get_chaincode:open_put_get", "hello")
    assert made.invoke((b"argument",), None, None).payload == b"hello"


def test_the_wall_clock_is_the_computers_or_the_files(tmp_path):
    file = tmp_path / "clock"
    file.write_bytes((1_800_000_000_999_999_999).to_bytes(8, "little"))
    assert wall_clock(str(file))() == 1_800_000_000
    file.write_bytes((1_800_000_001_000_000_000).to_bytes(8, "little"))
    assert wall_clock(str(file))() == 1_800_000_001
    assert wall_clock("")() > 1_700_000_000


def test_keys_that_are_not_there_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"server\.crt"):
        read_keys(tmp_path)


def test_keys_of_the_service_that_are_none_are_named(tmp_path):
    """They were said to be a port at which another process listens."""
    kept, other = identity_of("Org1MSP", "client"), identity_of("Org2MSP", "client")
    files = {"server.crt": kept.certificate_pem, "server.key": kept.key_pem}
    files["ca.crt"] = kept.certificate_pem
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    assert read_keys(tmp_path).key == kept.key_pem
    (tmp_path / "server.key").write_bytes(other.key_pem)
    with pytest.raises(ConfigError, match=r"server\.key: is not the key of"):
        read_keys(tmp_path)
    (tmp_path / "ca.crt").write_bytes(b"noise")
    (tmp_path / "server.key").write_bytes(kept.key_pem)
    with pytest.raises(ConfigError, match=r"ca\.crt: holds no certificate"):
        read_keys(tmp_path)


@pytest.mark.parametrize(
    ("factory", "called_as"), [("", "tieline"), ("fakes.put_get_chaincode:PutGet", "")]
)
def test_the_contract_is_served_for_those_who_call_it_by_its_own_name(
    monkeypatch, factory, called_as
):
    served = []

    class Server(chaincode_main.ChaincodeServer):
        def start(self, address):
            served.append(self._called_as)
            raise ConfigError("not in a test")

    monkeypatch.setattr(chaincode_main, "ChaincodeServer", Server)
    arguments = ["--listen", "127.0.0.1:1", "--package-id", f"x:{'ab' * 32}", "--factory", factory]
    monkeypatch.setattr("sys.argv", ["chaincode", *arguments])
    with pytest.raises(SystemExit, match="not in a test"):
        chaincode_main.main()
    assert served == [called_as]
