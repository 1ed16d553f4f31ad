"""
Brings a journal's tables up to date with the migrations that ship in this package.

A new database gets the tables as they are today; alembic, ten megabytes and a fifth of a second, is
loaded only for one that is older.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from tieline.hub.journal_tables import METADATA

SCRIPTS = Path(__file__).parent / "migrations"
NEWEST = "0002"
"""Held to the scripts by a test; a database that has it needs no alembic."""

_VERSION = sa.Table(
    "alembic_version", sa.MetaData(), sa.Column("version_num", sa.String(32), primary_key=True)
)
"""As alembic has it."""


def is_current(engine: Engine) -> bool:
    """Return whether a database has the tables as they are today; changes nothing."""
    with engine.connect() as connection:
        return _revision(connection) == NEWEST


def migrate(engine: Engine) -> None:
    """Run the migrations that the database has not seen."""
    with engine.begin() as connection:
        if _revision(connection) == NEWEST:
            return
        if not sa.inspect(connection).get_table_names():
            METADATA.create_all(connection)
            _VERSION.create(connection)
            connection.execute(sa.insert(_VERSION).values(version_num=NEWEST))
            return
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    row = connection.execute(sa.text("SELECT version_num FROM alembic_version")).first()
    return None if row is None else str(row[0])
