"""State on disk: what is opened again goes on as if it had never stopped."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest
from fakes.microgrid import Ledger, pay

from tieline.contract.iavl import PROVABLE_VERSIONS
from tieline.contract.multistore import MultiStore
from tieline.contract.store import STORES
from tieline.interfaces.errors import ConfigError
from tieline.ledgers.tendermint.state_store import StateStore


def reference(blocks):
    """App hashes of a ledger that never stops."""
    ledger = Ledger(tree=MultiStore(STORES))
    hashes = [ledger.application.app_hash]
    for amount in range(1, blocks):
        ledger.block(ledger.transaction("ann", pay("ann", "bob", amount)))
        hashes.append(ledger.application.app_hash)
    return hashes


def stored(path):
    """A ledger whose state is in a file: block 1 is made and saved."""
    ledger = Ledger(tree=MultiStore(STORES))
    reopen(ledger, path)
    ledger.now_s -= 5
    ledger.block()
    return ledger


def reopen(ledger, path):
    store = StateStore(path)
    ledger.application = store.open_application(ledger.genesis, ledger.installation)
    ledger.store = store


def test_a_state_that_is_opened_again_goes_on_alike(tmp_path):
    path = tmp_path / "state.sqlite"
    ledger = stored(path)
    ledger.store.save(ledger.application)
    hashes = [ledger.application.app_hash]
    for amount in range(1, 12):
        ledger.block(ledger.transaction("ann", pay("ann", "bob", amount)))
        ledger.store.save(ledger.application)
        hashes.append(ledger.application.app_hash)
        proof = ledger.application.prove("tieline", b"ztag", 1)
        place = (ledger.application.height, ledger.application.time_ns)
        ledger.store.close()
        reopen(ledger, path)
        assert (ledger.application.height, ledger.application.time_ns) == place
        assert ledger.application.app_hash == hashes[-1]
        assert ledger.application.prove("tieline", b"ztag", 1) == proof
    assert hashes == reference(12)
    ledger.store.close()


def test_a_block_that_was_not_saved_is_gone(tmp_path):
    path = tmp_path / "state.sqlite"
    ledger = stored(path)
    ledger.store.save(ledger.application)
    height = ledger.application.height
    ledger.block(ledger.transaction("ann", pay("ann", "bob", 1)))
    ledger.store.close()
    reopen(ledger, path)
    assert ledger.application.height == height
    ledger.store.close()


def test_a_save_that_fails_leaves_the_block_before(tmp_path):
    path = tmp_path / "state.sqlite"
    ledger = stored(path)
    ledger.store.save(ledger.application)
    height = ledger.application.height
    with pytest.raises(sqlite3.IntegrityError):
        ledger.store.save(ledger.application)
    ledger.store.close()
    reopen(ledger, path)
    assert ledger.application.height == height
    ledger.store.close()


def test_old_versions_leave_the_file(tmp_path):
    path = tmp_path / "state.sqlite"
    ledger = stored(path)
    ledger.store.save(ledger.application)
    counts = []
    for _ in range(PROVABLE_VERSIONS + 40):
        ledger.block(ledger.transaction("ann", pay("ann", "bob", 1)))
        ledger.store.save(ledger.application)
        (count,) = ledger.store._database.execute("SELECT count(*) FROM nodes").fetchone()
        counts.append(count)
    assert counts[-1] == counts[-20], "each block adds as many as it takes away"
    ledger.store.close()
    reopen(ledger, path)
    height = ledger.application.height
    assert ledger.application.prove("ibc", b"absent", height - PROVABLE_VERSIONS + 1)
    with pytest.raises(KeyError):
        ledger.application.prove("ibc", b"absent", height - PROVABLE_VERSIONS)
    ledger.store.close()


def test_the_state_of_another_ledger_is_refused(tmp_path):
    path = tmp_path / "state.sqlite"
    ledger = stored(path)
    ledger.store.save(ledger.application)
    ledger.store.close()
    store = StateStore(path)
    with pytest.raises(ConfigError, match="another genesis"):
        store.open_application(replace(ledger.genesis, chain_id="other-1"), ledger.installation)
    store.close()


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "state.sqlite"
    ledger = stored(path)
    ledger.store.save(ledger.application)
    ledger.store._database.execute("DELETE FROM nodes WHERE height = 0 AND store = 'ibc'")
    ledger.store.close()
    store = StateStore(path)
    with pytest.raises(ConfigError, match="missing"):
        store.open_application(ledger.genesis, ledger.installation)
    store.close()


def test_a_state_is_open_once(tmp_path, monkeypatch):
    monkeypatch.setattr("tieline.ledgers.tendermint.state_store._BUSY_S", 0.0)
    first = StateStore(tmp_path / "state.sqlite")
    with pytest.raises(ConfigError, match="locked"):
        StateStore(tmp_path / "state.sqlite")
    first.close()
    StateStore(tmp_path / "state.sqlite").close()


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "state.sqlite").write_bytes(b"x" * 5000)
    with pytest.raises(ConfigError, match="not a database"):
        StateStore(tmp_path / "state.sqlite")
