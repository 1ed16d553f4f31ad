"""`tieline fabric`: a channel of one's own gets its contract; what is wrong is said in one line."""

import io
import json
import stat
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.embedded_fabric import FIRST, START_S, fabric_genesis, planned
from fakes.fabric_identities import identity_of
from fakes.microgrid import key

from tieline.cli import main
from tieline.contract.chaincode import Chaincode
from tieline.hub.genesis_file import read_genesis_file
from tieline.interfaces.errors import ConfigError, Unavailable
from tieline.ledgers.fabric import opening
from tieline.ledgers.fabric.embedded.channel_plan import CLIENT, Consensus
from tieline.ledgers.fabric.embedded.embedded_port import EmbeddedPort
from tieline.ledgers.fabric.embedded.network import Network
from tieline.ledgers.fabric.embedded.signing import Signatory
from tieline.ledgers.fabric.port import CHAINCODE
from tieline.ledgers.fabric.wallets import Identity
from tieline.wire.bech32 import account_to_text
from tieline.wire.fabric.invocations import tick_args
from tieline.wire.hashes import sha256

MINIMAL = {
    "chain_id": "lab",
    "network_id": "0x" + "ee" * 32,
    "cell_address": "0x" + key("cell").address.hex(),
    "founding_cells": [key("cell").address.hex()],
    "balances": {account_to_text(key("relayer").cosmos_account): 1_000_000_000},
}
RELAY = """
ledgers:
  lab:
    kind: fabric
    rpc: ['127.0.0.1:1', '127.0.0.1:2']
    key_file: keys/lab.key
    fabric: {wallet: wallet, identity: relayer, tls_roots_file: roots.pem}
  lab-a: {kind: cosmos, rpc: ['http://127.0.0.1:1'], key_file: keys/lab-a.key}
"""


class Commands:
    """Calls the command line in this process, in a folder of its own."""

    def __init__(self, monkeypatch, capsys) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["tieline", "fabric", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = self._capsys.readouterr()
        return (end.value.code if isinstance(end.value.code, int) else 0), out, err


@pytest.fixture
def fabric(monkeypatch, capsys, tmp_path) -> Commands:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "relay.yaml").write_text(RELAY)
    (tmp_path / "genesis.json").write_text(json.dumps(MINIMAL, indent=2))
    return Commands(monkeypatch, capsys)


class Channel:
    """A network whose peers have the contract, which nobody has begun."""

    def __init__(self) -> None:
        self.plan = planned("lab", Consensus.RAFT, None)
        self.network = Network(self.plan, lambda: {CHAINCODE: Chaincode()}, lambda: START_S)
        self.port(0).define(FIRST)

    def port(self, number: int) -> EmbeddedPort:
        member = self.plan.organisations[number].member(CLIENT)
        return EmbeddedPort(self.network, Signatory.of(member), peer=number, is_prompt=True)

    def ports(self, _source: object) -> list[EmbeddedPort]:
        return [self.port(0), self.port(1)]


@pytest.fixture
def channel(monkeypatch) -> Channel:
    """The channel to which the file's addresses lead."""
    made = Channel()
    monkeypatch.setattr(opening, "open_ports", made.ports)
    return made


def members(package: Path) -> dict[str, bytes]:
    with tarfile.open(package, "r:gz") as tar:
        code = tar.extractfile("code.tar.gz").read()
        metadata = tar.extractfile("metadata.json").read()
    with tarfile.open(fileobj=io.BytesIO(code), mode="r:gz") as tar:
        return {"metadata": metadata} | {
            name: tar.extractfile(name).read() for name in tar.getnames()
        }


