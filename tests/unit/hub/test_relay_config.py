"""The YAML of `tieline relay`: what is wrong is named with its key and what to write instead."""

import stat
from pathlib import Path

import pytest
from fakes.evm_files import EvmChainFiles
from fakes.fabric_identities import identity_of

from tieline.hub.connecting import (
    LINK_LANE,
    account_name,
    client_terms,
    lane_names,
    open_ledgers,
    refuse_unattested,
)
from tieline.hub.key_files import draw_key, read_keys
from tieline.hub.relay_config import EXAMPLE, RelayConfig, read_relay_config
from tieline.hub.relay_program import journal_url
from tieline.interfaces.errors import ConfigError
from tieline.ledgers.fabric.wallets import DatabaseWallet, FolderWallet

LEDGER = "{kind: cosmos, rpc: ['http://h:1'], key_file: k}"
TWO = f"ledgers: {{lab-a: {LEDGER}, lab-b: {LEDGER}}}\n"
PATH = "paths: [{between: [lab-a, lab-b]}]\n"


def read(tmp_path: Path, text: str) -> RelayConfig:
    path = tmp_path / "relay.yaml"
    path.write_text(text)
    return read_relay_config(path)


def test_the_example_is_a_configuration(tmp_path: Path) -> None:
    config = read(tmp_path, EXAMPLE)
    assert list(config.ledgers) == ["lab-a", "north-1"]
    assert config.paths[0].clients is None
    assert journal_url(config, tmp_path) == f"sqlite:///{tmp_path}/relay.db"
    other = config.model_copy(update={"journal": "postgresql://db/relay"})
    assert journal_url(other, tmp_path) == "postgresql://db/relay"


EVM = (
    "{kind: ethereum, rpc: ['http://h:1'], key_file: k, genesis_file: g.json, "
    "deployment_file: d.json, confirmations: 2}"
)


FABRIC = (
    "{kind: fabric, rpc: ['peer0.org1:7051'], key_file: k, "
    "fabric: {wallet: w, identity: relayer, tls_roots_file: r.pem}}"
)


def beside_fabric(written: str = "", instead: str = "") -> str:
    section = FABRIC.replace(written, instead) if written else FABRIC
    return f"ledgers: {{lab-a: {LEDGER}, lab-b: {section}}}\n" + PATH


def beside_evm(written: str = "", instead: str = "") -> str:
    section = EVM.replace(written, instead) if written else EVM
    return f"ledgers: {{lab-a: {LEDGER}, lab-b: {section}}}\n" + PATH


REFUSED = [
    (
        beside_evm("confirmations: 2", "lanes: 1"),
        "ledgers.lab-b",
        "confirmations: N, or finality: f",
    ),
    (beside_evm("2}", "2, finality: safe}"), "ledgers.lab-b", "confirmations: N, or finality:"),
    (beside_evm("2}", "2, finality: latest}"), "ledgers.lab-b.finality", "'finalized' or 'safe'"),
    (beside_evm("genesis_file: g.json, ", ""), "ledgers.lab-b", "needs genesis_file"),
    (beside_evm("2}", "2, lanes: 3}"), "ledgers.lab-b", "leave lanes out"),
    (beside_fabric("identity: relayer, ", ""), "ledgers.lab-b.fabric.identity", "Field required"),
    (beside_fabric("kind: fabric", "kind: cosmos"), "ledgers.lab-b", "kind fabric, and no other"),
    (
        beside_fabric("r.pem}", "r.pem, tls_root: k}"),
        "ledgers.lab-b.fabric.tls_root",
        "unknown key; write one of wallet, identity, ",
    ),
    (beside_fabric("r.pem}", "r.pem, tls_key_file: k}"), "ledgers.lab-b.fabric", "go together"),
    (
        f"ledgers: {{lab-a: {LEDGER}, lab-b: {LEDGER.replace('cosmos', 'fabric')}}}\n" + PATH,
        "ledgers.lab-b",
        "with wallet, identity and tls_roots_file",
    ),
    (
        (TWO + PATH).replace("key_file: k", "key_file: k, confirmations: 1, chain_id: 7", 1),
        "ledgers.lab-a",
        "only ledgers of kind ethereum have chain_id, confirmations",
    ),
    # what is written, its key, what the message says
    (TWO + PATH + "jurnal: x", "jurnal", "write one of journal, "),
    (TWO + PATH + "pace: {pol_ms_min: 5}", "pace.pol_ms_min", "write one of poll_ms_min, "),
    (TWO + PATH + "pace: {poll_ms_min: 0}", "pace.poll_ms_min", "greater than or equal to 1"),
    (TWO + PATH + "batches: {messages_max: many}", "batches.messages_max", "instead of 'many'"),
    (TWO, "paths", "Field required"),
    (PATH + f"ledgers: {{lab-a: {LEDGER}}}", "ledgers", "at least 2"),
    (TWO + "paths: [{between: [lab-a, lab-c]}]", "", "unknown ledger 'lab-c'; known: lab-a, lab-b"),
    (TWO + "paths: [{between: [lab-a, lab-a]}]", "paths.0", "two different ledgers"),
    (TWO + PATH.replace("]}]", "]}, {between: [lab-b, lab-a]}]"), "", "must both name"),
    (
        (TWO + PATH).replace("key_file: k}", "key_file: k, gas: 5}", 1),
        "ledgers.lab-a.gas",
        "unknown key; write one of kind, rpc, key_file",
    ),
    (
        (TWO + PATH).replace("kind: cosmos", "kind: evm", 1),
        "ledgers.lab-a.kind",
        "'cosmos', 'tendermint', 'ethereum' or 'fabric'",
    ),
    (
        (TWO + PATH).replace("key_file: k", "key_file: k, trusting_period_h: 600", 1),
        "ledgers.lab-a",
        "below unbonding_period_h",
    ),
]


