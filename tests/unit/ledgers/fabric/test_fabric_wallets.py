"""B132: wallets in a folder, in memory and in an encrypted database, one like the other."""

from __future__ import annotations

import os
import sqlite3

import pytest
from fakes.fabric_identities import identity_of

from tieline.interfaces.errors import ConfigError
from tieline.ledgers.fabric.carriers import X509Carrier
from tieline.ledgers.fabric.wallets import DatabaseWallet, FolderWallet, Identity, MemoryWallet
from tieline.wire.fabric.identities import SerializedIdentity

PASSPHRASE = "a passphrase of the test"


@pytest.fixture(params=["folder", "memory", "database"])
def reopen(request, tmp_path):
    """Opens one wallet of a kind, and the same one again; one in memory has nothing to open."""
    memory = MemoryWallet()

    def open_wallet():
        if request.param == "folder":
            return FolderWallet(tmp_path / "wallet")
        if request.param == "memory":
            return memory
        return DatabaseWallet(tmp_path / "deep" / "wallet.db", PASSPHRASE)

    return open_wallet


def test_an_identity_comes_back_as_it_was_and_signs(reopen):
    kept = identity_of("Org1MSP", "client")
    reopen().put("relayer@Org1", kept)
    found = reopen().get("relayer@Org1")
    assert found == kept
    carrier = X509Carrier(found)
    assert SerializedIdentity.decode(carrier.creator).msp_id == "Org1MSP"
    assert carrier.sign(b"proposal") == X509Carrier(kept).sign(b"proposal")


def test_labels_are_told_in_order_and_leave(reopen):
    wallet = reopen()
    assert list(wallet.labels()) == []
    for label in ("b", "a", "c"):
        wallet.put(label, identity_of("Org1MSP", "client"))
    wallet.remove("b")
    wallet.remove("never-there")
    assert list(reopen().labels()) == ["a", "c"]


def test_the_newer_of_two_of_one_label_is_kept(reopen):
    wallet = reopen()
    wallet.put("a", identity_of("Org1MSP", "client"))
    wallet.put("a", identity_of("Org2MSP", "client"))
    assert reopen().get("a").msp_id == "Org2MSP"


def test_what_is_not_there_is_said_with_what_is(reopen):
    wallet = reopen()
    wallet.put("here", identity_of("Org1MSP", "client"))
    with pytest.raises(ConfigError, match=r"no identity called 'gone'.*there is here"):
        wallet.get("gone")


@pytest.mark.parametrize("label", ["", "a/b", "../a", "a b", "x" * 65, ".hidden"])
def test_a_label_that_is_none_is_refused(reopen, label):
    with pytest.raises(ConfigError, match="no label"):
        reopen().put(label, identity_of("Org1MSP", "client"))


def test_nobody_else_may_read_a_folders_keys(tmp_path):
    wallet = FolderWallet(tmp_path)
    wallet.put("a", identity_of("Org1MSP", "client"))
    (path,) = tmp_path.iterdir()
    assert path.stat().st_mode & 0o077 == 0
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="others may read this key"):
        wallet.get("a")


CREDENTIALS = b'{"certificate":"c","privateKey":"k"}'


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"type":"X.509","version":2}',
        b'{"type":"X.509","version":1,"mspId":5,"credentials":%s}' % CREDENTIALS,
        b'{"type":"X.509","version":1,"mspId":"","credentials":%s}' % CREDENTIALS,
        b'{"type":"X.509","version":1,"mspId":"\\ud800","credentials":%s}' % CREDENTIALS,
        b"[" * 100_000,
    ],
)
def test_a_file_that_is_no_identity_is_named(tmp_path, content):
    path = tmp_path / "a.id"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=r"a\.id: no X.509 identity"):
        FolderWallet(tmp_path).get("a")


def test_a_database_shows_nothing_without_its_passphrase(tmp_path):
    path = tmp_path / "wallet.db"
    kept = identity_of("Org1MSP", "client")
    wallet = DatabaseWallet(path, PASSPHRASE)
    wallet.put("a", kept)
    wallet.close()
    assert kept.key_pem.splitlines()[1] not in path.read_bytes()
    assert b"Org1MSP" not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(ConfigError, match="passphrase is not this wallet's"):
        DatabaseWallet(path, PASSPHRASE + "?")