def test_a_package_says_where_the_service_is_and_is_known_by_its_bytes(
    fabric: Commands, tmp_path: Path
) -> None:
    address = ("--address", "tieline.org1.example:9999")
    code, out, _ = fabric("package", "a.tgz", *address, "--genesis", "genesis.json", "--json")
    told = json.loads(out)
    assert code == 0
    fabric("package", "b.tgz", *address)
    package = tmp_path / "a.tgz"
    assert package.read_bytes() == (tmp_path / "b.tgz").read_bytes()
    assert told["package_id"] == f"tieline_1:{sha256(package.read_bytes()).hex()}"
    held = members(package)
    assert json.loads(held["metadata"]) == {"type": "ccaas", "label": "tieline_1"}
    assert json.loads(held["connection.json"]) == {
        "address": "tieline.org1.example:9999",
        "dial_timeout": "5s",
        "tls_required": False,
    }
    genesis = read_genesis_file(tmp_path / "genesis.json", "fabric").to_bytes()
    assert told["command"] == (
        "python -m tieline.ledgers.fabric.chaincode_main --listen tieline.org1.example:9999 "
        f"--package-id {told['package_id']} --argument {sha256(genesis).hex()}"
    )


def write_client_keys(folder: Path) -> Identity:
    kept = identity_of("Org1MSP", "client")
    (folder / "ca.crt").write_bytes(kept.certificate_pem)
    (folder / "client.crt").write_bytes(kept.certificate_pem)
    (folder / "client.key").write_bytes(kept.key_pem)
    return kept


def test_a_package_that_holds_a_key_is_its_owners_alone(fabric: Commands, tmp_path: Path) -> None:
    kept = write_client_keys(tmp_path)
    code, out, _ = fabric("package", "a.tgz", "--address", "cc:9999", "--tls", ".", "--label", "x")
    assert code == 0
    assert "package id: x:" in out
    assert "--tls SERVER_KEYS" in out
    assert stat.S_IMODE((tmp_path / "a.tgz").stat().st_mode) == 0o600
    said = json.loads(members(tmp_path / "a.tgz")["connection.json"])
    assert (said["tls_required"], said["client_auth_required"]) == (True, True)
    assert said["root_cert"] == said["client_cert"] == kept.certificate_pem.decode()
    assert said["client_key"] == kept.key_pem.decode()


@pytest.mark.parametrize("name", ["ca.crt", "client.crt", "client.key"])
def test_a_package_is_not_made_of_keys_that_are_none(
    fabric: Commands, tmp_path: Path, name: str
) -> None:
    """DER instead of PEM ended by a traceback, noise by peers that do not reach their chaincode."""
    write_client_keys(tmp_path)
    for content in (b"\x30\x82\xff", b"noise"):
        (tmp_path / name).write_bytes(content)
        code, _, err = fabric("package", "a.tgz", "--address", "cc:9999", "--tls", ".")
        assert code != 0
        assert f"{name}: holds no" in err
        assert not (tmp_path / "a.tgz").exists()


def test_a_contract_is_begun_once_and_every_peer_is_asked_for_it(
    fabric: Commands, channel: Channel, monkeypatch
) -> None:
    monkeypatch.setattr("time.time", lambda: START_S + 42.0)
    _, out, _ = fabric("check", "lab")
    assert out.count("not begun") == 2
    code, out, err = fabric("begin", "lab", "--genesis", "genesis.json")
    assert (code, err) == (0, "")
    assert out.startswith("lab: begun; genesis ")
    code, out, _ = fabric("begin", "lab", "--genesis", "genesis.json", "--json")
    again = json.loads(out)
    assert (code, again["is_ours"]) == (0, False)
    assert "no Tick yet" in fabric("check", "lab")[1]
    channel.network.order(_endorsed(channel, START_S).envelope)
    channel.network.cut()
    code, out, _ = fabric("check", "lab", "--json")
    rows = json.loads(out)
    assert code == 0
    assert [row["genesis_sha256"] for row in rows] == [again["genesis_sha256"]] * 2
    assert [row["clock_age_s"] for row in rows] == [42, 42]
    assert {row["trouble"] for row in rows} == {""}


def _endorsed(channel: Channel, time_s: int):
    port = channel.port(0)
    return port.endorse_at(channel.network.peers, tick_args(time_s))


