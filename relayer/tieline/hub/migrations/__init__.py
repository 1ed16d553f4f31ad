"""Migrations of the journal, run by alembic through ``hub.journal_migrations``."""
