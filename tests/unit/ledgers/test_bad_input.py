"""Bad transactions and queries at the door of ABCI: a code, its words, and nothing has changed."""

from __future__ import annotations

import pytest
from cosmpy.protos.cosmos.auth.v1beta1 import query_pb2 as auth_pb2
from fakes.abci_engine import Engine
from fakes.bad_transactions import ANN, BAD, FAILING, Signing, signed
from fakes.microgrid import CHAIN_ID, Ledger, pay

from tieline.contract.assembly import microgrid_installation, microgrid_light_clients
from tieline.contract.fees import FEE_COLLECTOR
from tieline.contract.iavl import PROVABLE_VERSIONS
from tieline.contract.multistore import MultiStore
from tieline.contract.store import IBC, STORES, TIELINE

FEE = (("neur", 5),)


@pytest.fixture
def engine(tmp_path):
    ledger = Ledger(tree=MultiStore(STORES))
    ledger.installation = microgrid_installation(microgrid_light_clients(ledger.genesis))
    engine = Engine(tmp_path / "state.sqlite", ledger)
    engine.block()
    engine.block(ledger.transaction("ann", pay("ann", "bob", 1)))
    yield engine
    engine.store.close()


def state(engine):
    return {name: engine.contract.scan(name, b"") for name in STORES}


@pytest.mark.parametrize(("what", "make", "code", "words"), BAD, ids=[row[0] for row in BAD])
def test_a_bad_transaction_is_refused_at_the_door_and_in_a_block(engine, what, make, code, words):
    raw, before = make(Signing(CHAIN_ID, 1, FEE)), state(engine)
    checked = engine.ask("check_tx", tx=raw)
    assert (checked.codespace, checked.code) == ("sdk", code), checked.log
    assert words in checked.log
    simulated = engine.contract.simulate(raw)
    assert simulated.code in {0, code, 11}, simulated.log
    (result,) = engine.block(raw).tx_results
    assert (result.codespace, result.code) == ("sdk", code), result.log
    assert words in result.log
    assert not result.events or code == 11
    assert state(engine) == before
    good = signed(Signing(CHAIN_ID, 1))
    assert engine.ask("check_tx", tx=good).code == 0
    assert engine.block(good).tx_results[0].code == 0


@pytest.mark.parametrize(
    ("what", "make", "codespace", "code", "words"), FAILING, ids=[row[0] for row in FAILING]
)
def test_a_failing_transaction_costs_its_fee_and_its_sequence_only(
    engine, what, make, codespace, code, words
):
    raw = make(Signing(CHAIN_ID, 1, FEE))
    before = state(engine)
    assert engine.ask("check_tx", tx=raw).code == 0
    (result,) = engine.block(raw).tx_results
    assert result.code
    if codespace:
        assert (result.codespace, result.code) == (codespace, code), result.log
    assert words in result.log
    assert {one.type for one in result.events} <= {
        "tx",
        "coin_spent",
        "coin_received",
        "transfer",
        "message",
    }
    after = state(engine)
    assert after[IBC] == before[IBC]
    changed = {key for key, _ in set(after[TIELINE]) ^ set(before[TIELINE])}
    assert changed == {
        b"a" + ANN.cosmos_account + b"\x00",
        b"a" + ANN.cosmos_account + b"\x02",
        b"a" + FEE_COLLECTOR + b"\x00",
    }


ACCOUNT = auth_pb2.QueryAccountRequest(address="x").SerializeToString()
PATHS = [
    # path, data, height, code, words
    ("/cosmos.bank.v1beta1.Query/Nothing", b"", 0, 6, "unknown query path"),
    ("/cosmos.staking.v1beta1.Query/Validators", b"", 0, 6, "unknown query path"),
    ("/store/bank/key", b"x", 0, 6, "unknown query path"),
    ("custom/acc/x", b"", 0, 6, "unknown query path"),
    ("", b"", 0, 6, "unknown query path"),
    ("/" * 99, b"", 0, 6, "unknown query path"),
    ("/cosmos.auth.v1beta1.Query/Account", ACCOUNT, 0, 18, "invalid address"),
    ("/cosmos.auth.v1beta1.Query/Account", b"", 0, 18, "empty address"),
    ("/cosmos.auth.v1beta1.Query/Account", b"\xff", 0, 18, "not a cosmos.auth.v1beta1"),
    ("/cosmos.tx.v1beta1.Service/Simulate", b"", 0, 18, "empty txBytes"),
    ("/store/ibc/key", b"", 0, 18, "zero length"),
    ("/store/ibc/key", b"x", 10**6, 26, "height in the future"),
    ("/store/ibc/key", b"x", 2**63 - 1, 26, "height in the future"),
    ("/store/ibc/key", b"x", -1, 26, "negative height"),
    ("/cosmos.bank.v1beta1.Query/TotalSupply", b"", 10**6, 26, "height in the future"),
    ("/store/ibc/subspace", b"x", 1, 18, "latest height"),
]


@pytest.mark.parametrize(("path", "data", "height", "code", "words"), PATHS)
@pytest.mark.parametrize("prove", [False, True])
def test_a_bad_query_is_a_code_and_its_words(engine, path, data, height, code, words, prove):
    before = state(engine)
    answer = engine.ask("query", path=path, data=data, height=height, prove=prove)
    assert (answer.codespace, answer.code) == ("sdk", code)
    assert words in answer.log
    assert state(engine) == before


@pytest.mark.parametrize(
    "path", ["/store/ibc/key", "store/ibc/key", "/cosmos.bank.v1beta1.Query/Params"]
)
@pytest.mark.parametrize("prove", [False, True])
def test_a_height_that_was_pruned_is_told_so(engine, path, prove):
    while engine.height <= PROVABLE_VERSIONS + 2:
        engine.block()
    answer = engine.ask("query", path=path, data=b"x", height=2, prove=prove)
    assert (answer.codespace, answer.code) == ("sdk", 38)
    assert "failed to load state at height 2; version does not exist" in answer.log
    kept = engine.ask("query", path=path, data=b"x", height=engine.height - 1, prove=prove)
    assert kept.code in {0, 18}


def test_a_query_that_breaks_down_stops_nothing(engine, monkeypatch):
    monkeypatch.setattr(type(engine.contract), "query", lambda *_: 1 / 0)
    with_bug = engine.ask("query", path="/store/ibc/key", data=b"x", height=engine.height)
    assert (with_bug.codespace, with_bug.code) == ("undefined", 111_222)
    monkeypatch.undo()
    assert engine.block(engine.ledger.transaction("ann", pay("ann", "bob", 1))).tx_results
