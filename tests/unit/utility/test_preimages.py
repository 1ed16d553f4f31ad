"""Preimages: one a position, found after a restart, never readable in a file or in a log."""

import logging
import stat
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag

from tieline.utility.keys import KeyRing
from tieline.utility.preimages import PreimageStore

KEY = b"\x01" * 32


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "preimages.sqlite"


def files(path: Path) -> bytes:
    """Everything that lies on the disk, write-ahead log included."""
    return b"".join(part.read_bytes() for part in sorted(path.parent.glob(path.name + "*")))


def test_a_position_has_one_preimage_however_often_it_is_asked(path: Path) -> None:
    store = PreimageStore(path, KEY)
    assert store.preimage("slot 1") == store.preimage("slot 1")
    assert store.preimage("slot 1") != store.preimage("slot 2")


def test_it_is_found_again_after_a_kill(path: Path) -> None:
    drawn = PreimageStore(path, KEY).preimage("slot 1")
    again = PreimageStore(path, KEY)
    assert again.preimage("slot 1") == drawn
    assert again.find(drawn.hash_lock.digest) == drawn


def test_the_disk_never_shows_it(path: Path) -> None:
    drawn = PreimageStore(path, KEY).preimage("slot 1")
    content = files(path)
    assert drawn.hash_lock.digest in content
    assert drawn.secret not in content
    assert drawn.secret.hex().encode() not in content
    assert KEY not in content


def test_a_copied_file_gives_nothing_away_without_the_key(path: Path) -> None:
    PreimageStore(path, KEY).preimage("slot 1")
    with pytest.raises(InvalidTag):
        PreimageStore(path, b"\x02" * 32).preimage("slot 1")


def test_a_sealed_preimage_moved_to_another_position_is_refused(path: Path) -> None:
    store = PreimageStore(path, KEY)
    store.preimage("slot 1")
    store._connection.execute("UPDATE preimage SET position='slot 2'")
    with pytest.raises(InvalidTag):
        store.preimage("slot 2")


def test_no_text_shows_it(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = PreimageStore(path, KEY)
    drawn = store.preimage("slot 1")
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("tieline").info("%s %r %s", drawn, drawn, store)
    shown = caplog.text + repr(drawn) + str(drawn) + repr(store) + f"{drawn}"
    assert drawn.secret.hex() not in shown
    assert repr(drawn.secret) not in shown


def test_a_strangers_hash_lock_has_none(path: Path) -> None:
    assert PreimageStore(path, KEY).find(bytes(32)) is None


def test_a_forgotten_preimage_is_gone(path: Path) -> None:
    store = PreimageStore(path, KEY)
    drawn = store.preimage("slot 1")
    store.forget(drawn.hash_lock.digest)
    assert store.find(drawn.hash_lock.digest) is None


def test_a_drawer_may_make_them_reproducible(path: Path) -> None:
    store = PreimageStore(path, KEY, lambda position: position.encode().ljust(32, b"."))
    assert store.preimage("slot 1").secret == b"slot 1".ljust(32, b".")


def test_secrets_are_drawn_once_and_are_private(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "keys")
    key = ring.key("cell-A", "cell")
    file = tmp_path / "keys" / "cell-A.secret"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert KeyRing(tmp_path / "keys").key("cell-A", "cell").address == key.address
    assert ring.derive("cell-A", "x") != ring.derive("cell-A", "y") != ring.derive("cell-B", "y")


def test_reproducible_keys_leave_no_file_and_differ_by_seed(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    one, two = KeyRing(folder, "seed 1"), KeyRing(folder, "seed 2")
    assert one.derive("a", "x") == KeyRing(folder, "seed 1").derive("a", "x")
    assert one.derive("a", "x") != two.derive("a", "x")
    assert not folder.exists()
