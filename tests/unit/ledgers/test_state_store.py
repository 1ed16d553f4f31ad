"""State on disk: what is opened again goes on as if it had never stopped."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from itertools import count

import pytest
from fakes.microgrid import Ledger, pay

from tieline.contract.iavl import PROVABLE_VERSIONS
from tieline.contract.multistore import MultiStore
from tieline.contract.store import STORES
from tieline.interfaces.errors import ConfigError, Unavailable
from tieline.ledgers.tendermint import state_copy, state_store
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


def test_a_full_disk_is_told_with_the_file_and_leaves_the_block_before(tmp_path):
    path = tmp_path / "state.sqlite"
    ledger = stored(path)
    ledger.store.save(ledger.application)
    (pages,) = ledger.store._database.execute("PRAGMA page_count").fetchone()
    ledger.store._database.execute(f"PRAGMA max_page_count = {pages + 1}")
    stored_blocks = []

    def go_on():
        while True:
            stored_blocks.append((ledger.application.height, ledger.application.app_hash))
            ledger.block(ledger.transaction("ann", pay("ann", "bob", 1)))
            ledger.store.save(ledger.application)

    with pytest.raises(Unavailable, match="cannot be written: database or disk is full") as caught:
        go_on()
    assert str(path) in str(caught.value)
    ledger.store.close()
    reopen(ledger, path)
    assert (ledger.application.height, ledger.application.app_hash) == stored_blocks[-1]
    ledger.store.close()


def rows_of(store):
    """How many rows there are of blocks, and of copies by their version."""
    ask = store._database.execute
    (changes,) = ask("SELECT count(*) FROM changes").fetchone()
    (nodes,) = ask("SELECT total(count) FROM changes").fetchone()
    copies = ask("SELECT version, is_whole FROM copies ORDER BY version").fetchall()
    return changes, nodes, copies


def test_old_versions_leave_the_file_once_a_copy_is_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(state_copy, "_NODES_MIN", 200)
    monkeypatch.setattr(state_copy, "_PART_MIN", 30)
    path = tmp_path / "state.sqlite"
    ledger = stored(path)
    ledger.store.save(ledger.application)
    changes, nodes = [], []
    for _ in range(4 * PROVABLE_VERSIONS):
        ledger.block(ledger.transaction("ann", pay("ann", "bob", 1)))
        ledger.store.save(ledger.application)
        rows = rows_of(ledger.store)
        changes.append(rows[0])
        nodes.append(rows[1])
    assert max(changes) < 2 * 2 * PROVABLE_VERSIONS
    assert max(nodes[-PROVABLE_VERSIONS:]) <= 1.2 * max(nodes[: 2 * PROVABLE_VERSIONS])
    (parts,) = ledger.store._database.execute(
        "SELECT count(DISTINCT version) FROM copy_parts"
    ).fetchone()
    assert parts < 30, "copies that are older than the base are dropped"
    ledger.store.close()
    reopen(ledger, path)
    height = ledger.application.height
    for kept in range(height - PROVABLE_VERSIONS + 1, height + 1):
        assert ledger.application.prove("ibc", b"absent", kept)
    with pytest.raises(KeyError):
        ledger.application.prove("ibc", b"absent", height - PROVABLE_VERSIONS)
    ledger.store.close()


@pytest.mark.parametrize("every", [1, 7])
def test_a_ledger_that_is_opened_often_keeps_its_hashes_and_gets_its_copies_done(
    tmp_path, monkeypatch, every
):
    """A copy that was under way begins anew; with a stop at each block none is ever whole."""
    monkeypatch.setattr(state_copy, "_NODES_MIN", 100)
    monkeypatch.setattr(state_copy, "_PART_MIN", 15)
    monkeypatch.setattr(state_store, "PROVABLE_VERSIONS", 8)
    path = tmp_path / "state.sqlite"
    ledger = stored(path)
    ledger.store.save(ledger.application)
    hashes = [ledger.application.app_hash]
    for amount in range(1, 60):
        ledger.block(ledger.transaction("ann", pay("ann", "bob", amount)))
        ledger.store.save(ledger.application)
        hashes.append(ledger.application.app_hash)
        if amount % every == 0:
            ledger.store.close()
            reopen(ledger, path)
            assert ledger.application.app_hash == hashes[-1]
    assert hashes == reference(60)
    assert any(is_whole for _, is_whole in rows_of(ledger.store)[2]) is (every > 1)
    ledger.store.close()


def test_a_copy_whose_part_was_not_stored_is_not_gone_on_with(tmp_path, monkeypatch):
    monkeypatch.setattr(state_copy, "_NODES_MIN", 8)
    monkeypatch.setattr(state_copy, "_PART_MIN", 2)
    path = tmp_path / "state.sqlite"
    ledger = stored(path)
    ledger.store.save(ledger.application)
    drop, calls = StateStore._drop, count(1)

    def full_disk(store, horizon):
        if next(calls) % 5 == 0:
            raise sqlite3.OperationalError("disk is full")
        drop(store, horizon)

    monkeypatch.setattr(StateStore, "_drop", full_disk)
    monkeypatch.setattr(state_store, "PROVABLE_VERSIONS", 4)
    for amount in range(1, 80):
        ledger.block(ledger.transaction("ann", pay("ann", "bob", amount)))
        try:
            ledger.store.save(ledger.application)
        except Unavailable:
            ledger.store.save(ledger.application)
        if amount % 5 == 0:
            assert any(is_whole for _, is_whole in rows_of(ledger.store)[2]) or amount < 40
            copy = tmp_path / f"{amount}.sqlite"
            ledger.store._database.execute("VACUUM INTO ?", (str(copy),))
            store = StateStore(copy)
            opened = store.open_application(ledger.genesis, ledger.installation)
            assert opened.app_hash == ledger.application.app_hash
            store.close()
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


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ("DELETE FROM changes WHERE store = 'tieline'", "missing"),
        ("UPDATE changes SET nodes = x'00' WHERE store = 'tieline'", "changed on disk"),
        ("UPDATE changes SET root = x'00'", "missing"),
        ("UPDATE last_block SET height = height + 1", "missing|damaged"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, spoil, reason):
    path = tmp_path / "state.sqlite"
    ledger = stored(path)
    ledger.store.save(ledger.application)
    ledger.store._database.execute(spoil)
    ledger.store.close()
    store = StateStore(path)
    with pytest.raises(ConfigError, match=reason):
        store.open_application(ledger.genesis, ledger.installation)
    store.close()


def test_a_file_of_another_format_is_refused(tmp_path):
    path = tmp_path / "state.sqlite"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE nodes (digest BLOB)")
    database.commit()
    database.close()
    with pytest.raises(ConfigError, match="another version"):
        StateStore(path)


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
