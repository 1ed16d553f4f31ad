"""The journal keeps what was meant to be done, over restarts, and one row a packet."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from tieline.hub.journal_migrations import NEWEST, SCRIPTS
from tieline.hub.journal_sql import SqlJournal
from tieline.hub.journal_tables import METADATA
from tieline.interfaces.errors import Unavailable
from tieline.interfaces.journal import Intent, IntentStatus, JourneyRow


def intents(count: int, written_s: int = 100) -> list[Intent]:
    return [
        Intent("a-1", "lane one", "deliver_packet", f"recv/{n}", written_s) for n in range(count)
    ]


def row(key: str, status: str = "SENT", *, is_done: bool = False, updated_s: int = 5) -> JourneyRow:
    return JourneyRow(key, "a->b", status, 900, updated_s, "sent=4", is_done)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/run/journal.db"


def test_intents_are_there_before_anything_is_performed_and_after_a_restart(url: str) -> None:
    journal = SqlJournal(url)
    numbers = journal.write_intents(intents(3))
    journal.close()
    reopened = SqlJournal(url)
    assert [stored.intent_id for stored in reopened.open_intents()] == list(numbers)
    assert [stored.intent for stored in reopened.open_intents()] == intents(3)
    assert reopened.write_intents(intents(1))[0] == numbers[-1] + 1


def test_an_outcome_ends_its_intents_and_no_others() -> None:
    journal = SqlJournal("sqlite://")
    numbers = journal.write_intents(intents(5))
    journal.record_outcome(numbers[:2], IntentStatus.SUBMITTED, tx_hash=b"\x01" * 32)
    journal.record_outcome([numbers[0], numbers[3]], IntentStatus.DONE)
    left = {stored.intent_id: stored for stored in journal.open_intents()}
    assert list(left) == [numbers[1], numbers[2], numbers[4]]
    assert (left[numbers[1]].status, left[numbers[1]].tx_hash) == (
        IntentStatus.SUBMITTED,
        b"\x01" * 32,
    )


def test_an_outcome_of_many_intents_with_gaps_is_recorded_for_all() -> None:
    journal = SqlJournal("sqlite://")
    numbers = journal.write_intents(intents(1_300))
    journal.record_outcome(list(numbers)[::2], IntentStatus.DONE)
    assert [stored.intent_id for stored in journal.open_intents()] == list(numbers)[1::2]


def test_failures_come_newest_first_with_their_reason() -> None:
    journal = SqlJournal("sqlite://")
    first, second, third = journal.write_intents(intents(3))
    journal.record_outcome([first], IntentStatus.REJECTED, detail="no")
    journal.record_outcome([second], IntentStatus.DONE)
    journal.record_outcome([third], IntentStatus.NOT_YET, detail="x" * 999)
    failures = journal.recent_failures()
    assert [stored.intent_id for stored in failures] == [third, first]
    assert [len(stored.detail) for stored in failures] == [400, 2]
    assert len(journal.recent_failures(limit=1)) == 1


def test_rows_are_replaced_by_key_and_done_ones_leave_the_list() -> None:
    journal = SqlJournal("sqlite://")
    journal.save_journeys([row("b"), row("a"), row("c")])
    journal.save_journeys([row("a", "RECEIVED"), row("b", "ACKNOWLEDGED", is_done=True)])
    journal.save_journeys([])
    assert [(one.key, one.status) for one in journal.journeys()] == [
        ("a", "RECEIVED"),
        ("c", "SENT"),
    ]


def test_resume_heights_are_set_by_ledger() -> None:
    journal = SqlJournal("sqlite://")
    assert journal.resume_heights() == {}
    journal.save_resume_heights({"a-1": 5, "b-1": 7})
    journal.save_resume_heights({"a-1": 6})
    assert journal.resume_heights() == {"a-1": 6, "b-1": 7}


def test_old_ended_things_are_forgotten_and_open_ones_kept() -> None:
    journal = SqlJournal("sqlite://")
    old, young = journal.write_intents(intents(1, 100)), journal.write_intents(intents(1, 200))
    left = journal.write_intents(intents(1, 100))
    journal.record_outcome([*old, *young], IntentStatus.DONE)
    journal.save_journeys([row("done", is_done=True), row("open")])
    assert journal.forget_before(150) == 1
    assert journal.forget_before(150) == 0
    assert [stored.intent_id for stored in journal.open_intents()] == list(left)
    assert [one.key for one in journal.journeys()] == ["open"]


def test_a_file_that_is_no_database_is_said_to_be_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(Unavailable, match="cannot be opened"):
        SqlJournal(f"sqlite:///{path}")


@pytest.mark.parametrize("is_old", [False, True], ids=["new", "migrated"])
def test_old_and_new_databases_have_the_tables_that_the_code_uses(
    url: str, tmp_path: Path, *, is_old: bool
) -> None:
    if is_old:  # a table of no revision: every migration runs
        (tmp_path / "run").mkdir()
        with sa.create_engine(url).begin() as connection:
            connection.execute(sa.text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
    SqlJournal(url).close()
    SqlJournal(url).close()
    inspector = sa.inspect(sa.create_engine(url))
    for table in METADATA.sorted_tables:
        made = {column["name"]: column["nullable"] for column in inspector.get_columns(table.name)}
        assert made == {column.name: column.nullable for column in table.columns}
        indexes = {index["name"] for index in inspector.get_indexes(table.name)}
        assert indexes == {index.name for index in table.indexes}


def test_the_newest_migration_is_the_one_that_is_looked_for() -> None:
    scripts = sorted(SCRIPTS.glob("versions/*_[0-9]*.py"))
    assert f'revision = "{NEWEST}"' in scripts[-1].read_text()


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("statement", range(12))
def test_a_journal_that_was_not_made_to_its_end_is_made_by_the_next(
    url: str, tmp_path: Path, statement: int, *, older: bool
) -> None:
    (tmp_path / "run").mkdir()
    if older:
        migrate_to_first(url)
    writes = 0

    def die(_connection, _cursor, sql: str, *_rest) -> None:
        nonlocal writes
        if sql.lstrip().startswith(("CREATE", "INSERT", "ALTER", "DROP", "UPDATE")):
            writes += 1
            if writes > statement:
                raise KeyboardInterrupt

    sa.event.listen(sa.engine.Engine, "before_cursor_execute", die)
    try:
        SqlJournal(url).close()
    except KeyboardInterrupt:
        pass
    finally:
        sa.event.remove(sa.engine.Engine, "before_cursor_execute", die)
    journal = SqlJournal(url)
    assert journal.write_intents(intents(2)) == range(1, 3)
    journal.close()


def migrate_to_first(url: str) -> None:
    """Make the journal of an earlier version."""
    engine = sa.create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
