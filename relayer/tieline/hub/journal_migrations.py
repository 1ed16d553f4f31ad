"""Brings a journal's tables up to date with the migrations that ship in this package."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine

SCRIPTS = Path(__file__).parent / "migrations"
NEWEST = "0001"
"""Held to the scripts by a test; a database that has it needs no alembic."""


def migrate(engine: Engine) -> None:
    """Run the migrations that the database has not seen."""
    with engine.connect() as connection:
        if _revision(connection) == NEWEST:
            return
    # Alembic takes a fifth of a second to import: only a new or old database needs it.
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