def test_another_genesis_is_refused_with_cause_and_cure(fabric: Commands, channel: Channel) -> None:
    assert fabric("begin", "lab", "--genesis", "genesis.json")[0] == 0
    height = channel.network.height
    Path("other.json").write_text(json.dumps(MINIMAL | {"network_id": "dd" * 32}))
    code, out, err = fabric("begin", "lab", "--genesis", "other.json")
    assert (code, out) == (2, "")
    assert "has begun already" in err
    assert "a channel that was begun with another one stays with it" in err
    assert channel.network.height == height


class Slow(EmbeddedPort):
    """Somebody else begins the contract after this one has had its own genesis endorsed."""

    faster: bytes = b""

    async def order(self, envelope: bytes) -> None:
        if self.faster:
            faster, self.faster = self.faster, b""
            assert await opening.begin_contract(self, faster)
        await super().order(envelope)


@pytest.mark.parametrize("network_id", ["ee", "dd"])
def test_who_comes_second_in_a_race_learns_which_genesis_it_was(
    fabric: Commands, channel: Channel, monkeypatch, network_id: str
) -> None:
    Path("other.json").write_text(json.dumps(MINIMAL | {"network_id": network_id * 32}))
    slow = Slow(
        channel.network, Signatory.of(channel.plan.organisations[0].member(CLIENT)), is_prompt=True
    )
    slow.faster = read_genesis_file(Path("other.json"), "fabric").to_bytes()
    monkeypatch.setattr(opening, "open_ports", lambda _source: [slow])
    code, out, err = fabric("begin", "lab", "--genesis", "genesis.json")
    if network_id == "ee":
        assert (code, "had begun already, with this genesis" in out) == (0, True)
    else:
        assert (code, "has begun already" in err) == (2, True)


def test_a_check_says_of_each_peer_what_is_wrong_and_fails(
    fabric: Commands, channel: Channel, monkeypatch
) -> None:
    silent = channel.port(1)

    async def fail() -> int:
        raise Unavailable("a peer does not answer: peer=second")

    monkeypatch.setattr(silent, "height", fail)
    monkeypatch.setattr(opening, "open_ports", lambda _source: [channel.port(0), silent])
    code, out, _ = fabric("check", "lab")
    assert code == 1
    assert "a peer does not answer: peer=second" in out


def test_a_clock_far_ahead_of_this_computers_is_said(
    fabric: Commands, channel: Channel, monkeypatch
) -> None:
    assert fabric("begin", "lab", "--genesis", "genesis.json")[0] == 0
    channel.network.order(_endorsed(channel, START_S).envelope)
    channel.network.cut()
    monkeypatch.setattr("time.time", lambda: START_S - 300.0)
    code, out, _ = fabric("check", "lab")
    assert code == 1
    assert "300 s ahead of this computer's" in out
    assert "NTP" in out


def test_a_channel_whose_blocks_could_not_be_proved_is_refused_with_cause_and_cure(
    fabric: Commands, channel: Channel
) -> None:
    # Fabric's samples say 99 MB; a transaction in such a block could be answered by nobody.
    def enlarge(config):
        limits = replace(config.orderer.batch_limits, bytes_max=1 << 20)
        return replace(config, orderer=replace(config.orderer, batch_limits=limits))

    channel.network.update_config(enlarge)
    before = channel.network.height
    code, out, err = fabric("begin", "lab", "--genesis", "genesis.json")
    assert (code, out) == (2, "")
    assert "blocks of this channel may have 1048576 bytes" in err
    assert "AbsoluteMaxBytes to 524288 or less" in err
    assert channel.network.height == before
    code, out, _ = fabric("check", "lab")
    assert code == 1
    assert out.count("AbsoluteMaxBytes to 524288 or less") == 2
    channel.network.update_config(lambda config: replace(config, orderer=_cut(config)))
    assert fabric("begin", "lab", "--genesis", "genesis.json")[0] == 0
    assert "AbsoluteMaxBytes" not in fabric("check", "lab")[1]


def _cut(config):
    limits = replace(config.orderer.batch_limits, bytes_max=512 * 1024)
    return replace(config.orderer, batch_limits=limits)