@pytest.mark.parametrize(("text", "key", "words"), REFUSED, ids=[row[2] for row in REFUSED])
def test_what_is_wrong_is_named_with_what_to_write(
    tmp_path: Path, text: str, key: str, words: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, text)
    assert raised.value.key == key
    assert words in str(raised.value)
    assert raised.value.file.endswith("relay.yaml")


@pytest.mark.parametrize("text", ["a: [", "- : :"])
def test_what_is_not_yaml_is_said(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="is not YAML"):
        read(tmp_path, text)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read: .*; name a file"):
        read_relay_config(tmp_path / "none.yaml")


def test_a_key_is_drawn_once_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "lab-a.key"
    assert draw_key(path)
    assert not draw_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first, second, third = read_keys(path, 3)
    assert len({first.public_key, second.public_key, third.public_key}) == 3
    assert [one.public_key for one in read_keys(path, 2)] == [first.public_key, second.public_key]
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="others may read this key"):
        read_keys(path)


@pytest.mark.parametrize("text", ["", "zz" * 32, "ab" * 31, "00" * 32, "\udcff"])
def test_what_is_no_key_is_refused_without_being_quoted(tmp_path: Path, text: str) -> None:
    path = tmp_path / "k"
    path.touch(mode=0o600)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError) as raised:
        read_keys(path)
    assert not text or text not in str(raised.value)
    assert "tieline relay keys" in raised.value.instead


def test_a_missing_key_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="run `tieline relay keys` to make it"):
        read_keys(tmp_path / "none.key")


def test_ledgers_are_opened_with_the_lanes_of_their_key(tmp_path: Path) -> None:
    config = read(tmp_path, EXAMPLE.replace("lab-a.key", "lab-a.key\n    lanes: 2", 1))
    for section in config.ledgers.values():
        draw_key(tmp_path / section.key_file)
    ledgers = open_ledgers(config, tmp_path, is_linking=True)
    stock, ours = ledgers["lab-a"], ledgers["north-1"]
    assert (stock.capabilities.kind, ours.capabilities.kind) == ("cosmos", "cometbft")
    names = lane_names(config.ledgers["lab-a"])
    assert names == ("relayer", "relayer 1")
    assert stock.lane_account(LINK_LANE) == stock.lane_account("relayer")
    assert stock.lane_account("relayer 1") != stock.lane_account("relayer")
    account = ours.lane_account("relayer")
    assert account_name(config.ledgers["lab-a"], account).startswith("cosmos1")
    assert not account_name(config.ledgers["north-1"], account).startswith("cosmos1")
    for ledger in ledgers.values():
        ledger.close()


def evm_folder(tmp_path: Path, ledger_id: str = "lab-b") -> EvmChainFiles:
    files = EvmChainFiles(tmp_path, ledger_id)
    draw_key(tmp_path / "k")
    return files


def test_an_ethereum_ledger_is_opened_with_its_evm_account(tmp_path: Path) -> None:
    evm_folder(tmp_path)
    config = read(tmp_path, beside_evm())
    ledger = open_ledgers(config, tmp_path)["lab-b"]
    key = read_keys(tmp_path / "k")[0]
    assert ledger.lane_account("relayer") == key.address
    assert account_name(config.ledgers["lab-b"], key.address) == "0x" + key.address.hex()
    assert ledger.capabilities.kind == "evm"
    ledger.close()