def test_rows_of_a_database_cannot_be_exchanged(tmp_path):
    path = tmp_path / "wallet.db"
    wallet = DatabaseWallet(path, PASSPHRASE)
    wallet.put("good", identity_of("Org1MSP", "client"))
    wallet.put("evil", identity_of("Org2MSP", "client"))
    wallet.close()
    rows = sqlite3.connect(path)
    rows.execute("UPDATE held SET row = (SELECT row FROM held WHERE label = 'evil')")
    rows.commit()
    rows.close()
    opened = DatabaseWallet(path, PASSPHRASE)
    with pytest.raises(ConfigError, match="the row of good was altered"):
        opened.get("good")
    opened.close()


@pytest.mark.parametrize("row", [b"", b"short", b"long enough for a nonce", None, "text", 7])
def test_a_row_that_was_altered_is_said_whatever_it_holds_now(tmp_path, row):
    wallet = DatabaseWallet(tmp_path / "wallet.db", PASSPHRASE)
    wallet.put("a", identity_of("Org1MSP", "client"))
    rows = sqlite3.connect(tmp_path / "wallet.db", isolation_level=None)
    rows.execute("UPDATE held SET row = ?", (row,))
    rows.close()
    with pytest.raises(ConfigError, match="the row of a was altered"):
        wallet.get("a")
    wallet.close()


def test_two_that_begin_one_database_have_one_wallet(tmp_path):
    """Each made a head of its own before, and what one of them kept could never be read again."""
    path, opened = tmp_path / "wallet.db", []

    class Meanwhile(DatabaseWallet):
        def _begin(self, passphrase):
            opened.append(DatabaseWallet(path, passphrase))
            super()._begin(passphrase)

    late = Meanwhile(path, PASSPHRASE)
    for name, wallet in (("early", opened[0]), ("late", late)):
        wallet.put(name, identity_of("Org1MSP", "client"))
        wallet.close()
    again = DatabaseWallet(path, PASSPHRASE)
    assert [again.get(one).msp_id for one in again.labels()] == ["Org1MSP", "Org1MSP"]
    again.close()


def test_rows_whose_head_is_lost_do_not_begin_a_wallet_anew(tmp_path):
    wallet = DatabaseWallet(tmp_path / "wallet.db", PASSPHRASE)
    wallet.put("a", identity_of("Org1MSP", "client"))
    wallet.close()
    rows = sqlite3.connect(tmp_path / "wallet.db", isolation_level=None)
    rows.execute("DELETE FROM head")
    rows.close()
    with pytest.raises(ConfigError, match="its head is damaged"):
        DatabaseWallet(tmp_path / "wallet.db", "any other")


def test_a_database_of_something_else_is_left_as_it_is(tmp_path):
    path = tmp_path / "journal.db"
    rows = sqlite3.connect(path, isolation_level=None)
    rows.execute("CREATE TABLE outbox (a)")
    with pytest.raises(ConfigError, match="something else"):
        DatabaseWallet(path, PASSPHRASE)
    assert rows.execute("SELECT name FROM sqlite_master").fetchall() == [("outbox",)]
    rows.close()


def test_a_database_that_another_process_holds_is_said(tmp_path):
    wallet = DatabaseWallet(tmp_path / "wallet.db", PASSPHRASE)
    wallet._rows.execute("PRAGMA busy_timeout = 1")
    rows = sqlite3.connect(tmp_path / "wallet.db", isolation_level=None)
    rows.execute("BEGIN EXCLUSIVE")
    for act in (
        lambda: wallet.put("a", identity_of("Org1MSP", "client")),
        lambda: wallet.get("a"),
        lambda: wallet.remove("a"),
        wallet.labels,
    ):
        with pytest.raises(ConfigError, match="is locked"):
            act()
    rows.close()
    wallet.close()


def test_a_passphrase_from_the_environment_need_not_be_text(tmp_path):
    odd = os.fsdecode(b"\xff\xfe")
    DatabaseWallet(tmp_path / "wallet.db", odd).close()
    DatabaseWallet(tmp_path / "wallet.db", odd).close()


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "wallet.db"
    path.write_bytes(b"not a database, but a letter of some length" * 100)
    with pytest.raises(ConfigError, match="no wallet"):
        DatabaseWallet(path, PASSPHRASE)


def test_a_key_that_is_not_the_certificates_is_refused():
    one, other = identity_of("Org1MSP", "client"), identity_of("Org2MSP", "client")
    with pytest.raises(ConfigError, match="not of each other"):
        X509Carrier(Identity("Org1MSP", one.certificate_pem, other.key_pem))
    with pytest.raises(ConfigError, match="cannot be read"):
        X509Carrier(Identity("Org1MSP", b"", one.key_pem))


def test_an_identity_does_not_print_its_key():
    kept = identity_of("Org1MSP", "client")
    assert "PRIVATE" not in repr(kept)
