"""What was once signed stays signed: across restarts, as a unit, for ever."""

from pathlib import Path

import pytest

from tieline.utility.journal import SigningConflict, SigningJournal, Statement


def statement(
    content: bytes = b"yes", subject: bytes = b"slot", kind: str = "verdict"
) -> Statement:
    return Statement(kind, b"set", subject, content)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "signing.sqlite"


def test_the_same_statement_again_is_fine(path: Path) -> None:
    journal = SigningJournal(path)
    journal.bind([statement()])
    journal.bind([statement()])
    assert journal.content("verdict", b"set", b"slot") == b"yes"


def test_another_content_is_refused_and_both_are_named(path: Path) -> None:
    journal = SigningJournal(path)
    journal.bind([statement(b"\x01")])
    with pytest.raises(SigningConflict, match="signed=01 asked=02") as caught:
        journal.bind([statement(b"\x02")])
    assert (caught.value.signed, caught.value.statement) == (b"\x01", statement(b"\x02"))


def test_a_conflict_survives_a_restart(path: Path) -> None:
    journal = SigningJournal(path)
    journal.bind([statement()])
    journal.close()
    again = SigningJournal(path)
    with pytest.raises(SigningConflict):
        again.bind([statement(b"no")])
    assert again.content("verdict", b"set", b"slot") == b"yes"


def test_what_is_bound_is_on_the_disk_before_the_file_is_closed(path: Path) -> None:
    """A killed process closes nothing."""
    SigningJournal(path).bind([statement()])
    with pytest.raises(SigningConflict):
        SigningJournal(path).bind([statement(b"no")])


def test_a_batch_with_one_conflict_binds_nothing(path: Path) -> None:
    journal = SigningJournal(path)
    journal.bind([statement()])
    with pytest.raises(SigningConflict):
        journal.bind([statement(b"new", b"fresh"), statement(b"no")])
    assert journal.content("verdict", b"set", b"fresh") is None


def test_two_contents_of_one_subject_in_a_batch_bind_nothing(path: Path) -> None:
    """Two entries for one path in one request: neither may be signed."""
    journal = SigningJournal(path)
    with pytest.raises(SigningConflict):
        journal.bind([statement(b"yes"), statement(b"no")])
    assert journal.content("verdict", b"set", b"slot") is None


def test_one_statement_twice_in_a_batch_is_one(path: Path) -> None:
    journal = SigningJournal(path)
    journal.bind([statement(), statement()])
    assert journal.content("verdict", b"set", b"slot") == b"yes"


def test_kinds_and_scopes_do_not_meet(path: Path) -> None:
    journal = SigningJournal(path)
    journal.bind([statement(kind="verdict"), statement(b"no", kind="delivery")])
    journal.bind([Statement("verdict", b"other set", b"slot", b"no")])
    assert journal.content("verdict", b"set", b"slot") == b"yes"


def test_neighbours_are_the_nearest_subjects(path: Path) -> None:
    journal = SigningJournal(path)
    journal.bind([statement(bytes([n]), bytes([n]), "state") for n in (1, 4, 9)])
    assert journal.neighbours("state", b"set", b"\x05") == (b"\x04", b"\x09")
    assert journal.neighbours("state", b"set", b"\x04") == (b"\x01", b"\x09")
    assert journal.neighbours("state", b"set", b"\x00") == (None, b"\x01")
    assert journal.neighbours("state", b"elsewhere", b"\x05") == (None, None)