REFUSED = [
    # what is typed, what the one line on standard error says
    (["begin", "lab", "--genesis", "none.json"], "none.json: cannot be read"),
    (["begin", "lab", "--genesis", "genesis.json", "--config", "none.yaml"], "cannot be read"),
    (["begin", "lab-a", "--genesis", "genesis.json"], "give ledger and genesis the name"),
    (["begin", "lab", "--genesis", "genesis.json"], "roots.pem"),
    (["check", "lab-a"], "no ledger 'lab-a' of kind fabric; write one of lab"),
    (["package", "a.tgz", "--address", "nowhere"], "--address: not an address of a chaincode"),
    (["package", "a.tgz", "--address", "cc:70000"], "write HOST:PORT"),
    (["package", "a.tgz", "--address", "c c:1"], "write HOST:PORT"),
    (["package", "a.tgz", "--address", "cc:1:2"], "write HOST:PORT"),
    (["package", "a.tgz", "--address", "::1:7051"], "write HOST:PORT"),
    (["package", "a.tgz", "--address", "cc:1", "--label", "a b"], "--label: no label"),
    (["package", "a.tgz", "--address", "cc:1", "--tls", "none"], "name a folder with ca.crt"),
    (["package", "no/such/a.tgz", "--address", "cc:1"], "cannot be written"),
]


@pytest.mark.parametrize(("arguments", "words"), REFUSED)
def test_a_refusal_is_one_line(fabric: Commands, arguments: list[str], words: str) -> None:
    from fakes.fabric_identities import identity_of

    from tieline.ledgers.fabric.wallets import FolderWallet

    FolderWallet(Path("wallet")).put("relayer", identity_of("Org1MSP"))
    code, out, err = fabric(*arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1


WRONG = [
    # keys that are written, what is said
    ({"network_id": "ee"}, "network_id: must be 32 bytes in hex"),
    ({"cell_address": 7}, "cell_address: must be 20 bytes in hex, 40 digits, not 7"),
    ({"founding_cells": []}, "founding_cells must name at least one cell"),
    ({"founding_cells": "ab" * 20}, "founding_cells: must be a list"),
    ({"chain_id": None}, "chain_id: must be text"),
    ({"kind": "evm"}, "kind: is 'evm'; write 'fabric'"),
    ({"role": 9}, "role: must be one of"),
    ({"balances": {"tieline1x": 1}}, "balances: not an account"),
    ({"balances": {"ab" * 20: "1.5"}}, "balances: must be a whole number"),
    ({"balances": {"ab" * 20: 0}}, "amount in balances out of range"),
    ({"parameters": {"tau": 1}}, "parameters: has no tau; it has tau_lead_s"),
    ({"parameters": {"gate_lead_s": 1}}, "parameters: gate_lead_s=1 leaves no time"),
    ({"takes_plain_clients": 1}, "takes_plain_clients: must be true or false"),
    ({"colour": "red"}, "colour: unknown key; write one of chain_id"),
]


@pytest.mark.parametrize(("written", "words"), WRONG)
def test_a_wrong_key_of_a_genesis_is_named(tmp_path: Path, written: dict, words: str) -> None:
    path = tmp_path / "genesis.json"
    path.write_text(json.dumps(MINIMAL | written))
    with pytest.raises(ConfigError) as caught:
        read_genesis_file(path, "fabric")
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_genesis_that_lacks_a_key_or_says_one_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "genesis.json"
    path.write_text(json.dumps({"chain_id": "lab"}))
    with pytest.raises(ConfigError, match="network_id: is missing"):
        read_genesis_file(path, "fabric")
    path.write_text('{"chain_id": "lab", "chain_id": "lab"}')
    with pytest.raises(ConfigError, match="twice: chain_id"):
        read_genesis_file(path, "fabric")


def test_the_genesis_of_the_documentation_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs/fabric.md").read_text()
    (tmp_path / "genesis.json").write_text(page.split("```json\n")[1].split("```")[0])
    assert read_genesis_file(tmp_path / "genesis.json", "fabric").chain_id == "lab"


def test_a_canonical_genesis_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "genesis.json"
    path.write_bytes(fabric_genesis().to_bytes())
    assert read_genesis_file(path, "fabric") == fabric_genesis()