@pytest.mark.parametrize(
    ("section", "ledger_id", "said"),
    [
        (("2}", "2, chain_id: 7}"), "lab-b", "chain_id is 7, and 1337 in the deployment record"),
        (("d.json", "none.json"), "lab-b", "the deployment record cannot be read"),
        (("g.json", "d.json"), "lab-b", "is no genesis"),
        (("http://h:1", "h:1"), "lab-b", "not an RPC address"),
        (("http://h:1", '"http://[::1"'), "lab-b", "not an RPC address"),
        (("http://h:1", '"http://h x:1"'), "lab-b", "not an RPC address"),
        (("d.json", "g.json"), "lab-b", r"g\.json: not a deployment record: .* is missing; name"),
        (("2}", "2, journal_file: .}"), "lab-b", "the journal of transactions cannot be opened"),
        (("2}", "2, journal_file: no/j}"), "lab-b", "the journal of transactions cannot be opened"),
        (("2}", "2}"), "other-1", "is of the ledger other-1, not lab-b"),
    ],
)
def test_what_does_not_fit_an_ethereum_ledger_is_said(
    tmp_path: Path, section: tuple[str, str], ledger_id: str, said: str
) -> None:
    evm_folder(tmp_path, ledger_id)
    with pytest.raises(ConfigError, match=said):
        open_ledgers(read(tmp_path, beside_evm(*section)), tmp_path)


def test_packets_of_ethereum_are_left_to_a_hub_with_attestors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="attestations of cells"):
        refuse_unattested(read(tmp_path, beside_evm()))
    refuse_unattested(read(tmp_path, TWO + PATH))


def test_an_address_that_is_none_is_refused(tmp_path: Path) -> None:
    config = read(tmp_path, EXAMPLE.replace("http://127.0.0.1:26657", "https://h/x"))
    draw_key(tmp_path / "keys" / "lab-a.key")
    with pytest.raises(ConfigError, match="not an RPC address"):
        open_ledgers(config, tmp_path)


def test_periods_reach_the_client_in_nanoseconds(tmp_path: Path) -> None:
    terms = client_terms(read(tmp_path, EXAMPLE).ledgers["lab-a"])
    assert (terms.trusting_period_ns, terms.unbonding_period_ns) == (
        14 * 86_400 * 10**9,
        21 * 86_400 * 10**9,
    )


def opened_fabric(tmp_path: Path, text: str, identities: FolderWallet | DatabaseWallet) -> None:
    """Open the ledgers of a file beside which there are keys and roots."""
    identities.put("relayer", identity_of("Org1MSP"))
    draw_key(tmp_path / "k")
    (tmp_path / "r.pem").write_bytes(identity_of("Org1MSP").certificate_pem)
    ledger = open_ledgers(read(tmp_path, text), tmp_path)["lab-b"]
    assert (ledger.ledger_id, ledger.capabilities.kind) == ("lab-b", "fabric")
    (key,) = read_keys(tmp_path / "k")
    assert ledger.lane_account("relayer") == key.cosmos_account
    ledger.close()


def test_a_fabric_ledger_is_opened_with_an_identity_of_a_folder(tmp_path: Path) -> None:
    opened_fabric(tmp_path, beside_fabric(), FolderWallet(tmp_path / "w"))


@pytest.mark.parametrize(
    ("written", "name"), [("", "lab-b.fabric.db"), (", history_file: kept/read.db", "kept/read.db")]
)
def test_what_is_read_of_a_channel_is_kept_beside_the_configuration(
    tmp_path: Path, written: str, name: str
) -> None:
    text = beside_fabric("r.pem", f"r.pem{written}")
    opened_fabric(tmp_path, text, FolderWallet(tmp_path / "w"))
    opened_fabric(tmp_path, text, FolderWallet(tmp_path / "w"))
    (tmp_path / name).write_text("something else\n" * 99)
    with pytest.raises(ConfigError, match=f"{name}: is no file of what was read"):
        opened_fabric(tmp_path, text, FolderWallet(tmp_path / "w"))


def test_and_of_an_encrypted_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = beside_fabric("identity: relayer", "identity: relayer, passphrase_variable: WALLET_PASS")
    wallet = DatabaseWallet(tmp_path / "w", "of the test")
    monkeypatch.setenv("WALLET_PASS", "of the test")
    opened_fabric(tmp_path, text, wallet)
    monkeypatch.setenv("WALLET_PASS", "another")
    with pytest.raises(ConfigError, match="passphrase is not this wallet's"):
        opened_fabric(tmp_path, text, wallet)
    monkeypatch.delenv("WALLET_PASS")
    with pytest.raises(ConfigError, match="the environment has no WALLET_PASS"):
        opened_fabric(tmp_path, text, wallet)
    wallet.close()


@pytest.mark.parametrize(
    ("written", "instead", "said"),
    [
        ("identity: relayer", "identity: nobody", "no identity called 'nobody'"),
        ("r.pem", "none.pem", "TLS root certificates cannot be read"),
        ("peer0.org1:7051", "http://peer0.org1:7051", "write HOST:PORT"),
        ("peer0.org1:7051", "peer0.org1", "write HOST:PORT"),
    ],
)
def test_what_does_not_fit_a_fabric_ledger_is_said(
    tmp_path: Path, written: str, instead: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        opened_fabric(tmp_path, beside_fabric(written, instead), FolderWallet(tmp_path / "w"))


def test_packets_of_fabric_are_left_to_a_hub_with_attestors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="lab-b are proved by attestations") as caught:
        refuse_unattested(read(tmp_path, beside_fabric()))
    assert caught.value.key == "paths.0"
